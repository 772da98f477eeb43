/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intent.c - requests whose outcome we do not know yet, and the search for those we never learned of.
 *
 *   intent_open() --answer read--> intent_close()
 *        |
 *        +--answer lost, or found in the store at the start
 *             --> hunt: look --found--> vault request of ours (kept by its holders, or given back) --> closed
 *                        ^     |not there, or the list could not be read
 *                        +-----+ look again later
 *
 * A POST that timed out may have worked, and may still be working: so absence is believed only after ATTEMPTS
 * looks spread over a minute and more, the last of them later than the call could still arrive. A list that
 * cannot be read is no look; that goes on until the request must have expired by itself. A request that is
 * found but is held by a check-out (the vault's reuse gave it the same id) is proven ours by the find, so its
 * last holder will give it back.
 *
 * Invariant: between sending POST Requests and knowing the request id, the intent and its lease's row are
 * what gives it back.
 *
 * Not here: the lists themselves; one serves all that wait for the same user's (reconcile.c).
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/lease_audit.h"

#include <stdlib.h>
#include <string.h>

#define ATTEMPTS  4
#define MARGIN_MS 1000

struct intent {
    struct leases *leases;
    struct lease *lease;
    struct vault *vault;
    uint64_t ends_ms, settled_ms; /* settled: it can no longer arrive */
    int64_t expires_wall_ms;
    int64_t request_id; /* of an unproven request; 0 = not known */
    struct deadline deadline;
    struct intent_link link;
    unsigned attempts, failures;
    bool recovering;
    char user[];
};

struct intent *intent_open(struct leases *ls, struct lease *lease, struct vault *vault, const char *user,
                           uint64_t ends_ms, int64_t expires_wall_ms)
{
    size_t n = strlen(user) + 1;
    struct intent *in = malloc(sizeof *in + n);

    if (!in)
        return NULL;
    *in = (struct intent){
        .leases = ls, .lease = lease, .vault = vault, .ends_ms = ends_ms, .expires_wall_ms = expires_wall_ms};
    memcpy(in->user, user, n);
    lease->state = LEASE_INTENT;
    lease->intent = in;
    ls->nintents++;
    return in;
}

void intent_close(struct intent *in)
{
    if (!in)
        return;
    reconcile_leave(in->leases->reconcile, in);
    in->leases->recoveries -= in->recovering;
    in->leases->nintents--;
    in->lease->intent = NULL;
    timer_stop(in->leases->timers, &in->deadline);
    free(in);
}

struct vault *intent_vault(const struct intent *in)
{
    return in->vault;
}

const char *intent_user(const struct intent *in)
{
    return in->user;
}

int64_t intent_expires(const struct intent *in)
{
    return in->expires_wall_ms;
}

int64_t intent_request_id(const struct intent *in)
{
    return in->request_id;
}

void intent_expect(struct intent *in, int64_t request_id)
{
    in->request_id = request_id;
}

struct intent_link *intent_link(struct intent *in)
{
    return &in->link;
}

struct intent *intent_of_link(struct intent_link *link)
{
    return CONTAINER_OF(link, struct intent, link);
}

/* ---- the recovery ---- */

static void on_attempt(struct deadline *d)
{
    struct intent *in = CONTAINER_OF(d, struct intent, deadline);

    reconcile_ask(in->leases->reconcile, in);
}

static void give_up(struct intent *in, const char *why)
{
    struct leases *ls = in->leases;
    struct lease *lease = in->lease;

    log_warn("hunt_ended", "outcome=%s user=%s lease=%s looks=%u failures=%u", why, in->user, lease->id,
             in->attempts, in->failures);
    audit_recovery_end(ls->audit, in->user, lease->id, why);
    intent_close(in);
    lease_discard(ls, lease);
}

static void attempt_later(struct intent *in, uint64_t delay_ms)
{
    struct leases *ls = in->leases;
    uint64_t now = clock_now(ls->clock);

    if (in->attempts + in->failures && now > in->ends_ms && now - in->ends_ms >= in->vault->conf->minute_ms) {
        ls->lapsed_ever++;
        give_up(in, "lapsed");
    } else if (timer_start(ls->timers, &in->deadline, delay_ms, on_attempt)) {
        log_error("hunt_lost", "user=%s lease=%s error=%s", in->user, in->lease->id, "out of memory");
    }
}

bool intent_matches(const struct intent *in, const struct active_request *row)
{
    struct credential_ref ref;
    char id[ID_SIZE];

    if (reason_lease_id(row->reason, id)) /* the request of an intent that knows it may bear another's mark */
        return strcmp(id, in->lease->id) == 0 ||
               (in->request_id == row->request_id &&
                vault_account_fits(row_account(row), in->lease->credential_id));
    return reason_is_cut(row->reason, in->lease->id) && credential_id_parse(in->lease->credential_id, &ref) &&
           ref.system_id == row->system_id && ref.account_id == row->account_id;
}

static struct vault_account account_of(const struct intent *in)
{
    struct credential_ref ref;

    return credential_id_parse(in->lease->credential_id, &ref) ? ref_account(&ref)
                                                               : (struct vault_account){0};
}

/*
 * Whoever holds it gives it back at the end; if nobody does, that is now. Our lease becomes the vault
 * request's cover: its row goes when that of the holder is durable, or when the request has been checked in.
 */
void intent_found(struct intent *in, int64_t request_id)
{
    struct leases *ls = in->leases;
    struct lease *lease = in->lease;
    struct vault_request *request = vault_request_known(ls, in->vault, request_id, in->user, account_of(in));
    bool held = request != NULL;

    if (!request && !(request = vault_request_new(ls, in->vault, in->user, request_id, ORIGIN_OURS))) {
        attempt_later(in, leases_backoff(ls, ++in->failures));
        return;
    }
    log_warn("hunt_ended", "outcome=%s user=%s lease=%s looks=%u failures=%u", held ? "held" : "given_back",
             in->user, lease->id, in->attempts, in->failures);
    audit_recovery_end(ls->audit, in->user, lease->id, held ? "held" : "given_back");
    if (!held) {
        request->ends_ms = in->ends_ms;
        request->expires_wall_ms = in->expires_wall_ms;
    }
    intent_close(in);
    vault_request_prove(request);
    if (request->state == REQUEST_RETURNING) { /* it has a cover */
        lease_discard(ls, lease);
        return;
    }
    if (held)
        vault_request_take(request);
    vault_request_drop(request, lease);
}

/* No answer is proof only of one moment; later looks are further apart. */
static void not_there(struct intent *in)
{
    static const uint64_t spread_ms[ATTEMPTS] = {0, 2000, 15000, 60000};
    uint64_t now = clock_now(in->leases->clock);

    if (++in->attempts < ATTEMPTS)
        attempt_later(in, spread_ms[in->attempts]);
    else if (now < in->settled_ms)
        attempt_later(in, in->settled_ms - now);
    else
        give_up(in, "never_happened");
}

void intent_not_found(struct intent *in, enum intent_news news)
{
    if (news == INTENT_NOT_THERE)
        not_there(in);
    else
        attempt_later(in, leases_backoff(in->leases, ++in->failures));
}

static void begin_recovery(struct intent *in)
{
    in->recovering = true;
    in->leases->recoveries++;
    in->settled_ms = clock_now(in->leases->clock) + in->vault->conf->call_timeout_ms + MARGIN_MS;
}

void intent_restore(struct intent *in)
{
    begin_recovery(in);
    attempt_later(in, 0);
}

void intent_of_unproven(struct lease *lease, struct vault_request *request)
{
    struct leases *ls = request->leases;
    struct intent *in = intent_open(ls, lease, vault_request_vault(request), request->user,
                                    vault_request_ends(request), request->expires_wall_ms);

    if (!in) {
        log_error("hunt_lost", "user=%s lease=%s error=%s", request->user, lease->id, "out of memory");
        lease_discard(ls, lease);
        return;
    }
    intent_expect(in, request->request_id);
    if (lease_tell(ls, lease))
        log_error("journal_lost", "lease=%s error=%s", lease->id, "out of memory");
    intent_restore(in);
}

void intent_recover(struct intent *in)
{
    begin_recovery(in);
    log_info("hunt_begun", "user=%s lease=%s", in->user, in->lease->id);
    reconcile_ask(in->leases->reconcile, in);
}
