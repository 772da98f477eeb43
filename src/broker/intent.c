/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intent.c - requests whose outcome we do not know yet, and the search for those we never learned of.
 *
 *   intent_open() --answer read--> intent_close()
 *        |
 *        +--answer lost--> hunt: look --found--> loan of ours (kept by its holders, or given back) --> closed
 *                           ^     |not there, or the list could not be read
 *                           +-----+ look again later
 *
 * A POST that timed out may have worked, and may still be working: so absence is believed only after LOOKS
 * looks spread over a minute and more. A list that cannot be read is no look; that goes on until the request
 * must have expired by itself. A request that is found but is held by a check-out (the vault's reuse gave it
 * the same id) is proven ours by the find, so its last holder will give it back.
 *
 * Invariant: between sending POST Requests and knowing the request id, the intent is what gives it back. It
 * is also the registry of "our lease ids" for requests that nobody holds (intent_known).
 */
#include "broker/leases.h"

#include "base/log.h"
#include "broker/op.h"
#include "broker/reason.h"

#include <stdlib.h>
#include <string.h>

#define LOOKS 4

struct intent;

struct hunt {
    struct vault_call call;
    struct intent *intent;
    bool in_flight;
};

struct intent {
    struct table_node node;
    struct leases *leases;
    struct vault *vault;
    uint64_t ends_ms;
    int64_t expires_wall_ms;
    struct hunt *hunt; /* NULL = none yet */
    struct deadline deadline;
    unsigned looks, failures;
    bool hunting;
    char id[ID_SIZE];
    char user[];
};

static void look(struct intent *in);

struct intent *intent_open(struct leases *ls, struct vault *vault, const char *user,
                           const char lease_id[ID_SIZE], uint64_t ends_ms, int64_t expires_wall_ms)
{
    size_t n = strlen(user) + 1;
    struct intent *in = calloc(1, sizeof *in + n);

    if (!in)
        return NULL;
    in->leases = ls;
    in->vault = vault;
    in->ends_ms = ends_ms;
    in->expires_wall_ms = expires_wall_ms;
    memcpy(in->id, lease_id, ID_SIZE);
    memcpy(in->user, user, n);
    if (table_add(&ls->intents, &in->node, table_hash(lease_id, ID_SIZE - 1))) {
        free(in);
        return NULL;
    }
    return in;
}

void intent_close(struct intent *in)
{
    if (!in)
        return;
    if (in->hunt && in->hunt->in_flight) {
        in->vault->ops->cancel(in->vault, &in->hunt->call);
        in->leases->in_flight--;
    }
    if (in->hunt)
        vault_call_free(&in->hunt->call);
    free(in->hunt);
    in->leases->hunts -= in->hunting;
    timer_stop(in->leases->timers, &in->deadline);
    table_remove(&in->leases->intents, &in->node);
    free(in);
}

bool intent_known(const struct leases *ls, const char lease_id[ID_SIZE])
{
    struct table_node *node = table_first(&ls->intents, table_hash(lease_id, ID_SIZE - 1));

    for (; node; node = table_next(node))
        if (strcmp(OWNER_OF(node, struct intent, node)->id, lease_id) == 0)
            return true;
    return false;
}

/* ---- the hunt ---- */

static void on_look(struct deadline *d)
{
    look(OWNER_OF(d, struct intent, deadline));
}

static void give_up(struct intent *in, const char *why)
{
    log_warn("hunt_ended", "outcome=%s user=%s lease=%s looks=%u failures=%u", why, in->user, in->id,
             in->looks, in->failures);
    intent_close(in);
}

static void look_later(struct intent *in, uint64_t delay_ms)
{
    struct leases *ls = in->leases;
    uint64_t now = clock_now(ls->clock);

    if (now > in->ends_ms && now - in->ends_ms >= in->vault->conf->minute_ms) {
        ls->counters.lapsed++;
        give_up(in, "lapsed");
    } else if (timer_start(ls->timers, &in->deadline, delay_ms, on_look)) {
        give_up(in, "out_of_memory");
    }
}

static const struct active_request *find_own(const struct active_requests *active, const char *own)
{
    char id[ID_SIZE];

    for (size_t i = 0; i < active->n; i++)
        if (reason_lease_id(active->rows[i].reason, id) && strcmp(id, own) == 0)
            return &active->rows[i];
    return NULL;
}

/* Whoever holds it gives it back at the end; if nobody does, that is now. */
static void claim(struct intent *in, int64_t request_id)
{
    struct loan *loan = loan_find(in->leases, in->vault, in->user, request_id);

    if (loan) {
        loan->origin = LOAN_OURS;
        give_up(in, "held");
        return;
    }
    loan = loan_new(in->leases, in->vault, in->user, request_id, LOAN_OURS);
    if (!loan) {
        look_later(in, leases_backoff(in->leases, ++in->failures));
        return;
    }
    loan->ends_ms = in->ends_ms;
    loan->expires_wall_ms = in->expires_wall_ms;
    loan_drop(loan, in->id);
    give_up(in, "given_back");
}

/* No answer is proof only of one moment; later looks are further apart. */
static void not_there(struct intent *in)
{
    static const uint64_t spread_ms[LOOKS] = {0, 2000, 15000, 60000};

    if (++in->looks == LOOKS)
        give_up(in, "never_happened");
    else
        look_later(in, spread_ms[in->looks]);
}

static void on_looked(struct vault_call *call)
{
    struct hunt *hunt = OWNER_OF(call, struct hunt, call);
    struct intent *in = hunt->intent;
    const struct active_request *own = call->result == VAULT_OK ? find_own(&call->active, in->id) : NULL;

    hunt->in_flight = false;
    in->leases->in_flight--;
    if (own)
        claim(in, own->request_id);
    else if (call->result == VAULT_OK)
        not_there(in);
    else
        look_later(in, leases_backoff(in->leases, ++in->failures));
}

static void look(struct intent *in)
{
    struct hunt *hunt = in->hunt ? in->hunt : calloc(1, sizeof *hunt);

    in->hunt = hunt;
    if (hunt) {
        vault_call_free(&hunt->call);
        hunt->intent = in;
        hunt->call = (struct vault_call){.user = in->user,
                                         .timeout_ms = in->vault->conf->call_timeout_ms,
                                         .background = true,
                                         .done = on_looked};
    }
    if (!hunt || in->vault->ops->requests(in->vault, &hunt->call)) {
        look_later(in, leases_backoff(in->leases, ++in->failures));
        return;
    }
    hunt->in_flight = true;
    in->leases->in_flight++;
}

void intent_hunt(struct intent *in)
{
    in->hunting = true;
    in->leases->hunts++;
    log_warn("hunt_begun", "user=%s lease=%s", in->user, in->id);
    look(in);
}

static void free_intent(struct table_node *node, void *arg)
{
    (void)arg;
    intent_close(OWNER_OF(node, struct intent, node));
}

void intents_free(struct leases *ls)
{
    table_each(&ls->intents, free_intent, NULL);
}
