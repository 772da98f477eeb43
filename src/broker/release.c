/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release.c - a session releases one credential, or all it has; an operator ends one lease, gives a check-in
 * up, or checks a credential in by hand.
 *
 *   broker_release(): check-outs in flight and leases end at once
 *        --> vault requests without holders begin their check-in --> wait --> done
 *
 * A lease ends whatever the vault or the store says, so the operation cannot fail: its answer is how many
 * leases ended, and whether the vault has confirmed. For each lease it waits until a restart can no longer
 * bring the lease back:
 *
 *   other holders    the row of the lease is gone from the store
 *   last holder      the vault has confirmed; or else the row that says RETURNING is durable, and the
 *                    answer is `pending` (the check-in goes on: checkin.c)
 *
 * A store that cannot write, and the caller's deadline, end the waiting. When the client leaves only its
 * watches are dropped. The answer does not wait for its audit record, since it gives no access.
 *
 * A session's leases are found under (user, session), so a session id alone ends no other user's leases.
 */
#include "broker/identity/credential_id.h"
#include "broker/leases/by_hand.h"
#include "broker/leases/checkin.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/journal.h"
#include "broker/leases/keyed.h"
#include "broker/leases/lease_life.h"
#include "broker/leases/leases.h"
#include "broker/leases/pending.h"
#include "broker/leases/request_identity.h"
#include "broker/leases/request_states.h"
#include "broker/leases/shared.h"
#include "broker/operation.h"
#include "broker/release_work.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct release;

struct release_wait {
    struct vault_request_watch watch;
    struct journal_wait written;
    struct release *release;
};

struct release {
    struct op op;
    release_done *done;
    void *arg;
    struct session *session;
    struct release_answer answer;
    struct fault fault;
    uint64_t started_ms;
    uint64_t age_s;            /* for the log: of the last lease that ended */
    char lease_id[ID_SIZE];    /* its id */
    char lsid[LSID_TEXT_SIZE]; /* and its lsid, for the record; "" = not known */
    size_t waiting;            /* for leases, and 1 until broker_release() returns */
    size_t nwaits;
    struct release_wait *waits; /* behind the struct */
    /* of a shared store */
    struct release_work *work; /* NULL = it is done, or none is needed */
    size_t known;              /* leases in the table that it is to end */
    bool is_by_id;
    STAILQ_HEAD(, shared_return_wait) returns;
};

/* A vault request of a shared store that this gateway checks in. */
struct shared_return_wait {
    struct vault_request_watch watch;
    struct release *release;
    STAILQ_ENTRY(shared_return_wait) link;
};

static void release_free(struct release *r)
{
    struct shared_return_wait *s;

    while ((s = STAILQ_FIRST(&r->returns))) {
        STAILQ_REMOVE_HEAD(&r->returns, link);
        vault_request_unwatch(&s->watch);
        free(s);
    }
    if (r->work)
        release_work_leave(r->work);
    for (size_t i = 0; i < r->nwaits; i++) {
        vault_request_unwatch(&r->waits[i].watch);
        journal_unwait(&r->waits[i].written);
    }
    op_end(&r->op);
    free(r->session);
    free(r);
}

static void write_record(const struct release *r)
{
    struct audit_note n;

    audit_note(&n, r->op.broker->audit, "release");
    audit_outcome(&n, r->answer.fault);
    audit_session(&n, r->session);
    audit_count(&n, "released", r->answer.released);
    audit_count(&n, "remaining_holders", r->answer.remaining_holders);
    audit_text(&n, "pending", r->answer.pending ? "yes" : NULL);
    audit_text(&n, "lease_id", r->lease_id);
    audit_write(&n);
}

static void finish_release(struct release *r)
{
    const char *outcome = r->answer.fault     ? fault_row(r->fault.code)->code
                          : r->answer.pending ? "pending"
                                              : "ok";

    log_info(
        "release",
        "outcome=%s ms=%llu user=%s domain=%s session=%s released=%lld remaining=%lld lease=%s age_s=%llu",
        outcome, (unsigned long long)(clock_now(r->op.broker->clock) - r->started_ms), r->session->username,
        r->session->domain, r->session->id, (long long)r->answer.released,
        (long long)r->answer.remaining_holders, *r->lease_id ? r->lease_id : NULL,
        (unsigned long long)r->age_s);
    write_record(r);
    r->done(r->arg, &r->answer);
    release_free(r);
}

