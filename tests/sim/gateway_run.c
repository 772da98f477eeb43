/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_run.c - starts and stops the gateway's parts in the order of commands/run/run.c; see the header.
 *
 *   start --> serving --> draining --> flushing --> closing --> signing out --> gone
 *
 * The listener is a struct without a socket: a client's connection comes to conn_accept() as an accepted
 * descriptor does.
 */
#include "gateway_run.h"

#include "callers.h"
#include "disk.h"
#include "etcd_sim.h"
#include "keyed_conf.h"
#include "site_sim.h"

#include "base/container_of.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/metrics.h"
#include "base/text.h"
#include "commands/run/audit.h"
#include "commands/run/reload.h"
#include "commands/run/site.h"
#include "commands/run/store.h"
#include "commands/vault_kinds.h"
#include "handlers/routes.h"
#include "loop/server/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TOKEN          "token-of-the-simulated-clients"
#define LAST_ANSWER_MS 1000
#define RESTART_MS     5000 /* after a start that has failed */
#define VAULT_URL      "https://vault.example.test/BeyondTrust/api/public/v3"

enum run_state { RUN_NONE, RUN_SERVING, RUN_DRAINING, RUN_FLUSHING, RUN_CLOSING, RUN_GONE };

struct gateway_run {
    struct world *world;
    struct node *node;
    struct conf *conf;
    enum run_state state;
    unsigned starts;
    unsigned restart_ms;
    struct loop *loop;
    struct loop_hook hook;
    struct store *store;
    struct run_store shared; /* of several gateways: it has `store` then */
    struct run_audit audit;
    struct vault *vault;
    struct broker *broker;
    struct run_site site;
    struct gateway *gateway;
    struct http_server *server;
    struct reload *reload;
    struct listener listener;
    struct deadline drain_end;
    size_t open_parts;
};

/* ---- the configuration ---- */

static struct {
    char dir[32], conf[64], key[64], site_secret[64], etcd_password[64], log[64];
    bool debug;
} files;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) || chmod(path, 0600))
        abort();
}

static void hash_text(const char *text, char hex[65])
{
    uint8_t hash[DIGEST_SIZE];

    if (digest_sha256(text, strlen(text), hash))
        abort();
    text_hex(hex, hash, sizeof hash);
}

static const char *yes_or_no(unsigned value)
{
    return value ? "yes" : "no";
}

static void add_site(struct buf *to, const struct setup *s)
{
    char hex[65];

    if (s->site == SITE_NONE)
        return;
    hash_text(SITE_EVENTS_TOKEN, hex);
    (void)buf_printf(to,
                     "[pra site]\nurl = https://" SITE_HOST "\nclient_id = gateway\nclient_secret_file = %s\n"
                     "terminate = yes\nprobe_interval = %us\npoll_interval = %us\n",
                     files.site_secret, s->probe_s, s->site == SITE_EVENTS ? 0 : s->poll_s);
    if (s->site != SITE_POLL)
        (void)buf_printf(to, "events_token_sha256 = %s\n", hex);
}

static void add_store(struct buf *to, const struct node *n)
{
    const struct setup *s = &n->world->setup;

    if (!world_is_cluster(n->world))
        return;
    (void)buf_printf(to,
                     "[store]\ntype = etcd\nnode = g%u\nttl = %us\n"
                     "endpoints = https://" ETCD_HOST ":2379 https://" ETCD_HOST ":2379 https://" ETCD_HOST
                     ":2379\n",
                     n->number, s->ttl_s, 0U, 1U, 2U);
    if (s->etcd_users)
        (void)buf_printf(to, "user = " ETCD_USER "\npassword_file = %s\n", files.etcd_password);
}

/* `vault`: the name of its section. */
static void add_password_safe(struct buf *to, const struct node *n, const struct setup *s, const char *vault)
{
    (void)buf_printf(to,
                     "[vault %s]\nurl = " VAULT_URL "\napi_key_file = %s\nrun_as = {username}%s\n"
                     "approval_wait = %us\nsession_idle = %um\nconnections = %u\nsessions_per_user = %u\n"
                     "ask_policy = %s\n",
                     vault, files.key, s->full_name >> n->number & 1 ? "@example.test" : "",
                     s->approval_wait_s, s->session_idle_minutes, s->connections, s->sessions_per_user,
                     yes_or_no(s->ask_policy));
}

