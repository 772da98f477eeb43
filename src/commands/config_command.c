/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_command.c - `jumpgate config`: what the table of the configuration prints; see commands.h.
 *
 * Not here: the texts (conf/table/conf_print.c).
 */
#include "commands/commands.h"

#include "base/buf.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdio.h>

#define OUTPUT_MAX (4 * 1024 * 1024)

int command_config(const struct command_args *args)
{
    struct buf out = BUF_INIT(OUTPUT_MAX);

    if (args_given(args, "--doc") + args_given(args, "--defaults") + args_given(args, "--man") > 1)
        return args_wrong(args, "--defaults, --doc and --man exclude each other");
    if (args_given(args, "--doc"))
        conf_print_doc(&out);
    else if (args_given(args, "--man"))
        conf_print_man(&out);
    else
        conf_print_defaults(&out);
    bool failed = out.failed;
    if (!failed)
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    if (failed)
        fputs("jumpgate: out of memory\n", stderr);
    return failed ? EXIT_FAILED : command_finish_output();
}
