/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entitled.c - which accounts a session may use: the map, and for a find what the vault lists of them.
 *
 * For one account the map alone decides, and no call is made. For all of them a row list_stored or
 * list_shared, where there is one, leaves out what the vault does not list. A listing that fails fails the
 * question: the answer would be too long.
 *
 * A question copies what it needs of the map, which a reload may replace meanwhile. Its answer follows with
 * the timers.
 */
#include "backends/privileged_identity/internal.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_BY_SIDE 4 /* listings that one question waits for */

enum candidate_state { CANDIDATE_NEW, CANDIDATE_WAITS, CANDIDATE_SHOWN, CANDIDATE_LEFT_OUT };

struct candidate {
    struct pi_question *of;
    struct pi_names names;
    char key[PI_KEY_SIZE];
    char *domain, *plain, *username, *label; /* NULL = none */
    enum candidate_state state;
    struct pi_listing_wait wait;
};

struct pi_question {
    struct pi *pi;
    struct vault_call *out;
    struct deadline ends;
    struct candidate *list;
    size_t n, waiting;
    bool settled; /* `out` has its answer */
    TAILQ_ENTRY(pi_question) link;
};

/* ---- life ---- */

static void question_free(struct pi_question *q)
{
    for (size_t i = 0; i < q->n; i++) {
        struct candidate *c = &q->list[i];

        pi_listing_leave(&c->wait);
        pi_names_free(&c->names);
        free(c->domain);
        free(c->plain);
        free(c->username);
        free(c->label);
    }
    timer_stop(q->pi->http.timers, &q->ends);
    TAILQ_REMOVE(&q->pi->questions, q, link);
    q->out->impl = NULL;
    free(q->list);
    free(q);
}

static void finish(struct pi_question *q)
{
    struct vault_call *out = q->out;
    struct pi *pi = q->pi;

    if (out->result == VAULT_FAILED)
        http_vault_count_failure(&pi->http);
    question_free(q);
    pi->http.depth++;
    out->done(out);
    pi->http.depth--;
    pi->on_gone(pi);
}

static void on_ends(struct deadline *d)
{
    struct pi_question *q = CONTAINER_OF(d, struct pi_question, ends);

    if (!q->settled)
        http_vault_deadline(q->out);
    finish(q);
}

/* The timer runs, so that moving it needs no memory. */
static void settle(struct pi_question *q)
{
    q->settled = true;
    if (timer_start(q->pi->http.timers, &q->ends, 0, on_ends))
        q->ends.fire = on_ends;
}

static void settle_with(struct pi_question *q, enum vault_result result, const struct fault *fault)
{
    q->out->result = result;
    q->out->fault = *fault;
    settle(q);
}

static void settle_errno(struct pi_question *q, int err)
{
    http_vault_errno_error(&q->pi->http, err, q->out);
    settle(q);
}

bool pi_question_cancel(struct pi *pi, struct vault_call *out)
{
    struct pi_question *q;

    TAILQ_FOREACH(q, &pi->questions, link)
    if (q->out == out) {
        question_free(q);
        vault_call_free(out);
        return true;
    }
    return false;
}

void pi_questions_end_all(struct pi *pi)
{
    struct pi_question *q;

    while ((q = TAILQ_FIRST(&pi->questions))) {
        if (!q->settled)
            http_vault_errno_error(&pi->http, -ESHUTDOWN, q->out);
        finish(q);
    }
}

/* ---- the answer ---- */

static int add_row(struct account_list *rows, const struct candidate *c)
{
    const struct account row = {
        .key = c->key,
        .kind = c->domain ? KIND_DOMAIN_LINKED : KIND_LOCAL,
        .system = c->names.system,
        .account = c->plain,
        .domain = c->domain,
        .description = c->names.list,
        .username = c->username,
        .label = c->label,
    };

    return account_list_add(rows, &row);
}

void pi_each_account(const struct vault *vault, void (*visit)(void *arg, const struct account *), void *arg)
{
    const struct pi *pi = pi_of(vault);

    for (size_t i = 0; i < pi_access_count(pi->access); i++) {
        const struct pi_credential *c = pi_access_at(pi->access, i);

        visit(arg, &(const struct account){.key = c->key,
                                           .kind = c->domain ? KIND_DOMAIN_LINKED : KIND_LOCAL,
                                           .system = c->system,
                                           .account = c->account,
                                           .domain = c->domain,
                                           .description = c->list,
                                           .username = c->username,
                                           .label = c->label});
    }
}

static void answer(struct pi_question *q)
{
    struct entitled_why *why = q->out->why;
    size_t left_out = 0;
    int err = 0;

    q->out->accounts = account_list_new();
    if (!q->out->accounts)
        err = -ENOMEM;
    for (size_t i = 0; i < q->n && !err; i++)
        if (q->list[i].state == CANDIDATE_SHOWN)
            err = add_row(q->out->accounts, &q->list[i]);
        else
            left_out++;
    if (err) {
        account_list_unref(q->out->accounts);
        q->out->accounts = NULL;
        settle_errno(q, err);
        return;
    }
    if (why) {
        why->by_listing = left_out;
        why->listed = q->out->accounts->n;
    }
    q->out->result = VAULT_OK;
    settle(q);
}

/* ---- listings ---- */

/* The vault may leave the domain out, or write it. */
static bool has_name(const struct conf_list *names, const struct candidate *c)
{
    for (size_t i = 0; i < names->n; i++)
        if (text_equal_nocase(names->item[i], c->names.account) ||
            text_equal_nocase(names->item[i], c->plain))
            return true;
    return false;
}

