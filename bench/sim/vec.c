/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vec.c - lists of pointers and the text index; see vec.h.
 *
 * The index is a hash of folded keys. Entries are never taken out: the model only grows, what goes away is
 * marked in the object itself.
 */
#include "sim/vec.h"

#include "sim/hash.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct names_entry {
    char *key;
    struct vec objects;
    UT_hash_handle hh;
};

int vec_push(struct vec *v, void *item)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 4;
        void **grown = realloc(v->item, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        v->item = grown;
        v->cap = cap;
    }
    v->item[v->n++] = item;
    return 0;
}

bool vec_has(const struct vec *v, const void *item)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->item[i] == item)
            return true;
    return false;
}

void vec_free(struct vec *v)
{
    free(v->item);
    *v = (struct vec){0};
}

/* Length of the folded key, 0 if it does not fit. */
static size_t fold(const char *key, char out[NAMES_KEY_MAX])
{
    size_t n = 0;

    for (; key[n]; n++) {
        if (n + 1 >= NAMES_KEY_MAX)
            return 0;
        out[n] = (char)tolower((unsigned char)key[n]);
    }
    out[n] = '\0';
    return n;
}

static struct names_entry *find(const struct names *names, const char *folded, size_t n)
{
    struct names_entry *e;

    HASH_FIND(hh, names->head, folded, n, e);
    return e;
}

static struct names_entry *entry_new(struct names *names, const char *folded, size_t n)
{
    struct names_entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->key = strdup(folded);
    if (!e->key) {
        free(e);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, names->head, e->key, n, e);
    return e;
}

int names_add(struct names *names, const char *key, void *object)
{
    char folded[NAMES_KEY_MAX];
    size_t n = fold(key, folded);
    struct names_entry *e;

    if (n == 0)
        return -EMSGSIZE;
    e = find(names, folded, n);
    if (!e)
        e = entry_new(names, folded, n);
    if (!e)
        return -ENOMEM;
    return vec_has(&e->objects, object) ? 0 : vec_push(&e->objects, object);
}

const struct vec *names_find(const struct names *names, const char *key)
{
    char folded[NAMES_KEY_MAX];
    size_t n = fold(key, folded);
    struct names_entry *e = n ? find(names, folded, n) : NULL;

    return e ? &e->objects : NULL;
}

void *names_first(const struct names *names, const char *key)
{
    const struct vec *v = names_find(names, key);

    return v && v->n ? v->item[0] : NULL;
}

void names_free(struct names *names)
{
    struct names_entry *e, *next;

    HASH_ITER(hh, names->head, e, next)
    {
        HASH_DEL(names->head, e);
        vec_free(&e->objects);
        free(e->key);
        free(e);
    }
    names->head = NULL;
}
