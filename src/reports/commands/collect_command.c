/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect_command.c - `collect --once`: one full round of every source; see commands.h.
 *
 * The same collector as that of `run`, on a loop of its own. A signal ends the round; what is stored by then
 * stays, and the next round goes on there.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "commands/line/exit.h"
#include "loop/loop.h"
#include "loop/upstream/upstream.h"
#include "reports/collecting/collecting.h"
#include "reports/commands/commands.h"
#include "reports/commands/database.h"
#include "reports/commands/load.h"
#include "reports/query/moment.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SECRETS_MAX (4U << 20)

struct round {
    const struct command_args *args;
    struct reports_conf *conf;
    struct database database;
    struct report_store *store;
    struct db_lock *lock;
    struct loop *loop;
    struct collecting *collecting;
    int64_t since, until;
    int code;
    bool stopping;
};

/* 0, or an exit code after saying what is wrong. */
static int read_time(const struct command_args *args, const char *flag, int64_t *when)
{
    const char *text = args_value(args, flag);

    *when = RECORD_NONE;
    return !text || moment_read(text, time(NULL), when) ? EXIT_DONE
                                                        : args_wrong(args, "%s " MOMENT_NEEDS, flag);
}

/* ---- the round ---- */

static void on_stopped(void *arg)
{
    struct round *r = arg;

    collecting_free(r->collecting);
    r->collecting = NULL;
    loop_stop(r->loop);
}

static void stop_round(struct round *r)
{
    if (r->stopping)
        return;
    r->stopping = true;
    collecting_stop(r->collecting, r->conf->reports.drain_timeout_ms, on_stopped, r);
}

static void on_finished(void *arg, int exit_code)
{
    struct round *r = arg;

    r->code = exit_code;
    stop_round(r);
}

static void on_signal(void *arg, int signum)
{
    struct round *r = arg;

    log_info("signal", "name=%s", strsignal(signum));
    if (!r->stopping)
        r->code = REPORTS_SOME_FAILED;
    stop_round(r);
}

static int run_round(struct round *r)
{
    const struct collecting_params params = {.loop = r->loop,
                                             .conf = r->conf,
                                             .store = r->store,
                                             .once = true,
                                             .site = args_value(r->args, "--site"),
                                             .since = r->since,
                                             .until = r->until};
    char why[256] = "";

    r->collecting = collecting_open(&params, why);
    if (!r->collecting)
        return reports_failed("collector", why);
    if (loop_on_signal(r->loop, SIGTERM, on_signal, r) || loop_on_signal(r->loop, SIGINT, on_signal, r) ||
        collecting_start(r->collecting, on_finished, r)) {
        r->code = command_failed("out of memory");
        stop_round(r);
    }
    (void)loop_run(r->loop);
    return r->code;
}

static int open_and_run(struct round *r)
{
    struct db_error error = {.outcome = DB_OK};
    char hint[256] = "";

    if (secret_open(SECRETS_MAX, hint) || upstream_global_init())
        return command_failed("out of memory");
    (void)mkdir(r->conf->reports.state_dir, 0700); /* where it fails, opening the database says why */
    if (database_prepare(&r->database, r->conf, true, &error) != DB_OK)
        return reports_failed("database", error.text);
    r->store = database_store(&r->database, true, &error);
    if (!r->store)
        return reports_failed("database", error.text);
    if (database_lock(&r->database, r->store, "collect", &r->lock, &error) != DB_OK)
        return reports_failed("collector", error.text);
    r->loop = loop_new();
    return r->loop ? run_round(r) : command_failed("out of memory or descriptors");
}

static void close_round(struct round *r)
{
    if (r->loop && loop_free(r->loop))
        log_error("unclean_end", "what=%s", "the loop has open handles");
    db_lock_release(r->lock);
    store_close(r->store);
    database_free(&r->database);
    upstream_global_cleanup();
    reports_conf_free(r->conf);
    (void)secret_close();
    log_close();
}

int reports_collect(const struct command_args *args)
{
    struct round r = {.args = args};
    int code = EXIT_DONE;

    if (!args_given(args, "--once"))
        return args_wrong(args, "`collect` needs --once; `run` collects for ever");
    code = read_time(args, "--since", &r.since);
    if (!code)
        code = read_time(args, "--until", &r.until);
    if (!code && r.since != RECORD_NONE && r.until != RECORD_NONE && r.since >= r.until)
        code = args_wrong(args, "--since must be before --until");
    if (code)
        return code;
    if (secret_init())
        return command_failed("OpenSSL is in use before its memory is wiped");
    json_init();
    r.conf = reports_load(args->conf);
    if (!r.conf)
        return EXIT_FAILED;
    (void)log_open(&(struct log_opts){
        .level = r.conf->reports.log_level, .json = r.conf->reports.log_json, .file = "-"});
    code = open_and_run(&r);
    close_round(&r);
    return code;
}
