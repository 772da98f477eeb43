/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_due.c - see key_due.h. A number that has no place is not known any more.
 */
#include "broker/leases/key_due.h"

#include "broker/leases/internal.h"

uint32_t keyed_due(const struct vault_request *r)
{
    return r->is_keyed && !r->vault_ref->leases->shared ? r->due : 0;
}

bool keyed_count(struct vault_request *r)
{
    if (!keyed_due(r))
        return false;
    r->due++;
    return true;
}

void keyed_given_back(struct vault_request *r)
{
    if (r->is_keyed && !r->vault_ref->leases->shared)
        r->due = r->vault_ref->vault->can.checkins_each;
}

void keyed_uncount(struct vault_request *r)
{
    keyed_checked_in(r, 1);
}

void keyed_checked_in(struct vault_request *r, uint32_t n)
{
    uint32_t due = keyed_due(r);

    if (due)
        r->due = (uint16_t)(n < due ? due - n : 1);
}
