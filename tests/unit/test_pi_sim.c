/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_sim.c - the simulated Privileged Identity without a network, with a clock moved by hand.
 *
 * The wire has its own tests (tests/e2e). Here are seeded walks: over check-outs of several identities and
 * persons, after which lists and counters must agree, and over a client that does everything right while
 * answers get lost, against which nothing may be counted.
 */

#include "base/json.h"
#include "check.h"
#include "fake_clock.h"
#include "pi-sim/dispatch.h"
#include "pi-sim/entries.h"
#include "pi-sim/spoil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 4000

struct world {
    struct fake_clock clock;
    struct timers *timers;
    struct vault *vault;
    struct token *token;
    unsigned seed;
    int status; /* of the last call */
    const char *type;
    char body[65536];
    struct dispatch_result result;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct buf why = BUF_INIT(1024);

    assert_non_null(w);
    fake_clock_init(&w->clock);
    w->timers = timers_new(&w->clock.clock);
    assert_non_null(w->timers);
    w->vault = vault_new(w->timers);
    assert_non_null(w->vault);
    assert_int_equal(entries_load_fixture(w->vault, &why), 0);
    w->seed = 11;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    vault_free(w->vault);
    assert_int_equal(timers_count(w->timers), 0);
    timers_free(w->timers);
    free(w);
    return 0;
}

static unsigned chance(struct world *w, unsigned n)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % n;
}

static void pass(struct world *w, uint64_t ms)
{
    fake_clock_advance(&w->clock, ms);
    while (timers_next(w->timers) == 0)
        (void)timers_run(w->timers);
}

static struct identity *gateway(struct world *w)
{
    return vault_identity_named(w->vault, "svc-gateway");
}

/* ---- calls by the dispatcher ---- */

static void ask(struct world *w, const char *face, const char *operation, const char *members)
{
    char path[256], body[4096];
    struct sim_answer answer;
    struct dispatch_call c = {
        .method = "POST", .path = path, .content_type = "application/json", .body = body};

    (void)snprintf(path, sizeof(path), DISPATCH_BASE "%s%s", face, operation);
    c.body_len = (size_t)snprintf(body, sizeof(body), "{\"AuthenticationToken\":\"%s\"%s%s}",
                                  w->token ? w->token->text : "", *members ? "," : "", members);
    dispatch_run(w->vault, &c, &answer, &w->result);
    w->status = answer.status;
    w->type = answer.content_type;
    assert_true(answer.body.len < sizeof(w->body));
    (void)snprintf(w->body, sizeof(w->body), "%s", answer.body.len ? buf_cstr(&answer.body) : "");
    sim_answer_free(&answer);
}

#define V2 "/json/V2/AuthService.svc/"
#define ADM1                                                                                                 \
    "\"SharedCredentialIdentifier\":{\"AccountName\":\"adm1\",\"SharedCredentialListName\":\"Domain "        \
    "admins\",\"SystemName\":\"corp.test\"}"

static void sign_in(struct world *w)
{
    w->token = tokens_issue(w->vault, gateway(w), FACE_JSON_V2);
    assert_non_null(w->token);
}

/* Whatever the form and the words, what says that it is JSON is JSON. */
TEST(answers_are_well_formed_in_every_form)
{
    struct world *w = *state;
    int *knob = w->vault->settings.knob;

    sign_in(w);
    assert_int_equal(texts_set(&w->vault->settings.texts, "not_held", "a/b \"c\" <d> \\ \n \xc3\xa9 {who}"),
                     0);
    for (int form = 0; form <= REFUSAL_MESSAGE_ONLY; form++) {
        for (int flag = 0; flag <= FLAG_ERROR_TEXT; flag++) {
            for (int slashes = 0; slashes < 2; slashes++) {
                case_label("form %d, flag %d, slashes %d", form, flag, slashes);
                knob[KNOB_REFUSAL] = form;
                knob[KNOB_FLAG] = flag;
                knob[KNOB_SLASHES] = slashes;
                ask(w, V2, "AccountStoreOps_SharedCredential_CheckIn", ADM1);
                assert_non_null(strstr(w->body, "\xc3\xa9"));
                assert_int_equal(w->result.outcome, ANSWER_UNCLEAR); /* no words of its own */
                if (strstr(w->type, "json"))
                    assert_null(json_check(w->body, strlen(w->body), 8, 0));
            }
        }
    }
}

