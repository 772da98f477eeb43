/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_contract.c - one operation and what must hold of any, then rules of operations that go well, of
 * refusals, of faults on the way, and of an operation that is disturbed at each moment of its life.
 */
#include "vault_contract.h"

#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK     "contract 7041" /* in the reason of each check-out */
#define LEASE    "01HZX3J5K7M9N1P3Q5R7S9T1V3"
#define TURNS    20000 /* an operation that is not over by then never is */
#define MOMENTS  60    /* an operation is over before so many turns, or the next ones are as the last */
#define REPEATS  10
#define NONSENSE "no key of any vault"

static struct contract_stand *stand;

/* ---- one operation ---- */

struct ask {
    struct vault_call call; /* first */
    enum contract_op op;
    unsigned done;
    bool is_over; /* cancelled or withdrawn: `done` may not come */
    bool secret_may_come;
    void (*then)(struct ask *); /* runs inside `done` */
};

static bool is_starting;
static char request_key[REQUEST_KEY_SIZE]; /* of the check-out of the rule; "" = none yet */

static const struct vault_can *can(void)
{
    return &stand->vault->can;
}

static const char *const op_names[CONTRACT_NOPS] = {"find",    "checkout", "read_secret",
                                                    "checkin", "requests", "after_checkin"};

static const char *const fault_names[CONTRACT_NFAULTS] = {
    [CONTRACT_FINE] = "unharmed",
    [CONTRACT_LOST_DID_NOT] = "cut before the vault acts",
    [CONTRACT_LOST_DID] = "its answer cut",
    [CONTRACT_SILENT] = "never answered",
    [CONTRACT_PAGE] = "answered by something else",
    [CONTRACT_PAGE_DID] = "done, and answered by something else",
    [CONTRACT_CUT_DID] = "done, half of its answer cut off",
    [CONTRACT_GARBAGE_DID] = "done, its answer garbage",
    [CONTRACT_BUSY] = "answered with 503",
    [CONTRACT_FAILED_DID] = "done, and said to have failed",
    [CONTRACT_SLOW] = "answered late",
    [CONTRACT_CLOSED] = "its connection closed behind the answer",
    [CONTRACT_EXTRA] = "with a second answer behind its own",
};

static void on_done(struct vault_call *call)
{
    struct ask *ask = (struct ask *)call;

    assert_false(is_starting); /* later */
    assert_false(ask->is_over);
    ask->done++;
    assert_int_equal(ask->done, 1);
    assert_true(call->result == VAULT_OK || call->fault.code != FAULT_NONE);
    assert_true(!call->unknown || call->result == VAULT_FAILED ||
                (call->result == VAULT_OK && call->origin == CHECKOUT_REUSED));
    assert_true(!call->withheld || call->result == VAULT_FAILED);
    assert_true(call->result == VAULT_OK || !call->secret.len);
    assert_true(ask->secret_may_come || !call->secret.len);
    if (strstr(call->fault.detail, stand->secret) ||
        (*request_key && strstr(call->fault.detail, request_key)))
        fail_msg("a fault quotes a secret or a key: %s", call->fault.detail);
    if (ask->then)
        ask->then(ask);
}

static void ask_init(struct ask *ask)
{
    *ask = (struct ask){.call = {.user = stand->user, .timeout_ms = SECONDS(60), .done = on_done}};
}

static void ask_free(struct ask *ask)
{
    vault_call_free(&ask->call);
}

static int find(struct ask *ask, const char *key)
{
    static struct account_query query;

    query = (struct account_query){.kind = KIND_NKINDS, .system = stand->system};
    ask->op = CONTRACT_FIND;
    if (stand->vault->ops->entitled)
        return stand->vault->ops->entitled(stand->vault, &stand->session, key, &ask->call);
    return stand->vault->ops->list(stand->vault, &query, &ask->call);
}

static int check_out(struct ask *ask, const char *key)
{
    static struct checkout_want want;

    want = (struct checkout_want){
        .account_key = key, .minutes = 30, .reason = MARK, .lease_id = LEASE, .type = CREDENTIAL_PASSWORD};
    ask->op = CONTRACT_CHECKOUT;
    ask->secret_may_come = can()->secret_with_checkout;
    return stand->vault->ops->checkout(stand->vault, &want, &ask->call);
}

