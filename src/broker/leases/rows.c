/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c - rows and steps of the lease table; see rows.h.
 */
#include "broker/leases/rows.h"

#include "base/log.h"
#include "broker/leases/internal.h"
#include "broker/leases/key_due.h"

#include <errno.h>

static struct holder holder_of(const struct lease *lease)
{
    return (struct holder){.username = session_leases_user(lease->session_leases),
                           .domain = session_leases_domain(lease->session_leases),
                           .session = session_leases_session(lease->session_leases),
                           .lsid = lease_lsid(lease),
                           .credential = lease->credential_id,
                           .system = lease_system(lease),
                           .account = lease_account(lease),
                           .created_wall_ms = lease->created_s * 1000};
}

/* One that is unproven keeps the url of before, so that a restart does not take it for proven. */
static const char *url_of(const struct vault_request *r)
{
    return r->origin == ORIGIN_UNKNOWN && r->vault_ref->moved_from ? r->vault_ref->moved_from
                                                                   : r->vault_ref->url;
}

/* For a restart: what it does not find at the vault by its name may still be made there. */
static const char *error_of(const struct vault_request *r, enum request_state state)
{
    const struct request_work *w = r->work;

    if (w && (w->settled_ms || (state == REQUEST_SPINNING && keyed_checkin_may_arrive(r))))
        return ROW_IN_DOUBT;
    return w && w->last_error ? w->last_error : "";
}

const char *row_mark(const struct vault_request *r)
{
    return r->work && r->work->elsewhere ? r->work->elsewhere->mark : r->asker->id;
}

/* Of one that is held a lease may have the secret before the next row is written. */
static enum request_spin spin_of(const struct vault_request *r, enum request_state state)
{
    return r->is_keyed && state == REQUEST_HELD && r->spin == SPIN_UNUSED ? SPIN_USED
                                                                          : (enum request_spin)r->spin;
}

struct request_row row_of_request(const struct vault_request *r, enum request_state state)
{
    const struct request_work *work = r->work;

    if (work && work->elsewhere) {
        struct request_row row = *work->elsewhere;

        row.state = state;
        return row;
    }
    return (struct request_row){.mark = r->asker->id,
                                .owner = "",
                                .state = state,
                                .vault = vault_request_vault(r)->conf->name,
                                .url = url_of(r),
                                .user = r->user,
                                .name = state == REQUEST_ASKED && !r->is_keyed ? "" : vault_request_name(r),
                                .handle = r->handle ? r->handle : "",
                                .checkins_due = keyed_due(r),
                                .adopted = r->origin == ORIGIN_FOREIGN,
                                .expires_wall_ms = r->expires_wall_ms,
                                .attempts = work ? work->attempts : 0,
                                .next_wall_ms = work ? work->next_wall_ms : 0,
                                .last_error = error_of(r, state),
                                .spin = spin_of(r, state),
                                .spins = work ? work->spins : 0,
                                .began_wall_ms = work ? work->began_wall_ms : 0,
                                .asker = holder_of(r->asker)};
}

struct lease_row row_of_lease(const struct lease *lease)
{
    struct lease_row row = {.request = row_mark(lease->request),
                            .id = lease->id,
                            .holder = holder_of(lease),
                            .ended_site = "",
                            .expires_wall_ms = lease->expires_wall_ms};

    if (lease->end) {
        row.ended = lease->end->source;
        row.ended_site = lease->end->site;
    }
    return row;
}

/* The lease that ends with a step. After a lost step the row of the asker's lease may still be there. */
static struct lease_row ending(const struct vault_request *r, const struct lease *lease)
{
    if (!lease && r->step_lost && r->asker->state != LEASE_OPEN)
        lease = r->asker;
    return lease ? row_of_lease(lease) : (struct lease_row){.id = ""};
}

/* Of several gateways the one that owns the row after a kill checks in once more, and records that: the row
 * of a request that has been given back stays until the record is on disk. */
static bool waits_for_record(const struct vault_request *r, const struct store_step *step)
{
    bool is_last = step->kind == STEP_LAPSE || step->kind == STEP_CLOSE;

    return r->vault_ref->leases->shared && is_last &&
           (step->request.state == REQUEST_RETURNING || step->request.state == REQUEST_LAPSED);
}

static int put_in(struct journal *journal, struct vault_request *r, const struct store_step *step)
{
    if (r->work && step->kind == STEP_RETURN)
        return journal_put_return(journal, step, &r->work->returning);
    if (waits_for_record(r, step))
        return journal_put_recorded(journal, step, r->vault_ref->leases->audit);
    return journal_put(journal, step, NULL, NULL);
}

