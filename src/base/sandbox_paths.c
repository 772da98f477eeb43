/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_paths.c - the files of a program as rules of its sandbox; see sandbox_paths.h.
 */
#include "base/sandbox_paths.h"

#include <errno.h>
#include <stdlib.h>

/* Libraries read these: names, certificates, time zones, modules of the resolver, /proc/self. */
static const char *const system_paths[] = {
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/proc/self",
    "/proc/sys",
    "/proc/stat",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
};
#define NSYSTEM (sizeof(system_paths) / sizeof(system_paths[0]))

struct sandbox_paths {
    struct sandbox_path *rule;
    char **real; /* targets of links; owned */
    size_t n, nreal, room;
};

void sandbox_paths_path(struct sandbox_paths *f, const char *path, unsigned access)
{
    if (path && f->n < f->room)
        f->rule[f->n++] = (struct sandbox_path){.path = path, .access = access};
}

void sandbox_paths_file(struct sandbox_paths *f, const char *path, unsigned access)
{
    if (!path || !*path)
        return;
    sandbox_paths_path(f, path, access | SANDBOX_REPLACE);
    char *real = realpath(path, NULL);
    if (!real)
        return;
    if (f->nreal == f->room) {
        free(real);
        return;
    }
    f->real[f->nreal++] = real;
    sandbox_paths_path(f, real, access | SANDBOX_REPLACE);
}

bool sandbox_manager_is_abstract(void)
{
    const char *name = getenv("NOTIFY_SOCKET");

    return name && *name == '@';
}

static void free_paths(struct sandbox_paths *f)
{
    for (size_t i = 0; i < f->nreal; i++)
        free(f->real[i]);
    free(f->real);
    free(f->rule);
    free(f);
}

struct sandbox_paths *sandbox_paths_new(size_t files)
{
    struct sandbox_paths *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->room = NSYSTEM + 4 + 2 * files;
    f->rule = calloc(f->room, sizeof(*f->rule));
    f->real = calloc(f->room, sizeof(*f->real));
    if (!f->rule || !f->real) {
        free_paths(f);
        return NULL;
    }
    for (size_t i = 0; i < NSYSTEM; i++)
        sandbox_paths_path(f, system_paths[i], SANDBOX_READ);
    sandbox_paths_path(f, "/dev/null", SANDBOX_READ | SANDBOX_WRITE);
    sandbox_paths_file(f, "/etc/resolv.conf", SANDBOX_READ);
    return f;
}

int sandbox_paths_restrict(struct sandbox_paths *f)
{
    int version = f ? sandbox_files(f->rule, f->n, sandbox_manager_is_abstract()) : -ENOMEM;

    if (f)
        free_paths(f);
    return version;
}
