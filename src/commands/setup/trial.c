/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial.c - the secrets as the gateway's user gets them, while the configuration is tried; see setup.h.
 *
 * `jumpgate check` by root judges as the gateway's user, who cannot read /etc/jumpgate/secrets: systemd
 * passes the secrets on. For the trial setup does the same: a folder below /run, which is memory, has a copy
 * of each secret of the unit, root's and readable by the gateway's group. It is a part of the plan, and so it
 * is gone in every case when the trial ends.
 *
 * Below --root the owners are the caller's, and the folder of the secrets itself is used.
 */
#include "commands/setup/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_needed(const struct setup *s)
{
    return s->plan.group != (gid_t)-1;
}

static void folder_name(char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "/run/jumpgate-setup.%ld", (long)getpid());
}

static int add_copy(struct setup *s, const struct setup_file *secret, const char *folder)
{
    struct buf data = BUF_SECRET(SETUP_TEXT_MAX);
    struct setup_file *f;

    (void)buf_append(&data, secret->data.data, secret->data.len);
    f = setup_add(s, 0440, &data, "%s%s", folder, strrchr(secret->path, '/'));
    buf_free(&data);
    if (!f)
        return -ENOMEM;
    f->secret = secret->secret;
    f->to_gateway = true;
    f->trial = true;
    return 0;
}

int setup_trial(struct setup *s)
{
    char folder[PATH_MAX];
    size_t n = s->plan.n;
    int err = 0;

    if (!is_needed(s))
        return 0;
    folder_name(folder);
    setup_folder(s, 0750, true, folder);
    if (s->plan.n == n)
        return -ENOMEM;
    s->plan.files[n].trial = true;
    for (size_t i = 0; i < n && !err; i++)
        if (s->plan.files[i].to_unit)
            err = add_copy(s, &s->plan.files[i], folder);
    return err;
}

bool setup_trial_credentials(const struct setup *s, char out[PATH_MAX])
{
    if (is_needed(s)) {
        folder_name(out);
        return true;
    }
    return snprintf(out, PATH_MAX, "%s/etc/jumpgate/secrets", s->root) < PATH_MAX;
}
