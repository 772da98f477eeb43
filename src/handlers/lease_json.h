/*
 * lease_json.h - one lease as operators see it, as JSON: in GET /v1/leases and in `jumpgate leases --json`.
 */
#ifndef JG_HANDLERS_LEASE_JSON_H
#define JG_HANDLERS_LEASE_JSON_H

#include "base/jsonw.h"
#include "broker/broker.h"

/* An object inside an array. */
void lease_json(struct jsonw *, const struct lease_view *);
/* Is this the name of a lease's state? */
bool lease_state_known(const char *state);

#endif
