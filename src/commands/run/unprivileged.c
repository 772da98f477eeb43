/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unprivileged.c - from root to the gateway's own user; see unprivileged.h.
 *
 * The change comes before the first secret is read and before the first thread. So the user who opens every
 * file again at a reload also opens it first, and a missing permission shows at the start. A missing state
 * directory is made for that user while the process is still root.
 */
#include "commands/run/unprivileged.h"

#include "base/durable.h"
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int describe_failure(char why[UNPRIVILEGED_WHY_SIZE], const char *what, const char *name, int err)
{
    (void)snprintf(why, UNPRIVILEGED_WHY_SIZE, "%s %.200s: %s", what, name, strerror(err));
    return -err;
}

/* A directory made here is given to the user; an existing one is not changed. */
static int make_state_dir(const char *path, const struct passwd *pw, char why[UNPRIVILEGED_WHY_SIZE])
{
    if (mkdir(path, 0700) != 0)
        return 0; /* the store reports why it cannot use it */
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fchown(fd, pw->pw_uid, pw->pw_gid) == 0;
    int err = errno;

    if (fd >= 0)
        (void)close(fd);
    if (!ok)
        return describe_failure(why, "cannot make", path, err);
    err = durable_name(path);
    return err ? describe_failure(why, "cannot make", path, -err) : 0;
}

static int change_user(const struct conf_gateway *g, bool *changed, char why[UNPRIVILEGED_WHY_SIZE])
{
    errno = 0;
    const struct passwd *pw = getpwnam(g->user);

    if (!pw)
        return describe_failure(why, "there is no user", g->user, errno ? errno : ENOENT);
    if (pw->pw_uid == geteuid())
        return 0;
    if (geteuid() != 0)
        return describe_failure(why, "started by another user than root, it cannot become", g->user, EPERM);
    int err = make_state_dir(g->state_dir, pw, why);
    if (err)
        return err;
    err = sandbox_user(g->user, pw->pw_uid, pw->pw_gid);
    *changed = !err;
    return err ? describe_failure(why, "cannot become", g->user, -err) : 0;
}

static int owns_state_dir(const char *path, char why[UNPRIVILEGED_WHY_SIZE])
{
    struct stat st;

    if (stat(path, &st) != 0 || st.st_uid == geteuid())
        return 0;
    (void)snprintf(why, UNPRIVILEGED_WHY_SIZE,
                   "%.300s (mode %04o) belongs to uid %lu and the gateway runs as uid %lu; set `user` in "
                   "[gateway] to its owner, or chown it",
                   path, (unsigned)(st.st_mode & 07777), (unsigned long)st.st_uid, (unsigned long)geteuid());
    return -EPERM;
}

int unprivileged_become(const struct conf *conf, bool *changed, char why[UNPRIVILEGED_WHY_SIZE])
{
    const struct conf_gateway *g = &conf->gateway;

    int err = g->user ? change_user(g, changed, why) : 0;

    return err ? err : owns_state_dir(g->state_dir, why);
}

int unprivileged_judge_as(const struct conf *conf, bool *changed, char why[UNPRIVILEGED_WHY_SIZE])
{
    const struct conf_gateway *g = &conf->gateway;
    const struct passwd *pw = g->user ? getpwnam(g->user) : NULL;
    struct stat st;
    int err = 0;

    if (geteuid() != 0)
        return 0;
    if (!g->user && stat(g->state_dir, &st) == 0 && st.st_uid != 0)
        pw = getpwuid(st.st_uid);
    if (!pw || pw->pw_uid == 0)
        return 0;
    err = sandbox_user(pw->pw_name, pw->pw_uid, pw->pw_gid);
    if (!err)
        err = sandbox_capabilities(0);
    *changed = true;
    return err ? describe_failure(why, "cannot become", pw->pw_name, -err) : 0;
}
