/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unprivileged.c - from root to the gateway's own user; see unprivileged.h.
 *
 * It happens before the first secret is read and before there is a second thread. So every file is opened by
 * the user who has to open it again at a reload, and what he may not read is found out at the start. A state
 * directory that is not there yet is made for him while there is the power to do it.
 */
#include "commands/unprivileged.h"

#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(char why[UNPRIVILEGED_WHY_SIZE], const char *what, const char *name, int err)
{
    (void)snprintf(why, UNPRIVILEGED_WHY_SIZE, "%s %.200s: %s", what, name, strerror(err));
    return false;
}

/* Made by us, so it may be given away; what was there before is left as it is. */
static bool make_state_dir(const char *path, const struct passwd *pw, char why[UNPRIVILEGED_WHY_SIZE])
{
    if (mkdir(path, 0700) != 0)
        return true; /* the store says what stands in the way */
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fchown(fd, pw->pw_uid, pw->pw_gid) == 0;
    int err = errno;

    if (fd >= 0)
        (void)close(fd);
    return ok ? true : fail(why, "cannot make", path, err);
}

static bool become(const struct conf_gateway *g, bool *changed, char why[UNPRIVILEGED_WHY_SIZE])
{
    errno = 0;
    const struct passwd *pw = getpwnam(g->user);

    if (!pw)
        return fail(why, "there is no user", g->user, errno ? errno : ENOENT);
    if (pw->pw_uid == geteuid())
        return true;
    if (geteuid() != 0)
        return fail(why, "started by another user than root, it cannot become", g->user, EPERM);
    if (!make_state_dir(g->state_dir, pw, why))
        return false;
    int err = sandbox_user(g->user, pw->pw_uid, pw->pw_gid);
    *changed = !err;
    return err ? fail(why, "cannot become", g->user, -err) : true;
}

static bool owns_state_dir(const char *path, char why[UNPRIVILEGED_WHY_SIZE])
{
    struct stat st;

    if (stat(path, &st) != 0 || st.st_uid == geteuid())
        return true;
    (void)snprintf(
        why, UNPRIVILEGED_WHY_SIZE,
        "%.300s (mode %04o) belongs to uid %lu and the gateway runs as uid %lu; set `user` in [gateway] to "
        "its owner, or chown it",
        path, (unsigned)(st.st_mode & 07777), (unsigned long)st.st_uid, (unsigned long)geteuid());
    return false;
}

bool unprivileged_become(const struct conf *conf, bool *changed, char why[UNPRIVILEGED_WHY_SIZE])
{
    const struct conf_gateway *g = &conf->gateway;

    return (!g->user || become(g, changed, why)) && owns_state_dir(g->state_dir, why);
}
