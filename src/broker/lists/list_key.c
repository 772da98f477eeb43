/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_key.c - packs vault, user and query into bytes that compare, and unpacks the query.
 *
 * Layout: the vault's address, the user's name as person_key() writes it, then a fixed part, then those of
 * system, ip, application and workgroup that the query has, each with its NUL. The fixed part says which are
 * present, so that "" and absent differ. Addresses of vaults are unique and outlive every key. Behind the
 * bytes that compare is the user's name as it was spelled, for the vault and for the log.
 *
 * Names of endpoints are compared byte by byte: the vault decides what case means there. Two spellings cost
 * two calls, and never a wrong answer.
 */
#include "broker/lists/list_key.h"

#include "base/person.h"

#include <stdlib.h>
#include <string.h>

struct fixed {
    int64_t system_id;
    unsigned char kind, recent, has_system, has_ip, has_application, has_workgroup;
};

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static char *put(char *at, const void *bytes, size_t n)
{
    if (n)
        memcpy(at, bytes, n);
    return at + n;
}

static struct list_key *new_key(const struct vault *vault, const char *user, size_t more, char **end)
{
    size_t owner_len = sizeof(vault) + text_size(user);
    struct list_key *key = malloc(sizeof(*key) + owner_len + more + text_size(user));

    if (!key)
        return NULL;
    key->owner_len = owner_len;
    key->len = owner_len + more;
    *end = person_key(put(key->bytes, &vault, sizeof(vault)), user);
    put(key->bytes + key->len, user, text_size(user));
    return key;
}

struct list_key *list_key_owner(const struct vault *vault, const char *user)
{
    char *end;

    return new_key(vault, user, 0, &end);
}

struct list_key *list_key_new(const struct vault *vault, const char *user, const struct account_query *query)
{
    struct list_key *key;
    struct fixed fixed;
    char *at;

    memset(&fixed, 0, sizeof(fixed)); /* the padding is part of what is compared */
    fixed.system_id = query->system_id;
    fixed.kind = (unsigned char)query->kind;
    fixed.recent = query->recent;
    fixed.has_system = query->system != NULL;
    fixed.has_ip = query->ip != NULL;
    fixed.has_application = query->application != NULL;
    fixed.has_workgroup = query->workgroup != NULL;
    key = new_key(vault, user,
                  sizeof(fixed) + text_size(query->system) + text_size(query->ip) +
                      text_size(query->application) + text_size(query->workgroup),
                  &at);
    if (!key)
        return NULL;
    at = put(at, &fixed, sizeof(fixed));
    at = put(at, query->system, text_size(query->system));
    at = put(at, query->ip, text_size(query->ip));
    at = put(at, query->application, text_size(query->application));
    put(at, query->workgroup, text_size(query->workgroup));
    return key;
}

const char *list_key_user(const struct list_key *key)
{
    return key->bytes + key->len;
}

static const char *take(const char **at, bool there)
{
    const char *text = *at;

    if (!there)
        return NULL;
    *at += text_size(text);
    return text;
}

void list_key_query(const struct list_key *key, struct account_query *query)
{
    const char *at = key->bytes + key->owner_len + sizeof(struct fixed);
    struct fixed fixed;

    memcpy(&fixed, key->bytes + key->owner_len, sizeof(fixed));
    *query = (struct account_query){
        .kind = (enum account_kind)fixed.kind,
        .system_id = fixed.system_id,
        .recent = fixed.recent != 0,
    };
    query->system = take(&at, fixed.has_system);
    query->ip = take(&at, fixed.has_ip);
    query->application = take(&at, fixed.has_application);
    query->workgroup = take(&at, fixed.has_workgroup);
}
