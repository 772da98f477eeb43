/*
 * oracle.h - what the gateway promises, checked on everything that crosses its borders.
 *
 *   - the secret of a check-out was read from the vault for this request, as this user, of this account
 *   - its vault request is live then, and its audit record is on the disk
 *   - a check-out that a release has ended gives no secret any more
 *   - a live request at the vault has a row in the store, and ends by the gateway before it ends by itself
 *   - a user has one live request for an account, whatever was asked for how often
 *   - after a quiet time nothing is left: no request, no lease, no row; the chain of the trail is whole
 */
#ifndef JG_TESTS_SIM_ORACLE_H
#define JG_TESTS_SIM_ORACLE_H

#include "callers.h"
#include "vault.h"

struct oracle *oracle_new(struct world *);
void oracle_free(struct oracle *);

void oracle_on_start(struct oracle *, const struct caller_op *);
void oracle_on_answer(struct oracle *, const struct caller_op *, const cJSON *body);
/* The vault has made a request, or handed one over. */
void oracle_on_request(struct oracle *, const struct vault_entry *);
/* A gateway asks the vault for a request: the bytes go to the socket. */
void oracle_on_sent(struct oracle *, const struct node *);
/* The gateway gives it back. */
void oracle_on_checkin(struct oracle *, const struct vault_entry *);
/* Another configuration is in place, or was refused. */
void oracle_on_reload(struct oracle *);
/* A kill: a release that was answered at its caller's deadline a moment ago may be forgotten. */
void oracle_on_kill(struct oracle *);
/* A trail says that the vault has ended this request by its time. */
void oracle_on_lapse(const struct oracle *, unsigned request);
/* A kill, and since `since_ms` the store could not be written: a release of that time may be forgotten. */
void oracle_on_lost_steps(struct oracle *, uint64_t since_ms);
/* After the quiet time, with the gateway running; and after it has stopped. */
void oracle_check_quiet(struct oracle *);
void oracle_check_end(struct oracle *);
/* The id of the n-th lease that an answer named, and its session; NULL = there is none. */
const char *oracle_pick_lease(const struct oracle *, unsigned n, bool running, unsigned *session);

#endif