static void wait_ended(struct release *r)
{
    if (--r->waiting == 0)
        finish_release(r);
}

static void on_written(struct journal_wait *w, int err)
{
    (void)err; /* a store that fails is not waited for: the row is written when it can be */
    wait_ended(CONTAINER_OF(w, struct release_wait, written)->release);
}

static void await_row(struct release_wait *wait)
{
    struct release *r = wait->release;

    if (journal_await_all(leases_journal(r->op.broker->leases), &wait->written, on_written) != 1)
        wait_ended(r);
}

static void on_watched_end(struct vault_request_watch *w, bool ended)
{
    struct release_wait *wait = CONTAINER_OF(w, struct release_wait, watch);

    vault_request_unwatch(w);
    if (ended) {
        wait_ended(wait->release);
        return;
    }
    wait->release->answer.pending = true;
    await_row(wait);
}

static void on_deferred(struct deadline *d)
{
    finish_release(CONTAINER_OF(d, struct release, op.deadline));
}

static void release_leave(struct op *op)
{
    release_free(CONTAINER_OF(op, struct release, op));
}

static void release_expired(struct op *op)
{
    struct release *r = CONTAINER_OF(op, struct release, op);

    r->answer.pending = true;
    if (r->work && !r->answer.released)
        r->answer.released = (int64_t)r->known; /* the store is away: as far as this gateway knows */
    finish_release(r);
}

static const struct op_class release_class = {release_leave, release_expired, release_leave};

/* ---- ending the leases ---- */

static bool is_meant(const struct lease *lease, const char *credential_id)
{
    return !credential_id || strcmp(lease->credential_id, credential_id) == 0;
}

/* A lease whose time is over has expired, whether or not its timer has fired: it is not released. */
static void end_overdue(struct broker *b, const struct session_leases *probe)
{
    const struct session_leases *s = session_leases_find(b->leases, probe);
    struct lease *lease = s ? SLIST_FIRST(&s->leases) : NULL;

    while (lease)
        if (vault_request_expire(lease->request)) /* others may have ended with it, and the session_leases */
            lease = (s = session_leases_find(b->leases, probe)) ? SLIST_FIRST(&s->leases) : NULL;
        else
            lease = SLIST_NEXT(lease, of_session);
}

static size_t count_meant(const struct session_leases *s, const char *credential_id)
{
    const struct lease *lease;
    size_t n = 0;

    if (s)
        SLIST_FOREACH(lease, &s->leases, of_session)
    n += is_meant(lease, credential_id);
    return n;
}

/* Waits for what the end of the lease leaves to do. `request` has lost its last holder with it; NULL = it is
 * gone, or others hold it. */
static void await_end(struct release *r, struct vault_request *request)
{
    struct release_wait *wait = &r->waits[r->nwaits++];

    *wait = (struct release_wait){.watch = {.on_ended = on_watched_end}, .release = r};
    r->waiting++;
    if (request && vault_request_is_looked_for(request))
        r->answer.pending = true; /* it is looked for at the vault before it is given back */
    if (!request || !vault_request_is_returning(request)) {
        await_row(wait);
    } else if (!vault_request_is_in_flight(request) || !vault_request_watch(request, &wait->watch)) {
        r->answer.pending = true; /* the first attempt could not even start */
        await_row(wait);
    }
}

static void end_lease(struct release *r, struct lease *lease)
{
    size_t others = vault_request_holders(lease->request) - 1;

    r->age_s = lease_age_s(r->op.broker->leases, lease);
    memcpy(r->lease_id, lease->id, ID_SIZE);
    (void)text_copy(r->lsid, sizeof(r->lsid), lease_lsid(lease));
    if (*r->lsid)
        r->session->lsid = r->lsid;
    r->answer.released++;
    r->answer.remaining_holders += (int64_t)others;
    char mark[ID_SIZE]; /* by which the vault request is found, if it is there afterwards */

    memcpy(mark, lease->request->asker->id, ID_SIZE);
    lease_close(lease, "released");
    const struct lease *asker = others ? NULL : lease_by_id(r->op.broker->leases, mark);

    await_end(r, asker ? asker->request : NULL);
}

/* The session_leases is freed with its last lease, so the next one is picked before, and at most `n` are
 * ended. */
static void end_leases(struct release *r, struct session_leases *s, size_t n, const char *credential_id)
{
    struct lease *lease = n ? SLIST_FIRST(&s->leases) : NULL;

    while (lease && n) {
        struct lease *next = SLIST_NEXT(lease, of_session);

        if (is_meant(lease, credential_id)) {
            n--;
            end_lease(r, lease);
        }
        lease = next;
    }
}