/* Key and handle of the request, as a row of the store would have them. */
struct request {
    char key[REQUEST_KEY_SIZE];
    char *handle;
};

static struct request the_request(void)
{
    struct request r = {.handle = NULL};

    long fails_at = contract_fails_at; /* not while the key is made, which is no part of the operation */

    contract_fails_at = -1;
    if (can()->keys_are_unique)
        (void)snprintf(r.key, sizeof r.key, "%s", request_key);
    else
        assert_int_equal(stand->vault->ops->identify(stand->vault, stand->good, r.key, &r.handle), 0);
    contract_fails_at = fails_at;
    return r;
}

static int with_request(struct ask *ask, enum contract_op op, enum credential_type type)
{
    const struct vault_ops *ops = stand->vault->ops;
    struct request r = the_request();
    const struct request_ref ref = {.key = r.key, .handle = r.handle ? r.handle : "", .lease_id = LEASE};
    int err;

    ask->op = op;
    ask->secret_may_come = op == CONTRACT_READ;
    ask->call.account_key = stand->good;
    if (op == CONTRACT_READ)
        err = ops->read_secret(stand->vault, &ref, type, &ask->call);
    else if (op == CONTRACT_CHECKIN)
        err = ops->checkin(stand->vault, &ref, "done", &ask->call);
    else
        err = ops->after_checkin(stand->vault, &ref, &ask->call);
    free(r.handle); /* what the operation needs it has copied, or it is found by the sanitizer */
    return err;
}

static int begin(struct ask *ask, enum contract_op op)
{
    int err;

    is_starting = true;
    switch (op) {
    case CONTRACT_FIND: err = find(ask, NULL); break;
    case CONTRACT_CHECKOUT: err = check_out(ask, stand->good); break;
    case CONTRACT_REQUESTS:
        ask->op = op;
        err = stand->vault->ops->requests(stand->vault, &ask->call);
        break;
    default: err = with_request(ask, op, CREDENTIAL_PASSWORD); break;
    }
    is_starting = false;
    return err;
}

static void turns(unsigned n)
{
    while (n--)
        stand->turn(stand);
}

static enum vault_result finish(struct ask *ask)
{
    for (unsigned i = 0; !ask->done; i++) {
        if (i == TURNS)
            fail_msg("%s was not answered", op_names[ask->op]);
        stand->turn(stand);
    }
    return ask->call.result;
}

/* The whole of it; the answer is freed by the caller. */
static enum vault_result operate(struct ask *ask, enum contract_op op)
{
    ask_init(ask);
    assert_int_equal(begin(ask, op), 0);
    return finish(ask);
}

static void operate_ok(enum contract_op op)
{
    struct ask ask;
    enum vault_result result = operate(&ask, op);

    if (result != VAULT_OK)
        fail_msg("%s ends with %d: %s", op_names[op], (int)result, ask.call.fault.detail);
    if (op == CONTRACT_CHECKOUT)
        (void)snprintf(request_key, sizeof request_key, "%s", ask.call.request_key);
    ask_free(&ask);
}

/* Does the vault have this operation, in a state in which it can be asked for? */
static bool is_there(enum contract_op op)
{
    const struct vault_ops *ops = stand->vault->ops;

    if (op == CONTRACT_REQUESTS)
        return ops->requests;
    if (op == CONTRACT_READ)
        return can()->repeatable || !can()->secret_with_checkout;
    return op != CONTRACT_AFTER || ops->after_checkin;
}

static bool is_held_before(enum contract_op op)
{
    return op == CONTRACT_READ || op == CONTRACT_CHECKIN || op == CONTRACT_REQUESTS;
}

/* Has the operation effects of which nothing is known when its answer is lost? */
static bool has_effects(enum contract_op op)
{
    return op == CONTRACT_CHECKOUT || op == CONTRACT_CHECKIN || op == CONTRACT_AFTER ||
           (op == CONTRACT_READ && can()->secret_with_checkout);
}

