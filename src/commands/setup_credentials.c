/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup_credentials.c - the directory of credentials for check and doctor; see setup.h.
 *
 * At a start systemd reads the secrets as root and gives the gateway's user a copy of them. `jumpgate check`
 * judges as that user, which may not read /etc/jumpgate/secrets. So setup makes such a copy as well: a folder
 * in /run, which is memory, readable by root and the gateway's group, for as long as check and doctor run.
 * With --root there is no such user, and the folder of the secrets itself is the directory.
 */
#include "commands/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE "/run/jumpgate-setup.XXXXXX"

static bool path_of(const struct setup *s, const struct setup_file *f, char out[PATH_MAX])
{
    const char *name = strrchr(f->path, '/');

    return snprintf(out, PATH_MAX, "%s%s", s->credentials, name ? name : "/") < PATH_MAX;
}

static int write_copy(const struct setup *s, const struct setup_file *f)
{
    char path[PATH_MAX];
    int fd =
        path_of(s, f, path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    int err;

    if (fd < 0)
        return errno;
    err = setup_write_all(fd, &f->data);
    if (!err && (fchown(fd, (uid_t)-1, s->plan.group) != 0 || fchmod(fd, 0440) != 0))
        err = errno;
    return close(fd) != 0 && !err ? errno : err;
}

bool setup_credentials_make(struct setup *s, char why[SETUP_WHY_SIZE])
{
    int err = 0;

    if (s->plan.group == (gid_t)-1) {
        (void)snprintf(s->credentials, sizeof(s->credentials), "%s/etc/jumpgate/secrets", s->root);
        return true;
    }
    (void)snprintf(s->credentials, sizeof(s->credentials), "%s", TEMPLATE);
    if (!mkdtemp(s->credentials)) {
        *s->credentials = '\0';
        (void)snprintf(why, SETUP_WHY_SIZE, "%s cannot be made: %s", TEMPLATE, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < s->plan.n && !err; i++)
        if (s->plan.files[i].credential)
            err = write_copy(s, &s->plan.files[i]);
    if (!err && (chown(s->credentials, (uid_t)-1, s->plan.group) != 0 || chmod(s->credentials, 0750) != 0))
        err = errno;
    if (err) {
        (void)snprintf(why, SETUP_WHY_SIZE, "%s cannot be filled: %s", s->credentials, strerror(err));
        setup_credentials_remove(s);
    }
    return !err;
}

void setup_credentials_remove(struct setup *s)
{
    char path[PATH_MAX];

    if (s->plan.group == (gid_t)-1 || !*s->credentials)
        return;
    for (size_t i = 0; i < s->plan.n; i++)
        if (s->plan.files[i].credential && path_of(s, &s->plan.files[i], path) && unlink(path) != 0 &&
            errno != ENOENT)
            fprintf(stderr, "jumpgate: %s cannot be removed: %s\n", path, strerror(errno));
    if (rmdir(s->credentials) != 0)
        fprintf(stderr, "jumpgate: %s cannot be removed: %s\n", s->credentials, strerror(errno));
    *s->credentials = '\0';
}
