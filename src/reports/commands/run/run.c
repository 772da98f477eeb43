/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - opens the parts of session reports in order, serves, and closes them in the opposite order.
 *
 *   starting --> serving --> draining --> closing --> stopped
 *
 * draining: no new connections, open answers and the collector's transaction have drain_timeout to end; then
 * the page answers what is open, and has a second to send it.
 * closing: connections, readers and the writer's thread end, then the audit trail is flushed. A failed start
 * and a second signal go to closing at once: every end takes this one sequence.
 * A database that has stopped answers no cancellation, and its threads cannot be ended. Where one of them is
 * still there CLOSE_MS after closing began, the process ends without it, as soon as the audit records are on
 * disk. The collector's transaction was not committed then, and is done again by the next start.
 *
 * Order that matters: folders are made and the driver of a database server is loaded before the sandbox
 * closes; the sandbox of files comes before the first thread; the schema is brought up and the collector's
 * lock is taken before anything is asked of a site; the list of system calls is set when all is open. Without
 * `collect` there is neither lock nor store: any number of processes may serve the page, each with a trail of
 * its own (trail.h).
 *
 * Not here: the parts themselves (collecting/, web/), the exit codes (commands/line/exit.h).
 */
#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/sandbox.h"
#include "commands/line/exit.h"
#include "commands/line/findings.h"
#include "conf/table/conf_compare.h"
#include "loop/notify.h"
#include "loop/upstream/upstream.h"
#include "reports/collecting/collecting.h"
#include "reports/commands/commands.h"
#include "reports/commands/database.h"
#include "reports/commands/run/folders.h"
#include "reports/commands/run/sandbox.h"
#include "reports/commands/run/trail.h"
#include "reports/web/web.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX      (1U << 20)
#define SECRETS_MAX     (4U << 20)
#define LAST_ANSWERS_MS 1000
#define CLOSE_MS        5000
#define RECORDS_MS      100 /* between two looks at records that are not on disk */
#define RECORDS_LOOKS   50

enum state { STARTING, SERVING, DRAINING, CLOSING, STOPPED, NSTATES };

static const char *const state_names[NSTATES] = {"starting", "serving", "draining", "closing", "stopped"};

struct run {
    enum state state;
    int exit_code;
    const char *conf_path;
    struct reports_conf *conf;
    struct loop *loop;
    struct notify *notify;
    struct database database;
    struct report_store *store; /* NULL = the page alone */
    struct db_lock *lock;
    struct audit_writer *trail;
    struct collecting *collecting;
    struct web *web;
    bool web_drained, collecting_stopping, collecting_stopped;
    unsigned open_parts; /* that are still closing */
    unsigned looks;      /* at records, since close_end */
    struct deadline drain_end, close_end;
};

static void set_state(struct run *r, enum state next)
{
    log_info("state", "from=%s to=%s", state_names[r->state], state_names[next]);
    r->state = next;
}

static bool start_failed(struct run *r, const char *what, const char *why, int err)
{
    r->exit_code = (int)run_failed(what, why, r->conf ? r->conf->reports.log_file : NULL, err);
    return false;
}

/* ---- stopping ---- */

static void on_part_closed(void *arg)
{
    struct run *r = arg;

    if (--r->open_parts)
        return;
    set_state(r, STOPPED);
    loop_stop(r->loop);
}

/* The last: nothing is recorded any more. */
static void close_trail(struct run *r)
{
    struct audit_writer *trail = r->trail;

    timer_stop(loop_timers(r->loop), &r->close_end);
    collecting_free(r->collecting);
    r->collecting = NULL;
    db_lock_release(r->lock);
    r->lock = NULL;
    store_close(r->store);
    r->store = NULL;
    r->trail = NULL;
    r->open_parts = 1;
    if (trail) {
        r->open_parts++;
        audit_writer_close(trail, on_part_closed, r);
    }
    on_part_closed(r);
}

/* Page and collector are both closed. */
static void on_half_closed(void *arg)
{
    struct run *r = arg;

    if (--r->open_parts == 0)
        close_trail(r);
}

static void on_collecting_stopped(void *arg)
{
    struct run *r = arg;

    r->collecting_stopped = true;
    if (r->state == CLOSING)
        on_half_closed(r);
}

/* Threads that work for the parts are still there: nothing may be freed. */
static void end_without_threads(struct deadline *d)
{
    struct run *r = CONTAINER_OF(d, struct run, close_end);
    struct audit_state audit = {0};

    if (r->trail) {
        struct audit_sink *sink = audit_writer_sink(r->trail);
        sink->ops->state(sink, &audit);
    }
    if (audit.queued && r->looks++ < RECORDS_LOOKS &&
        timer_start(loop_timers(r->loop), &r->close_end, RECORDS_MS, end_without_threads) == 0)
        return;
    log_warn("closing_ended", "why=%s", "the database does not answer; a thread that waits for it is left");
    log_info("stopped", "exit_code=%d", r->exit_code);
    log_close();
    _exit(r->exit_code);
}