/* The last step of a request, if that is a STEP_RETURN, is followed until it is durable. */
static int put(struct vault_request *r, const struct store_step *step)
{
    struct journal *journal = r->vault_ref->leases->journal;

    if (r->vault_ref->leases->voiding)
        return 0;
    if (r->work)
        journal_unwait(&r->work->returning);
    int err = put_in(journal, r, step);

    if (err < 0)
        log_error("journal_lost", "step=%s request=%s error=%s", store_step_rules[step->kind].name,
                  r->asker->id, "out of memory");
    r->step_lost |= err < 0;
    if (err < 0 && r->vault_ref->leases->shared)
        r->vault_ref->leases->missed.begin(r->vault_ref->leases);
    return err < 0 ? err : 0;
}

static int insert(struct vault_request *r, enum request_state state, int64_t since, struct journal_wait *wait,
                  void (*done)(struct journal_wait *, int err))
{
    const struct store_step step = {.kind = STEP_ASK, .request = row_of_request(r, state), .since = since};
    int waits = journal_put(r->vault_ref->leases->journal, &step, wait, done);

    r->has_row = waits >= 0;
    return waits;
}

int row_ask(struct vault_request *r, struct journal_wait *wait, void (*done)(struct journal_wait *, int err))
{
    return insert(r, REQUEST_ASKED, 0, wait, done);
}

int row_ask_since(struct vault_request *r, int64_t since, struct journal_wait *wait,
                  void (*done)(struct journal_wait *, int err))
{
    return insert(r, REQUEST_ASKED, since, wait, done);
}

int row_again(struct vault_request *r, struct journal_wait *wait,
              void (*done)(struct journal_wait *, int err))
{
    return journal_put(r->vault_ref->leases->journal,
                       &(struct store_step){.kind = STEP_AGAIN, .request = row_of_request(r, REQUEST_ASKED)},
                       wait, done);
}

int row_open(struct lease *lease, const struct vault_request *instead, struct journal_wait *wait,
             void (*done)(struct journal_wait *, int err))
{
    return journal_put(lease->request->vault_ref->leases->journal,
                       &(struct store_step){.kind = STEP_OPEN,
                                            .request = row_of_request(lease->request, REQUEST_HELD),
                                            .lease = row_of_lease(lease),
                                            .instead = instead ? instead->asker->id : ""},
                       wait, done);
}

/* The state of the row: one that a check-out takes over may have been held before. */
int row_count(struct vault_request *r, struct journal_wait *wait,
              void (*done)(struct journal_wait *, int err))
{
    bool held = r->state == VR_HELD || r->origin != ORIGIN_UNKNOWN;
    const struct store_step step = {.kind = STEP_EDIT,
                                    .request = row_of_request(r, held ? REQUEST_HELD : REQUEST_ASKED)};

    return journal_put(r->vault_ref->leases->journal, &step, wait, done);
}

int row_edit(struct vault_request *r)
{
    return put(
        r, &(struct store_step){.kind = STEP_EDIT, .request = row_of_request(r, vault_request_row_state(r))});
}

int row_amend(struct lease *lease)
{
    if (lease->state == LEASE_ASKING)
        return row_edit(lease->request);
    return put(lease->request, &(struct store_step){.kind = STEP_AMEND,
                                                    .request = row_of_request(lease->request, REQUEST_HELD),
                                                    .lease = row_of_lease(lease)});
}

void row_pend(struct vault_request *r, const struct lease *lease)
{
    (void)put(r, &(struct store_step){.kind = STEP_PEND,
                                      .request = row_of_request(r, REQUEST_PENDING),
                                      .lease = ending(r, lease)});
}

void row_leave(struct vault_request *r, const struct lease *lease)
{
    (void)put(r, &(struct store_step){.kind = STEP_LEAVE,
                                      .request = row_of_request(r, REQUEST_HELD),
                                      .lease = ending(r, lease)});
}

int row_remove_lease(struct leases *ls, const struct lease_row *row)
{
    int err = journal_put(ls->journal, &(struct store_step){.kind = STEP_LEAVE, .lease = *row}, NULL, NULL);

    return err < 0 ? err : 0;
}

void row_return(struct vault_request *r, const struct lease *lease)
{
    if (!r->has_row && insert(r, REQUEST_RETURNING, 0, NULL, NULL) >= 0)
        return; /* it was found at the vault */
    (void)request_work_get(r);
    (void)put(r, &(struct store_step){.kind = STEP_RETURN,
                                      .request = row_of_request(r, REQUEST_RETURNING),
                                      .lease = ending(r, lease)});
}

void row_lapse(struct vault_request *r)
{
    (void)put(r, &(struct store_step){.kind = STEP_LAPSE, .request = row_of_request(r, REQUEST_LAPSED)});
}

void row_spin(struct vault_request *r)
{
    (void)put(r, &(struct store_step){.kind = STEP_SPIN, .request = row_of_request(r, REQUEST_SPINNING)});
}

void row_close(struct vault_request *r, const struct lease *lease)
{
    bool closed =
        !lease && !r->vault_ref->leases->shared && r->work && journal_close_returned(&r->work->returning);

    if (r->has_row && !closed)
        (void)put(r, &(struct store_step){.kind = STEP_CLOSE,
                                          .request = row_of_request(r, vault_request_row_state(r)),
                                          .lease = ending(r, lease)});
}
