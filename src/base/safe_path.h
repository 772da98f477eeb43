/*
 * safe_path.h - whether users other than the gateway and root could change what a path leads to.
 *
 * As ssh judges its files: the file, and every directory on the way to it, belongs to root or to a trusted
 * user and cannot be written by group or others. A directory with the sticky bit, as /tmp, is accepted on the
 * way: what is in it can only be renamed by its owner. Links are followed one by one: each belongs to root
 * or a trusted user, and the directories that it leads through are judged as well.
 */
#ifndef JG_BASE_SAFE_PATH_H
#define JG_BASE_SAFE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SAFE_PATH_WHY    512
#define SAFE_PATH_OWNERS 4

struct safe_path_owners {
    uid_t uid[SAFE_PATH_OWNERS]; /* beside root */
    size_t n;
};

void safe_path_trust(struct safe_path_owners *, uid_t); /* one too many is not trusted */

/* What does not exist is fine as long as its place is. If false `why` names a path, its mode or owner, and
 * what to do. */
bool safe_path(const char *path, const struct safe_path_owners *, char why[SAFE_PATH_WHY]);

#endif
