/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recovery.c - the states `looking` and `look_later`; see recovery.h.
 *
 * A POST that timed out may have worked, and may still be working: so absence is believed only after LOOKS
 * looks spread over a minute and more, the last of them later than the call could still arrive. A list that
 * cannot be read is no look; the recovery goes on until the request must have expired by itself. A request
 * that is found but is held by another check-out (the vault's reuse gave it the same) is thereby proven the
 * gateway's, so its last holder checks it in.
 *
 * What is found was made by one sending of the call, as what a repeat was answered; another sending may
 * arrive when that one has ended, and make another request. So the row stays at its end, and it is looked for
 * once more when its call is settled (request_states.c). What is found then becomes a record of its own, as
 * any stray (reconcile.c): the row has a name already.
 *
 * A POST that was refused with a conflict may have been carried out twice on its way: the conflict is then
 * with its own first copy, and both have arrived. One look is enough, and nothing found is no news.
 */
#include "broker/leases/recovery.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/log.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/internal.h"
#include "broker/leases/lease_audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS            4
#define MARGIN_MS        1000
#define ADOPTED_EVERY_MS 5000
#define IN_FLIGHT_MS     2000

bool vault_request_matches(const struct vault_request *r, const struct active_request *row)
{
    const struct vault *vault = vault_request_vault(r);
    struct credential_ref ref;
    char id[ID_SIZE];

    if (reason_lease_id(row->reason, id)) /* one whose name is known may have another's mark */
        return strcmp(id, r->asker->id) == 0 ||
               (r->name && strcmp(r->name, row->name) == 0 &&
                vault_account_fits(row_account(vault, row), r->asker->credential_id));
    return reason_is_cut(row->reason, r->asker->id) && credential_id_parse(r->asker->credential_id, &ref) &&
           vault->ops->match && vault->ops->match(row->account_key, ref.account_key) == ACCOUNT_SAME;
}

static struct request_work *work_of(struct active_requests_wait *wait)
{
    return CONTAINER_OF(wait, struct request_work, look);
}

static bool wait_matches(const struct active_requests_wait *wait, const struct active_request *row)
{
    return vault_request_matches(CONTAINER_OF(wait, struct request_work, look)->request, row);
}

/* Not the request that has ended, but one of another sending. */
static bool is_another(const struct vault_request *r, const struct active_request *row)
{
    return r->work->given_back && r->name && strcmp(r->name, row->name) != 0;
}

/* After another one the list is read once more: there may be more of them, and that one has to end. */
static bool on_found(struct active_requests_wait *wait, const struct active_request *row)
{
    struct vault_request *r = work_of(wait)->request;
    bool another = is_another(r, row);

    if (!another)
        work_of(wait)->found = strdup(row->name);
    vault_request_resume(r);
    return !another;
}

static void on_not_found(struct active_requests_wait *wait, bool list_was_read)
{
    work_of(wait)->list_was_read = list_was_read;
    vault_request_resume(work_of(wait)->request);
}

/* ---- looking ---- */

/* on_not_found() may be called at once. */
static int looking_enter(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    if (!w)
        return -ENOMEM;
    free(w->found);
    w->found = NULL;
    w->list_was_read = false;
    w->look.matches = wait_matches;
    w->look.found = on_found;
    w->look.not_found = on_not_found;
    active_requests_get(r->vault_ref->leases->reader, vault_request_vault(r), r->user, &w->look);
    return 0;
}

static void report_outcome(const struct vault_request *r, const char *outcome)
{
    const struct request_work *w = r->work;

    if (r->refused && !w->found)
        return;
    log_warn("recovery_ended", "outcome=%s user=%s lease=%s looks=%u failures=%u", outcome, r->user,
             r->asker->id, w->looks, w->failures);
    audit_recovery_end(r->vault_ref->leases->audit, r->user, r->asker, outcome);
}

static enum vr_state give_up(struct vault_request *r, const char *why)
{
    report_outcome(r, why);
    return vault_request_over(r, END_NEVER, NULL);
}

static enum vr_state look_later(struct vault_request *r, uint64_t delay_ms)
{
    if (shared_is_past(r)) {
        r->vault_ref->leases->lapsed_ever++;
        return give_up(r, "lapsed");
    }
    r->work->delay_ms = delay_ms;
    return VR_LOOK_LATER;
}

static enum vr_state look_failed(struct vault_request *r)
{
    return look_later(r, backoff_ms(++r->work->failures, &r->vault_ref->leases->random));
}

/* Of a gateway that has died: nothing will answer for it any more, so what its call makes is found soon
 * after.
 */
static enum vr_state note_adopted_absence(struct vault_request *r)
{
    static const uint64_t after_ms[] = {60000, 600000};
    uint64_t now = clock_now(r->vault_ref->leases->clock);
    struct request_work *w = r->work;

    if (now < w->settled_ms)
        return look_later(r, ADOPTED_EVERY_MS);
    if (w->looks < sizeof after_ms / sizeof after_ms[0])
        return look_later(r, after_ms[w->looks++]);
    return give_up(r, "never_happened");
}

/* An absence proves one moment only; later looks are further apart. */
static enum vr_state note_absence(struct vault_request *r)
{
    static const uint64_t spread_ms[LOOKS] = {0, 2000, 15000, 60000};
    uint64_t now = clock_now(r->vault_ref->leases->clock);
    struct request_work *w = r->work;

    if (r->is_adopted && !w->given_back)
        return note_adopted_absence(r);
    if (!r->refused && !w->given_back && ++w->looks < LOOKS)
        return look_later(r, spread_ms[w->looks]);
    if (now < w->settled_ms)
        return look_later(r, w->settled_ms - now);
    return w->given_back ? vault_request_over(r, END_NEVER, NULL) : give_up(r, "never_happened");
}

/* If another record has it, that one's last holder checks it in. */
static enum vr_state request_found(struct vault_request *r)
{
    struct vault *vault = vault_request_vault(r);
    struct credential_ref ref;
    struct vault_account account = {0};

    if (credential_id_parse(r->asker->credential_id, &ref))
        account = ref_account(vault, &ref);

    struct vault_request *other =
        vault_request_known(r->vault_ref->leases, vault, r->work->found, r->user, account);

    if (other) {
        vault_request_prove(other);
        if (other->checkouts && SLIST_EMPTY(&other->leased)) /* no row has its name yet */
            return look_later(r, IN_FLIGHT_MS);
        report_outcome(r, "held");
        return vault_request_over(r, END_NEVER, NULL);
    }
    if (vault_request_set_name(r, r->work->found))
        return look_failed(r);
    report_outcome(r, "given_back");
    r->origin = ORIGIN_OURS;
    if (r->vault_ref->leases->shared)
        shared_return(r);
    else
        row_return(r, NULL);
    return VR_QUEUED;
}

static enum vr_state looking_resume(struct vault_request *r, int err)
{
    if (!request_work_get(r))
        return VR_LOOK_LATER;
    if (r->work->found)
        return request_found(r);
    return err == 0 && r->work->list_was_read ? note_absence(r) : look_failed(r);
}

static void looking_drop(struct vault_request *r)
{
    if (r->work)
        active_requests_leave(&r->work->look);
}

const struct vr_step vr_looking_step = {"looking",     "intent",       REQUEST_ASKED,
                                        looking_enter, looking_resume, looking_drop};

/* ---- look later ---- */

/* Those that watch have waited for the check-in of what was found. */
static int look_later_enter(struct vault_request *r)
{
    struct watch_list watches;

    vault_request_defer(r, r->work ? r->work->delay_ms : backoff_ms(1, &r->vault_ref->leases->random));
    vault_request_move_watches(r, &watches);
    watch_list_notify(&watches, true);
    return 0;
}

static enum vr_state look_later_resume(struct vault_request *r, int err)
{
    (void)r;
    (void)err;
    return VR_LOOKING;
}

const struct vr_step vr_look_later_step = {"look_later",     "intent",          REQUEST_ASKED,
                                           look_later_enter, look_later_resume, vault_request_stop_deadline};

/* ---- the beginning ---- */

/* Without memory it is not looked for: it ends by its own time at the vault. */
void vault_request_doubt(struct vault_request *r)
{
    if (r->is_keyed) {
        keyed_doubt_checkout(r);
        return;
    }
    struct request_work *w = request_work_get(r);

    if (w)
        w->settled_ms = clock_now(r->vault_ref->leases->clock) +
                        vault_request_vault(r)->conf->call_timeout_ms + MARGIN_MS;
}

static void begin_recovery(struct vault_request *r)
{
    vault_request_hide(r);
    if (!r->refused && !r->name)
        vault_request_doubt(r);
}

void vault_request_recover(struct vault_request *r)
{
    if (r->is_keyed) {
        keyed_recover(r);
        return;
    }
    if (r->vault_ref->leases->shared && !r->has_row)
        (void)row_ask(r, NULL, NULL); /* its check-out was in flight when the gateway was fenced */
    if (r->state == VR_ASKED)
        vault_request_clear_name(r); /* it has proven nothing: the mark is searched for */
    begin_recovery(r);
    log_event(r->refused ? LOG_DEBUG : LOG_INFO, "recovery_begun", "user=%s lease=%s", r->user, r->asker->id);
    vault_request_goto(r, VR_LOOKING);
}

void vault_request_recover_later(struct vault_request *r)
{
    if (r->is_keyed) {
        keyed_recover(r);
        return;
    }
    begin_recovery(r);
    vault_request_goto(r, VR_LOOK_LATER);
}
