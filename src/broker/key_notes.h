/*
 * key_notes.h - accounts that were found to have a key and no password.
 *
 * No list of the vault's says so; a check-out finds out. It is the account's, not the user's. Bounded in
 * number, the least recently learned goes first; a check-out that reads a password corrects it.
 */
#ifndef JG_BROKER_KEY_NOTES_H
#define JG_BROKER_KEY_NOTES_H

#include "backends/backend.h"
#include "broker/credential_id.h"

struct key_notes;

struct key_notes *key_notes_new(size_t max); /* NULL = out of memory */
void key_notes_free(struct key_notes *);     /* NULL is fine */
/* Not keeping it, for want of memory, is no error. */
void key_notes_put(struct key_notes *, const struct vault *, const struct credential_ref *);
void key_notes_drop(struct key_notes *, const struct vault *, const struct credential_ref *);
bool key_notes_has(const struct key_notes *, const struct vault *, const struct credential_ref *);

#endif
