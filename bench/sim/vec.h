/*
 * vec.h - a growing list of pointers, and an index from texts to such lists.
 *
 * `names` is the one way the model finds things by text: keys are folded to lower case (ASCII), one key may
 * stand for several objects (two systems of one name in different workgroups). Neither owns the objects.
 */
#ifndef SIM_VEC_H
#define SIM_VEC_H

#include <stdbool.h>
#include <stddef.h>

struct vec {
    void **item;
    size_t n, cap;
};

int vec_push(struct vec *, void *item) __attribute__((warn_unused_result)); /* 0 or -ENOMEM */
bool vec_has(const struct vec *, const void *item);
void vec_free(struct vec *);

#define NAMES_KEY_MAX 512

struct names_entry;
struct names {
    struct names_entry *head;
};

/* Adds; the same pair twice counts once. 0, -ENOMEM, -EMSGSIZE for a key over NAMES_KEY_MAX. */
int names_add(struct names *, const char *key, void *object) __attribute__((warn_unused_result));
const struct vec *names_find(const struct names *, const char *key); /* NULL = none */
void *names_first(const struct names *, const char *key);
void names_free(struct names *);

#endif
