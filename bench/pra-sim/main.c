/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - pra-sim: options, listeners, until a signal.
 *
 * Standard output names the addresses (`listening listener=api address=…`, the same for admin, `ready`), so
 * that a test that chose port 0 can find them. SIGTERM and SIGINT end the program: both servers and the
 * clients of outbound events close, the loop runs out, and the exit code is 0 only if nothing was left open.
 */
#include "base/container_of.h"
#include "base/json.h"
#include "base/text.h"
#include "loop/upstream/upstream.h"
#include "pra-sim/admin_routes.h"
#include "sim/options.h"
#include "sim/strings.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLIENT_ID     "c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4"
#define CLIENT_SECRET "Site+secret/of=the:tests"

struct options {
    const char *listen, *admin, *certificate, *key;
    const char *client_id, *client_secret, *client_secret_file;
    uint64_t seed, token_lifetime_ms, latency_ms, jitter_ms;
    uint64_t sessions, running, events, days, live, users, endpoints;
    const char *until;
    struct option_list permissions, knobs, faults, settings, jumpoints, recipients;
    bool tls12, help;
};

static const struct option_row option_rows[] = {
#define AT(member) offsetof(struct options, member)
    {"listen", OPTION_TEXT, AT(listen), "HOST:PORT", "API listener (127.0.0.1:0)"},
    {"admin", OPTION_TEXT, AT(admin), "HOST:PORT", "admin listener, plain HTTP (127.0.0.1:0)"},
    {"certificate", OPTION_TEXT, AT(certificate), "FILE", "PEM certificate: the API speaks TLS"},
    {"key", OPTION_TEXT, AT(key), "FILE", "PEM key of the certificate"},
    {"tls12", OPTION_FLAG, AT(tls12), NULL, "TLS 1.2 at most"},
    {"client-id", OPTION_TEXT, AT(client_id), "ID", "API account (" CLIENT_ID ")"},
    {"client-secret", OPTION_TEXT, AT(client_secret), "TEXT", "its secret (" CLIENT_SECRET ")"},
    {"client-secret-file", OPTION_TEXT, AT(client_secret_file), "FILE", "the same, from a file"},
    {"permission", OPTION_LIST, AT(permissions), "NAME=VALUE", "of the account; repeatable"},
    {"token-lifetime", OPTION_TIME, AT(token_lifetime_ms), "TIME", "of access tokens (1h)"},
    {"latency", OPTION_TIME, AT(latency_ms), "TIME", "of every call (0)"},
    {"jitter", OPTION_TIME, AT(jitter_ms), "TIME", "chance on top of it (0)"},
    {"seed", OPTION_COUNT, AT(seed), "N", "of lsids and of chance (1)"},
    {"sessions", OPTION_COUNT, AT(sessions), "N", "made-up sessions, see docs/pra-simulator.md (0)"},
    {"running", OPTION_COUNT, AT(running), "N", "made-up sessions that run at the start (0)"},
    {"live", OPTION_COUNT, AT(live), "N", "made-up sessions that begin in each hour to come (0)"},
    {"events", OPTION_COUNT, AT(events), "N", "of a made-up session, on average (40)"},
    {"days", OPTION_COUNT, AT(days), "N", "over which made-up sessions are spread (30)"},
    {"users", OPTION_COUNT, AT(users), "N", "of made-up sessions (500)"},
    {"endpoints", OPTION_COUNT, AT(endpoints), "N", "of made-up sessions (5000)"},
    {"until", OPTION_TEXT, AT(until), "TIME", "their end, 2026-03-10T09:00:00 UTC (the time of the start)"},
    {"jumpoint", OPTION_LIST, AT(jumpoints), "JSON", "a Jumpoint, as POST /jumpoints; repeatable"},
    {"recipient", OPTION_LIST, AT(recipients), "JSON", "of outbound events, as POST /recipients; repeatable"},
    {"settings", OPTION_LIST, AT(settings), "JSON", "as POST /settings; repeatable"},
    {"knob", OPTION_LIST, AT(knobs), "NAME=VALUE", "one behaviour of the site, see below; repeatable"},
    {"fault", OPTION_LIST, AT(faults), "JSON", "a fault rule (docs/pra-simulator.md); repeatable"},
    {"help", OPTION_FLAG, AT(help), NULL, "this text"},
#undef AT
};
#define NOPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