TEST(every_done_answer_is_well_formed)
{
    struct world *w = *state;

    sign_in(w);
    for (int form = 0; form <= DONE_OTHER_WORDS; form++) {
        case_label("form %d", form);
        w->vault->settings.knob[KNOB_DONE_ANSWER] = form;
        ask(w, V2, "AccountStoreOps_SharedCredential_CheckOut", ADM1);
        assert_int_equal(w->result.outcome, ANSWER_DONE);
        ask(w, V2, "AccountStoreOps_SharedCredential_CheckIn", ADM1);
        assert_int_equal(w->status, 200);
        assert_int_equal(w->result.outcome,
                         form == DONE_STRING || form == DONE_OTHER_WORDS ? ANSWER_UNCLEAR : ANSWER_DONE);
        if (form != DONE_EMPTY)
            assert_null(json_check(w->body, strlen(w->body), 8, 0));
    }
    assert_int_equal(w->vault->checkouts->nlive, 0);
}

/* Bodies that are cut anywhere change nothing and are counted. */
TEST(a_body_that_is_cut_does_nothing)
{
    static const char body[] = "{\"AuthenticationToken\":\"x\"," ADM1 "}";
    struct world *w = *state;

    for (size_t n = 0; n + 1 < sizeof(body); n++) {
        struct dispatch_call c = {.method = "POST",
                                  .path = DISPATCH_BASE V2 "AccountStoreOps_SharedCredential_CheckOut",
                                  .content_type = "application/json; charset=utf-8",
                                  .body = body,
                                  .body_len = n};
        struct sim_answer answer;
        case_label("%zu bytes", n);
        dispatch_run(w->vault, &c, &answer, &w->result);
        assert_int_equal(answer.status, 500);
        sim_answer_free(&answer);
        assert_int_equal(w->vault->conduct.violations[VIOLATION_BAD_BODY], n + 1);
    }
    assert_int_equal(w->vault->checkouts->made, 0);
}

/* ---- tokens ---- */

TEST(a_token_lives_as_long_as_its_life_and_its_use_allow)
{
    struct world *w = *state;
    uint64_t age = 0, unused = 0;
    bool alive = true;

    for (int i = 0; i < STEPS; i++) {
        uint64_t step = chance(w, MINUTES(4));
        if (!w->token || (!alive && chance(w, 2))) {
            sign_in(w);
            age = unused = 0;
            alive = true;
        }
        pass(w, step);
        age += step;
        unused += step;
        alive = alive && age < MINUTES(30) && unused < MINUTES(20);
        if (chance(w, 4))
            continue;
        case_label("step %d, age %llu ms", i, (unsigned long long)age);
        assert_int_equal(tokens_use(w->vault, w->token->text, FACE_REST) != NULL, alive);
        if (alive)
            unused = 0;
    }
    assert_true(w->vault->tokens->issued > 20);
}

TEST(a_token_ends_to_the_millisecond)
{
    struct world *w = *state;

    sign_in(w);
    pass(w, MINUTES(20) - 1);
    assert_non_null(tokens_use(w->vault, w->token->text, FACE_JSON_V2));
    pass(w, MINUTES(10));
    assert_non_null(tokens_find(w->vault, w->token->text));
    assert_int_equal(w->token->state, TOKEN_ALIVE);
    pass(w, 1);
    assert_null(tokens_use(w->vault, w->token->text, FACE_JSON_V2));
    assert_int_equal(w->token->state, TOKEN_AGED);
    sign_in(w);
    pass(w, MINUTES(20));
    assert_null(tokens_use(w->vault, w->token->text, FACE_JSON_V2));
    assert_int_equal(w->token->state, TOKEN_IDLED);
}

/* ---- a walk over check-outs ---- */

#define KEYS       4
#define IDENTITIES 3

struct walk {
    struct identity *identity[IDENTITIES];
    struct credential *key[KEYS];
    unsigned open[IDENTITIES][KEYS]; /* what the walk itself says should be there */
};

static void start_walk(struct world *w, struct walk *k)
{
    static const char *const names[IDENTITIES] = {"svc-gateway", "svc-domain", "svc-other"};

    *k = (struct walk){0};
    for (int i = 0; i < IDENTITIES; i++) {
        k->identity[i] = vault_identity_named(w->vault, names[i]);
        assert_non_null(k->identity[i]);
    }
    for (int i = 0; i < KEYS; i++)
        k->key[i] = vault_credential_by_id(w->vault, i + 1);
}

