/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_command.c - `jumpgate config`: what the table of the configuration prints, and the profiles of
 * Privileged Identity; see commands.h.
 *
 * Not here: the texts (conf/table/conf_print.c, backends/privileged_identity/profile.c).
 */
#include "commands/commands.h"

#include "backends/privileged_identity/profile.h"
#include "base/buf.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdio.h>

#define OUTPUT_MAX (4 * 1024 * 1024)

static void print_profile(const char *name, struct buf *out)
{
    json_init();
    struct pi_profile *profile = pi_profile_new(name);

    if (profile)
        pi_profile_print(profile, out);
    else
        out->failed = true;
    pi_profile_free(profile);
}

int command_config(const struct command_args *args)
{
    static const char *const kinds[] = {"--defaults", "--doc", "--man", "--profile"};
    struct buf out = BUF_INIT(OUTPUT_MAX);
    unsigned given = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        given += args_given(args, kinds[i]);
    if (given > 1)
        return args_wrong(args, "--defaults, --doc, --man and --profile exclude each other");
    if (args_given(args, "--profile"))
        print_profile(args_value(args, "--profile"), &out);
    else if (args_given(args, "--doc"))
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