/* The vault is brought to where the operation makes sense. */
static void prepare(enum contract_op op)
{
    if (is_held_before(op) || op == CONTRACT_AFTER)
        operate_ok(CONTRACT_CHECKOUT);
    if (op == CONTRACT_AFTER)
        operate_ok(CONTRACT_CHECKIN);
}

static void check_in_until_confirmed(void)
{
    struct ask ask;
    enum vault_result result = VAULT_FAILED;

    for (int i = 0; i < REPEATS && result != VAULT_OK && result != VAULT_GONE; i++) {
        result = operate(&ask, CONTRACT_CHECKIN);
        ask_free(&ask);
    }
    assert_true(result == VAULT_OK || result == VAULT_GONE);
}

/* As a gateway does that knows nothing but what a row has: by the mark, or by the key. */
static void recover(void)
{
    struct ask list;

    if (!stand->live(stand) && can()->keys_are_unique)
        return;
    if (!can()->keys_are_unique) {
        check_in_until_confirmed();
    } else {
        assert_int_equal(operate(&list, CONTRACT_REQUESTS), VAULT_OK);
        for (size_t i = 0; i < list.call.active.n; i++) {
            assert_non_null(strstr(list.call.active.rows[i].reason, MARK));
            (void)snprintf(request_key, sizeof request_key, "%s", list.call.active.rows[i].name);
            check_in_until_confirmed();
        }
        ask_free(&list);
    }
    assert_int_equal(stand->live(stand), 0);
}

static void hold_and_give_back(void)
{
    operate_ok(CONTRACT_CHECKOUT);
    assert_int_equal(stand->live(stand), 1);
    operate_ok(CONTRACT_CHECKIN);
    assert_int_equal(stand->live(stand), 0);
}

/* ---- what goes well ---- */

static const struct account *row_of(const struct ask *ask, const char *key)
{
    const struct account_list *list = ask->call.accounts;

    assert_non_null(list);
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->rows[i].key, key) == 0)
            return &list->rows[i];
    return NULL;
}

static void an_account_is_found(void)
{
    struct ask ask;

    assert_int_equal(operate(&ask, CONTRACT_FIND), VAULT_OK);
    const struct account *a = row_of(&ask, stand->good);

    assert_non_null(a);
    assert_non_null(a->system);
    assert_non_null(a->account);
    assert_true(*a->key && strlen(a->key) < ACCOUNT_KEY_SIZE);
    assert_true(vault_is_account_key(stand->vault, stand->good));
    assert_int_equal(can()->per_user, !stand->vault->ops->entitled);
    assert_int_equal(stand->live(stand), 0);
    ask_free(&ask);
}

/* Where the vault lists: the query of a key leads to its account. Where it judges: one account is judged. */
static void one_account_is_found(void)
{
    const struct vault_ops *ops = stand->vault->ops;
    struct account_query query;
    struct ask ask;

    ask_init(&ask);
    if (!ops->entitled) {
        assert_int_equal(ops->query(stand->vault, NONSENSE, &query), -EINVAL);
        assert_int_equal(ops->query(stand->vault, stand->good, &query), 0);
        assert_int_equal(ops->list(stand->vault, &query, &ask.call), 0);
        assert_int_equal(finish(&ask), VAULT_OK);
        assert_non_null(row_of(&ask, stand->good));
        ask_free(&ask);
        return;
    }
    assert_int_equal(find(&ask, stand->good), 0);
    assert_int_equal(finish(&ask), VAULT_OK);
    assert_int_equal(ask.call.accounts->n, 1);
    ask_free(&ask);
    ask_init(&ask);
    int err = find(&ask, NONSENSE);
    assert_true(err == -EINVAL || (!err && finish(&ask) == VAULT_ABSENT));
    ask_free(&ask);
    ask_init(&ask);
    assert_int_equal(ops->entitled(stand->vault, &stand->stranger, stand->good, &ask.call), 0);
    assert_int_equal(finish(&ask), VAULT_DENIED);
    ask_free(&ask);
    ask_init(&ask);
    assert_int_equal(ops->entitled(stand->vault, &stand->stranger, NULL, &ask.call), 0);
    assert_int_equal(finish(&ask), VAULT_OK);
    assert_null(row_of(&ask, stand->good));
    ask_free(&ask);
}

