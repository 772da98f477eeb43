/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_gateway.c - see fake_gateway.h.
 */
#include "check.h"

#include "fake_gateway.h"

#include "base/log.h"
#include "base/metrics.h"
#include "loop/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

struct fake_broker fake_broker;
struct fake_site fake_site;
struct fake_clock fake_clock;
struct timers *fake_timers;
struct vault_state fake_vault_state, fake_second_state;
struct store_state fake_store_state;
int64_t fake_certificate_end, fake_crl_end;
struct gateway *fake_gateway;
struct conf fake_conf;

static struct conf_client clients[5];
static struct op *const some_op = (struct op *)&fake_broker;

static struct vault vault, second;

static void fake_state(const struct vault *v, struct vault_state *out)
{
    *out = v == &second ? fake_second_state : fake_vault_state;
}

static char vault_type[] = "password_safe";
static const struct vault_ops vault_ops = {.name = "fake", .state = fake_state};
static const char *const words[VAULT_NSTANDINGS] = {"unknown", "down", "refused", "up"};
static const struct vault_ops second_ops = {.name = "other", .state = fake_state, .standings = words};
static const struct conf_vault vault_conf = {.name = "main", .type = vault_type};
static const struct conf_vault second_conf = {.name = "second", .type = vault_type};
static struct vault vault = {.ops = &vault_ops, .conf = &vault_conf, .can = {.keys_are_unique = true}},
                    second = {.ops = &second_ops, .conf = &second_conf};

static void fake_store_tell(const struct store *s, struct store_state *out)
{
    (void)s;
    *out = fake_store_state;
}

static const struct store_ops store_ops = {.name = "fake", .state = fake_store_tell};
static struct store store = {&store_ops};

const struct clock *loop_clock(struct loop *loop)
{
    (void)loop;
    return &fake_clock.clock;
}

struct timers *loop_timers(struct loop *loop)
{
    (void)loop;
    return fake_timers;
}

double loop_lag_ms(struct loop *loop)
{
    (void)loop;
    return 1.5;
}

size_t http_connections(const struct http_server *server)
{
    (void)server;
    return 3;
}

void http_strangers(const struct http_server *server, struct http_strangers *out)
{
    (void)server;
    *out = (struct http_strangers){.connections = 2, .bytes = 512, .closed = {5, 7}};
}

size_t http_certificates(const struct http_server *server, struct http_certificate *out, size_t max)
{
    (void)server;
    assert_true(max >= 2);
    size_t n = 0;

    if (fake_certificate_end)
        out[n++] = (struct http_certificate){.kind = "listener", .name = "main", .end = fake_certificate_end};
    if (fake_crl_end)
        out[n++] = (struct http_certificate){
            .kind = "client_crl", .name = "main", .is_crl = true, .end = fake_crl_end};
    return n;
}

int64_t http_certificate_end(const struct http_server *server)
{
    (void)server;
    return fake_certificate_end;
}

void broker_state(const struct broker *broker, struct broker_state *out)
{
    (void)broker;
    *out = (struct broker_state){
        .leases_active = 2, .leases_retrying = 1, .oldest_overdue_ms = 4200, .steps_refused = 3};
}

void broker_count_keys(const struct broker *broker, const struct vault *of, struct key_counts *counts)
{
    (void)broker;
    assert_ptr_equal(of, &second);
    *counts = (struct key_counts){
        .held = 4, .returning = 3, .settling = 2, .overdue = 1, .spinning = 6, .spins = {7, 8, 9}};
}

uint64_t broker_partial_answers(const struct broker *broker, size_t place)
{
    (void)broker;
    return 5 + place;
}

void broker_leave(struct op *op)
{
    assert_ptr_equal(op, some_op);
    fake_broker.left++;
}

static struct op *keep(const char *what, const struct session *s, uint64_t timeout_ms, void *arg,
                       const char *more)
{
    struct fake_broker *b = &fake_broker;

    snprintf(b->what, sizeof(b->what), "%s", what);
    snprintf(b->asked, sizeof(b->asked), "%s|%s|%s|%d|%s|%s", s->id ? s->id : "-", s->username,
             s->domain ? s->domain : "-", (int)s->method, s->hostname ? s->hostname : "-", more);
    snprintf(b->origin, sizeof(b->origin), "%s|%s", s->client ? s->client : "-",
             s->request_id ? s->request_id : "-");
    b->calls++;
    b->timeout_ms = timeout_ms;
    b->arg = arg;
    return b->no_memory ? NULL : some_op;
}

struct op *broker_find(struct broker *b, const struct asked_by *a, find_done *done, void *arg)
{
    (void)b;
    fake_broker.found = done;
    return keep("find", &a->session, a->timeout_ms, arg, "");
}

struct op *broker_checkout(struct broker *b, const struct checkout_args *a, checkout_done *done, void *arg)
{
    char more[256];
    (void)b;
    fake_broker.checked_out = done;
    snprintf(more, sizeof(more), "%s|%" PRId64 "|%s|%" PRId64 "|%s|%d", a->credential_id, a->duration_minutes,
             a->reason ? a->reason : "-", a->ticket_system_id, a->ticket_number ? a->ticket_number : "-",
             a->prefer_ssh_key);
    return keep("checkout", &a->by.session, a->by.timeout_ms, arg, more);
}