static struct release *release_new(struct broker *b, const struct asked_by *by, size_t n)
{
    struct release *r = malloc(sizeof *r + n * sizeof r->waits[0]);
    struct session session = by->session;

    if (!r)
        return NULL;
    session_leases_spell(b->leases, &session);
    *r = (struct release){.session = session_copy(&session),
                          .started_ms = clock_now(b->clock),
                          .waiting = 1,
                          .waits = (struct release_wait *)(r + 1)};
    STAILQ_INIT(&r->returns);
    if (!r->session || op_begin(&r->op, &release_class, b, by->timeout_ms)) {
        free(r->session);
        free(r);
        return NULL;
    }
    return r;
}

static void refuse_release(struct release *r, enum fault_code code, const char *detail)
{
    fault_set(&r->fault, code, "%s", detail);
    r->answer.fault = &r->fault;
}

static struct op *begin_waiting(struct release *r, release_done *done, void *arg)
{
    r->done = done;
    r->arg = arg;
    if (r->op.broker->draining)
        refuse_release(r, FAULT_DRAINING, "the gateway is stopping");
    if (!r->work)
        r->op.broker->releases += (uint64_t)r->answer.released;
    if (--r->waiting == 0)
        (void)!timer_start(r->op.broker->timers, &r->op.deadline, 0, on_deferred); /* it is running: moved */
    return &r->op;
}

/* A check-out that ends may end a lease, so the leases are counted before and after. */
static struct release *end_session(struct broker *b, const struct session_leases *probe,
                                   const struct release_args *args)
{
    const char *credential_id = args->credential_id;
    size_t n, left;

    end_overdue(b, probe);
    n = count_meant(session_leases_find(b->leases, probe), credential_id);
    struct release *r = release_new(b, &args->by, n + 1);

    if (!r)
        return NULL;
    checkouts_end(b, probe, credential_id);
    struct session_leases *s = session_leases_find(b->leases, probe);

    left = count_meant(s, credential_id);
    end_leases(r, s, left < n ? left : n, credential_id);
    if (!r->nwaits) /* another operation may have ended them, and a restart could still bring them back */
        await_end(r, NULL);
    if (credential_id) /* an approver acts later than a console closes: completion leaves it */
        pending_withdraw_of(b->leases, probe, credential_id);
    return r;
}

/* ---- over all gateways ---- */

static void on_returned(struct vault_request_watch *w, bool ended)
{
    struct release *r = CONTAINER_OF(w, struct shared_return_wait, watch)->release;

    vault_request_unwatch(w);
    r->answer.pending |= !ended;
    wait_ended(r);
}

/* The vault's word is waited for where the check-in is under way. */
static void await_return(struct release *r, struct vault_request *request)
{
    struct shared_return_wait *s = vault_request_is_in_flight(request) ? calloc(1, sizeof *s) : NULL;

    if (s) {
        *s = (struct shared_return_wait){.watch = {.on_ended = on_returned}, .release = r};
        STAILQ_INSERT_TAIL(&r->returns, s, link);
    }
    if (!s || !vault_request_watch(request, &s->watch))
        r->answer.pending = true;
    else
        r->waiting++;
}

/* Whose lease an operator has ended, of which this gateway had no record. Without memory it is not named. */
static void note_holder(struct release *r, const struct holder *h)
{
    const struct session shown = {.id = h->session, .username = h->username, .domain = h->domain};
    struct session *session = *r->session->id ? NULL : session_copy(&shown);

    if (!session)
        return;
    free(r->session);
    r->session = session;
}

static void note_age(struct release *r, const struct holder *h)
{
    struct broker *b = r->op.broker;
    struct credential_ref ref;
    struct vault *vault = broker_vault_of_credential(b, h->credential, &ref);
    int64_t age_ms = vault ? leases_wall(b->leases, vault) - h->created_wall_ms : 0;

    r->age_s = age_ms > 0 ? (uint64_t)age_ms / 1000 : 0;
}

static void on_work_ended(void *arg, const struct lease_row *lease, unsigned others,
                          struct vault_request *returned)
{
    struct release *r = arg;