struct program {
    struct options options;
    struct loop *loop;
    struct program_parts parts;
    struct admin *admin;
    struct loop_hook ending;
    bool stopping;
};

static void help(void)
{
    struct buf knobs = BUF_INIT(32768);

    printf("pra-sim: a simulator of a Privileged Remote Access site's APIs for tests, demos and "
           "benchmarks.\n\n");
    option_help(option_rows, NOPTIONS);
    knob_help(&pra_knobs, &knobs);
    printf("\nKnobs:\n%s", buf_cstr(&knobs));
    buf_free(&knobs);
}

/* ---- settings ---- */

static int complain(const char *what, const struct buf *why, int rc)
{
    if (rc)
        (void)fprintf(stderr, "pra-sim: %s: %.*s\n", what, (int)why->len, why->data ? why->data : "wrong");
    return rc;
}

static int set_account(struct program *p)
{
    const struct options *o = &p->options;
    struct secret secret = {0};
    struct account *a;
    int rc = o->client_secret_file ? secret_read_file(&secret, o->client_secret_file, 4096)
                                   : secret_set(&secret, o->client_secret, strlen(o->client_secret));

    if (rc) {
        (void)fprintf(stderr, "pra-sim: cannot read the client secret: %s\n", strerror(-rc));
        return rc;
    }
    a = accounts_add(&p->parts.server->site->accounts, o->client_id, secret.p);
    secret_clear(&secret);
    for (size_t i = 0; a && !rc && i < o->permissions.n; i++) {
        char name[64];
        const char *text = o->permissions.text[i];
        size_t n = strcspn(text, "=");
        rc = !text[n] || !text_copy_n(name, sizeof(name), text, n) ? -EINVAL
                                                                   : account_permit(a, name, text + n + 1);
        if (rc)
            (void)fprintf(stderr, "pra-sim: no such permission: %s\n", text);
    }
    return a ? rc : -ENOMEM;
}

static int carry_out(struct program *p, const struct option_list *list, const char *what)
{
    struct buf why = BUF_INIT(4096);
    int rc = 0;

    for (size_t i = 0; i < list->n && !rc; i++) {
        const char *reason = "";
        cJSON *tree = json_parse(list->text[i], strlen(list->text[i]), 16, 0, &reason);
        if (!tree) {
            (void)buf_str(&why, reason);
            rc = -EINVAL;
        } else if (list == &p->options.recipients) {
            rc = change_recipient(p->parts.server, p->parts.sender, tree, &why);
        } else {
            rc = list == &p->options.jumpoints ? change_jumpoint(p->parts.server, tree, &why)
                                               : change_settings(p->parts.server, tree, &why);
        }
        cJSON_Delete(tree);
    }
    rc = complain(what, &why, rc);
    buf_free(&why);
    return rc;
}

static int set_behaviour(struct program *p)
{
    struct server *s = p->parts.server;
    struct buf why = BUF_INIT(4096);
    int rc = 0;

    s->latency_ms = p->options.latency_ms;
    s->jitter_ms = p->options.jitter_ms;
    s->site->accounts.limits.token_s = p->options.token_lifetime_ms / 1000;
    for (size_t i = 0; i < p->options.knobs.n && !rc; i++)
        rc = knob_set_text(&pra_knobs, s->site->knob, p->options.knobs.text[i]);
    if (rc)
        (void)buf_str(&why, "one has no such value, see --help");
    for (size_t i = 0; i < p->options.faults.n && !rc; i++)
        rc = fault_injection_add_text(&s->fault_injection, p->options.faults.text[i], &why);
    rc = complain("knobs and faults", &why, rc);
    buf_free(&why);
    return rc;
}

static bool read_until(const char *text, int64_t *out)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!end || (*end && strcmp(end, "Z") != 0))
        return false;
    *out = (int64_t)timegm(&tm);
    return true;
}

