/*
 * list_key.h - the name of a question: vault, mapped user, query, in one piece of memory.
 *
 * Two questions are the same when their first `len` bytes are: the user is named there without ASCII case.
 * The first `owner_len` bytes name vault and user alone. The texts live inside the bytes, so a key is also
 * where the texts of a call in flight are kept.
 */
#ifndef JG_BROKER_LISTS_LIST_KEY_H
#define JG_BROKER_LISTS_LIST_KEY_H

#include "backends/backend.h"

struct list_key {
    size_t len, owner_len;
    char bytes[];
};

struct list_key *list_key_new(const struct vault *, const char *user,
                              const struct account_query *); /* NULL = no memory */
/* Vault and user alone. */
struct list_key *list_key_owner(const struct vault *, const char *user);
const char *list_key_user(const struct list_key *); /* as it was spelled; not of a copy of the first bytes */
/* The query again; its texts live as long as the key. */
void list_key_query(const struct list_key *, struct account_query *);

#endif
