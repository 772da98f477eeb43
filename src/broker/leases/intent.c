/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intent.c - intents and the recovery of those whose outcome is unknown; see intent.h.
 *
 * A POST that timed out may have worked, and may still be working: so absence is believed only after ATTEMPTS
 * attempts spread over a minute and more, the last of them later than the call could still arrive. A list
 * that cannot be read is no attempt; the recovery goes on until the request must have expired by itself. A
 * request that is found but is held by a check-out (the vault's reuse gave it the same id) is thereby proven
 * ours, so its last holder checks it in.
 *
 * Invariant: between the sending of POST Requests and the reading of the request id, the intent and its
 * lease's row are what gets the request checked in.
 *
 * Not here: the lists themselves; one serves all that wait for the same user's (active_requests.c).
 */
#include "broker/leases/internal.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/log.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/lease_audit.h"

#include <stdlib.h>
#include <string.h>

#define ATTEMPTS  4
#define MARGIN_MS 1000

static bool wait_matches(const struct active_requests_wait *, const struct active_request *);
static void on_found(struct active_requests_wait *, const char *name);
static void on_not_found(struct active_requests_wait *, bool list_was_read);

struct intent *intent_open(struct leases *ls, struct lease *lease, struct vault *vault, const char *user,
                           const char *name, uint64_t ends_ms, int64_t expires_wall_ms)
{
    size_t n = strlen(user) + 1, name_size = strlen(name) + 1;
    struct intent *in = malloc(sizeof *in + n + name_size);

    if (!in)
        return NULL;
    *in = (struct intent){.leases = ls,
                          .lease = lease,
                          .vault = vault,
                          .name = in->user + n,
                          .ends_ms = ends_ms,
                          .expires_wall_ms = expires_wall_ms,
                          .wait = {.matches = wait_matches, .found = on_found, .not_found = on_not_found}};
    memcpy(in->user, user, n);
    memcpy(in->user + n, name, name_size);
    lease->state = LEASE_INTENT;
    lease->intent = in;
    ls->nintents++;
    return in;
}

void intent_close(struct intent *in)
{
    if (!in)
        return;
    active_requests_leave(&in->wait);
    in->leases->recoveries -= in->recovering;
    in->leases->nintents--;
    in->lease->intent = NULL;
    timer_stop(in->leases->timers, &in->deadline);
    free(in);
}

/* ---- the recovery ---- */

static void on_attempt(struct deadline *d)
{
    struct intent *in = CONTAINER_OF(d, struct intent, deadline);

    active_requests_get(in->leases->reader, in->vault, in->user, &in->wait);
}

static void give_up(struct intent *in, const char *why)
{
    struct leases *ls = in->leases;
    struct lease *lease = in->lease;

    log_warn("hunt_ended", "outcome=%s user=%s lease=%s looks=%u failures=%u", why, in->user, lease->id,
             in->attempts, in->failures);
    audit_recovery_end(ls->audit, in->user, lease, why);
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
               (strcmp(in->name, row->name) == 0 &&
                vault_account_fits(row_account(row), in->lease->credential_id));
    return reason_is_cut(row->reason, in->lease->id) && credential_id_parse(in->lease->credential_id, &ref) &&
           ref.system_id == row->system_id && ref.account_id == row->account_id;
}

static bool wait_matches(const struct active_requests_wait *wait, const struct active_request *row)
{
    return intent_matches(CONTAINER_OF(wait, struct intent, wait), row);
}

/*
 * Its last holder checks it in; if it has none, that is now. The lease becomes the vault request's cover: its
 * row goes when that of the holder is durable, or when the request has been checked in.
 */
static void on_found(struct active_requests_wait *wait, const char *name)
{
    struct intent *in = CONTAINER_OF(wait, struct intent, wait);
    struct leases *ls = in->leases;
    struct lease *lease = in->lease;
    struct vault_request *request =
        vault_request_known(ls, in->vault, name, in->user, credential_account(lease->credential_id));
    bool held = request != NULL;

    if (!request && !(request = vault_request_new(ls, in->vault, in->user, name, ORIGIN_OURS))) {
        attempt_later(in, backoff_ms(++in->failures, &ls->random));
        return;
    }
    log_warn("hunt_ended", "outcome=%s user=%s lease=%s looks=%u failures=%u", held ? "held" : "given_back",
             in->user, lease->id, in->attempts, in->failures);
    audit_recovery_end(ls->audit, in->user, lease, held ? "held" : "given_back");
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
        vault_request_hold(request);
    vault_request_unhold(request, lease);
}

/* An absence proves one moment only; later attempts are further apart. */
static void note_absence(struct intent *in)
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

static void on_not_found(struct active_requests_wait *wait, bool list_was_read)
{
    struct intent *in = CONTAINER_OF(wait, struct intent, wait);

    if (list_was_read)
        note_absence(in);
    else
        attempt_later(in, backoff_ms(++in->failures, &in->leases->random));
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

void intent_recover_unproven(struct lease *lease, struct vault_request *request)
{
    struct leases *ls = request->leases;
    struct intent *in = intent_open(ls, lease, vault_request_vault(request), request->user, request->name,
                                    request->ends_ms, request->expires_wall_ms);

    if (!in) {
        log_error("hunt_lost", "user=%s lease=%s error=%s", request->user, lease->id, "out of memory");
        lease_discard(ls, lease);
        return;
    }
    if (lease_write_row(ls, lease))
        log_error("journal_lost", "lease=%s error=%s", lease->id, "out of memory");
    intent_restore(in);
}

void intent_recover(struct intent *in)
{
    begin_recovery(in);
    log_info("hunt_begun", "user=%s lease=%s", in->user, in->lease->id);
    active_requests_get(in->leases->reader, in->vault, in->user, &in->wait);
}