/* Its end moves the clock too: the site's now is where the made-up sessions end. */
static int set_month(struct program *p)
{
    const struct options *o = &p->options;
    struct month_opts m = {.sessions = o->sessions,
                           .running = o->running,
                           .live_hour = o->live,
                           .events = o->events,
                           .seed = o->seed,
                           .days = o->days,
                           .users = o->users,
                           .endpoints = o->endpoints,
                           .until_s = site_now(p->parts.server->site) / 1000};

    if (!o->sessions && !o->running && !o->live)
        return 0;
    if (o->until && !read_until(o->until, &m.until_s)) {
        (void)fprintf(stderr, "pra-sim: --until: not a time\n");
        return -EINVAL;
    }
    if (o->until)
        simclock_set_wall(&p->parts.server->time.clock, m.until_s * 1000);
    return site_make_month(p->parts.server->site, &m);
}

static int set_site(struct program *p)
{
    int rc = set_account(p);

    if (!rc)
        rc = set_month(p);
    if (!rc)
        rc = set_behaviour(p);
    if (!rc)
        rc = carry_out(p, &p->options.settings, "settings");
    if (!rc)
        rc = carry_out(p, &p->options.jumpoints, "jumpoint");
    return rc ? rc : carry_out(p, &p->options.recipients, "recipient");
}

static int open_listeners(struct program *p)
{
    struct server *s = p->parts.server;
    const struct options *o = &p->options;
    char address[128];
    int rc;

    s->tls12 = o->tls12;
    if (strings_replace(&s->address, o->listen) || strings_replace(&s->certificate, o->certificate) ||
        strings_replace(&s->key, o->key))
        return -ENOMEM;
    rc = server_open(s);
    if (!rc)
        rc = option_listen(admin_http(p->admin), "admin", o->admin, NULL, address);
    if (!rc)
        printf("ready\n");
    return fflush(stdout) ? -EIO : rc;
}

/* ---- the end ---- */

static void on_turn(struct loop_hook *hook)
{
    struct program *p = CONTAINER_OF(hook, struct program, ending);

    if (p->parts.server->closed && !admin_http(p->admin) && sender_idle(p->parts.sender))
        loop_stop(p->loop);
}

static void stop(struct program *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    loop_on_iteration(p->loop, &p->ending);
    sender_close(p->parts.sender);
    server_close(p->parts.server);
    admin_close(p->admin);
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    stop(arg);
}

static int start(struct program *p)
{
    p->ending.iteration = on_turn;
    if (loop_on_signal(p->loop, SIGTERM, on_signal, p) || loop_on_signal(p->loop, SIGINT, on_signal, p))
        return -EIO;
    return set_site(p) ? -EINVAL : open_listeners(p);
}

static int run_program(struct program *p)
{
    int rc = start(p), left;

    if (rc)
        stop(p);
    left = loop_run(p->loop);
    loop_off_iteration(p->loop, &p->ending);
    server_free(p->parts.server);
    sender_free(p->parts.sender);
    admin_free(p->admin);
    if (loop_free(p->loop))
        left = -EBUSY;
    upstream_global_cleanup();
    return rc || left < 0 ? 1 : 0;
}

static int make_parts(struct program *p)
{
    p->loop = upstream_global_init() ? NULL : loop_new();
    if (p->loop)
        p->parts.server = server_new(p->loop, p->options.seed);
    if (p->parts.server)
        p->parts.sender = sender_new(p->loop, p->parts.server->site);
    if (p->parts.sender)
        p->admin = admin_new(p->loop, admin_routes, admin_nroutes, &p->parts);
    return p->admin ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
    static struct program p;

    p.options = (struct options){.listen = "127.0.0.1:0",
                                 .admin = "127.0.0.1:0",
                                 .client_id = CLIENT_ID,
                                 .client_secret = CLIENT_SECRET,
                                 .token_lifetime_ms = 3600000,
                                 .seed = 1};
    if (option_read(option_rows, NOPTIONS, &p.options, NULL, argc, argv)) {
        (void)fprintf(stderr, "pra-sim --help lists the options\n");
        return 2;
    }
    if (p.options.help) {
        help();
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    json_init();
    if (make_parts(&p)) {
        (void)fprintf(stderr, "pra-sim: out of memory or descriptors\n");
        return 1;
    }
    return run_program(&p);
}