static void write_conf(const struct node *n, const struct setup *s, const char *vault)
{
    struct buf text = BUF_INIT(1 << 16);
    char hex[65];

    hash_text(TOKEN, hex);
    (void)buf_printf(
        &text,
        "[gateway]\nstate_dir = %s\nsandbox = off\nrelease_duration = %um\nlist_cache = %ums\n"
        "reconcile_every = %um\naudit_policy = %s\nrelease_on_stop = %s\nlog_level = %s\nlog_file = %s\n"
        "max_inflight = %u\n"
        "[listener main]\naddress = 127.0.0.1:8443\n"
        "[client pra]\ntoken_sha256 = %s\nallow = broker operate observe\nrate = 10000/s\n",
        DISK_STATE_DIR, s->release_minutes, s->list_cache_ms, s->reconcile_minutes,
        s->strict ? "strict" : "degraded", yes_or_no(s->release_on_stop), files.debug ? "debug" : "error",
        files.log, s->max_inflight ? s->max_inflight : 4096, hex);
    if (s->keyed)
        keyed_conf_write(&text, s, files.key);
    else
        add_password_safe(&text, n, s, vault);
    add_site(&text, s);
    add_store(&text, n);
    write_file(files.conf, buf_cstr(&text));
    buf_free(&text);
}

void gateway_run_configure(void)
{
    json_init();
    (void)snprintf(files.dir, sizeof files.dir, "/tmp/jumpgate-sim-XXXXXX");
    if (!mkdtemp(files.dir))
        abort();
    (void)snprintf(files.conf, sizeof files.conf, "%s/conf", files.dir);
    (void)snprintf(files.key, sizeof files.key, "%s/key", files.dir);
    (void)snprintf(files.site_secret, sizeof files.site_secret, "%s/site-secret", files.dir);
    (void)snprintf(files.etcd_password, sizeof files.etcd_password, "%s/etcd-password", files.dir);
    write_file(files.key, "0123456789abcdef\n");
    write_file(files.site_secret, "secret-of-the-simulated-site\n");
    write_file(files.etcd_password, ETCD_PASSWORD "\n");
}

void gateway_run_log(bool debug, const char *file)
{
    (void)snprintf(files.log, sizeof files.log, "%s", file);
    files.debug = debug;
    if (log_open(&(struct log_opts){.level = debug ? LOG_DEBUG : LOG_ERROR, .file = files.log}))
        abort();
}

void gateway_run_unconfigure(void)
{
    (void)unlink(files.conf);
    (void)unlink(files.key);
    (void)unlink(files.site_secret);
    (void)unlink(files.etcd_password);
    (void)rmdir(files.dir);
}

static struct conf *load_conf(const struct node *n)
{
    struct buf errors = BUF_INIT(1 << 20);
    struct conf *conf = NULL;

    write_conf(n, &n->world->setup, "main");
    if (conf_load(files.conf, &conf, &errors)) {
        (void)fprintf(stderr, "%.*s\n", (int)errors.len, errors.data);
        abort();
    }
    buf_free(&errors);
    return conf;
}

/* ---- stopping ---- */

static void on_part_closed(void *arg)
{
    struct gateway_run *g = arg;

    if (--g->open_parts == 0)
        g->state = RUN_GONE;
}

static void on_server_closed(void *arg)
{
    struct gateway_run *g = arg;
    struct vault *vault = g->vault;
    struct store *store = g->store;

    g->server = NULL;
    g->open_parts = 5;
    if (!run_site_close(&g->site, on_part_closed, g))
        g->open_parts--;
    if (g->gateway)
        gateway_end_terminations(g->gateway);
    broker_free(g->broker);
    metric_unregister_all();
    gateway_free(g->gateway);
    reload_free(g->reload);
    g->reload = NULL;
    run_audit_stop(&g->audit);
    g->broker = NULL;
    g->gateway = NULL;
    g->vault = NULL;
    g->store = NULL;
    if (vault)
        vault_kind_of(vault->conf->type)->close(vault, on_part_closed, g);
    else
        on_part_closed(g);
    if (!run_store_close(&g->shared, on_part_closed, g))
        store->ops->close(store, on_part_closed, g);
    run_audit_close(&g->audit, on_part_closed, g);
    on_part_closed(g);
}

void gateway_run_close(struct gateway_run *g)
{
    if (g->state == RUN_NONE || g->state >= RUN_CLOSING)
        return;
    node_enter(g->node);
    g->state = RUN_CLOSING;
    timer_stop(loop_timers(g->loop), &g->drain_end);
    if (g->server)
        http_server_close(g->server, on_server_closed, g);
    else
        on_server_closed(g);
}

static void start_flushing(struct gateway_run *g)
{
    g->state = RUN_FLUSHING;
    http_drain(g->server);
}

