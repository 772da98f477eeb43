/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_command.c - see store_command.h.
 *
 * Where systemd has the secrets, root runs the command once more with the credentials of the unit
 * (unit_command.h).
 */
#include "commands/store_command.h"

#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/sandbox.h"
#include "commands/line/terminal.h"
#include "commands/run/unprivileged.h"
#include "commands/unit_command.h"
#include "loop/upstream/upstream.h"

#include <stdio.h>
#include <string.h>

#define ERRORS_MAX (1U << 20)

struct conf *store_command_conf(const char *path)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct conf *conf = NULL;

    if (conf_load_files(path, CONF_FILES_NONE, &conf, &errors) && errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    const char *text = conf ? NULL : buf_cstr(&errors);

    if (text && unit_command_lacks(text))
        unit_command_hint(path);
    buf_free(&errors);
    return conf;
}

int store_command_begin(struct store_command *c, const struct command_args *args)
{
    *c = (struct store_command){.args = args};
    json_init();
    if (sandbox_no_dumps() || log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"}) ||
        upstream_global_init())
        return command_failed("the command cannot start");
    c->conf = store_command_conf(args->conf);
    if (!c->conf)
        return EXIT_FAILED;
    c->loop = loop_new();
    return c->loop ? EXIT_DONE : command_failed("out of memory");
}

void store_command_end(struct store_command *c)
{
    if (c->loop)
        (void)loop_free(c->loop);
    conf_free(c->conf);
    upstream_global_cleanup();
    (void)secret_close();
    log_close();
}

static int become_gateway(const struct store_command *c)
{
    char why[UNPRIVILEGED_WHY_SIZE] = "";
    bool changed = false;

    return unprivileged_judge_as(c->conf, &changed, why) ? command_failed(why) : EXIT_DONE;
}

int store_command(const struct command_args *args, bool as_gateway, int (*work)(struct store_command *))
{
    struct store_command c;

    unit_command_run(args->conf, as_gateway);
    if (secret_init())
        return command_failed("the command cannot start");
    int code = store_command_begin(&c, args);

    if (!code && as_gateway)
        code = become_gateway(&c);
    if (!code)
        code = work(&c);
    store_command_end(&c);
    int written = command_finish_output();
    return code ? code : written;
}

bool store_command_agreed(const struct command_args *args, const char *question)
{
    return args_given(args, "--yes") || !terminal_can_ask() || terminal_ask(question);
}
