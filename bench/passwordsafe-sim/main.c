/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - passwordsafe-sim: options, data, listeners, until a signal.
 *
 * Standard output names the addresses (`listening listener=api address=…`, the same for admin, `ready`), so
 * that a test that chose port 0 can find them. SIGTERM and SIGINT end the program: both servers close, the
 * loop runs out, and the exit code is 0 only if nothing was left open.
 */
#include "base/container_of.h"
#include "base/json.h"
#include "passwordsafe-sim/admin_routes.h"
#include "passwordsafe-sim/options.h"
#include "passwordsafe-sim/scenario.h"
#include "passwordsafe-sim/sessions.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct program {
    struct options options;
    struct loop *loop;
    struct server *server;
    struct admin *admin;
    struct loop_hook ending;
    bool stopping;
};

static void complain(const char *what, const struct buf *why)
{
    (void)fprintf(stderr, "passwordsafe-sim: %s: %.*s\n", what, (int)why->len, why->data ? why->data : "");
}

/* ---- data ---- */

static int add_oauth(struct model *m, const char *text)
{
    const char *colon = strchr(text, ':');
    char id[128];
    struct model_user *u;
    struct model_group *group = model_group(m, 9001);

    if (!group)
        group = model_group(m, 1);
    if (!colon || (size_t)(colon - text) >= sizeof(id))
        return -EINVAL;
    (void)snprintf(id, sizeof(id), "%.*s", (int)(colon - text), text);
    u = model_add_user(m, 9999, "oauth-client");
    if (!u || !group || vec_push(&u->groups, group))
        return -ENOMEM;
    u->application = true;
    return sessions_add_client(m, id, colon + 1, u, NULL);
}

static int apply_settings(struct program *p)
{
    static const char *const rules[] = {
        NULL,
        "{\"action\":\"html500\",\"probability\":0.1}",
        "{\"action\":\"unavailable\",\"probability\":0.1}",
        "{\"action\":\"throttle\",\"probability\":0.1}",
        "{\"action\":\"latency\",\"latency_ms\":5000,\"probability\":0.1}",
        "{\"action\":\"drop_after\",\"probability\":0.1}",
    };
    struct settings *k = &p->server->model->settings.settings;
    struct buf why = BUF_INIT(1024);
    int rc = 0;

    for (size_t i = 0; i < p->options.settings.n && !rc; i++)
        rc = settings_set(k, p->options.settings.text[i]);
    if (rc)
        (void)buf_str(&why, "a setting has no such value, see --help");
    for (size_t i = 0; i < p->options.faults.n && !rc; i++)
        rc = fault_injection_add_text(&p->server->fault_injection, p->options.faults.text[i], &why);
    if (!rc && k->value[SETTING_FAULTS])
        rc = fault_injection_add_text(&p->server->fault_injection, rules[k->value[SETTING_FAULTS]], &why);
    if (rc)
        complain("settings and faults", &why);
    buf_free(&why);
    return rc;
}

static int load_data(struct program *p)
{
    struct options *o = &p->options;
    struct model *m = p->server->model;
    struct buf why = BUF_INIT(4096);
    int rc = 0;

    o->generate.mfa = o->require_mfa;
    if (o->fixture)
        rc = scenario_load_fixture(m, o->fixture, &why);
    if (!rc && (o->generate_given || (!o->fixture && !o->scenario)))
        rc = generate(m, &o->generate);
    if (!rc && o->scenario)
        rc = scenario_load_file(m, o->scenario, &why);
    if (!rc && o->oauth_client)
        rc = add_oauth(m, o->oauth_client);
    if (rc)
        complain("data", &why);
    buf_free(&why);
    return rc;
}

static int settings(struct program *p)
{
    const struct options *o = &p->options;
    struct model_settings *s = &p->server->model->settings;
    int rc;

    s->minute_ms = o->minute_ms;
    s->session_idle_ms = o->session_idle_ms;
    s->rotation_delay_ms = o->rotation_delay_ms;
    s->seed = o->seed;
    s->require_password = o->require_password;
    s->require_mfa = o->require_mfa;
    s->require_certificate = o->client_ca != NULL;
    s->verification_cookie = o->verification_cookie;
    p->server->latency_ms = o->latency_ms;
    p->server->jitter_ms = o->jitter_ms;
    p->server->fault_injection.random = o->seed;
    rc = o->api_key_file ? secret_read_file(&s->api_key, o->api_key_file, 4096)
                         : secret_set(&s->api_key, o->api_key, strlen(o->api_key));
    if (rc)
        (void)fprintf(stderr, "passwordsafe-sim: cannot read the API key: %s\n", strerror(-rc));
    return rc;
}

/* ---- listeners ---- */

static int open_listeners(struct program *p)
{
    const struct options *o = &p->options;
    char address[128];
    struct http_tls_opts tls = {
        .certificate = o->certificate,
        .key = o->key,
        .client_ca = o->client_ca,
        .ask_late = p->server->model->settings.settings.value[SETTING_LATE_CERTIFICATE] != 0,
        .max_version = o->tls12 ? TLS1_2_VERSION : 0,
    };
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
    if (settings(p) || load_data(p) || apply_settings(p))
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
    struct program p = {0};

    if (options_read(&p.options, argc, argv)) {
        (void)fprintf(stderr, "passwordsafe-sim --help tells the options\n");
        return 2;
    }
    if (p.options.help) {
        options_help();
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
        (void)fprintf(stderr, "passwordsafe-sim: out of memory or descriptors\n");
        return 1;
    }
    return run_program(&p);
}