static bool anothers(const struct walk *k, int identity, int key)
{
    for (int i = 0; i < IDENTITIES; i++)
        if (i != identity && k->open[i][key])
            return true;
    return false;
}

static void walk_out(struct world *w, struct walk *k, int i, int key)
{
    struct checkout_call call = {.credential = k->key[key], .identity = k->identity[i]};
    const int *knob = w->vault->settings.knob;
    bool refused = !call.identity->ignore_checkout &&
                   (anothers(k, i, key) || (k->open[i][key] && knob[KNOB_REPEAT_CHECKOUT]));

    assert_int_equal(checkouts_out(w->vault, &call), refused ? RESULT_CONFLICT : RESULT_DONE);
    assert_int_equal(call.who != NULL, refused);
    if (!refused)
        k->open[i][key]++;
}

static void walk_in(struct world *w, struct walk *k, int i, int key)
{
    struct checkout_call call = {.credential = k->key[key], .identity = k->identity[i]};
    enum checkout_result expected = k->open[i][key]       ? RESULT_DONE
                                    : anothers(k, i, key) ? RESULT_NOT_YOURS
                                                          : RESULT_NOT_HELD;

    assert_int_equal(checkouts_in(w->vault, &call), expected);
    if (k->open[i][key])
        k->open[i][key] = w->vault->settings.knob[KNOB_CHECKINS] ? k->open[i][key] - 1 : 0;
}

/* The lists, the counters and the walk say the same. */
static void check_walk(struct world *w, const struct walk *k)
{
    const struct checkouts *all = w->vault->checkouts;
    const struct checkout *c;
    uint64_t ended = 0;
    size_t live = 0, expected = 0;

    TAILQ_FOREACH(c, &all->all, in_all)
    {
        live += c->end == CHECKOUT_LIVE;
        assert_int_equal(c->end == CHECKOUT_LIVE, c->open > 0);
    }
    for (int i = CHECKOUT_CHECKED_IN; i <= CHECKOUT_BY_OPERATOR; i++)
        ended += all->ended[i];
    for (int i = 0; i < IDENTITIES; i++) {
        for (int key = 0; key < KEYS; key++) {
            const struct checkout *own = checkouts_of(k->key[key], k->identity[i]);
            expected += k->open[i][key] > 0;
            assert_int_equal(own ? own->open : 0, k->open[i][key]);
        }
    }
    assert_int_equal(live, expected);
    assert_int_equal(all->nlive, live);
    assert_int_equal(all->made, ended + live);
}

TEST(check_outs_are_what_was_answered)
{
    struct world *w = *state;
    struct walk k;

    for (int variant = 0; variant < 4; variant++) {
        w->vault->settings.knob[KNOB_CHECKINS] = variant & 1;
        w->vault->settings.knob[KNOB_REPEAT_CHECKOUT] = variant >> 1;
        start_walk(w, &k);
        k.identity[2]->ignore_checkout = variant == 2;
        for (int i = 0; i < STEPS; i++) {
            int who = (int)chance(w, IDENTITIES), key = (int)chance(w, KEYS);
            case_label("variant %d, step %d", variant, i);
            if (chance(w, 2))
                walk_out(w, &k, who, key);
            else
                walk_in(w, &k, who, key);
            if (i % 50 == 0)
                check_walk(w, &k);
        }
        for (int i = 0; i < IDENTITIES; i++)
            for (int key = 0; key < KEYS; key++)
                while (k.open[i][key])
                    walk_in(w, &k, i, key);
        check_walk(w, &k);
        assert_int_equal(w->vault->checkouts->nlive, 0);
    }
}

/* Every check-out that nobody gives back ends when the vault says, and its password is another one. */
TEST(the_vault_ends_what_is_left)
{
    struct world *w = *state;
    struct walk k;
    uint64_t made;

    w->vault->settings.checkout_life_ms = MINUTES(60);
    w->vault->settings.knob[KNOB_END_PASSWORD] = PASSWORD_CHANGED;
    start_walk(w, &k);
    for (int key = 0; key < KEYS; key++) {
        walk_out(w, &k, key % IDENTITIES, key);
        pass(w, MINUTES(1));
    }
    made = w->vault->checkouts->made;
    pass(w, MINUTES(56) - 1);
    assert_int_equal(w->vault->checkouts->nlive, made);
    for (uint64_t left = made; left > 0; left--) {
        pass(w, left == made ? 1 : MINUTES(1));
        assert_int_equal(w->vault->checkouts->nlive, left - 1);
    }
    for (int key = 0; key < KEYS; key++)
        assert_int_equal(k.key[key]->version, 2);
}

