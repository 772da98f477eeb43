/*
 * spin_debt.h - whether the vault is to change the password of a request, when, and what has become of it
 * (spin.h).
 */
#ifndef JG_BROKER_LEASES_SPIN_DEBT_H
#define JG_BROKER_LEASES_SPIN_DEBT_H

#include "broker/leases/lease_table.h"
#include "broker/leases/request_states.h"
#include "broker/leases/spin_outcome.h"

#define SPIN_REPEATS           5    /* of one that has failed, */
#define SPIN_REPEAT_MS         5000 /* the first one so long after it; doubling */
#define SPIN_LONGEST_REPEAT_MS ((int64_t)SPIN_REPEAT_MS << (SPIN_REPEATS - 1))

/* The request has ended at the vault: does a spin follow? It puts the row of one that does. */
bool spin_follows(struct vault_request *, enum request_end);
/* The one that was due is not made. */
void spin_give_up(struct vault_request *, enum request_end);
/* How long after the check-in; -1 = the vault makes none for this request. */
int64_t spin_first_delay(const struct vault_request *);
/* The same of the next one, after those that have failed. */
int64_t spin_next_delay(const struct vault_request *);
/* It is due after this time: its row, and request_work.delay_ms. */
void spin_put_row(struct vault_request *, int64_t delay_ms);
/* To counters, audit and log. `error` NULL = none. */
void spin_report(struct vault_request *, enum spin_outcome, const char *error);

#endif