static void a_key_is_known_before(void)
{
    struct ask ask;

    assert_int_equal(can()->keys_are_unique, !stand->vault->ops->identify);
    assert_true(can()->keys_are_unique || !stand->vault->ops->requests);
    assert_int_equal(can()->per_user, !stand->vault->principal);
    if (can()->keys_are_unique)
        return;
    struct request r = the_request(), again = the_request();

    assert_true(*r.key && strlen(r.key) < REQUEST_KEY_SIZE);
    assert_true(r.handle && strlen(r.handle) + 1 < REQUEST_HANDLE_SIZE);
    assert_string_equal(r.key, again.key);
    assert_string_equal(r.handle, again.handle);
    assert_int_equal(operate(&ask, CONTRACT_CHECKOUT), VAULT_OK);
    assert_string_equal(ask.call.request_key, r.key);
    ask_free(&ask);
    free(r.handle);
    free(again.handle);
}

static void a_secret_is_handed_out_until_the_checkin(void)
{
    struct ask ask;

    assert_int_equal(operate(&ask, CONTRACT_CHECKOUT), VAULT_OK);
    assert_int_equal(ask.call.origin, CHECKOUT_NEW);
    assert_true(*ask.call.request_key && strlen(ask.call.request_key) < REQUEST_KEY_SIZE);
    (void)snprintf(request_key, sizeof request_key, "%s", ask.call.request_key);
    if (can()->secret_with_checkout)
        assert_true(secret_equal(&ask.call.secret, stand->secret, strlen(stand->secret)));
    ask_free(&ask);
    assert_int_equal(stand->live(stand), 1);
    for (int i = 0; i < 1 + can()->repeatable && is_there(CONTRACT_READ); i++) {
        assert_int_equal(operate(&ask, CONTRACT_READ), VAULT_OK);
        assert_true(secret_equal(&ask.call.secret, stand->secret, strlen(stand->secret)));
        ask_free(&ask);
    }
    assert_int_equal(stand->live(stand), 1);
    operate_ok(CONTRACT_CHECKIN);
    assert_int_equal(stand->live(stand), 0);
    assert_int_equal(operate(&ask, CONTRACT_CHECKIN), VAULT_GONE);
    ask_free(&ask);
    if (!can()->secret_with_checkout) { /* else it is a check-out */
        assert_int_equal(operate(&ask, CONTRACT_READ), VAULT_GONE);
        ask_free(&ask);
    }
    assert_int_equal(stand->live(stand), 0);
}

static void a_second_checkout_is_the_first_or_a_conflict(void)
{
    struct ask ask;

    operate_ok(CONTRACT_CHECKOUT);
    enum vault_result result = operate(&ask, CONTRACT_CHECKOUT);

    if (can()->repeatable) {
        assert_int_equal(result, VAULT_OK);
        assert_string_equal(ask.call.request_key, request_key);
        assert_true(!can()->keys_are_unique || ask.call.origin == CHECKOUT_REUSED);
    } else {
        assert_int_equal(result, VAULT_CONFLICT);
    }
    assert_false(ask.call.unknown);
    ask_free(&ask);
    assert_int_equal(stand->live(stand), 1);
    operate_ok(CONTRACT_CHECKIN);
    assert_int_equal(stand->live(stand), 0);
}

static void another_type_of_secret_is_absent(void)
{
    struct ask ask;

    if (!is_there(CONTRACT_READ))
        return;
    operate_ok(CONTRACT_CHECKOUT);
    ask_init(&ask);
    assert_int_equal(with_request(&ask, CONTRACT_READ, CREDENTIAL_SSH_KEY), 0);
    assert_int_equal(finish(&ask), VAULT_ABSENT);
    ask_free(&ask);
    assert_int_equal(stand->live(stand), 1);
}