/* ---- conduct ---- */

struct client {        /* of one key, that does everything right */
    unsigned answered; /* check-outs whose password it has */
    bool doubts;       /* an answer was lost since it last knew */
    unsigned lost;     /* check-outs whose answer was lost */
};

static enum conduct_answer perform(struct world *w, enum operation_kind kind, struct credential *c, bool lost)
{
    struct conduct_asked asked = {.kind = kind, .identity = gateway(w), .credential = c};
    struct checkout_call call = {.credential = c, .identity = gateway(w)};
    enum conduct_answer answer = ANSWER_UNCLEAR;
    enum checkout_result result = RESULT_DONE;
    struct conduct_call one;

    conduct_begin(&one, w->vault, &asked, w->clock.now);
    if (!lost || chance(w, 2)) /* the other half is lost on its way to the vault */
        result = kind == OPERATION_CHECKOUT ? checkouts_out(w->vault, &call) : checkouts_in(w->vault, &call);
    if (!lost && result == RESULT_DONE)
        answer = ANSWER_DONE;
    else if (!lost)
        answer = result == RESULT_NOT_HELD || result == RESULT_NOT_YOURS ? ANSWER_GONE : ANSWER_REFUSED;
    conduct_end(&one, answer, false, w->clock.now);
    return answer;
}

static void client_out(struct world *w, struct client *c, struct credential *key)
{
    enum conduct_answer answer;

    if (c->answered && w->vault->settings.knob[KNOB_REPEAT_CHECKOUT])
        return;
    answer = perform(w, OPERATION_CHECKOUT, key, chance(w, 5) == 0);
    if (answer == ANSWER_DONE)
        c->answered++;
    if (answer != ANSWER_UNCLEAR)
        return;
    c->lost++;
    c->doubts = true;
}

/* Gives back what it has, or may have; with `each` as often as it may need to. */
static void client_in(struct world *w, struct client *c, struct credential *key)
{
    bool each = w->vault->settings.knob[KNOB_CHECKINS] != 0;
    unsigned left = each ? c->answered + c->lost : 1;

    if (!c->answered && !c->doubts)
        return;
    while (left) {
        enum conduct_answer answer = perform(w, OPERATION_CHECKIN, key, chance(w, 5) == 0);
        if (answer == ANSWER_GONE)
            break;
        left -= answer == ANSWER_DONE;
    }
    *c = (struct client){0};
}

static uint64_t violations(const struct world *w)
{
    uint64_t sum = 0;

    for (int i = 0; i < VIOLATION_COUNT; i++)
        sum += w->vault->conduct.violations[i];
    return sum;
}

/* A person, the vault's own end and the operator interfere; the client cannot know of them. */
static void interfere(struct world *w, struct credential *key)
{
    struct checkout *c = TAILQ_FIRST(&key->live);

    if (chance(w, 8) == 0 && !c)
        assert_non_null(checkouts_person(w->vault, key, "ann", NULL));
    else if (chance(w, 8) == 0 && c)
        checkouts_end(w->vault, c, CHECKOUT_BY_OPERATOR);
}

TEST(nothing_is_counted_against_a_client_that_does_everything_right)
{
    struct world *w = *state;

    for (int variant = 0; variant < 4; variant++) {
        struct client clients[KEYS] = {0};
        w->vault->settings.knob[KNOB_CHECKINS] = variant & 1;
        w->vault->settings.knob[KNOB_REPEAT_CHECKOUT] = variant >> 1;
        for (int i = 0; i < STEPS; i++) {
            int key = (int)chance(w, KEYS);
            struct credential *c = vault_credential_by_id(w->vault, key + 1);
            case_label("variant %d, step %d", variant, i);
            interfere(w, c);
            if (chance(w, 3))
                client_out(w, &clients[key], c);
            else
                client_in(w, &clients[key], c);
            assert_int_equal(violations(w), 0);
        }
        for (int key = 0; key < KEYS; key++)
            client_in(w, &clients[key], vault_credential_by_id(w->vault, key + 1));
        for (int key = 0; key < KEYS; key++)
            assert_null(checkouts_of(vault_credential_by_id(w->vault, key + 1), gateway(w)));
    }
    assert_int_equal(violations(w), 0);
}

