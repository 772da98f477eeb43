/*
 * access_users.h - the users of the map: which sets a user is in.
 *
 * A user is `DOMAIN\user`, `user` without domain, or all of a domain. Names are compared as people's names
 * are everywhere (base/person.h).
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_ACCESS_USERS_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_ACCESS_USERS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* A growing list of numbers; sorted as long as they are added in rising order. */
struct numbers {
    size_t *list, n, cap;
};

int numbers_add(struct numbers *, size_t);        /* 0 or -ENOMEM */
bool numbers_has(const struct numbers *, size_t); /* of a sorted list; NULL is an empty one */
void numbers_free(struct numbers *);

struct pi_user;
struct pi_users {
    struct pi_user *by_key;
};

/* Adds a user, written as in the configuration, to a set; sets come in rising order. 0 or -ENOMEM. */
int pi_users_add(struct pi_users *, const char *text, size_t n, size_t set);
/* The same for a file: one user a line; empty lines, and those that begin with #, are skipped. Mistakes
 * become lines `file:line: message`. 0, -EINVAL, -ENOMEM, -errno. */
int pi_users_read(struct pi_users *, const char *path, size_t set, struct buf *errors);
/* The sets of the user by name and by domain; NULL = none. A domain that is "" is none. 0 or -ENOMEM. */
int pi_users_find(const struct pi_users *, const char *domain, const char *name,
                  const struct numbers *out[2]);
void pi_users_free(struct pi_users *);

#endif