static void a_live_request_is_told_with_its_mark(void)
{
    struct ask ask;

    if (!is_there(CONTRACT_REQUESTS))
        return;
    operate_ok(CONTRACT_CHECKOUT);
    assert_int_equal(operate(&ask, CONTRACT_REQUESTS), VAULT_OK);
    assert_int_equal(ask.call.active.n, 1);
    const struct active_request *r = &ask.call.active.rows[0];

    assert_string_equal(r->name, request_key);
    assert_string_equal(r->reason, MARK);
    if (stand->vault->ops->match)
        assert_int_not_equal(stand->vault->ops->match(stand->good, r->account_key), ACCOUNT_OTHER);
    ask_free(&ask);
    operate_ok(CONTRACT_CHECKIN);
    assert_int_equal(operate(&ask, CONTRACT_REQUESTS), VAULT_OK);
    assert_int_equal(ask.call.active.n, 0);
    ask_free(&ask);
}

static void what_follows_a_checkin_leaves_nothing(void)
{
    const struct vault_ops *ops = stand->vault->ops;

    assert_int_equal(ops->after_checkin != NULL, ops->after_checkin_delay != NULL);
    if (!is_there(CONTRACT_AFTER))
        return;
    hold_and_give_back();
    struct request r = the_request();
    const struct request_ref ref = {.key = r.key, .handle = r.handle ? r.handle : "", .lease_id = LEASE};

    assert_true(ops->after_checkin_delay(stand->vault, &ref) >= -1);
    free(r.handle);
    struct ask ask;

    (void)operate(&ask, CONTRACT_AFTER);
    ask_free(&ask);
    assert_int_equal(stand->live(stand), 0);
}

/* Many at once: each is answered with its own. */
static void calls_run_side_by_side(void)
{
    enum { N = 12 };
    struct ask ask[N];

    if (!can()->repeatable)
        return;
    operate_ok(CONTRACT_CHECKOUT);
    for (int i = 0; i < N; i++) {
        ask_init(&ask[i]);
        assert_int_equal(begin(&ask[i], i % 3 ? CONTRACT_READ : CONTRACT_FIND), 0);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(finish(&ask[i]), VAULT_OK);
        if (ask[i].op == CONTRACT_READ)
            assert_true(secret_equal(&ask[i].call.secret, stand->secret, strlen(stand->secret)));
        ask_free(&ask[i]);
    }
    assert_int_equal(stand->live(stand), 1);
}

static struct ask inner, other;

static void start_and_cancel(struct ask *ask)
{
    (void)ask;
    stand->vault->ops->cancel(stand->vault, &other.call);
    other.is_over = true;
    ask_init(&inner);
    assert_int_equal(begin(&inner, CONTRACT_FIND), 0);
}

static void calls_start_and_end_inside_done(void)
{
    struct ask ask;

    ask_init(&ask);
    ask.then = start_and_cancel;
    assert_int_equal(begin(&ask, CONTRACT_FIND), 0);
    ask_init(&other);
    assert_int_equal(begin(&other, CONTRACT_FIND), 0);
    if (other.done) /* its answer was there before that of the first */
        ask_free(&other);
    assert_int_equal(finish(&ask), VAULT_OK);
    ask_free(&ask);
    assert_int_equal(finish(&inner), VAULT_OK);
    ask_free(&inner);
    ask_free(&other);
    stand->vault->ops->cancel(stand->vault, &inner.call); /* of a call that is over: nothing */
}

static void the_state_is_told(void)
{
    struct vault_state state = {0};

    operate_ok(CONTRACT_CHECKOUT);
    stand->vault->ops->state(stand->vault, &state);
    assert_true(state.known && state.reachable);
    assert_false(state.refuses);
    operate_ok(CONTRACT_CHECKIN);
}

/* ---- refusals ---- */