static void on_iteration(struct loop_hook *hook)
{
    struct gateway_run *g = CONTAINER_OF(hook, struct gateway_run, hook);

    if (g->state == RUN_DRAINING && !http_busy(g->server))
        broker_hand_over(g->broker);
    if (g->state == RUN_DRAINING && !http_busy(g->server) && broker_idle(g->broker))
        start_flushing(g);
    if (g->state == RUN_FLUSHING && !http_connections(g->server) && broker_idle(g->broker))
        gateway_run_close(g);
}

static void on_drain_end(struct deadline *d)
{
    struct gateway_run *g = CONTAINER_OF(d, struct gateway_run, drain_end);

    counts_add(g->world->counts, 1, "gateway.drain_timeout");
    if (g->state != RUN_DRAINING ||
        timer_start(loop_timers(g->loop), &g->drain_end, LAST_ANSWER_MS, on_drain_end)) {
        gateway_run_close(g);
        return;
    }
    gateway_give_up(g->gateway);
    start_flushing(g);
}

/* With release_on_stop leases are given back only where it is alone. */
static bool is_another_alive(const struct gateway_run *g)
{
    const struct world *w = g->world;

    for (unsigned k = 0; k < w->nnodes; k++)
        if (w->node[k].gateway != g && gateway_run_serves(w->node[k].gateway) && !node_is_paused(&w->node[k]))
            return true;
    return false;
}

void gateway_run_stop(struct gateway_run *g, unsigned restart_ms)
{
    if (g->state == RUN_NONE)
        return;
    node_enter(g->node);
    if (!world_is_cluster(g->world))
        world_disturbed(g->world);
    g->node->killed_ms = g->world->now_ms;
    if (g->state != RUN_SERVING) { /* a second signal */
        gateway_run_close(g);
        return;
    }
    g->restart_ms = restart_ms;
    g->world->gives_up |= g->world->setup.release_on_stop && !is_another_alive(g);
    g->state = RUN_DRAINING;
    gateway_drain(g->gateway);
    broker_drain(g->broker);
    run_site_stop(&g->site);
    http_last_answers(g->server);
    if (timer_start(loop_timers(g->loop), &g->drain_end, g->conf->gateway.drain_timeout_ms, on_drain_end))
        abort();
}

static void on_restart(void *arg)
{
    gateway_run_start(arg);
}

static bool is_another_up(const struct gateway_run *g)
{
    const struct world *w = g->world;

    for (unsigned k = 0; k < w->nnodes; k++)
        if (w->node[k].gateway != g && gateway_run_up(w->node[k].gateway))
            return true;
    return false;
}

/* Nothing of the process may be left. */
static void check_gone(struct gateway_run *g)
{
    struct arena_state memory;

    secret_state(&memory);
    if (is_another_up(g))
        memory.blocks = 0; /* they may be that one's */
    if (timers_count(loop_timers(g->loop)))
        world_fail(g->world, "%zu deadlines run after the end", timers_count(loop_timers(g->loop)));
    if (memory.blocks)
        world_fail(g->world, "%zu blocks of secret memory are left after the end", memory.blocks);
}

static void forget_process(struct gateway_run *g)
{
    struct world *w = g->world;

    loop_off_iteration(g->loop, &g->hook);
    check_gone(g);
    if (loop_free(g->loop))
        world_fail(w, "the loop has handles after the end");
    conf_free(g->conf);
    g->conf = NULL;
    g->loop = NULL;
    g->state = RUN_NONE;
    if (g->node->dead)
        return;
    node_note(g->node, "gateway stopped");
    counts_add(w->counts, 1, "gateway.stopped");
    disk_closed(g->node->disk);
    if (g->restart_ms != UINT32_MAX)
        world_after(w, g->restart_ms, on_restart, g);
}

/* ---- starting ---- */

static void open_server(struct gateway_run *g)
{
    struct http_server_opts opts = reload_server_opts(g->conf);

    g->server = http_server_new(g->loop, &opts, gateway_app(g->gateway));
    if (!g->server)
        abort();
    g->listener =
        (struct listener){.fd = -1, .server = g->server, .name = (char *)(uintptr_t) "main", .open = true};
    gateway_set_server(g->gateway, g->server);
}

static void open_gateway(struct gateway_run *g)
{
    struct gateway_opts opts = {.loop = g->loop,
                                .conf = g->conf,
                                .broker = g->broker,
                                .vaults = &g->vault,
                                .nvaults = 1,
                                .store = g->store,
                                .audit = g->audit.audit,
                                .site = g->site.site};

    g->gateway = gateway_new(&opts);
    if (!g->gateway)
        abort();
    open_server(g);
}