static void close_all(struct run *r)
{
    if (r->state >= CLOSING)
        return;
    set_state(r, CLOSING);
    timer_stop(loop_timers(r->loop), &r->drain_end);
    /* One more is counted, so that the last callback comes after every close has been called. */
    r->open_parts = 1U + (r->web ? 1U : 0U) + (r->collecting && !r->collecting_stopped ? 1U : 0U);
    if (timer_start(loop_timers(r->loop), &r->close_end, CLOSE_MS, end_without_threads))
        log_error("closing", "error=%s", "out of memory: the end waits for the database as long as it takes");
    if (r->web)
        web_close(r->web, on_half_closed, r);
    r->web = NULL;
    if (r->collecting && !r->collecting_stopping)
        collecting_stop(r->collecting, 0, on_collecting_stopped, r);
    on_half_closed(r);
}

static void close_when_drained(struct run *r)
{
    if (r->state == DRAINING && (!r->web || r->web_drained) && (!r->collecting || r->collecting_stopped))
        close_all(r);
}

static void on_web_drained(void *arg)
{
    struct run *r = arg;

    r->web_drained = true;
    close_when_drained(r);
}

static void on_collecting_drained(void *arg)
{
    struct run *r = arg;

    on_collecting_stopped(r);
    close_when_drained(r);
}

static void on_answers_end(struct deadline *d)
{
    close_all(CONTAINER_OF(d, struct run, drain_end));
}

/* drain_timeout is over: open requests are answered, and LAST_ANSWERS_MS are left to send the answers. */
static void on_drain_end(struct deadline *d)
{
    struct run *r = CONTAINER_OF(d, struct run, drain_end);
    bool busy = r->web && !r->web_drained;

    log_warn("drain_timeout", "page=%s collector=%s", busy ? "busy" : "done",
             r->collecting && !r->collecting_stopped ? "busy" : "done");
    if (!busy || timer_start(loop_timers(r->loop), &r->drain_end, LAST_ANSWERS_MS, on_answers_end))
        close_all(r);
    else
        web_give_up(r->web);
}

static void start_draining(struct run *r)
{
    uint64_t timeout = r->conf->reports.drain_timeout_ms;

    set_state(r, DRAINING);
    notify_stopping(r->notify);
    if (timer_start(loop_timers(r->loop), &r->drain_end, timeout, on_drain_end)) {
        close_all(r);
        return;
    }
    if (r->web)
        web_drain(r->web, on_web_drained, r);
    r->collecting_stopping = r->collecting != NULL;
    if (r->collecting)
        collecting_stop(r->collecting, timeout, on_collecting_drained, r);
    close_when_drained(r);
}

static void on_stop_signal(void *arg, int signum)
{
    struct run *r = arg;

    log_info("signal", "name=%s", strsignal(signum));
    if (r->state == SERVING)
        start_draining(r);
    else /* a second signal, or one during the start: close at once */
        close_all(r);
}

/* ---- other signals ---- */

static void on_reopen_signal(void *arg, int signum)
{
    struct run *r = arg;
    int err = log_reopen();

    (void)signum;
    if (r->trail)
        audit_writer_rotate(r->trail);
    if (err)
        log_error("log_reopen_failed", "error=%s", log_why(err));
}

/* Mistakes of the file, line by line. NULL after saying them. */
static struct reports_conf *load_conf(const char *path, int *err)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct findings found = {0};
    struct reports_conf *conf = NULL;

    *err = reports_conf_load(path, REPORTS_FILES_ALL, &conf, &errors);
    findings_take_lines(&found, path, &errors);
    findings_log(&found, path);
    findings_free(&found);
    buf_free(&errors);
    return conf;
}

static void log_refused(const struct conf_change *change)
{
    const char *at = change->reasons.len ? change->reasons.data : "", *end = at + change->reasons.len;

    while (at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        char line[512];

        if (!eol)
            break;
        (void)snprintf(line, sizeof(line), "%.*s", (int)(eol - at < 500 ? eol - at : 500), at);
        log_error("reload_refused", "why=%s", line);
        at = eol + 1;
    }
}