static void a_wrong_key_begins_nothing(void)
{
    const struct vault_ops *ops = stand->vault->ops;
    const struct request_ref ref = {.key = NONSENSE, .handle = NONSENSE, .lease_id = LEASE};
    char key[REQUEST_KEY_SIZE], *handle = NULL;
    struct ask ask;

    ask_init(&ask);
    assert_int_equal(check_out(&ask, NONSENSE), -EINVAL);
    assert_int_equal(ops->read_secret(stand->vault, &ref, CREDENTIAL_PASSWORD, &ask.call), -EINVAL);
    assert_int_equal(ops->checkin(stand->vault, &ref, "", &ask.call), -EINVAL);
    if (ops->identify)
        assert_int_equal(ops->identify(stand->vault, NONSENSE, key, &handle), -EINVAL);
    assert_null(handle);
    if (ops->query)
        assert_false(vault_is_account_key(stand->vault, NONSENSE));
    assert_int_equal(ask.done, 0);
    ask_free(&ask);
}

static void refused(const char *key, enum vault_result want)
{
    struct ask ask;

    if (!key)
        return;
    ask_init(&ask);
    assert_int_equal(check_out(&ask, key), 0);
    assert_int_equal(finish(&ask), want);
    assert_false(ask.call.unknown);
    ask_free(&ask);
    assert_int_equal(stand->live(stand), 0);
}

static void what_is_refused_is_not_done(void)
{
    refused(stand->absent, VAULT_ABSENT);
    refused(stand->deny(stand), VAULT_DENIED);
    if (!stand->take)
        return;
    stand->take(stand);
    refused(stand->good, VAULT_CONFLICT);
    assert_true(stand->is_taken(stand));
}

static void a_refused_user_does_nothing(void)
{
    struct ask ask;
    const char *user = stand->refuse(stand);

    for (int i = 0; i < 3; i++) {
        ask_init(&ask);
        ask.call.user = user;
        assert_int_equal(begin(&ask, CONTRACT_CHECKOUT), 0);
        assert_int_equal(finish(&ask), VAULT_REFUSED);
        assert_false(ask.call.unknown);
        ask_free(&ask);
    }
    assert_int_equal(stand->live(stand), 0);
}

static bool never(struct vault_call *call)
{
    (void)call;
    return false;
}

static void what_may_not_be_sent_is_withheld(void)
{
    struct ask ask;

    for (enum contract_op op = CONTRACT_CHECKOUT; op <= CONTRACT_CHECKIN; op++) {
        if (!is_there(op))
            continue;
        case_label("%s: %s that may not be sent", stand->name, op_names[op]);
        prepare(op);
        unsigned before = stand->live(stand);

        ask_init(&ask);
        ask.call.may_send = never;
        assert_int_equal(begin(&ask, op), 0);
        assert_int_equal(finish(&ask), VAULT_FAILED);
        assert_true(ask.call.withheld);
        assert_false(ask.call.unknown);
        ask_free(&ask);
        assert_int_equal(stand->live(stand), before);
        recover();
    }
}

/* ---- faults ---- */

/* The answer against what the vault has. */
static void judge(const struct ask *ask, unsigned before, unsigned after)
{
    enum vault_result result = ask->call.result;
    bool is_done = result == VAULT_OK || result == VAULT_GONE;

    if (result == VAULT_FAILED && !ask->call.unknown && before != after)
        fail_msg("said not to be done, and the vault has %u, not %u", after, before);
    if (ask->op == CONTRACT_CHECKOUT && result == VAULT_OK)
        assert_int_equal(after, 1);
    if (ask->op == CONTRACT_CHECKIN && is_done)
        assert_int_equal(after, 0);
    if (!has_effects(ask->op))
        assert_false(ask->call.unknown);
    assert_true(after <= 1);
}

static void meet_one(enum contract_op op, enum contract_fault fault)
{
    struct ask ask;

    if (!is_there(op) || !stand->meet(stand, op, CONTRACT_FINE))
        return;
    prepare(op);
    unsigned before = stand->live(stand);

    if (stand->meet(stand, op, fault)) {
        case_label("%s: %s %s", stand->name, op_names[op], fault_names[fault]);
        ask_init(&ask);
        if (fault < CONTRACT_SLOW)
            ask.call.timeout_ms = 300; /* what is tried again would go on for long */
        assert_int_equal(begin(&ask, op), 0);
        (void)finish(&ask);
        assert_true(stand->meet(stand, op, CONTRACT_FINE));
        judge(&ask, before, stand->live(stand));
        if (fault >= CONTRACT_SLOW && ask.call.result != VAULT_OK)
            fail_msg("result %d: %s", (int)ask.call.result, ask.call.fault.detail);
        if (fault == CONTRACT_SILENT)
            assert_int_equal(ask.call.result, VAULT_FAILED);
        if (op == CONTRACT_CHECKOUT && *ask.call.request_key)
            (void)snprintf(request_key, sizeof request_key, "%s", ask.call.request_key);
        ask_free(&ask);
    }
    recover();
    hold_and_give_back();
}

