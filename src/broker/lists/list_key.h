/*
 * list_key.h - the key of an account list: vault, mapped user and query in one piece of memory.
 *
 * Two lists are of the same query when the first `len` bytes of their keys are equal: the user's name is
 * there without ASCII case. The first `owner_len` bytes name vault and user alone. The bytes hold the texts,
 * so the key also keeps the texts of a call under way.
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
/* The query again; its texts are valid as long as the key. */
void list_key_query(const struct list_key *, struct account_query *);

#endif