/* What can fail comes first and changes nothing. The old configuration is exchanged for *next. */
static bool take_conf(struct run *r, struct reports_conf **next)
{
    const struct reports_main *m = &(*next)->reports;
    struct reports_conf *old = r->conf;
    struct database_logins logins = {NULL, NULL};
    struct db_error error = {.outcome = DB_OK};
    char why[256] = "";
    struct web_next *web = r->web ? web_prepare(r->web, *next, why) : NULL;
    int err = r->web && !web ? -EINVAL : 0;

    if (!err)
        err = log_open(&(struct log_opts){.level = m->log_level, .json = m->log_json, .file = m->log_file});
    if (err && !*why)
        (void)snprintf(why, sizeof(why), "%.100s: %.100s", m->log_file, log_why(err));
    if (!err && database_read_logins(*next, &logins, &error) != DB_OK) {
        err = database_errno(error.outcome);
        (void)snprintf(why, sizeof(why), "%.250s", error.text);
    }
    if (!err && r->collecting)
        err = collecting_reload(r->collecting, *next, why);
    if (err) {
        log_error("reload_refused", "why=%s", why);
        database_discard(&logins);
        web_discard(web);
        (void)log_open(&(struct log_opts){
            .level = old->reports.log_level, .json = old->reports.log_json, .file = old->reports.log_file});
        return false;
    }
    database_take_logins(&r->database, &logins);
    if (r->web)
        web_reload(r->web, web);
    if (r->trail)
        trail_users(r->trail, old, *next);
    r->conf = *next;
    *next = old;
    return true;
}

static void reload(struct run *r)
{
    int err;
    struct reports_conf *next = load_conf(r->conf_path, &err);
    struct conf_change change;

    if (!next) {
        log_error("reload_refused", "why=%s", "the configuration has mistakes; the old one stays");
        return;
    }
    err = reports_conf_compare(r->conf, next, &change);
    if (err)
        log_error("reload_refused", "why=%s", strerror(-err));
    else if (change.refused)
        log_refused(&change);
    else if (take_conf(r, &next))
        log_info("reloaded", "changes=%zu names=%s config_digest=%s", change.changed,
                 change.names.len ? buf_cstr(&change.names) : "none", r->conf->digest);
    conf_change_free(&change);
    reports_conf_free(next);
}

static void on_reload_signal(void *arg, int signum)
{
    struct run *r = arg;

    (void)signum;
    if (r->state != SERVING)
        return;
    notify_reloading(r->notify);
    reload(r);
    notify_ready(r->notify);
}

/* SIGXFSZ: a database at its size limit must fail like a full disk and not end the process. */
static bool watch_signals(struct run *r)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
        loop_on_signal(r->loop, SIGTERM, on_stop_signal, r) ||
        loop_on_signal(r->loop, SIGINT, on_stop_signal, r) ||
        loop_on_signal(r->loop, SIGUSR1, on_reopen_signal, r) ||
        loop_on_signal(r->loop, SIGHUP, on_reload_signal, r))
        return start_failed(r, "signals", "cannot be watched", -ENOMEM);
    return true;
}

/* ---- starting ---- */

/* The process holds secrets: no core file, no debugger of the same user. */
static bool harden_process(struct run *r)
{
    if (secret_init())
        return start_failed(r, "OpenSSL", "is in use before its memory is wiped", -EPERM);
    if (sandbox_no_dumps())
        return start_failed(r, "core dumps", "cannot be turned off", -EPERM);
    if (loop_wants_rings() && sandbox_no_rings())
        return start_failed(r, "io_uring", "cannot be turned off", -EPERM);
    return true;
}

/* What is said before the configuration is read has its form. Stderr is open, so this cannot fail but for
 * memory. */
static bool first_load(struct run *r)
{
    int err;

    (void)log_open(
        &(struct log_opts){.level = LOG_INFO, .json = reports_conf_log_json(r->conf_path), .file = "-"});
    r->conf = load_conf(r->conf_path, &err);
    return r->conf ? true
                   : start_failed(r, r->conf_path,
                                  "not usable, see above; `jumpgate-reports check` says the same", err);
}

static bool open_log(struct run *r)
{
    const struct reports_main *m = &r->conf->reports;
    int err = log_open(&(struct log_opts){.level = m->log_level, .json = m->log_json, .file = m->log_file});

    return err ? start_failed(r, m->log_file, log_why(err), err) : true;
}

static bool make_folders(struct run *r)
{
    char why[FOLDERS_WHY] = "";
    int err = folders_make(r->conf, r->conf->reports.collect, why);

    return err ? start_failed(r, "state directory", why, err) : true;
}

/* Secrets, the driver of a database, the sandbox of files, the log's thread: in this order. */
static bool prepare_process(struct run *r)
{
    char hint[256] = "", why[REPORTS_SANDBOX_WHY] = "";
    struct db_error error = {.outcome = DB_OK};
    int err;

    if (secret_open(SECRETS_MAX, hint))
        return start_failed(r, "secret memory", "out of memory", -ENOMEM);
    if (*hint)
        log_info("secret_memory", "hint=%s", hint);
    if (database_prepare(&r->database, r->conf, true, &error) != DB_OK)
        return start_failed(r, "database", error.text, database_errno(error.outcome));
    if (geteuid() == 0)
        log_warn("running_as_root", "hint=%s", "root's files are in reach, root's capabilities are given up");
    err = reports_sandbox_start(r->conf, r->conf_path, why);
    if (err)
        return start_failed(r, "sandbox", why, err);
    err = log_thread();
    if (err)
        return start_failed(r, "log", strerror(-err), err);
    return upstream_global_init() ? start_failed(r, "libcurl", "cannot be initialised", -ENOMEM) : true;
}

