/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safe_path.c - the file and each directory above it, judged one by one; see safe_path.h.
 */
#include "base/safe_path.h"

#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void safe_path_trust(struct safe_path_owners *owners, uid_t uid)
{
    if (owners->n < SAFE_PATH_OWNERS)
        owners->uid[owners->n++] = uid;
}

static bool is_trusted(const struct safe_path_owners *owners, uid_t uid)
{
    bool found = uid == 0;

    for (size_t i = 0; i < owners->n; i++)
        found = found || owners->uid[i] == uid;
    return found;
}

/* What is not there is judged by where it would be. */
static bool judge_step(const char *path, bool on_the_way, const struct safe_path_owners *owners,
                       char why[SAFE_PATH_WHY])
{
    struct stat st;

    if (stat(path, &st) != 0)
        return true;
    unsigned mode = st.st_mode & 07777;
    if (!is_trusted(owners, st.st_uid)) {
        (void)snprintf(
            why, SAFE_PATH_WHY,
            "%.300s (mode %04o) belongs to uid %lu, who is neither root nor the gateway's user; chown it",
            path, mode, (unsigned long)st.st_uid);
        return false;
    }
    if (!(mode & (S_IWGRP | S_IWOTH)) || (on_the_way && mode & S_ISVTX))
        return true;
    (void)snprintf(why, SAFE_PATH_WHY,
                   "%.300s can be written by others than its owner (mode %04o); chmod go-w it", path, mode);
    return false;
}

static bool judge_way(const char *path, const struct safe_path_owners *owners, char why[SAFE_PATH_WHY])
{
    char step[PATH_MAX];

    if (!text_copy(step, sizeof(step), path))
        return true; /* too long to be opened as well */
    size_t n = strlen(step);
    while (n > 1 && step[n - 1] == '/')
        step[--n] = '\0';
    bool ok = judge_step(step, false, owners, why);
    for (char *slash = strrchr(step, '/'); ok && slash; slash = strrchr(step, '/')) {
        bool root = slash == step;

        slash[root] = '\0';
        ok = judge_step(step, true, owners, why);
        if (root)
            break;
    }
    return ok;
}

bool safe_path(const char *path, const struct safe_path_owners *owners, char why[SAFE_PATH_WHY])
{
    char *real = realpath(path, NULL);
    bool ok = judge_way(path, owners, why) && (!real || judge_way(real, owners, why));

    free(real);
    return ok;
}