static void open_broker(struct gateway_run *g)
{
    struct broker_opts opts = {.timers = loop_timers(g->loop),
                               .conf = g->conf,
                               .vaults = &g->vault,
                               .nvaults = 1,
                               .store = g->store,
                               .audit = g->audit.audit};
    char why[RUN_SITE_WHY_SIZE] = "";

    run_tag(g->conf, g->store);
    g->broker = broker_new(&opts);
    if (!g->broker)
        abort();
    run_witness(g->conf, g->broker, g->audit.audit);
    if (!run_site_open(&g->site, g->loop, g->conf, g->broker, why)) {
        (void)fprintf(stderr, "%s\n", why);
        abort();
    }
}

static bool open_vault(struct gateway_run *g)
{
    char why[256] = "";

    g->vault = vault_kind_of(g->conf->vaults[0].type)->open(g->loop, g->conf, &g->conf->vaults[0], why);
    if (!g->vault)
        world_fail(g->world, "a start is refused: %s", why);
    return g->vault;
}

static void prepare_reload(struct gateway_run *g)
{
    struct reload_opts opts = {.loop = g->loop,
                               .path = files.conf,
                               .conf = g->conf,
                               .vaults = &g->vault,
                               .broker = g->broker,
                               .site = g->site.site,
                               .gateway = g->gateway,
                               .server = g->server};

    g->reload = reload_new(&opts);
    if (!g->reload)
        abort();
}

static void open_loop(struct gateway_run *g)
{
    g->conf = load_conf(g->node);
    g->loop = loop_new_clock(&g->node->clock);
    if (!g->loop)
        abort();
    g->hook = (struct loop_hook){.iteration = on_iteration};
    loop_on_iteration(g->loop, &g->hook);
    g->drain_end = (struct deadline){0};
}

static void open_audit(struct gateway_run *g)
{
    char why[320] = "";

    if (run_audit_open(&g->audit, g->loop, g->conf, why))
        return;
    (void)fprintf(stderr, "%s\n", why);
    abort();
}

/* A start that fails, as a service manager tries it again. */
static void give_up_start(struct gateway_run *g)
{
    node_note(g->node, "gateway not started");
    g->restart_ms = RESTART_MS;
    forget_process(g);
}

static void on_store_failed(void *arg, const char *why)
{
    struct gateway_run *g = arg;

    world_fail(g->world, "g%u may not join: %s", g->node->number, why);
}

static struct store *open_store(struct gateway_run *g)
{
    char why[RUN_STORE_WHY] = "";

    if (!world_is_cluster(g->world))
        return disk_open_store(g->node->disk, g->loop);
    g->shared = (struct run_store){.failed = on_store_failed, .arg = g};
    if (!run_store_open(&g->shared, g->loop, g->conf, false, why) && !g->node->dead &&
        !disk_fails(g->node->disk))
        world_fail(g->world, "a start is refused: %s", why);
    return g->shared.store;
}

/* What the oracle is to know of the configuration. */
static void note_conf(struct node *n)
{
    n->release_minutes = n->world->setup.release_minutes;
    n->approval_wait_s = n->world->setup.approval_wait_s;
}

void gateway_run_start(struct gateway_run *g)
{
    struct world *w = g->world;

    if (g->state != RUN_NONE)
        return;
    node_enter(g->node);
    g->state = RUN_SERVING;
    node_note(g->node, "gateway starts");
    g->node->started_ms = w->now_ms;
    note_conf(g->node);
    g->node->fenced_ms = 0;
    if (w->gives_up)
        w->gave_up_ms = w->now_ms;
    w->gives_up = false;
    counts_add(w->counts, 1, "gateway.started");
    if (!world_is_cluster(w))
        world_disturbed(w);
    g->starts++;
    open_loop(g);
    g->store = open_store(g);
    if (!g->store) {
        give_up_start(g);
        return;
    }
    open_audit(g);
    disk_started(g->node->disk);
    if (!open_vault(g)) {
        gateway_run_close(g);
        return;
    }
    open_broker(g);
    open_gateway(g);
    prepare_reload(g);
}

void gateway_run_rotate(struct gateway_run *g)
{
    node_enter(g->node);
    disk_rotate_trail(g->node->disk);
    if (gateway_run_serves(g))
        run_audit_rotate(&g->audit);
}

/* ---- reloads ---- */