static void judge(struct candidate *c, const struct conf_list *names)
{
    c->state = has_name(names, c) ? CANDIDATE_SHOWN : CANDIDATE_LEFT_OUT;
}

static void ask_further(struct pi_question *);

static void on_listed(struct pi_listing_wait *wait, const struct conf_list *names,
                      const struct vault_call *failed)
{
    struct candidate *c = CONTAINER_OF(wait, struct candidate, wait);
    struct pi_question *q = c->of;

    q->waiting--;
    if (q->settled)
        return;
    if (failed) {
        settle_with(q, failed->result, &failed->fault);
        return;
    }
    judge(c, names);
    ask_further(q);
}

static int ask_for(struct candidate *c)
{
    const struct conf_list *names;

    if (!pi_is_listed(c->of->pi, &c->names)) {
        c->state = CANDIDATE_SHOWN;
        return 0;
    }
    int err = pi_listing_ask(c->of->pi, &c->names, &c->wait, &names);
    if (err)
        return err;
    if (names) {
        judge(c, names);
        return 0;
    }
    c->state = CANDIDATE_WAITS;
    c->of->waiting++;
    if (c->of->out->why)
        c->of->out->why->called = true;
    return 0;
}

static void ask_further(struct pi_question *q)
{
    for (size_t i = 0; i < q->n && q->waiting < SIDE_BY_SIDE; i++) {
        int err = q->list[i].state == CANDIDATE_NEW ? ask_for(&q->list[i]) : 0;

        if (err) {
            settle_errno(q, err);
            return;
        }
    }
    if (!q->waiting)
        answer(q);
}

/* ---- asking ---- */

static char *copy(const char *text, int *err)
{
    char *made = text ? strdup(text) : NULL;

    if (text && !made)
        *err = -ENOMEM;
    return made;
}

static int fill(struct candidate *c, struct pi_question *q, const struct pi_credential *of)
{
    int err = pi_names_copy(of, &c->names);

    c->of = q;
    c->wait.done = on_listed;
    memcpy(c->key, of->key, sizeof(c->key));
    c->domain = copy(of->domain, &err);
    c->plain = copy(of->account, &err);
    c->username = copy(of->username, &err);
    c->label = copy(of->label, &err);
    return err;
}

static int take(struct pi_question *q, const struct pi_credential *const *list, size_t n)
{
    int err = 0;

    q->list = calloc(n + 1, sizeof(*q->list));
    if (!q->list)
        return -ENOMEM;
    for (size_t i = 0; i < n && !err; i++, q->n++)
        err = fill(&q->list[i], q, list[i]);
    return err;
}

static int judge_one(struct pi_question *q, const struct pi_session *s, const char *key)
{
    const struct pi_credential *c = pi_access_credential(q->pi->access, key);
    enum pi_entitlement is;
    struct fault fault;
    int err = pi_access_judge(q->pi->access, s, key, &is);

    if (err)
        return err;
    if (is == PI_NOT_ENTITLED) {
        fault_set(&fault, FAULT_NOT_ENTITLED,
                  "no [access] section of this credential names this user for this endpoint");
        settle_with(q, VAULT_DENIED, &fault);
    } else if (is == PI_NO_CREDENTIAL) {
        fault_set(&fault, FAULT_CREDENTIAL_NOT_FOUND, "no [access] section has this credential");
        settle_with(q, VAULT_ABSENT, &fault);
    } else {
        err = take(q, &c, 1);
        if (!err) {
            q->list[0].state = CANDIDATE_SHOWN;
            answer(q);
        }
    }
    return err;
}

/* The names are copied: a reload may replace the map before the answer. */
static int tell_why(struct entitled_why *why, const struct pi_found *found)
{
    size_t n = found->named < ENTITLED_SECTIONS_MAX ? found->named : ENTITLED_SECTIONS_MAX, size = 0;

    if (!why)
        return 0;
    for (size_t i = 0; i < n; i++)
        size += strlen(found->section[i]) + 1;
    char *to = why->sections = n ? malloc(size) : NULL;
    if (n && !to)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        to = stpcpy(to, found->section[i]) + 1;
    why->nsections = n;
    why->named = found->named;
    why->by_user = found->by_user;
    why->by_host = found->by_host;
    why->told = true;
    return 0;
}

static int find_all(struct pi_question *q, const struct pi_session *s)
{
    struct pi_found found;
    int err = pi_access_find(q->pi->access, s, &found);

    if (err)
        return err;
    err = tell_why(q->out->why, &found);
    if (!err)
        err = take(q, found.list, found.n);
    pi_found_free(&found);
    if (!err)
        ask_further(q);
    return err;
}

int pi_entitled(struct vault *vault, const struct vault_session *session, const char *account_key,
                struct vault_call *out)
{
    struct pi *pi = pi_of(vault);
    struct pi_session s = {.username = session->username,
                           .domain = session->domain,
                           .forms = session->forms,
                           .nforms = session->nforms};
    uint64_t time = out->timeout_ms ? out->timeout_ms : pi->http.vault.conf->call_timeout_ms;

    if (pi->http.closing)
        return -ESHUTDOWN;
    struct pi_question *q = calloc(1, sizeof(*q));
    if (!q)
        return -ENOMEM;
    q->pi = pi;
    q->out = out;
    http_vault_call_reset(out);
    TAILQ_INSERT_TAIL(&pi->questions, q, link);
    out->impl = q;
    int err = timer_start(pi->http.timers, &q->ends, time, on_ends);
    if (!err)
        err = account_key ? judge_one(q, &s, account_key) : find_all(q, &s);
    if (err) {
        vault_call_free(out);
        question_free(q);
    }
    return err;
}
