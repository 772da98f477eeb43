/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_conf.c - a configuration that a gateway could use; see load_conf.h.
 */
#include "commands/load_conf.h"

#include "backends/privileged_identity/check.h"

#include <stddef.h>

int load_usable_conf(const char *path, struct conf **out, struct buf *lines)
{
    int err = conf_load(path, out, lines);

    if (!err)
        err = pi_check(*out, path, lines);
    if (err && *out) {
        conf_free(*out);
        *out = NULL;
    }
    return err;
}
