/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safe_path.c - the way to a file, judged step by step; see safe_path.h.
 */
#include "base/safe_path.h"

#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* the kernel follows no more */

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

static bool distrust(const char *path, const struct stat *st, const char *what, char why[SAFE_PATH_WHY])
{
    (void)snprintf(
        why, SAFE_PATH_WHY,
        "%.300s (%smode %04o) belongs to uid %lu, who is neither root nor the gateway's user; chown it", path,
        what, (unsigned)st->st_mode & 07777, (unsigned long)st->st_uid);
    return false;
}

static bool judge_step(const char *path, const struct stat *st, bool on_the_way,
                       const struct safe_path_owners *owners, char why[SAFE_PATH_WHY])
{
    unsigned mode = st->st_mode & 07777;

    if (!is_trusted(owners, st->st_uid))
        return distrust(path, st, "", why);
    if (!(mode & (S_IWGRP | S_IWOTH)) || (on_the_way && mode & S_ISVTX))
        return true;
    (void)snprintf(why, SAFE_PATH_WHY,
                   "%.300s can be written by others than its owner (mode %04o); chmod go-w it", path, mode);
    return false;
}

/* The way that is left, in front of which the target of a link is put; false = it is too long to be opened as
 * well. */
static bool follow_link(const char *link, char rest[PATH_MAX])
{
    char target[PATH_MAX], whole[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof(target) - 1);

    if (n <= 0)
        return false;
    target[n] = '\0';
    int len = snprintf(whole, sizeof(whole), "%s/%s", target, rest);
    return len > 0 && (size_t)len < sizeof(whole) && text_copy(rest, PATH_MAX, whole);
}

/* Moves the first name of `rest` behind `at`; false = there is none left. */
static bool take_step(char at[PATH_MAX], char rest[PATH_MAX])
{
    char *name = rest + strspn(rest, "/");
    size_t n = strcspn(name, "/"), used = strlen(at);

    if (!n)
        return false;
    if (n == 2 && memcmp(name, "..", 2) == 0)
        *(strrchr(at, '/') ? strrchr(at, '/') : at) = '\0';
    else if ((n > 1 || *name != '.') && used + 1 + n < PATH_MAX)
        (void)snprintf(at + used, PATH_MAX - used, "/%.*s", (int)n, name);
    memmove(rest, name + n, strlen(name + n) + 1);
    return true;
}

bool safe_path(const char *path, const struct safe_path_owners *owners, char why[SAFE_PATH_WHY])
{
    char at[PATH_MAX] = "", rest[PATH_MAX];
    struct stat st;

    if (!text_copy(rest, sizeof(rest), path))
        return true; /* too long to be opened as well */
    if (*path != '/' && !getcwd(at, sizeof(at)))
        return true;
    if (*at && (!text_copy(rest, sizeof(rest), at) || strlen(at) + strlen(path) + 2 > sizeof(rest)))
        return true;
    if (*at)
        (void)snprintf(rest + strlen(at), sizeof(rest) - strlen(at), "/%s", path);
    *at = '\0';
    if (stat("/", &st) == 0 && !judge_step("/", &st, true, owners, why))
        return false;
    for (unsigned links = 0; links < LINKS_MAX && take_step(at, rest);) {
        if (!*at)
            continue;
        if (lstat(at, &st) != 0)
            return true; /* it is not there, and its place has been judged */
        if (!S_ISLNK(st.st_mode)) {
            if (!judge_step(at, &st, rest[strspn(rest, "/")], owners, why))
                return false;
            continue;
        }
        links++;
        if (!is_trusted(owners, st.st_uid))
            return distrust(at, &st, "a link, ", why);
        if (!follow_link(at, rest))
            return true;
        *(*rest == '/' ? at : strrchr(at, '/')) = '\0';
    }
    return true;
}
