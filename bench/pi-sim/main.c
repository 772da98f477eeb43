/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - pi-sim: options, data, listeners, until a signal.
 *
 * Standard output names the addresses (`listening listener=api address=…`, the same for admin, `ready`), so
 * that a test that chose port 0 can find them. SIGTERM and SIGINT end the program: both servers close, the
 * loop runs out, and the exit code is 0 only if nothing was left open.
 */
#include "base/container_of.h"
#include "base/json.h"
#include "pi-sim/admin_routes.h"
#include "pi-sim/entries.h"
#include "sim/options.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define IDENTITY "svc-gateway"

struct options {
    const char *listen, *admin;
    const char *certificate, *key, *client_ca;
    const char *password_file, *scenario;
    uint64_t seed, stored, shared;
    uint64_t token_life_ms, token_idle_ms, checkout_life_ms, change_delay_ms;
    uint64_t latency_ms, jitter_ms, idle_timeout_ms;
    struct option_list knobs, faults;
    bool tls12, empty, help;
};

static const struct option_row option_rows[] = {
#define AT(member) offsetof(struct options, member)
    {"listen", OPTION_TEXT, AT(listen), "HOST:PORT", "web service listener (127.0.0.1:0)"},
    {"admin", OPTION_TEXT, AT(admin), "HOST:PORT", "admin listener, plain HTTP (127.0.0.1:0)"},
    {"certificate", OPTION_TEXT, AT(certificate), "FILE", "PEM certificate: the service speaks TLS"},
    {"key", OPTION_TEXT, AT(key), "FILE", "PEM key of the certificate"},
    {"client-ca", OPTION_TEXT, AT(client_ca), "FILE", "client certificates of this CA are required"},
    {"tls12", OPTION_FLAG, AT(tls12), NULL, "TLS 1.2 at most"},
    {"empty", OPTION_FLAG, AT(empty), NULL, "without the built-in data"},
    {"scenario", OPTION_TEXT, AT(scenario), "FILE", "data from a JSON file (docs/pi-simulator.md)"},
    {"password-file", OPTION_TEXT, AT(password_file), "FILE",
     "password of " IDENTITY " (Wheel+of/fortune=9)"},
    {"stored", OPTION_COUNT, AT(stored), "N", "stored credentials srv1, srv2, ... with account admin (0)"},
    {"shared", OPTION_COUNT, AT(shared), "N", "credentials pool1, pool2, ... of the shared list Pool (0)"},
    {"seed", OPTION_COUNT, AT(seed), "N", "of passwords and of chance (1)"},
    {"token-life", OPTION_TIME, AT(token_life_ms), "TIME", "of a token; 0 = without end (30m)"},
    {"token-idle", OPTION_TIME, AT(token_idle_ms), "TIME", "of a token that is not used; 0 = any (20m)"},
    {"checkout-life", OPTION_TIME, AT(checkout_life_ms), "TIME",
     "the vault's own end of a check-out; 0 = none (0)"},
    {"change-delay", OPTION_TIME, AT(change_delay_ms), "TIME",
     "until a password that changes later changed (2s)"},
    {"latency", OPTION_TIME, AT(latency_ms), "TIME", "of every call (0)"},
    {"jitter", OPTION_TIME, AT(jitter_ms), "TIME", "chance on top of it (0)"},
    {"idle-timeout", OPTION_TIME, AT(idle_timeout_ms), "TIME", "idle connections are closed (120s)"},
    {"knob", OPTION_LIST, AT(knobs), "NAME=VALUE", "one behaviour of the vault, see below; repeatable"},
    {"fault", OPTION_LIST, AT(faults), "JSON", "a fault rule (docs/pi-simulator.md); repeatable"},
    {"help", OPTION_FLAG, AT(help), NULL, "this text"},
#undef AT
};
#define NOPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

struct program {
    struct options options;
    struct loop *loop;
    struct server *server;
    struct admin *admin;
    struct loop_hook ending;
    bool stopping;
};

static void help(void)
{
    struct buf knobs = BUF_INIT(32768);

    printf("pi-sim: a simulator of Privileged Identity's web service for tests and demos.\n\n");
    option_help(option_rows, NOPTIONS);
    knob_help(&pi_knobs, &knobs);
    printf("\nKnobs:\n%s", buf_cstr(&knobs));
    buf_free(&knobs);
}

/* ---- data ---- */

static int complain(const char *what, const struct buf *why, int rc)
{
    if (rc)
        (void)fprintf(stderr, "pi-sim: %s: %.*s\n", what, (int)why->len, why->data ? why->data : "wrong");
    return rc;
}

