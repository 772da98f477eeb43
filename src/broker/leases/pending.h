/*
 * pending.h - vault requests that wait for their approver.
 *
 * With `approval_wait` a request whose secret wants an approval first is kept, over restarts: no lease holds
 * it, and the session may end meanwhile, since an approver acts later than a console closes. The next
 * check-out of the same person and credential, of any session, asks for the secret of this request. There is
 * at most one for a person and credential.
 *
 *   HELD --the vault wants an approval--> PENDING --its secret is read--> HELD
 *                                            \--withdrawn, its wait is over, or it is denied--> QUEUED
 *
 * In a shared store the one that has kept it is its owner, and the check-out of any gateway asks for its
 * secret. There is at most one for a vault user and a credential, and it becomes that gateway's which gets
 * its secret.
 *
 * Not here: the check-out that asks (checkout/approval.c).
 */
#ifndef JG_BROKER_LEASES_PENDING_H
#define JG_BROKER_LEASES_PENDING_H

#include "broker/leases/lease_table.h"

/* Was it asked for by this person, in any session? */
bool pending_is_of(const struct vault_request *, const struct session *);
/* The one of this person and credential at this vault; NULL = none. */
struct vault_request *pending_find(const struct leases *, const struct session *, const char *credential_id,
                                   const struct vault *);
/* The one with this mark, or one that has waited and is held by now; NULL = none. */
struct vault_request *pending_marked(const struct leases *, const char *mark);
/* When a wait of that length that begins now is over, in the time in which ends are given. */
int64_t pending_wait_end(const struct vault_request *, uint64_t wait_ms);
/* It waits from now on, until then; its row says so already. */
void pending_wait(struct vault_request *, int64_t end_wall_ms);
/* One that is held by one check-out with this lease, and by nothing else, waits from now on, without that
 * hold. False = out of memory, nothing has changed. */
bool pending_keep(struct vault_request *, struct lease *, uint64_t wait_ms);
/* The same for one that has lost its last hold, for what is left of its wait. False = it has never waited,
 * its secret has been handed over, or the vault has ended it; nothing has changed. */
bool pending_keep_again(struct vault_request *, struct lease *);
bool pending_may_wait_again(const struct vault_request *);
/* A lease holds it from now on: it does not wait again. */
void pending_handed_over(struct vault_request *);
/* It is not needed any more: it is given back, unless a check-out that asks for its secret gets it. */
void pending_withdraw(struct vault_request *);
/* The same for what this session has asked for; `credential_id` as in its release. */
void pending_withdraw_of(struct leases *, const struct session_leases *probe, const char *credential_id);

#endif
