/*
 * keyed_vault.h - a vault without numbers, ends and marks in a world (Privileged Identity, shared credentials
 * on the face json-v2), in place of Password Safe, and the promises that hold of it.
 *
 * A check-out is the account's, of the one identity: a further one gives the password again and makes nothing
 * new, a check-in ends it. A person's check-out is in the way. It ends nothing by itself. The acts of a
 * script and the faults of the network are those of the other worlds; keyed_script.c makes the scripts.
 *
 *   - no check-in is on its way together with a check-out of its key (vault_link.c sees what is on its way)
 *   - what is checked out has a row in the store
 *   - nothing is given back while a session holds it
 *   - a secret is the account's, to a user of the map, while it is checked out; none after the end
 *   - after a quiet time nothing is checked out, and no row and no lease is left
 *   - a find is answered from the map, whatever becomes of the vault
 */
#ifndef JG_TESTS_SIM_KEYED_VAULT_H
#define JG_TESTS_SIM_KEYED_VAULT_H

#include "callers.h"
#include "vault.h"

struct keyed_vault;

struct keyed_vault *keyed_vault_new(struct world *);
void keyed_vault_free(struct keyed_vault *); /* NULL is fine */

enum vault_call_kind keyed_vault_kind(const struct vault_http *);
void keyed_vault_call(struct keyed_vault *, const struct vault_http *, enum vault_call_kind,
                      struct buf *answer);
/* The account that a check-out or a check-in names. */
unsigned keyed_vault_account(const struct vault_http *);
/* An act on the vault itself. False = it is none. */
bool keyed_vault_act(struct keyed_vault *, const struct act *);

void keyed_vault_on_answer(struct keyed_vault *, const struct caller_op *, const cJSON *body);
void keyed_vault_check_quiet(struct keyed_vault *);

#endif
