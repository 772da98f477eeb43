/*
 * account_key.h - what Password Safe calls an account: `K.SYSTEM.ACCOUNT.APPLICATION`.
 *
 * K is one letter for the kind; the ids are decimal, without sign or leading zeros, 0 = none. The list of
 * requests tells no kind: there K is `r`, and an id of 0 is not told.
 */
#ifndef JG_BACKENDS_PS_ACCOUNT_KEY_H
#define JG_BACKENDS_PS_ACCOUNT_KEY_H

#include "backends/backend.h"

#define PS_KEY_SIZE 64 /* letter, three ids of 19 digits, three dots and the NUL: 62 */

struct ps_account_key {
    enum account_kind kind; /* KIND_NKINDS = not told */
    int64_t system_id, account_id, application_id;
};

void ps_account_key_write(char out[PS_KEY_SIZE], const struct ps_account_key *);
/* False = not spelled as ps_account_key_write() does. */
bool ps_account_key_read(const char *text, struct ps_account_key *);
/* As vault_ops.match: an alias may lead to any account, and an account that is linked is known by its own
 * number alone. */
enum account_match ps_account_key_match(const char *key, const char *other);

#endif
