/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - opens the parts of the gateway in order, serves, and closes them in the opposite order.
 *
 *   starting --> serving --> (handing over) --> draining --> flushing --> closing --> signing out --> stopped
 *
 * handing over: only with sockets that the service manager passed. Everything is served as before, each
 * response closes its connection, and the passed sockets are left to the next process.
 * draining: new operations are answered `draining`, those in flight continue, calls to the PRA site end,
 * listeners still accept, so that /readyz can name the reason. flushing: listeners close, the last responses
 * are sent; when drain_timeout is over, open requests are answered `draining` and the broker has a second to
 * undo their operations. closing: the server's connections end. signing out: vault sessions are signed out,
 * and the lease store finishes its writes. A failed start and a second signal go to closing at once: every
 * end takes this one sequence. The condition of a state is checked once per iteration of the loop.
 *
 * Order that matters: the store is opened first, since no check-out is allowed without the journal of leases;
 * the gateway is freed after the server (which calls its gone()), the broker before the vaults it calls and
 * the store it writes to, and metrics are unregistered before the objects they point to. At the end the loop
 * must be empty; an open handle is a bug and makes the exit code 3. The codes: commands/line/exit.h.
 */
#include "commands/commands.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/metrics.h"
#include "base/sandbox.h"
#include "broker/broker.h"
#include "commands/control.h"
#include "commands/line/exit.h"
#include "commands/line/findings.h"
#include "commands/load_conf.h"
#include "commands/run/audit.h"
#include "commands/run/clients_group.h"
#include "commands/run/descriptors.h"
#include "commands/run/passed_sockets.h"
#include "commands/run/preconditions.h"
#include "commands/run/reload.h"
#include "commands/run/sandbox_policy.h"
#include "commands/run/site.h"
#include "commands/run/store.h"
#include "commands/run/unprivileged.h"
#include "commands/vault_kinds.h"
#include "handlers/routes.h"
#include "loop/loop.h"
#include "loop/notify.h"
#include "loop/server/server.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX      (1U << 20)
#define LAST_ANSWERS_MS 1000

enum state { STARTING, SERVING, HANDING_OVER, DRAINING, FLUSHING, CLOSING, SIGNING_OUT, STOPPED, NSTATES };

static const char *const state_names[NSTATES] = {"starting", "serving", "handing_over", "draining",
                                                 "flushing", "closing", "signing_out",  "stopped"};

struct run {
    enum state state;
    int exit_code;
    bool rebuild, allow_root, started_by_root;
    bool keep_capabilities; /* without a sandbox the capabilities are kept */
    const char *conf_path;
    struct passed_sockets passed;
    char memory_hint[SANDBOX_POLICY_WHY_SIZE]; /* what secret_open() could not get */
    bool warned_unlocked;
    struct conf *conf;
    struct loop *loop;
    struct notify *notify;
    struct run_store store;
    struct run_audit audit;
    struct run_site site;
    int state_dir; /* descriptor, for the control socket; -1 = none */
    struct vault **vaults;
    size_t nvaults;
    size_t open_parts; /* vaults, store and audit writer that are still closing */
    struct broker *broker;
    struct gateway *gateway;
    struct http_server *server;
    struct reload *reload;
    struct loop_hook hook;
    struct deadline drain_end, reload_asked;
};

static void set_state(struct run *r, enum state next)
{
    log_info("state", "from=%s to=%s", state_names[r->state], state_names[next]);
    r->state = next;
}

