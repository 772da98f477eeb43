/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folders.c - makes the folders of session reports; see folders.h.
 */
#include "reports/commands/run/folders.h"

#include "base/durable.h"
#include "reports/collecting/collecting.h"
#include "reports/commands/run/trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *path, char why[FOLDERS_WHY])
{
    int err = durable_directory(path);

    if (err == 0)
        return 0;
    (void)snprintf(why, FOLDERS_WHY, "%.200s: %.80s", path, strerror(-err));
    return err;
}

/* The name is the caller's of trail_folder() or collecting_spool(). */
static int make_named(char *path, char why[FOLDERS_WHY])
{
    int err = path ? make(path, why) : -ENOMEM;

    if (!path)
        (void)snprintf(why, FOLDERS_WHY, "out of memory");
    free(path);
    return err;
}

int folders_make_state(const struct reports_conf *conf, char why[FOLDERS_WHY])
{
    return make(conf->reports.state_dir, why);
}

int folders_make(const struct reports_conf *conf, bool collects, char why[FOLDERS_WHY])
{
    int err = folders_make_state(conf, why);

    if (!err)
        err = make_named(trail_folder(conf, collects), why);
    if (!err && collects)
        err = make_named(collecting_spool(conf), why);
    return err;
}