/* A process that only serves the page may not be allowed to write; it needs the tables all the same. */
static bool open_database(struct run *r)
{
    struct db_error error = {.outcome = DB_OK};
    bool collects = r->conf->reports.collect;

    r->store = database_store(&r->database, collects, &error);
    if (!r->store)
        return start_failed(r, "database", error.text, database_errno(error.outcome));
    if (!collects) {
        store_close(r->store);
        r->store = NULL;
        return true;
    }
    if (database_lock(&r->database, r->store, "run", &r->lock, &error) == DB_OK)
        return true;
    return start_failed(r, "collector", error.text, database_errno(error.outcome));
}

static bool open_trail(struct run *r)
{
    char why[320] = "";

    r->trail = trail_open(r->loop, r->conf, r->conf->reports.collect, why);
    if (!r->trail)
        return start_failed(r, "audit", why, -errno);
    trail_started(r->trail, r->conf, r->conf->reports.collect);
    return true;
}

static bool open_collecting(struct run *r)
{
    char why[256] = "";
    const struct collecting_params params = {
        .loop = r->loop, .conf = r->conf, .store = r->store, .since = RECORD_NONE, .until = RECORD_NONE};

    if (!r->store)
        return true;
    r->collecting = collecting_open(&params, why);
    if (!r->collecting)
        return start_failed(r, "collector", why, -EINVAL);
    int err = collecting_start(r->collecting, NULL, NULL);

    return err ? start_failed(r, "collector", strerror(-err), err) : true;
}

static bool open_web(struct run *r)
{
    char address[128] = "", why[256] = "";
    const struct web_opts opts = {.loop = r->loop,
                                  .conf = r->conf,
                                  .db = r->database.ops,
                                  .reader = &r->database.reader,
                                  .writer = &r->database.layouts,
                                  .audit = audit_writer_sink(r->trail),
                                  .collector = r->collecting ? collecting_collector(r->collecting) : NULL};

    if (!r->conf->web.address.text)
        return true;
    errno = 0;
    r->web = web_open(&opts, address, why);
    if (!r->web)
        return start_failed(r, r->conf->web.address.text, why, errno ? -errno : -EINVAL);
    log_always("listening", "listener=%s address=%s", "web", address);
    return true;
}

static bool close_sandbox(struct run *r)
{
    char why[REPORTS_SANDBOX_WHY] = "";
    int err = reports_sandbox_serve(r->conf, why);

    return err ? start_failed(r, "sandbox", why, err) : true;
}

static bool announce_serving(struct run *r)
{
    set_state(r, SERVING);
    notify_ready(r->notify);
    log_ready();
    return true;
}

static bool start_parts(struct run *r)
{
    r->notify = notify_new(r->loop);
    if (!r->notify)
        return start_failed(r, "loop", "out of memory", -ENOMEM);
    return watch_signals(r) && open_database(r) && open_trail(r) && open_collecting(r) && open_web(r) &&
           close_sandbox(r) && announce_serving(r);
}

/* ---- the whole run ---- */

static void run_loop(struct run *r)
{
    r->loop = loop_new();
    if (!r->loop) {
        start_failed(r, "loop", "out of memory or descriptors", -EMFILE);
        return;
    }
    log_info("starting", "version=%s config_digest=%s", JG_VERSION, r->conf->digest);
    if (!start_parts(r))
        close_all(r);
    if (r->state != STOPPED)
        (void)loop_run(r->loop); /* until close_trail() has finished */
    notify_free(r->notify);
    if (r->state != STOPPED || loop_free(r->loop) != 0) {
        log_error("unclean_end", "state=%s", state_names[r->state]);
        r->exit_code = RUN_RETRY;
    }
}

int reports_run(const struct command_args *args)
{
    struct run r = {.state = STARTING, .conf_path = args->conf};

    json_init();
    if (!harden_process(&r) || !first_load(&r))
        return r.exit_code;
    if (open_log(&r) && make_folders(&r) && prepare_process(&r)) {
        run_loop(&r);
        upstream_global_cleanup();
    }
    database_free(&r.database);
    size_t left = secret_close();

    if (left) {
        log_error("secrets_left", "blocks=%zu", left);
        r.exit_code = RUN_RETRY;
    }
    log_info("stopped", "exit_code=%d", r.exit_code);
    log_close();
    reports_conf_free(r.conf);
    return r.exit_code;
}