    if (r->is_by_id) {
        note_holder(r, &lease->holder);
        log_info("lease_released_by_operator", "lease=%s", lease->id);
    }
    note_age(r, &lease->holder);
    r->answer.released++;
    r->answer.remaining_holders += others;
    (void)text_copy(r->lease_id, sizeof(r->lease_id), lease->id);
    (void)text_copy(r->lsid, sizeof(r->lsid), lease->holder.lsid);
    if (*r->lsid)
        r->session->lsid = r->lsid;
    if (returned)
        await_return(r, returned);
}

static void on_work_done(void *arg, bool found)
{
    struct release *r = arg;

    r->work = NULL;
    if (r->is_by_id && !found)
        refuse_release(r, FAULT_NOT_FOUND, "no lease has this id");
    else if (r->is_by_id && !r->answer.released)
        r->answer.pending = true; /* it is being given back, or its check-out is in flight */
    wait_ended(r);
}

static const struct release_work_class work_class = {on_work_ended, on_work_done};

static void begin_work(struct release *r, const struct release_work_args *args)
{
    struct broker *b = r->op.broker;

    r->is_by_id = args->lease_id != NULL;
    r->work = release_work_new(b, args, &work_class, r);
    if (r->work)
        r->waiting++;
    else
        refuse_release(r, FAULT_STORE_UNAVAILABLE,
                       "the lease store is away, and no more releases can be kept until it is back");
}

/* What is in flight here ends at once; the leases when the store has been asked for them. */
static struct release *end_shared(struct broker *b, const struct session_leases *probe,
                                  const struct release_args *args)
{
    struct release *r = release_new(b, &args->by, 0);

    if (!r)
        return NULL;
    end_overdue(b, probe);
    r->known = count_meant(session_leases_find(b->leases, probe), args->credential_id);
    checkouts_end(b, probe, args->credential_id);
    begin_work(r, &(struct release_work_args){.session = &args->by.session,
                                              .credential_id = args->credential_id,
                                              .is_over = !args->credential_id,
                                              .why = "released"});
    return r;
}

struct op *broker_release(struct broker *b, const struct release_args *args, release_done *done, void *arg)
{
    struct session_leases *probe = session_leases_probe(&args->by.session);
    struct release *r = NULL;

    if (probe && b->draining)
        r = release_new(b, &args->by, 0);
    else if (probe)
        r = leases_shared(b->leases) ? end_shared(b, probe, args) : end_session(b, probe, args);
    free(probe);
    return r ? begin_waiting(r, done, arg) : NULL;
}

/* ---- an operator ends one lease ---- */

/* Whatever state it is in: released counts only what a session held. */
static void end_one(struct release *r, struct lease *lease)
{
    struct broker *b = r->op.broker;
    struct vault_request *request = lease->request;

    if (lease->state == LEASE_OPEN && leases_shared(b->leases)) {
        begin_work(r, &(struct release_work_args){.lease_id = lease->id, .why = "released"});
    } else if (lease->state == LEASE_OPEN) {
        end_lease(r, lease);
        log_info("lease_released_by_operator", "lease=%s", r->lease_id);
    } else if (request->state == VR_LAPSED) {
        vault_request_forget(request);
    } else if (request->state == VR_PENDING && request->asker == lease) {
        pending_withdraw(request);
        r->answer.pending = true;
    } else if (vault_request_is_returning(request)) {
        vault_request_hurry(request);
        r->answer.pending = true;
    } else {
        r->answer.pending = checkouts_end_lease(b, lease) || vault_request_is_looked_for(request);
    }
}

struct op *broker_release_lease(struct broker *b, const char *lease_id, uint64_t timeout_ms,
                                release_done *done, void *arg)
{
    struct lease *lease = lease_by_id(b->leases, lease_id);

    if (lease && lease->state == LEASE_OPEN && vault_request_expire(lease->request))
        lease = lease_by_id(b->leases, lease_id);
    struct asked_by by = {
        .session = {.id = lease ? session_leases_session(lease->session_leases) : "",
                    .username = lease ? session_leases_user(lease->session_leases) : "",
                    .domain = lease ? session_leases_domain(lease->session_leases) : NULL},
        .timeout_ms = timeout_ms,
    };
    struct release *r = release_new(b, &by, 1);

    if (!r)
        return NULL;
    if (!lease && leases_shared(b->leases) && !b->draining)
        begin_work(r, &(struct release_work_args){.lease_id = lease_id, .why = "released"});
    else if (!lease)
        refuse_release(r, FAULT_NOT_FOUND, "no lease has this id");
    else if (!b->draining)
        end_one(r, lease);
    return begin_waiting(r, done, arg);
}

