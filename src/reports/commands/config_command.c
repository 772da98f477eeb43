/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_command.c - `config`: what the table of the configuration prints; see commands.h.
 */
#include "base/buf.h"
#include "reports/commands/commands.h"
#include "reports/conf/reports_conf.h"

#include <stdio.h>

#define OUTPUT_MAX (4 * 1024 * 1024)

int reports_config(const struct command_args *args)
{
    struct buf out = BUF_INIT(OUTPUT_MAX);

    if (args_given(args, "--doc") + args_given(args, "--defaults") + args_given(args, "--man") > 1)
        return args_wrong(args, "--defaults, --doc and --man exclude each other");
    if (args_given(args, "--doc"))
        reports_conf_print_doc(&out);
    else if (args_given(args, "--man"))
        reports_conf_print_man(&out);
    else
        reports_conf_print_defaults(&out);
    bool failed = out.failed;
    if (!failed)
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    return failed ? command_failed("out of memory") : command_finish_output();
}
