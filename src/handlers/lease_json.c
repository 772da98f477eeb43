/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_json.c - one lease as JSON; see lease_json.h.
 *
 * The members and their order are the interface's. Unknown values are null: a request id before the vault has
 * answered, the names of a lease from before a restart, an error before the first one. `adopted` is written
 * only where it is true, `node` only where the store is shared, `run_as` only where the vault does not know
 * the user.
 */
#include "handlers/lease_json.h"

#include "base/clock.h"

#include <string.h>

static void write_time(struct jsonw *w, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    jsonw_str(w, name, clock_rfc3339_or_null(wall_ms, text));
}

void lease_json(struct jsonw *w, const struct lease_view *l)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "id", l->id);
    jsonw_int_or_null(w, "request_id", l->request_id, !l->request_id);
    jsonw_str(w, "request_key", l->request_key && *l->request_key ? l->request_key : NULL);
    jsonw_str(w, "user", l->user);
    if (l->run_as)
        jsonw_str(w, "run_as", l->run_as);
    jsonw_array(w, "sessions");
    for (size_t i = 0; i < l->nsessions; i++)
        jsonw_str(w, NULL, l->sessions[i]);
    jsonw_end(w);
    jsonw_str(w, "lsid", l->lsid);
    jsonw_str(w, "credential_id", l->credential_id);
    jsonw_str(w, "system", l->system && *l->system ? l->system : NULL);
    jsonw_str(w, "account", l->account && *l->account ? l->account : NULL);
    jsonw_str(w, "state", l->state);
    write_time(w, "created_at", l->created_wall_ms);
    write_time(w, "expires_at", l->expires_wall_ms);
    jsonw_int(w, "attempts", l->attempts);
    jsonw_str(w, "last_error", l->last_error && *l->last_error ? l->last_error : NULL);
    if (l->adopted)
        jsonw_bool(w, "adopted", true);
    if (l->node)
        jsonw_str(w, "node", l->node);
    jsonw_end(w);
}

bool lease_state_known(const char *state)
{
    static const char *const states[] = {LEASE_STATES};

    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        if (strcmp(states[i], state) == 0)
            return true;
    return false;
}