static void any_fault_is_told_as_it_was(void)
{
    for (enum contract_op op = 0; op < CONTRACT_NOPS; op++)
        for (enum contract_fault fault = CONTRACT_LOST_DID_NOT; fault < CONTRACT_NFAULTS; fault++)
            meet_one(op, fault);
}

static void a_vault_that_is_away_does_nothing(void)
{
    struct ask ask;
    struct vault_state state = {0};

    operate_ok(CONTRACT_CHECKOUT);
    stand->go_away(stand);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(operate(&ask, CONTRACT_CHECKOUT), VAULT_FAILED);
        if (i) /* the first one may have gone out over a connection that was not known to be dead */
            assert_false(ask.call.unknown);
        ask_free(&ask);
    }
    stand->vault->ops->state(stand->vault, &state);
    assert_true(state.known);
}

/* ---- disturbed at each moment ---- */

/* The operation after so many turns; false = it was over before, and this is the last moment. */
static bool at_moment(struct ask *ask, enum contract_op op, unsigned moment)
{
    ask_init(ask);
    assert_int_equal(begin(ask, op), 0);
    for (unsigned i = 0; i < moment && !ask->done; i++)
        stand->turn(stand);
    return !ask->done;
}

static bool label_moment(enum contract_op op, unsigned moment, const char *what)
{
    case_label("%s: %s, %s after %u turns", stand->name, op_names[op], what, moment);
    prepare(op);
    return true;
}

static void over(struct ask *ask)
{
    if (ask->op == CONTRACT_CHECKOUT && *ask->call.request_key)
        (void)snprintf(request_key, sizeof request_key, "%s", ask->call.request_key);
    turns(3); /* nothing comes that was not to come */
    ask_free(ask);
    recover();
}

static void a_cancelled_call_is_not_answered(void)
{
    struct ask ask;

    for (enum contract_op op = 0; op < CONTRACT_NOPS; op++)
        for (unsigned moment = 0; is_there(op) && moment < MOMENTS; moment++) {
            bool goes_on = label_moment(op, moment, "cancelled") && at_moment(&ask, op, moment);

            stand->vault->ops->cancel(stand->vault, &ask.call);
            ask.is_over = true;
            assert_null(ask.call.impl);
            over(&ask);
            if (!goes_on)
                break;
        }
    hold_and_give_back();
}

static void a_withdrawn_call_had_no_effect(void)
{
    struct ask ask;

    for (enum contract_op op = 0; op < CONTRACT_NOPS; op++)
        for (unsigned moment = 0; is_there(op) && moment < MOMENTS; moment++) {
            (void)label_moment(op, moment, "withdrawn");
            unsigned before = stand->live(stand);
            bool goes_on = at_moment(&ask, op, moment);

            if (goes_on && vault_withdraw(stand->vault, &ask.call)) {
                ask.is_over = true;
                assert_null(ask.call.impl);
                assert_int_equal(stand->live(stand), before);
            } else {
                (void)finish(&ask);
                assert_int_equal(ask.call.result, VAULT_OK);
            }
            over(&ask);
            if (!goes_on)
                break;
        }
}

static void a_reload_leaves_calls_as_they_are(void)
{
    struct ask ask;

    if (!stand->reload)
        return;
    for (enum contract_op op = 0; op < CONTRACT_NOPS; op++)
        for (unsigned moment = 0; is_there(op) && moment < MOMENTS; moment++) {
            bool goes_on = label_moment(op, moment, "reloaded") && at_moment(&ask, op, moment);

            stand->reload(stand);
            assert_int_equal(finish(&ask), VAULT_OK);
            over(&ask);
            if (!goes_on)
                break;
        }
}

