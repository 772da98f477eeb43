/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_command.c - `jumpgate check`: what keeps a gateway with this configuration from starting, and what
 * will do so soon; see commands.h.
 *
 *   read the file --> try the ports --> become the gateway's user --> read again --> its files -->
 * certificates
 *
 * The order is that of a start by root: ports are opened with what root may do, files as the user. What the
 * start asks of the machine is one list (preconditions.h). Nothing is changed.
 *
 * Credentials that root alone can read (`jumpgate setup`) get to the gateway by the service manager. Then
 * root reads the configuration with the files that it names, and the user's rights are for the other files.
 */
#include "commands/commands.h"

#include "backends/privileged_identity/check.h"
#include "base/buf.h"
#include "commands/conf_diff.h"
#include "commands/line/findings.h"
#include "commands/load_conf.h"
#include "commands/run/preconditions.h"
#include "commands/run/unprivileged.h"
#include "commands/unit_command.h"
#include "conf/conf.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERRORS_MAX (4 * 1024 * 1024)

struct check {
    const struct command_args *args;
    struct conf *conf;
    struct findings found;
    bool passed; /* root's credentials, which the service manager passes on */
    cJSON *running;
    int ask_err; /* why `running` is not there */
    char ask_why[CONF_DIFF_WHY];
};

static void load_conf(struct check *c)
{
    struct buf lines = BUF_INIT(ERRORS_MAX);
    int err = load_usable_conf(c->args->conf, &c->conf, &lines);

    findings_take_lines(&c->found, c->args->conf, &lines);
    if (err && !c->found.mistakes)
        findings_mistake(&c->found, 0, NULL, err, "cannot be used: %s", strerror(-err));
    buf_free(&lines);
}

static bool has_credentials_of_root(const struct conf *conf)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    struct stat st;

    /* A gateway that changes its user by itself has to read them as that user. */
    return dir && !conf->gateway.user && geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid == 0 &&
           !(st.st_mode & 077);
}

/* Another user may be able to read less: its findings take the place of those of root. */
static bool judge_as_user(struct check *c)
{
    char why[UNPRIVILEGED_WHY_SIZE] = "";
    bool changed = false;
    int err = unprivileged_judge_as(c->conf, &changed, why);
    struct findings before = c->found;

    if (err) {
        findings_mistake(&c->found, 0, "user", err, "%s", why);
        return false;
    }
    if (!changed || c->passed)
        return true;
    conf_free(c->conf);
    c->conf = NULL;
    c->found = (struct findings){0};
    load_conf(c);
    for (size_t i = 0; i < before.n; i++) /* what was found out about ports */
        if (before.list[i].key && strcmp(before.list[i].key, "address") == 0) {
            if (before.list[i].warning)
                findings_warn(&c->found, before.list[i].line, "address", "%s", before.list[i].text);
            else
                findings_mistake(&c->found, before.list[i].line, "address", before.list[i].err, "%s",
                                 before.list[i].text);
        }
    findings_free(&before);
    return c->conf;
}

static void check_machine(struct check *c)
{
    struct preconditions p = {.conf = c->conf,
                              .file = c->args->conf,
                              .from_root = geteuid() == 0,
                              .runs = c->ask_err != -ECONNREFUSED,
                              .running = c->running};

    p.makes_state_dir = p.from_root && c->conf->gateway.user;
    c->passed = has_credentials_of_root(c->conf);
    preconditions_ports(&p, &c->found);
    if (c->passed)
        preconditions_tls(&p, &c->found);
    if (!judge_as_user(c))
        return;
    p.conf = c->conf;
    preconditions_files(&p, &c->found);
    if (!c->passed)
        preconditions_tls(&p, &c->found);
}

static int print_findings(struct check *c)
{
    bool json = args_given(c->args, "--json");
    struct buf out = BUF_INIT(ERRORS_MAX);

    if (json)
        findings_print_json(&c->found, c->args->conf, &out);
    else
        findings_print(&c->found, c->args->conf, &out);
    bool failed = out.failed || c->found.failed;
    if (out.len)
        (void)fwrite(out.data, 1, out.len, json ? stdout : stderr);
    buf_free(&out);
    if (failed)
        fputs("jumpgate: out of memory\n", stderr);
    return failed || c->found.mistakes ? EXIT_FAILED : EXIT_DONE;
}

static int print_difference(const struct check *c)
{
    if (c->running)
        return conf_diff_print(c->conf, c->running);
    if (c->ask_err == -ECONNREFUSED)
        fputs("jumpgate: the gateway is not running, so there is nothing to compare with\n", stderr);
    else
        fprintf(stderr, "jumpgate: cannot ask the gateway over its control socket: %s\n", c->ask_why);
    return EXIT_FAILED;
}

static void hint_at_credentials(const struct check *c)
{
    bool missing = false;

    for (size_t i = 0; i < c->found.n; i++)
        missing = missing || unit_command_lacks(c->found.list[i].text);
    if (missing)
        unit_command_hint(c->args->conf);
}

static int print_provisional(const struct check *c)
{
    struct buf out = BUF_INIT(ERRORS_MAX);
    int err = pi_check_print(c->conf, &out);

    if (!err && out.len)
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    if (err)
        fputs("jumpgate: out of memory\n", stderr);
    return err ? EXIT_FAILED : EXIT_DONE;
}

static int run_check(struct check *c)
{
    bool diff = args_given(c->args, "--diff");

    load_conf(c);
    if (c->conf)
        c->ask_err = conf_diff_ask(c->conf->gateway.state_dir, &c->running, c->ask_why);
    if (c->conf)
        check_machine(c);
    int code = print_findings(c);

    if (code && !args_given(c->args, "--json"))
        hint_at_credentials(c);
    if (!code && diff)
        code = print_difference(c);
    else if (!code && !args_given(c->args, "--json")) {
        printf("%s: ok\n", c->args->conf);
        code = print_provisional(c);
    }
    return code;
}

int command_check(const struct command_args *args)
{
    struct check c = {.args = args};

    if (args_given(args, "--diff") && args_given(args, "--json"))
        return args_wrong(args, "--diff prints text only");
    unit_command_run(args->conf, true);
    json_init();
    if (upstream_global_init()) {
        fputs("jumpgate: libcurl cannot be initialised\n", stderr);
        return EXIT_FAILED;
    }
    int code = run_check(&c);

    cJSON_Delete(c.running);
    findings_free(&c.found);
    conf_free(c.conf);
    upstream_global_cleanup();
    int written = command_finish_output();
    return code ? code : written;
}