/* False = the change is one that a reload refuses. */
static bool change_setup(struct setup *s, const struct act *act)
{
    if (act->a == RELOAD_FOLLOW)
        return true;
    switch ((enum reload_change)(act->a % RELOAD_NCHANGES)) {
    case RELOAD_DURATION: s->release_minutes = 1 + act->b; break;
    case RELOAD_LIST_CACHE: s->list_cache_ms = act->b % 2 ? act->b * 150 : 0; break;
    case RELOAD_APPROVAL_WAIT: s->approval_wait_s = act->b % 2 ? act->b * 30 : 0; break;
    case RELOAD_VAULT_SESSIONS:
        s->session_idle_minutes = 1 + act->b % 15;
        s->sessions_per_user = 1 + act->b % 4;
        break;
    case RELOAD_RUN_AS: s->full_name ^= (1U << SETUP_NODES) - 1; break;
    case RELOAD_SITE:
        s->probe_s = 60 * (1 + act->b % 5);
        s->poll_s = 5 + act->b % 56;
        break;
    case RELOAD_RELEASE_ON_STOP: s->release_on_stop ^= 1; break;
    default: return false;
    }
    return true;
}

static void write_refused(const struct node *n, const struct setup *s, const struct act *act)
{
    struct setup wrong = *s;

    if (act->a % RELOAD_NCHANGES == RELOAD_RECONCILE)
        wrong.reconcile_minutes++;
    if (act->a % RELOAD_NCHANGES == RELOAD_MISTAKE)
        wrong.connections = 0;
    write_conf(n, &wrong, act->a % RELOAD_NCHANGES == RELOAD_VAULT_GONE ? "other" : "main");
}

void gateway_run_reload(struct gateway_run *g, const struct act *act)
{
    struct world *w = g->world;
    struct reload_report report;

    if (!gateway_run_serves(g) || node_is_paused(g->node))
        return;
    node_enter(g->node);
    bool good = change_setup(&w->setup, act);

    if (good)
        g->node->reloaded_ms = w->now_ms;
    note_conf(g->node);
    if (w->setup.list_cache_ms > w->list_cache_ms)
        w->list_cache_ms = w->setup.list_cache_ms;
    if (good)
        write_conf(g->node, &w->setup, "main");
    else
        write_refused(g->node, &w->setup, act);
    bool done = reload_now(g->reload, &report);

    gateway_reloaded(g->gateway, &report);
    if (done != good)
        world_fail(w, "a reload is %s: %s", done ? "done" : "refused",
                   report.mistakes.len ? buf_cstr(&report.mistakes) : "");
    reload_report_free(&report);
    counts_add(w->counts, 1, done ? "reload.done.%u" : "reload.refused.%u", act->a % RELOAD_NCHANGES);
}

/* ---- the world's side ---- */

struct gateway_run *gateway_run_new(struct node *n)
{
    struct gateway_run *g = calloc(1, sizeof *g);

    if (!g)
        abort();
    g->world = n->world;
    g->node = n;
    return g;
}

void gateway_run_free(struct gateway_run *g)
{
    free(g);
}

bool gateway_run_up(const struct gateway_run *g)
{
    return g->state != RUN_NONE;
}

bool gateway_run_serves(const struct gateway_run *g)
{
    return g->state == RUN_SERVING && !g->node->dead;
}

bool gateway_run_has_joined(const struct gateway_run *g)
{
    struct store_state state = {.cluster = NULL};

    if (g->store)
        g->store->ops->state(g->store, &state);
    return state.cluster && state.cluster->joined;
}

bool gateway_run_iterate(struct gateway_run *g)
{
    if (g->state == RUN_NONE)
        return false;
    node_enter(g->node);
    (void)loop_iterate(g->loop);
    if (g->state == RUN_GONE && !virtual_uv_pending(loop_uv(g->loop))) {
        forget_process(g);
        return false;
    }
    return virtual_uv_pending(loop_uv(g->loop)) || timers_next(loop_timers(g->loop)) == 0;
}

uint64_t gateway_run_next(const struct gateway_run *g)
{
    return g->state == RUN_NONE ? UINT64_MAX : timers_next(loop_timers(g->loop));
}

const char *gateway_run_token(void)
{
    return TOKEN;
}

bool gateway_run_connect(struct gateway_run *g, struct virtual_socket *s, unsigned host)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(40000)};

    if (g->node->dead || g->state == RUN_NONE || g->state >= RUN_FLUSHING)
        return false;
    from.sin_addr.s_addr = htonl(0x0A000001U + host);
    node_enter(g->node);
    virtual_uv_offer(loop_uv(g->loop), s);
    conn_accept(&g->listener, s->fd, (struct sockaddr *)&from, PLACE_COUNTED);
    return true;
}

uv_loop_t *gateway_run_uv(struct gateway_run *g)
{
    return g->loop ? loop_uv(g->loop) : NULL;
}