static int set_password(struct program *p)
{
    struct identity *i = vault_identity(p->server->vault, IDENTITY, NULL);
    int rc = i ? secret_read_file(&i->password, p->options.password_file, 4096) : -ENOENT;

    if (rc)
        (void)fprintf(stderr, "pi-sim: cannot set the password of %s: %s\n", IDENTITY, strerror(-rc));
    return rc;
}

static int load_data(struct program *p)
{
    const struct options *o = &p->options;
    struct vault *v = p->server->vault;
    struct buf why = BUF_INIT(4096);
    int rc = o->empty ? 0 : entries_load_fixture(v, &why);

    if (!rc)
        rc = entries_generate(v, o->stored, o->shared);
    if (!rc && o->scenario)
        rc = lists_load_file(&entries_lists, v, o->scenario, &why);
    rc = complain("data", &why, rc);
    buf_free(&why);
    if (!rc && o->password_file)
        rc = set_password(p);
    return rc;
}

static int set_behaviour(struct program *p)
{
    const struct options *o = &p->options;
    struct server *s = p->server;
    struct buf why = BUF_INIT(4096);
    int rc = 0;

    for (size_t i = 0; i < o->knobs.n && !rc; i++)
        rc = knob_set_text(&pi_knobs, s->vault->settings.knob, o->knobs.text[i]);
    if (rc)
        (void)buf_str(&why, "one has no such value, see --help");
    for (size_t i = 0; i < o->faults.n && !rc; i++)
        rc = fault_injection_add_text(&s->fault_injection, o->faults.text[i], &why);
    rc = complain("knobs and faults", &why, rc);
    buf_free(&why);
    return rc;
}

static void set_numbers(struct program *p)
{
    const struct options *o = &p->options;
    struct vault_settings *v = &p->server->vault->settings;

    v->seed = o->seed;
    v->token_life_ms = o->token_life_ms;
    v->token_idle_ms = o->token_idle_ms;
    v->checkout_life_ms = o->checkout_life_ms;
    v->change_delay_ms = o->change_delay_ms;
    v->require_certificate = o->client_ca != NULL;
    p->server->latency_ms = o->latency_ms;
    p->server->jitter_ms = o->jitter_ms;
    p->server->fault_injection.random = o->seed;
}

static int open_listeners(struct program *p)
{
    const struct options *o = &p->options;
    char address[128];
    struct http_tls_opts tls = {.certificate = o->certificate,
                                .key = o->key,
                                .client_ca = o->client_ca,
                                .ask_late = p->server->vault->settings.knob[KNOB_CLIENT_CERTIFICATE] != 0,
                                .max_version = o->tls12 ? TLS1_2_VERSION : 0};
    int rc = option_listen(p->server->http, "api", o->listen, o->certificate ? &tls : NULL, address);

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

    if (p->server->closed && !admin_http(p->admin))
        loop_stop(p->loop);
}

static void stop(struct program *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    loop_on_iteration(p->loop, &p->ending);
    server_close(p->server);
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
    set_numbers(p);
    if (load_data(p) || set_behaviour(p))
        return -EINVAL;
    return open_listeners(p);
}

static int run_program(struct program *p)
{
    int rc = start(p), left;

    if (rc)
        stop(p);
    left = loop_run(p->loop);
    loop_off_iteration(p->loop, &p->ending);
    server_free(p->server);
    admin_free(p->admin);
    if (loop_free(p->loop))
        left = -EBUSY;
    return rc || left < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct program p;

    p.options = (struct options){.listen = "127.0.0.1:0",
                                 .admin = "127.0.0.1:0",
                                 .seed = 1,
                                 .token_life_ms = 30 * 60000,
                                 .token_idle_ms = 20 * 60000,
                                 .change_delay_ms = 2000,
                                 .idle_timeout_ms = 120000};
    if (option_read(option_rows, NOPTIONS, &p.options, NULL, argc, argv)) {
        (void)fprintf(stderr, "pi-sim --help lists the options\n");
        return 2;
    }
    if (p.options.help) {
        help();
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    json_init();
    p.loop = loop_new();
    if (p.loop)
        p.server = server_new(p.loop, p.options.idle_timeout_ms);
    if (p.server)
        p.admin = admin_new(p.loop, admin_routes, admin_nroutes, p.server);
    if (!p.admin) {
        (void)fprintf(stderr, "pi-sim: out of memory or descriptors\n");
        return 1;
    }
    return run_program(&p);
}