static bool start_failed(struct run *r, const char *what, const char *why, int err)
{
    r->exit_code = (int)run_failed(what, why, r->conf ? r->conf->gateway.log_file : NULL, err);
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

/* One more is counted, so that the last callback comes after every close has been called. */
static void sign_out(struct run *r)
{
    set_state(r, SIGNING_OUT);
    r->open_parts += r->nvaults + (r->store.store ? 1 : 0) + (r->audit.writer ? 1 : 0) + 1;
    for (size_t i = 0; i < r->nvaults; i++)
        vault_kind_of(r->vaults[i]->conf->type)->close(r->vaults[i], on_part_closed, r);
    (void)run_store_close(&r->store, on_part_closed, r);
    run_audit_close(&r->audit, on_part_closed, r);
    on_part_closed(r);
}

static void on_server_closed(void *arg)
{
    struct run *r = arg;

    r->server = NULL;
    r->open_parts = 0;
    if (run_site_close(&r->site, on_part_closed, r))
        r->open_parts++;
    if (r->gateway)
        gateway_end_terminations(r->gateway);
    broker_free(r->broker);
    r->broker = NULL;
    metric_unregister_all();
    gateway_free(r->gateway);
    r->gateway = NULL;
    reload_free(r->reload);
    r->reload = NULL;
    run_audit_stop(&r->audit);
    sign_out(r);
}

static void close_server(struct run *r)
{
    if (r->state >= CLOSING)
        return;
    set_state(r, CLOSING);
    timer_stop(loop_timers(r->loop), &r->drain_end);
    timer_stop(loop_timers(r->loop), &r->reload_asked);
    if (r->server)
        http_server_close(r->server, on_server_closed, r);
    else
        on_server_closed(r);
}

static void start_flushing(struct run *r)
{
    set_state(r, FLUSHING);
    http_drain(r->server);
}

/* Once: the first secrets fit nearly always, so this may come long after the start. */
static void warn_unlocked_secrets(struct run *r)
{
    struct arena_state memory;

    if (r->warned_unlocked)
        return;
    secret_state(&memory);
    if (!memory.unlocked)
        return;
    r->warned_unlocked = true;
    log_warn("secret_memory_unlocked", "bytes=%zu hint=%s", memory.unlocked,
             "secrets may be swapped out: raise LimitMEMLOCK, or encrypt the swap");
}

static void on_iteration(struct loop_hook *hook)
{
    struct run *r = CONTAINER_OF(hook, struct run, hook);

    warn_unlocked_secrets(r);
    if (r->state == DRAINING && !http_busy(r->server))
        broker_hand_over(r->broker);
    if (r->state == DRAINING && !http_busy(r->server) && broker_idle(r->broker))
        start_flushing(r);
    if (r->state == FLUSHING && !http_connections(r->server) && broker_idle(r->broker))
        close_server(r);
}

static void start_draining(struct run *r)
{
    set_state(r, DRAINING);
    gateway_drain(r->gateway);
    broker_drain(r->broker);
    run_site_stop(&r->site);
    http_last_answers(r->server);
}

static void on_handed_over(void *arg)
{
    start_draining(arg);
}

/* drain_timeout is over: open requests are answered, and LAST_ANSWERS_MS are left to send the responses. */
static void on_drain_end(struct deadline *d)
{
    struct run *r = CONTAINER_OF(d, struct run, drain_end);

    log_warn("drain_timeout", "unanswered=%zu connections=%zu", http_busy(r->server),
             http_connections(r->server));
    if (r->state == HANDING_OVER)
        start_draining(r);
    if (r->state != DRAINING ||
        timer_start(loop_timers(r->loop), &r->drain_end, LAST_ANSWERS_MS, on_drain_end)) {
        close_server(r);
        return;
    }
    gateway_give_up(r->gateway);
    start_flushing(r);
}

static void on_stop_signal(void *arg, int signum)
{
    struct run *r = arg;

    log_info("signal", "name=%s", strsignal(signum));
    if (r->state != SERVING) { /* a second signal, or one during the start: close at once */
        close_server(r);
        return;
    }
    notify_stopping(r->notify);
    if (http_has_passed(r->server) &&
        http_hand_over(r->server, r->conf->gateway.drain_notice_ms, on_handed_over, r) == 0)
        set_state(r, HANDING_OVER);
    else
        start_draining(r);
    if (timer_start(loop_timers(r->loop), &r->drain_end, r->conf->gateway.drain_timeout_ms, on_drain_end))
        close_server(r);
}

/* ---- other signals ---- */

static void on_reopen_signal(void *arg, int signum)
{
    struct run *r = arg;
    int err = log_reopen();
    (void)signum;
    run_audit_rotate(&r->audit);
    if (err)
        log_error("log_reopen_failed", "error=%s", log_why(err));
}

static void reload_conf(struct run *r)
{
    struct reload_report report;

    if (r->state != SERVING) {
        gateway_reloaded(r->gateway, NULL);
        return;
    }
    notify_reloading(r->notify);
    (void)reload_now(r->reload, &report);
    notify_ready(r->notify);
    gateway_reloaded(r->gateway, &report);
    reload_report_free(&report);
}

static void on_reload_signal(void *arg, int signum)
{
    struct run *r = arg;

    (void)signum;
    if (r->state == SERVING)
        reload_conf(r);
}

static void on_reload_asked(struct deadline *d)
{
    reload_conf(CONTAINER_OF(d, struct run, reload_asked));
}

/* The request of a client: the reload follows when its handler has returned. */
static int on_ask_reload(void *arg)
{
    struct run *r = arg;

    return timer_running(&r->reload_asked)
               ? 0
               : timer_start(loop_timers(r->loop), &r->reload_asked, 0, on_reload_asked);
}

/* SIGXFSZ: a store at its size limit must fail like a full disk and not end the process. */
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

/* What is said before the configuration is read has its form. Stderr is open, so this cannot fail but for
 * memory. */
static void early_log(const char *conf_path)
{
    (void)log_open(&(struct log_opts){.level = LOG_INFO, .json = conf_log_json(conf_path), .file = "-"});
}

static bool load_conf(struct run *r, const char *path)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct findings found = {0};
    int err = load_usable_conf(path, &r->conf, &errors);

    findings_take_lines(&found, path, &errors);
    findings_log(&found, path);
    findings_free(&found);
    buf_free(&errors);
    return err ? start_failed(r, path, "not usable, see above; `jumpgate check` says the same", err) : true;
}