TEST(a_repeat_is_counted_where_the_vault_refuses_it)
{
    struct world *w = *state;
    struct credential *c = vault_credential_by_id(w->vault, 1);
    const uint64_t *count = &w->vault->conduct.violations[VIOLATION_REPEATED_CHECKOUT];

    (void)perform(w, OPERATION_CHECKOUT, c, false);
    (void)perform(w, OPERATION_CHECKOUT, c, false);
    assert_int_equal(*count, 0);
    w->vault->settings.knob[KNOB_REPEAT_CHECKOUT] = 1;
    (void)perform(w, OPERATION_CHECKOUT, c, false);
    assert_int_equal(*count, 1);
    (void)perform(w, OPERATION_CHECKIN, c, true); /* it may have worked */
    (void)perform(w, OPERATION_CHECKOUT, c, false);
    assert_int_equal(violations(w), 1);
}

TEST(a_check_in_too_many_is_counted)
{
    struct world *w = *state;
    struct credential *c = vault_credential_by_id(w->vault, 1);

    for (int each = 0; each < 2; each++) {
        w->vault->settings.knob[KNOB_CHECKINS] = each;
        for (int n = 0; n < 2; n++)
            (void)perform(w, OPERATION_CHECKOUT, c, false);
        for (int n = 0; n < 1 + each; n++)
            (void)perform(w, OPERATION_CHECKIN, c, false);
        assert_int_equal(violations(w), (uint64_t)each);
        (void)perform(w, OPERATION_CHECKIN, c, false);
        assert_int_equal(violations(w), (uint64_t)each + 1);
    }
}

/* ---- faults on bodies ---- */

static void spoil(const struct fault_action *action, const char *body, uint64_t size)
{
    struct fault_injection_rule rule = {.kind = action->kind, .size = size};
    struct sim_answer a = SIM_ANSWER_INIT;

    a.status = 200;
    a.content_type = dispatch_json;
    assert_int_equal(buf_str(&a.body, body), 0);
    spoil_answer(&rule, &a);
    assert_false(a.body.failed);
    if (action->kind == SPOIL_EMPTY)
        assert_int_equal(a.body.len, 0);
    if (action->kind == SPOIL_OVERSIZE && size)
        assert_int_equal(a.body.len, size > strlen(body) ? size : strlen(body));
    if (action->kind == SPOIL_CUT)
        assert_int_equal(a.body.len, strlen(body) / 2);
    sim_answer_free(&a);
}

TEST(every_fault_on_every_body)
{
    static const char *const bodies[] = {
        "", "x", "null", "\"text\"", "[]", "{}", "{\"Password\":\"p\"}", "<html/>", "{\"Password\":", "{{{{"};

    for (size_t k = 0; k < spoil_nactions; k++) {
        for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
            case_label("%s on %s", spoil_actions[k].name, bodies[b]);
            spoil(&spoil_actions[k], bodies[b], 0);
            spoil(&spoil_actions[k], bodies[b], 50);
        }
    }
}

/* ---- history ---- */

TEST(the_history_keeps_the_newest)
{
    struct world *w = *state;
    struct history *h = &w->vault->history;

    for (int i = 0; i < HISTORY_MAX + 10; i++)
        history_add(w->vault, &(struct history_event){.what = "checkout", .comment = "x"});
    assert_int_equal(h->n, HISTORY_MAX);
    assert_int_equal(h->dropped, 10);
    assert_int_equal(TAILQ_FIRST(&h->all)->number, 11);
    history_of_call(h, h->made - 1, 7, 200, "latency");
    assert_int_equal(TAILQ_LAST(&h->all, history_list)->call, 7);
    assert_int_equal(TAILQ_FIRST(&h->all)->call, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_are_well_formed_in_every_form, setup, teardown),
        cmocka_unit_test_setup_teardown(every_done_answer_is_well_formed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_that_is_cut_does_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_lives_as_long_as_its_life_and_its_use_allow, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_ends_to_the_millisecond, setup, teardown),
        cmocka_unit_test_setup_teardown(check_outs_are_what_was_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(the_vault_ends_what_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_counted_against_a_client_that_does_everything_right, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_check_in_too_many_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repeat_is_counted_where_the_vault_refuses_it, setup, teardown),
        cmocka_unit_test(every_fault_on_every_body),
        cmocka_unit_test_setup_teardown(the_history_keeps_the_newest, setup, teardown),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