struct op *broker_release(struct broker *b, const struct release_args *a, release_done *done, void *arg)
{
    (void)b;
    fake_broker.released = done;
    return keep("release", &a->by.session, a->by.timeout_ms, arg, a->credential_id ? a->credential_id : "-");
}

struct op *broker_session_started(struct broker *b, const struct started_args *a, session_started_done *done,
                                  void *arg)
{
    (void)b;
    fake_broker.told = done;
    return keep("started", &a->by.session, a->by.timeout_ms, arg, a->history_url ? a->history_url : "-");
}

struct op *broker_endpoints(struct broker *b, const struct endpoints_args *a, endpoints_done *done, void *arg)
{
    char more[256];
    (void)b;
    fake_broker.endpoints = done;
    snprintf(more, sizeof(more), "%d%d|%s|%" PRId64, a->rdp, a->shell, a->query, a->recent);
    return keep("endpoints", &a->by.session, a->by.timeout_ms, arg, more);
}

static const char *or_none(const char *text)
{
    return text ? text : "-";
}

/* Its store is its own. */
bool broker_is_shared(const struct broker *b)
{
    (void)b;
    return false;
}

struct op *broker_lease_page(struct broker *b, const struct lease_filter *filter, const char *cursor,
                             uint64_t timeout_ms, lease_page_done *done, void *arg)
{
    (void)b;
    (void)filter;
    (void)cursor;
    (void)timeout_ms;
    (void)done;
    (void)arg;
    fail_msg("no page of other gateways is asked for");
    return NULL;
}

void lease_page_rows(const struct lease_page_answer *a, void (*row)(void *arg, const struct lease_view *),
                     void *arg)
{
    (void)a;
    (void)row;
    (void)arg;
}

uint64_t broker_leases(struct broker *b, const struct lease_filter *f,
                       void (*row)(void *arg, const struct lease_view *), void *arg)
{
    (void)b;
    fake_broker.pages++;
    fake_broker.filter = *f;
    snprintf(fake_broker.filters, sizeof(fake_broker.filters), "%s|%s|%s", or_none(f->user),
             or_none(f->session), or_none(f->state));
    for (size_t i = 0; i < fake_broker.nleases && i < f->limit; i++)
        row(arg, &fake_broker.leases[i]);
    return fake_broker.next;
}

size_t broker_reconcile(struct broker *b, bool all_users)
{
    (void)b;
    return all_users ? 7 : 0;
}

void broker_pending(struct broker *b, const struct session *session,
                    void (*row)(void *arg, const struct lease_view *), void *arg)
{
    (void)b;
    (void)session;
    (void)row;
    (void)arg;
}

const struct explain_view *broker_explain(struct broker *b, const char *request_id)
{
    (void)b;
    (void)request_id;
    return fake_broker.explained;
}

struct op *broker_release_lease(struct broker *b, const char *lease_id, uint64_t timeout_ms,
                                release_done *done, void *arg)
{
    const struct session no_session = {.username = lease_id};
    (void)b;
    fake_broker.released = done;
    return keep("release_lease", &no_session, timeout_ms, arg, "");
}

struct op *broker_forget_lease(struct broker *b, const char *lease_id, uint64_t timeout_ms,
                               release_done *done, void *arg)
{
    const struct session no_session = {.username = lease_id};
    (void)b;
    fake_broker.released = done;
    return keep("forget_lease", &no_session, timeout_ms, arg, "");
}

struct op *broker_checkin_credential(struct broker *b, const char *credential_id, uint64_t timeout_ms,
                                     release_done *done, void *arg)
{
    const struct session no_session = {.username = credential_id};
    (void)b;
    fake_broker.released = done;
    return keep("checkin_credential", &no_session, timeout_ms, arg, "");
}

void broker_lease_person(struct broker *b, const char *lease_id, struct lease_person *out)
{
    (void)b;
    (void)lease_id;
    *out = fake_broker.lease_session.person;
}

bool broker_lease_session(struct broker *b, const char *lease_id, struct lease_session *out)
{
    (void)b;
    *out = fake_broker.lease_session;
    return strcmp(lease_id, "unknown") != 0;
}

struct op *broker_session_ended(struct broker *b, const struct session_ended_args *args,
                                session_ended_done *done, void *arg)
{
    const struct session site = {.username = args->lsid};

    (void)b;
    fake_broker.session_ended = done;
    return keep("session_ended", &site, args->timeout_ms, arg, args->site);
}

/* ---- the site ---- */

void pra_site_event(struct pra_site *site, enum pra_event_kind kind, enum pra_event_outcome outcome)
{
    (void)site;
    fake_site.events[kind][outcome]++;
}

void pra_site_count_ended(struct pra_site *site, enum pra_end_source source, size_t leases)
{
    (void)site;
    fake_site.ended[source] += leases;
}

void pra_site_view(const struct pra_site *site, struct pra_site_view *out)
{
    (void)site;
    *out = fake_site.view;
}