/* Closed with calls on their way: each is answered once, and says what may have happened. */
static void a_vault_that_closes_answers(void)
{
    for (enum contract_op op = CONTRACT_FIND; stand->shut && op <= CONTRACT_CHECKIN; op++)
        for (unsigned moment = 0; is_there(op) && moment < MOMENTS; moment++) {
            struct ask ask, late;

            (void)label_moment(op, moment, "closed");
            unsigned before = stand->live(stand);
            bool goes_on = at_moment(&ask, op, moment);

            stand->shut(stand);
            ask_init(&late);
            if (!stand->is_shut(stand))
                assert_int_equal(begin(&late, op), -ESHUTDOWN);
            (void)finish(&ask);
            judge(&ask, before, stand->live(stand));
            ask_free(&ask);
            for (unsigned i = 0; !stand->is_shut(stand) && i < TURNS; i++)
                stand->turn(stand);
            assert_true(stand->is_shut(stand));
            stand->vault = NULL;
            stand->close(stand);
            stand->open(stand);
            *request_key = '\0';
            if (!goes_on)
                break;
        }
}

/* ---- no memory ---- */

static bool lacks_one(enum contract_op op, long n)
{
    struct ask ask;

    case_label("%s: %s without allocation %ld", stand->name, op_names[op], n);
    prepare(op);
    unsigned before = stand->live(stand);

    ask_init(&ask);
    contract_fails_at = n;
    int err = begin(&ask, op);
    bool has_failed = contract_fails_at < 0;

    if (!err)
        for (unsigned i = 0; !ask.done && i < TURNS; i++) {
            stand->turn(stand);
            has_failed = contract_fails_at < 0;
        }
    contract_fails_at = -1;
    if (err) {
        assert_int_equal(err, -ENOMEM);
        turns(3);
        assert_int_equal(ask.done, 0);
        assert_int_equal(stand->live(stand), before);
    } else {
        (void)finish(&ask);
        judge(&ask, before, stand->live(stand));
        if (!has_failed)
            assert_int_equal(ask.call.result, VAULT_OK);
    }
    over(&ask);
    return has_failed;
}

static void without_memory_nothing_is_lost(void)
{
    hold_and_give_back(); /* signed in, connected */
    for (enum contract_op op = 0; stand->may_run_out && op < CONTRACT_NOPS; op++)
        for (long n = 0; is_there(op) && n < 1000; n++)
            if (!lacks_one(op, n))
                break;
    hold_and_give_back();
}

/* ---- all ---- */

static const struct {
    const char *name;
    void (*check)(void);
} rules[] = {
#define RULE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
    RULE(an_account_is_found),
    RULE(one_account_is_found),
    RULE(a_key_is_known_before),
    RULE(a_secret_is_handed_out_until_the_checkin),
    RULE(a_second_checkout_is_the_first_or_a_conflict),
    RULE(another_type_of_secret_is_absent),
    RULE(a_live_request_is_told_with_its_mark),
    RULE(what_follows_a_checkin_leaves_nothing),
    RULE(calls_run_side_by_side),
    RULE(calls_start_and_end_inside_done),
    RULE(the_state_is_told),
    RULE(a_wrong_key_begins_nothing),
    RULE(what_is_refused_is_not_done),
    RULE(a_refused_user_does_nothing),
    RULE(what_may_not_be_sent_is_withheld),
    RULE(any_fault_is_told_as_it_was),
    RULE(a_vault_that_is_away_does_nothing),
    RULE(a_cancelled_call_is_not_answered),
    RULE(a_withdrawn_call_had_no_effect),
    RULE(a_reload_leaves_calls_as_they_are),
    RULE(a_vault_that_closes_answers),
    RULE(without_memory_nothing_is_lost),
};

void vault_contract(struct contract_stand *s)
{
    stand = s;
    case_report();
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        case_label("%s: %s", s->name, rules[i].name);
        *request_key = '\0';
        s->open(s);
        rules[i].check();
        s->close(s);
    }
    case_text[0] = '\0';
}