struct op *broker_forget_lease(struct broker *b, const char *lease_id, uint64_t timeout_ms,
                               release_done *done, void *arg)
{
    const struct lease *lease = lease_by_id(b->leases, lease_id);
    struct asked_by by = {.session = {.id = "", .username = ""}, .timeout_ms = timeout_ms};
    struct release *r = release_new(b, &by, 1);

    if (!r)
        return NULL;
    if (!lease)
        refuse_release(r, FAULT_NOT_FOUND, "no lease has this id");
    else if (!keyed_is_droppable(lease->request))
        refuse_release(
            r, FAULT_VAULT_CONFLICT,
            "only what is being given back, to a vault that does not tell its check-outs, is forgotten");
    else if (!b->draining)
        r->answer.pending = keyed_drop(lease->request);
    return begin_waiting(r, done, arg);
}

/* Sets the fault and returns false where there is nothing that may be checked in by hand. The handle is the
 * caller's to free. */
static bool identify_free_key(struct release *r, const char *credential_id, struct vault **vault,
                              char key[REQUEST_KEY_SIZE], char **handle)
{
    struct broker *b = r->op.broker;
    struct credential_ref ref;

    *vault = broker_vault_of_credential(b, credential_id, &ref);
    if (*vault && !(*vault)->ops->identify) {
        refuse_release(r, FAULT_UNSUPPORTED,
                       "this vault tells what is checked out: the gateway finds and returns it by itself");
        return false;
    }
    int err = *vault ? (*vault)->ops->identify(*vault, ref.account_key, key, handle) : -EINVAL;

    if (err == -EINVAL)
        refuse_release(r, FAULT_CREDENTIAL_NOT_FOUND, "no vault of the configuration has this credential");
    else if (err)
        refuse_release(r, FAULT_INTERNAL, "out of memory");
    else if (keyed_find(b->leases, *vault, key, (*vault)->principal))
        refuse_release(r, FAULT_VAULT_CONFLICT,
                       "the gateway has a row of this credential: release its leases instead");
    else if (!journal_writable(leases_journal(b->leases)))
        refuse_release(r, FAULT_STORE_UNAVAILABLE, "the lease store cannot write, so nothing was checked in");
    return !r->answer.fault;
}

struct op *broker_checkin_credential(struct broker *b, const char *credential_id, uint64_t timeout_ms,
                                     release_done *done, void *arg)
{
    struct asked_by by = {.session = {.id = "", .username = ""}, .timeout_ms = timeout_ms};
    struct release *r = release_new(b, &by, 1);
    char key[REQUEST_KEY_SIZE], *handle = NULL;
    struct vault *vault;

    if (!r)
        return NULL;
    if (!b->draining && identify_free_key(r, credential_id, &vault, key, &handle)) {
        struct vault_request *request = return_by_hand(b->leases, vault, credential_id, key, handle);

        handle = NULL;
        if (request) {
            memcpy(r->lease_id, request->asker->id, ID_SIZE);
            await_end(r, request);
        } else {
            refuse_release(r, FAULT_INTERNAL, "out of memory");
        }
    }
    free(handle);
    return begin_waiting(r, done, arg);
}

void broker_lease_person(struct broker *b, const char *lease_id, struct lease_person *out)
{
    const struct lease *lease = lease_by_id(b->leases, lease_id);

    *out = (struct lease_person){.user = ""};
    if (!lease)
        return;
    (void)text_copy(out->user, sizeof(out->user), session_leases_user(lease->session_leases));
    (void)text_copy(out->domain, sizeof(out->domain), session_leases_domain(lease->session_leases));
}

/* Until it is released: also one whose check-out is in flight, or of unknown outcome. */
bool broker_lease_session(struct broker *b, const char *lease_id, struct lease_session *out)
{
    struct lease *lease = lease_by_id(b->leases, lease_id);

    if (lease && lease->state == LEASE_OPEN && vault_request_expire(lease->request))
        lease = lease_by_id(b->leases, lease_id);
    if (!lease || (lease->state == LEASE_ENDED && !vault_request_is_looked_for(lease->request)))
        return false;
    (void)text_copy(out->lsid, sizeof(out->lsid), lease_lsid(lease));
    broker_lease_person(b, lease_id, &out->person);
    if (!lsid_normal(out->lsid, out->key))
        out->key[0] = '\0';
    return true;
}