int pra_site_terminate(struct pra_site *site, struct pra_termination *t)
{
    (void)site;
    fake_site.termination = t;
    return fake_site.no_memory ? -ENOMEM : 0;
}

static void fill_client(struct conf_client *c, const char *name, unsigned allow, double rate)
{
    unsigned len;
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->has_token = true;
    c->peer_uid = -1;
    c->allow = allow;
    c->rate_per_s = rate;
    const char *token = strcmp(name, "pra") ? name : "tok";
    assert_int_equal(EVP_Digest(token, strlen(token), c->token_sha256, &len, EVP_sha256(), NULL), 1);
}

static struct conf_pra site_conf;
static struct conf_listener listeners[2];

static void fill_site(void)
{
    unsigned len;

    memset(listeners, 0, sizeof(listeners));
    snprintf(listeners[0].name, sizeof(listeners[0].name), "main");
    snprintf(listeners[1].name, sizeof(listeners[1].name), "events");
    listeners[1].routes = ROUTES_EVENTS;
    site_conf = (struct conf_pra){.name = "site", .call_timeout_ms = 10000, .terminate = true};
    site_conf.events_token.n = 1;
    assert_int_equal(EVP_Digest("event", 5, site_conf.events_token.sha256[0], &len, EVP_sha256(), NULL), 1);
    fake_conf.pras = &site_conf;
    fake_conf.npras = 1;
    fake_conf.listeners = listeners;
    fake_conf.nlisteners = 2;
    fake_site.view = (struct pra_site_view){.name = "site"};
}

static int set_up(struct store *with, bool site, size_t nvaults)
{
    static struct vault *const vaults[] = {&vault, &second};
    struct gateway_opts opts = {.conf = &fake_conf,
                                .vaults = vaults,
                                .nvaults = nvaults,
                                .store = with,
                                .site = site ? (struct pra_site *)&fake_site : NULL};

    (void)log_open(&(struct log_opts){.level = LOG_DEBUG, .file = "/dev/null"});
    memset(clients, 0, sizeof(clients));
    fill_client(&clients[0], "pra", PERMIT_BROKER | PERMIT_OBSERVE, 0);
    fill_client(&clients[1], "eye", PERMIT_OBSERVE, 0);
    fill_client(&clients[2], "slow", PERMIT_BROKER, 1);
    fill_client(&clients[3], "ops", PERMIT_OPERATE, 0);
    fill_client(&clients[4], "both", PERMIT_OPERATE | PERMIT_OBSERVE, 0);
    fake_conf = (struct conf){.clients = clients, .nclients = 5, .digest = "d1"};
    fake_conf.gateway.max_body = 2048;
    fake_conf.gateway.last_errors = 10;
    fake_conf.gateway.max_inflight = 2;
    fake_conf.gateway.request_timeout_ms = SECONDS(15);
    fake_broker = (struct fake_broker){.calls = 0};
    memset(&fake_site, 0, sizeof(fake_site));
    if (site)
        fill_site();
    fake_vault_state = (struct vault_state){.reachable = true, .known = true, .last_success_age_ms = 5};
    fake_second_state = fake_vault_state;
    fake_store_state = (struct store_state){.writable = true};
    fake_certificate_end = fake_crl_end = 0;
    fake_answers = 0;
    fake_clock_init(&fake_clock);
    fake_timers = timers_new(&fake_clock.clock);
    if (!fake_timers)
        return -1;
    fake_gateway = gateway_new(&opts);
    if (!fake_gateway)
        return -1;
    gateway_set_server(fake_gateway, (struct http_server *)&fake_broker);
    return 0;
}

int fake_gateway_setup(void **state)
{
    (void)state;
    return set_up(NULL, false, 1);
}

int fake_gateway_setup_two(void **state)
{
    (void)state;
    return set_up(NULL, false, 2);
}

int fake_gateway_setup_store(void **state)
{
    (void)state;
    return set_up(&store, false, 1);
}

int fake_gateway_setup_site(void **state)
{
    static struct pra_call_counts counts[PRA_NCALLS];

    (void)state;
    int err = set_up(NULL, true, 1);

    fake_site.view.counts = counts;
    return err;
}

int fake_gateway_teardown(void **state)
{
    (void)state;
    metric_unregister_all();
    gateway_end_terminations(fake_gateway);
    gateway_free(fake_gateway);
    timers_free(fake_timers);
    return 0;
}

void send_request(struct fake_req *f)
{
    const struct http_app *app = gateway_app(fake_gateway);
    f->req.started_ms = fake_clock.now;
    if (app->head(app->arg, &f->req) >= 0)
        app->message(app->arg, &f->req);
}

void start_request(struct fake_req *f, const char *path, const char *body)
{
    fake_req_init(f, body ? HTTP_POST_ : HTTP_GET_, path);
    fake_req_header(f, "Authorization", "Bearer tok");
    fake_req_header(f, "X-Request-Id", "r-1");
    if (body)
        fake_req_json(f, body);
    send_request(f);
}

void cancel_request(struct fake_req *f)
{
    const struct http_app *app = gateway_app(fake_gateway);
    app->gone(app->arg, &f->req);
}
