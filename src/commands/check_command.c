/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_command.c - `jumpgate check`: all mistakes of a configuration; see commands.h.
 */
#include "commands/commands.h"

#include "base/buf.h"
#include "conf/conf.h"

#include <stdio.h>

#define ERRORS_MAX (4 * 1024 * 1024)

int command_check(const struct command_args *args)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct conf *conf = NULL;
    int err = conf_load(args->conf, &conf, &errors);

    if (errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    buf_free(&errors);
    conf_free(conf);
    if (err)
        return EXIT_FAILED;
    printf("%s: ok\n", args->conf);
    return command_finish_output();
}