/* Another user may be able to read less, so the configuration is checked again. */
static bool become_user(struct run *r)
{
    char why[UNPRIVILEGED_WHY_SIZE] = "";
    bool changed = false;

    int err = unprivileged_become(r->conf, &changed, why);

    if (err)
        return start_failed(r, "user", why, err);
    r->keep_capabilities = !r->conf->gateway.user && (r->allow_root || geteuid() != 0);
    if (!changed)
        return true;
    conf_free(r->conf);
    r->conf = NULL;
    return load_conf(r, r->conf_path);
}

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

/* Locked memory is requested while the process may have the right to it, before the log is open. */
static bool open_secrets(struct run *r)
{
    return secret_open(r->conf->gateway.secret_memory, r->memory_hint)
               ? start_failed(r, "secret memory", "out of memory", -ENOMEM)
               : true;
}

static bool start_sandbox(struct run *r, const char *conf_path)
{
    char why[SANDBOX_POLICY_WHY_SIZE] = "";

    if (*r->memory_hint)
        log_info("secret_memory", "hint=%s", r->memory_hint);
    if (geteuid() == 0 && !r->allow_root)
        log_warn("running_as_root", "hint=%s",
                 "set `user` in [gateway]; until then root's files are in reach, root's capabilities are "
                 "given up");
    int err = sandbox_policy_start(r->conf, &r->passed, conf_path, r->keep_capabilities, why);

    return err ? start_failed(r, "sandbox", why, err) : true;
}

/* After the sandbox, so that it holds for the log's thread as well. */
static bool start_log(struct run *r)
{
    int err = log_thread();

    return err ? start_failed(r, "log", strerror(-err), err) : true;
}

static bool finish_sandbox(struct run *r)
{
    char why[SANDBOX_POLICY_WHY_SIZE] = "";

    int err = sandbox_policy_serve(r->conf, r->keep_capabilities, why);

    return err ? start_failed(r, "sandbox", why, err) : true;
}

/* What would fail later is said now, all of it at once, with the lines of the configuration. */
static bool check_preconditions(struct run *r)
{
    const struct preconditions p = {.conf = r->conf,
                                    .file = r->conf_path,
                                    .passed = &r->passed,
                                    .from_root = r->started_by_root,
                                    .rebuild = r->rebuild};
    int err = preconditions_at_start(&p);

    return err ? start_failed(r, r->conf_path, "cannot start, see above; `jumpgate check` says the same", err)
               : true;
}

static bool take_passed_sockets(struct run *r)
{
    char why[PASSED_SOCKETS_WHY_SIZE] = "";

    int err = passed_sockets_take(&r->passed, r->conf, why);

    return err ? start_failed(r, "passed sockets", why, err) : true;
}

