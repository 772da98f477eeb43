/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect_command.c - `collect --once`: one full round of every source; see commands.h.
 *
 * The same collector and the same trail as those of `run`, on a loop of its own. A signal ends the round;
 * what is stored by then stays, and the next round goes on there. A round with --since is recorded as
 * `backfill` before anything is asked of a site.
 */
#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "commands/line/exit.h"
#include "commands/line/terminal.h"
#include "loop/loop.h"
#include "loop/upstream/upstream.h"
#include "reports/collecting/collecting.h"
#include "reports/commands/commands.h"
#include "reports/commands/database.h"
#include "reports/commands/load.h"
#include "reports/commands/run/folders.h"
#include "reports/commands/run/trail.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECRETS_MAX (4U << 20)

struct round {
    struct audit_writer *trail;
    struct audit_wait recorded;
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

/* ---- the round ---- */

static void on_trail_closed(void *arg)
{
    struct round *r = arg;

    loop_stop(r->loop);
}

static void close_trail(struct round *r)
{
    struct audit_writer *trail = r->trail;

    r->trail = NULL;
    audit_writer_close(trail, on_trail_closed, r);
}

static void on_stopped(void *arg)
{
    struct round *r = arg;

    collecting_free(r->collecting);
    r->collecting = NULL;
    close_trail(r);
}

static void stop_round(struct round *r)
{
    if (r->stopping)
        return;
    r->stopping = true;
    audit_writer_sink(r->trail)->ops->forget(audit_writer_sink(r->trail), &r->recorded);
    collecting_stop(r->collecting, r->conf->reports.drain_timeout_ms, on_stopped, r);
}

/* ---- what was collected: a line for each site and gateway on standard output ---- */

static void print_sources(const struct collect_site_state *s)
{
    unsigned complete = 0, given_up = 0;

    for (int k = 0; k < COLLECT_NSOURCES; k++) {
        complete += s->sources[k].complete;
        given_up += s->sources[k].given_up;
    }
    printf("%u of %u sources complete", complete, complete + given_up);
    for (int k = 0, n = 0; k < COLLECT_NSOURCES; k++)
        if (s->sources[k].given_up)
            printf("%s%s", n++ ? ", " : "; not complete: ", collect_source_name(s->sources[k].source));
}

static void print_site(const struct collect_site_state *s)
{
    terminal_text(stdout, s->name);
    printf(": %" PRIu64 " sessions new, %" PRIu64 " changed; ", s->sessions_new, s->sessions_changed);
    print_sources(s);
    if (s->reason) {
        printf("; %s: ", collect_word_name(s->word));
        terminal_text(stdout, s->reason);
    }
    putchar('\n');
}

static void print_round(const struct collect_state *state)
{
    for (size_t i = 0; state && i < state->nsites; i++)
        print_site(&state->sites[i]);
    for (size_t i = 0; state && i < state->ngateways; i++) {
        const struct collect_gateway_state *g = &state->gateways[i];

        printf("gateway ");
        terminal_text(stdout, g->name);
        printf(": ");
        terminal_text(stdout, g->error ? g->error : "trail read");
        putchar('\n');
    }
}

static void on_finished(void *arg, int exit_code)
{
    struct round *r = arg;

    r->code = exit_code;
    print_round(collect_state(collecting_collector(r->collecting)));
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

static void begin_round(struct round *r)
{
    if (r->stopping)
        return;
    if (collecting_start(r->collecting, on_finished, r)) {
        r->code = command_failed("out of memory");
        stop_round(r);
    }
}

/* strict: nothing is asked of a site that the trail does not have. */
static void begin_recorded(struct round *r, int err)
{
    if (err && r->conf->reports.audit_policy == REPORTS_AUDIT_STRICT) {
        r->code = reports_failed("audit", "the trail cannot be written, and audit_policy is strict");
        stop_round(r);
        return;
    }
    if (err)
        log_error("audit_record_lost", "error=%s", strerror(-err));
    begin_round(r);
}

static void on_recorded(struct audit_wait *wait, int err)
{
    begin_recorded(CONTAINER_OF(wait, struct round, recorded), err);
}

/* A round that only goes on where the last one ended is no backfill. */
static void record_round(struct round *r)
{
    const struct trail_backfill backfill = {
        .site = args_value(r->args, "--site"), .since = r->since, .until = r->until};
    int err;

    trail_started(r->trail, r->conf, true);
    if (r->since == RECORD_NONE) {
        begin_round(r);
        return;
    }
    r->recorded = (struct audit_wait){.done = on_recorded};
    err = trail_backfill(r->trail, &backfill, &r->recorded);
    if (err)
        begin_recorded(r, err);
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
    char why[256] = "", trail_why[320] = "";

    r->trail = trail_open(r->loop, r->conf, true, trail_why);
    if (!r->trail)
        return reports_failed("audit", trail_why);
    r->collecting = collecting_open(&params, why);
    if (!r->collecting) {
        r->code = reports_failed("collector", why);
        close_trail(r);
    } else if (loop_on_signal(r->loop, SIGTERM, on_signal, r) ||
               loop_on_signal(r->loop, SIGINT, on_signal, r)) {
        r->code = command_failed("out of memory");
        stop_round(r);
    } else {
        record_round(r);
    }
    (void)loop_run(r->loop);
    return r->code;
}

static int open_and_run(struct round *r)
{
    struct db_error error = {.outcome = DB_OK};
    char hint[256] = "", why[FOLDERS_WHY] = "";

    /* A file at its size limit must fail like a full disk and not end the process. */
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || secret_open(SECRETS_MAX, hint) || upstream_global_init())
        return command_failed("out of memory");
    if (folders_make(r->conf, true, why))
        return reports_failed("state directory", why);
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
    struct round r = {.args = args, .since = RECORD_NONE, .until = RECORD_NONE};
    int code = EXIT_DONE;

    if (!args_given(args, "--once"))
        return args_wrong(args, "`collect` needs --once; `run` collects for ever");
    code = reports_moment(args, "--since", &r.since);
    if (!code)
        code = reports_moment(args, "--until", &r.until);
    if (!code && r.since != RECORD_NONE && r.until != RECORD_NONE && r.since >= r.until)
        code = args_wrong(args, "--since must be before --until");
    if (code)
        return code;
    if (secret_init())
        return command_failed("OpenSSL is in use before its memory is wiped");
    json_init();
    r.conf = reports_load(args->conf, REPORTS_FILES_ALL);
    if (!r.conf)
        return EXIT_FAILED;
    (void)log_open(&(struct log_opts){
        .level = r.conf->reports.log_level, .json = r.conf->reports.log_json, .file = "-"});
    code = open_and_run(&r);
    close_round(&r);
    int written = command_finish_output();
    return code ? code : written;
}
