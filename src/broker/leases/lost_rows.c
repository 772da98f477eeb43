/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lost_rows.c - requests that the audit trail knows of and the store does not.
 *
 * Such a row was lost: a damaged store that was cut or rebuilt. What became of the request only the vault
 * knows, so it becomes an intent and is hunted by its mark, as after a lost answer. Where another lease had
 * made the request the trail names that one as well, so its mark is known. Nothing is checked in of which the
 * vault does not say itself that it bears our mark.
 */
#include "audit/audit_witness.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/identity/credential_id.h"
#include "broker/leases/internal.h"
#include "broker/operation.h"

#include <string.h>

static bool is_over(const struct leases *ls, const struct audit_claim *c, uint64_t slack_ms)
{
    return c->expires_wall_ms && clock_wall(ls->clock) - c->expires_wall_ms >= (int64_t)slack_ms;
}

static struct vault_account account_of(const struct audit_claim *c)
{
    struct credential_ref ref;

    return credential_id_parse(c->credential_id, &ref) ? ref_account(&ref) : (struct vault_account){0};
}

/* An old trail has the section's name alone, which may have changed since: then the request is looked for at
 * all vaults. */
static bool is_held(const struct leases *ls, const struct audit_claim *c)
{
    bool named = false, held = false;

    for (size_t i = 0; i < ls->ncheckin_queues && !named; i++) {
        const struct checkin_queue *q = ls->checkin_queues[i];
        bool found = vault_request_known(ls, q->vault, c->request_id, c->run_as, account_of(c)) != NULL;

        named =
            *c->vault_url ? strcmp(q->url, c->vault_url) == 0 : strcmp(q->vault->conf->name, c->vault) == 0;
        held = named ? found : held || found;
    }
    return held;
}

/* The vault of the claim, as of a row; one that is configured no more is named in the log. */
static struct checkin_queue *queue_of_claim(struct leases *ls, const struct audit_claim *c)
{
    size_t before = ls->ncheckin_queues;
    struct checkin_queue *q = checkin_queue_of_row(ls, c->vault, c->vault_url);

    if (q && ls->ncheckin_queues > before)
        checkin_queue_tell_absent(q);
    return q;
}

/* A row that says less than the lease that was lost, but enough to hunt. False = out of memory. */
static bool hunt(struct leases *ls, const struct checkin_queue *checkin_queue, const struct audit_claim *c)
{
    struct session session = {.id = c->session, .username = c->user, .domain = c->domain};
    int64_t left = c->expires_wall_ms - clock_wall(ls->clock);
    struct lease *lease = lease_make(ls, &session, c->credential_id, c->lease_id, c->created_wall_ms);
    struct intent *in =
        lease ? intent_open(ls, lease, checkin_queue->vault, c->run_as,
                            clock_now(ls->clock) + (uint64_t)(left > 0 ? left : 0), c->expires_wall_ms)
              : NULL;

    if (!in) {
        if (lease)
            lease_free(ls, lease);
        return false;
    }
    if (lease_tell(ls, lease))
        log_error("journal_lost", "lease=%s error=%s", lease->id, "out of memory");
    intent_restore(in);
    return true;
}

bool broker_claim(struct broker *b, const struct audit_claim *c)
{
    struct leases *ls = b->leases;

    if (strlen(c->lease_id) != ID_SIZE - 1 || !*c->vault || !*c->run_as || lease_id_known(ls, c->lease_id))
        return false;
    if (is_held(ls, c)) { /* this one's mark may be in the reason of what another one holds */
        lease_index_remember(&ls->lease_index, c->lease_id);
        return false;
    }
    const struct checkin_queue *checkin_queue = queue_of_claim(ls, c);

    return checkin_queue && !is_over(ls, c, checkin_queue->vault->conf->minute_ms) &&
           hunt(ls, checkin_queue, c);
}