static bool open_log(struct run *r)
{
    const struct conf_gateway *g = &r->conf->gateway;
    int err = log_open(&(struct log_opts){.level = g->log_level, .json = g->log_json, .file = g->log_file});
    return err ? start_failed(r, g->log_file, log_why(err), err) : true;
}

/* The cluster does not want this gateway, and will not want it later. */
static void on_store_failed(void *arg, const char *why)
{
    struct run *r = arg;

    start_failed(r, "[store]", why, -EINVAL);
    close_server(r);
}

static bool open_store(struct run *r)
{
    char why[RUN_STORE_WHY] = "";

    r->store.failed = on_store_failed;
    r->store.arg = r;
    return run_store_open(&r->store, r->loop, r->conf, r->rebuild, why)
               ? true
               : start_failed(r, "store", why, -errno);
}

static bool open_audit(struct run *r)
{
    char why[320] = "";

    return run_audit_open(&r->audit, r->loop, r->conf, why) ? true : start_failed(r, "audit", why, -errno);
}

static bool open_vault(struct run *r, const struct conf_vault *conf)
{
    char why[256] = "";
    const struct vault_kind *kind = vault_kind_of(conf->type);

    if (!kind)
        return start_failed(r, conf->name, "no such type of vault", -EINVAL);
    errno = 0;
    r->vaults[r->nvaults] = kind->open(r->loop, r->conf, conf, why);
    if (!r->vaults[r->nvaults])
        return start_failed(r, conf->name, why, -errno);
    r->nvaults++;
    return true;
}

static bool open_vaults(struct run *r)
{
    r->vaults = calloc(r->conf->nvaults + 1, sizeof(*r->vaults)); /* one more: never of size 0 */
    if (!r->vaults)
        return start_failed(r, "vaults", "out of memory", -ENOMEM);
    for (size_t i = 0; i < r->conf->nvaults; i++)
        if (!open_vault(r, &r->conf->vaults[i]))
            return false;
    return true;
}

static bool open_broker(struct run *r)
{
    struct broker_opts broker = {.timers = loop_timers(r->loop),
                                 .conf = r->conf,
                                 .vaults = r->vaults,
                                 .nvaults = r->nvaults,
                                 .store = r->store.store,
                                 .audit = r->audit.audit};
    struct gateway_opts gateway = {.loop = r->loop,
                                   .conf = r->conf,
                                   .vaults = r->vaults,
                                   .nvaults = r->nvaults,
                                   .store = r->store.store,
                                   .audit = r->audit.audit};
    char why[RUN_SITE_WHY_SIZE] = "";

    run_tag(r->conf, r->store.store);
    r->broker = broker_new(&broker);
    gateway.broker = r->broker;
    if (!r->broker)
        return start_failed(r, "broker", "out of memory", -ENOMEM);
    if (r->store.rebuilt)
        broker_store_rebuilt(r->broker);
    run_witness(r->conf, r->broker, r->audit.audit);
    errno = 0;
    if (!run_site_open(&r->site, r->loop, r->conf, r->broker, why))
        return start_failed(r, r->conf->pras[0].name, why, -errno);
    gateway.site = r->site.site;
    r->gateway = gateway_new(&gateway);
    return r->gateway ? true : start_failed(r, "gateway", "out of memory", -ENOMEM);
}

static bool open_server(struct run *r)
{
    struct http_server_opts opts = reload_server_opts(r->conf);

    r->server = http_server_new(r->loop, &opts, gateway_app(r->gateway));
    if (!r->server)
        return start_failed(r, "server", "out of memory", -ENOMEM);
    gateway_set_server(r->gateway, r->server);
    return true;
}

static bool listen_on(struct run *r, const struct conf_listener *l)
{
    char address[128], why[256] = "";
    struct http_tls_opts tls = reload_tls_opts(l);
    struct http_listen_opts opts = {
        .name = l->name,
        .host = l->host,
        .port = l->port,
        .is_unix = l->is_unix,
        .unix_mode = (unsigned)l->unix_mode,
        .unix_owner = l->unix_owner,
        .unix_group = l->is_unix && !l->unix_group ? clients_group() : l->unix_group,
        .tls = l->tls_certificate ? &tls : NULL,
        .passed_fd = passed_socket_of(&r->passed, l->name),
    };

    int err = http_listen(r->server, &opts, address, why);

    if (err)
        return start_failed(r, l->address, why, err);
    if (opts.passed_fd)
        log_info("passed_socket", "listener=%s descriptor=%d", l->name, opts.passed_fd);
    log_always("listening", "listener=%s address=%s", l->name, address);
    return true;
}

