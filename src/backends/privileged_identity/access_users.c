/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_users.c - the users of the map; see access_users.h.
 *
 * The key of a user is domain and name, each as bytes that compare and with a NUL behind it. The name of all
 * users of a domain is `*`.
 */
#include "backends/privileged_identity/access_users.h"

#include "base/person.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/uthash_nofail.h"
#include "conf/conf.h"
#include "conf/table/conf_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MISTAKES_MAX 20 /* of one file */

/* ---- numbers ---- */

int numbers_add(struct numbers *a, size_t number)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 4;
        size_t *more = reallocarray(a->list, cap, sizeof(*more));

        if (!more)
            return -ENOMEM;
        a->list = more;
        a->cap = cap;
    }
    a->list[a->n++] = number;
    return 0;
}

bool numbers_has(const struct numbers *a, size_t number)
{
    size_t low = 0, high = a ? a->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (a->list[middle] == number)
            return true;
        if (a->list[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void numbers_free(struct numbers *a)
{
    free(a->list);
    *a = (struct numbers){.n = 0};
}

/* ---- users ---- */

struct pi_user {
    struct numbers sets;
    UT_hash_handle hh;
    char key[];
};

/* NULL when out of memory; the caller frees it. */
static struct pi_user *make_user(const char *domain, const char *name, size_t *len)
{
    struct pi_user *user = calloc(1, sizeof(*user) + strlen(domain) + strlen(name) + 2);

    if (user)
        *len = (size_t)(person_key(person_key(user->key, domain), name) - user->key);
    return user;
}

static int add_user(struct pi_users *users, const char *domain, const char *name, size_t set)
{
    struct pi_user *same = NULL, *user;
    size_t len = 0;

    user = make_user(domain, name, &len);
    if (!user)
        return -ENOMEM;
    HASH_FIND(hh, users->by_key, user->key, len, same);
    if (same) {
        free(user);
    } else {
        HASH_ADD_KEYPTR(hh, users->by_key, user->key, len, user);
        if (!user->hh.tbl) {
            free(user);
            return -ENOMEM;
        }
        same = user;
    }
    return numbers_has(&same->sets, set) ? 0 : numbers_add(&same->sets, set);
}

int pi_users_add(struct pi_users *users, const char *text, size_t n, size_t set)
{
    char *whole = strndup(text, n), *backslash = whole ? strchr(whole, '\\') : NULL;
    int err = -ENOMEM;

    if (backslash)
        *backslash = '\0';
    if (whole)
        err = add_user(users, backslash ? whole : "", backslash ? backslash + 1 : whole, set);
    free(whole);
    return err;
}

static int find_user(const struct pi_users *users, const char *domain, const char *name,
                     const struct numbers **out)
{
    struct pi_user *found = NULL;
    size_t len = 0;
    struct pi_user *wanted = make_user(domain, name, &len);

    if (!wanted)
        return -ENOMEM;
    HASH_FIND(hh, users->by_key, wanted->key, len, found);
    free(wanted);
    *out = found ? &found->sets : NULL;
    return 0;
}

int pi_users_find(const struct pi_users *users, const char *domain, const char *name,
                  const struct numbers *out[2])
{
    int err = find_user(users, domain, name, &out[0]);

    out[1] = NULL;
    return err || !*domain ? err : find_user(users, domain, "*", &out[1]);
}

void pi_users_free(struct pi_users *users)
{
    struct pi_user *user, *next;

    HASH_ITER(hh, users->by_key, user, next)
    {
        HASH_DEL(users->by_key, user);
        numbers_free(&user->sets);
        free(user);
    }
}

/* ---- a file ---- */

static void complain(struct buf *errors, const char *path, unsigned line, const char *text, const char *why)
{
    (void)buf_printf(errors, "%s:%u: `", path, line);
    utf8_visible(errors, text, strnlen(text, 80));
    (void)buf_printf(errors, "` %s\n", why);
}

static int read_line(struct pi_users *users, const char *path, unsigned line, char *text, size_t set,
                     struct buf *errors)
{
    size_t n = strlen(text);

    while (n && strchr(" \t\r", text[n - 1]))
        text[--n] = '\0';
    text += strspn(text, " \t");
    if (!*text || *text == '#')
        return 0;
    const char *why = utf8_valid(text, strlen(text)) ? conf_access_user_refusal(text) : "is not valid UTF-8";
    if (!why)
        return pi_users_add(users, text, strlen(text), set);
    complain(errors, path, line, text, why);
    return -EINVAL;
}

int pi_users_read(struct pi_users *users, const char *path, size_t set, struct buf *errors)
{
    struct buf text = BUF_INIT(CONF_SOURCE_MAX);
    int err = conf_source_read(path, &text), mistakes = 0;
    unsigned number = 0;

    if (err)
        conf_source_complain(errors, path, err);
    else if (text.len && memchr(text.data, '\0', text.len)) {
        err = -EINVAL;
        complain(errors, path, 1, "", "is no text: the file holds a NUL");
    } else if (!buf_cstr(&text)) {
        err = -ENOMEM;
    }
    for (char *line = text.data, *next; line && !err && mistakes < MISTAKES_MAX; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        err = read_line(users, path, ++number, line, set, errors);
        if (err == -EINVAL) {
            mistakes++;
            err = 0;
        }
    }
    buf_free(&text);
    return err ? err : mistakes ? -EINVAL : 0;
}