static bool listen_on_all(struct run *r)
{
    for (size_t i = 0; i < r->conf->nlisteners; i++)
        if (!listen_on(r, &r->conf->listeners[i]))
            return false;
    return true;
}

/* Without it only the commands on this machine cannot reach the gateway. */
static bool listen_for_commands(struct run *r)
{
    char why[CONTROL_WHY_SIZE] = "";

    r->state_dir = control_directory(r->conf->gateway.state_dir);
    if (r->state_dir < 0)
        log_warn("control_socket", "error=%s", strerror(-r->state_dir));
    else if (control_listen(r->server, r->state_dir, why))
        log_warn("control_socket", "error=%s", why);
    else
        log_debug("control_socket", "state_dir=%s", r->conf->gateway.state_dir);
    return true;
}

static bool prepare_reload(struct run *r)
{
    struct reload_opts opts = {.loop = r->loop,
                               .path = r->conf_path,
                               .conf = r->conf,
                               .vaults = r->vaults,
                               .broker = r->broker,
                               .site = r->site.site,
                               .gateway = r->gateway,
                               .server = r->server};

    r->reload = reload_new(&opts);
    if (r->reload)
        gateway_on_reload(r->gateway, on_ask_reload, r);
    return r->reload ? true : start_failed(r, "reload", "out of memory", -ENOMEM);
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
    r->hook.iteration = on_iteration;
    loop_on_iteration(r->loop, &r->hook);
    r->notify = notify_new(r->loop);
    if (!r->notify)
        return start_failed(r, "loop", "out of memory", -ENOMEM);
    descriptors_raise(r->conf);
    return watch_signals(r) && open_store(r) && open_audit(r) && open_vaults(r) && open_broker(r) &&
           open_server(r) && listen_on_all(r) && listen_for_commands(r) && prepare_reload(r) &&
           finish_sandbox(r) && announce_serving(r);
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
        close_server(r);
    if (r->state != STOPPED)
        (void)loop_run(r->loop); /* until sign_out() has finished */
    loop_off_iteration(r->loop, &r->hook);
    notify_free(r->notify);
    free(r->vaults);
    if (r->state_dir >= 0)
        (void)close(r->state_dir);
    if (r->state != STOPPED || loop_free(r->loop) != 0) {
        log_error("unclean_end", "state=%s", state_names[r->state]);
        r->exit_code = RUN_RETRY;
    }
}

static void end_secrets(struct run *r)
{
    size_t left = secret_close();

    if (!left)
        return;
    log_error("secrets_left", "blocks=%zu", left);
    r->exit_code = RUN_RETRY;
}

int command_run(const struct command_args *args)
{
    const char *conf_path = args->conf;
    struct run r = {.state = STARTING,
                    .state_dir = -1,
                    .rebuild = args_given(args, "--rebuild"),
                    .allow_root = args_given(args, "--allow-root"),
                    .started_by_root = geteuid() == 0,
                    .conf_path = conf_path};

    json_init();
    early_log(conf_path);
    if (!harden_process(&r) || !load_conf(&r, conf_path))
        return r.exit_code;
    if (!open_secrets(&r) || !become_user(&r) || !take_passed_sockets(&r) || !check_preconditions(&r) ||
        !open_log(&r)) {
        end_secrets(&r);
        passed_sockets_free(&r.passed);
        conf_free(r.conf);
        return r.exit_code;
    }
    if (start_sandbox(&r, conf_path) && start_log(&r) && upstream_global_init())
        start_failed(&r, "libcurl", "cannot be initialised", -ENOMEM);
    else if (!r.exit_code)
        run_loop(&r);
    upstream_global_cleanup();
    end_secrets(&r);
    log_info("stopped", "exit_code=%d", r.exit_code);
    log_close();
    passed_sockets_free(&r.passed);
    conf_free(r.conf);
    return r.exit_code;
}
