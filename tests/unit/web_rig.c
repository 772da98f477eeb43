/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web_rig.c - the web of session reports over a real database; see web_rig.h.
 */
#include "web_rig.h"

#include "base/container_of.h"
#include "base/digest.h"
#include "base/log.h"
#include "reports/collect/collect.h"
#include "secrets_gone.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ROUNDS 60000

/* ---- the database, whose steps can be held ---- */

/* A connection belongs to one thread, so that a step knows its own. */
struct gated_connection {
    struct db *db; /* NULL = free */
    bool interrupted;
    bool passes; /* its statement is the web's own look at the sites, which no test waits for */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool hold, deaf;
    unsigned waiting, fail_after;
    struct gated_connection connections[16];
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local struct gated_connection *mine;
static struct db_ops gated;
static struct dialect server_dialect; /* in place of SQLite's where it has a text */

/* With the lock. */
static struct gated_connection *connection_of(const struct db *db)
{
    for (size_t i = 0; i < sizeof(gate.connections) / sizeof(gate.connections[0]); i++)
        if (gate.connections[i].db == db)
            return &gate.connections[i];
    fail_msg("the rig has no connection of this kind");
    return NULL;
}

static enum db_outcome gated_open(const struct db_params *params, struct db **db, struct db_error *error)
{
    enum db_outcome outcome = db_sqlite.open(params, db, error);

    if (outcome != DB_OK)
        return outcome;
    (*db)->ops = &gated;
    if (server_dialect.bytes)
        (*db)->dialect = &server_dialect;
    (void)pthread_mutex_lock(&gate.lock);
    mine = connection_of(NULL);
    *mine = (struct gated_connection){.db = *db};
    (void)pthread_mutex_unlock(&gate.lock);
    return outcome;
}

static void gated_close(struct db *db)
{
    if (!db)
        return;
    (void)pthread_mutex_lock(&gate.lock);
    connection_of(db)->db = NULL;
    (void)pthread_mutex_unlock(&gate.lock);
    db_sqlite.close(db);
}

static enum db_outcome gated_prepare(struct db *db, const char *sql, struct db_stmt **stmt)
{
    (void)pthread_mutex_lock(&gate.lock);
    mine->passes = strstr(sql, "FROM \"jg_site\"") != NULL;
    (void)pthread_mutex_unlock(&gate.lock);
    return db_sqlite.prepare(db, sql, stmt);
}

static enum db_outcome gated_step(struct db_stmt *s)
{
    bool fails = false;

    (void)pthread_mutex_lock(&gate.lock);
    while (gate.hold && !mine->interrupted && !mine->passes) {
        gate.waiting++;
        (void)pthread_cond_wait(&gate.wake, &gate.lock);
        gate.waiting--;
    }
    if (gate.fail_after && !mine->passes)
        fails = --gate.fail_after == 0;
    (void)pthread_mutex_unlock(&gate.lock);
    return fails ? DB_AWAY : db_sqlite.step(s);
}

static void mark_interrupted(const struct db *db, bool interrupted)
{
    (void)pthread_mutex_lock(&gate.lock);
    connection_of(db)->interrupted = interrupted;
    (void)pthread_cond_broadcast(&gate.wake);
    (void)pthread_mutex_unlock(&gate.lock);
}

static void gated_interrupt(struct db *db)
{
    (void)pthread_mutex_lock(&gate.lock);
    bool deaf = gate.deaf;
    (void)pthread_mutex_unlock(&gate.lock);
    if (deaf)
        return;
    db_sqlite.interrupt(db);
    mark_interrupted(db, true);
}

static void gated_resume(struct db *db)
{
    mark_interrupted(db, false);
    db_sqlite.resume(db);
}

void web_rig_deafen_database(bool deaf)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.deaf = deaf;
    (void)pthread_mutex_unlock(&gate.lock);
}

void web_rig_hold_database(bool hold)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.hold = hold;
    (void)pthread_cond_broadcast(&gate.wake);
    (void)pthread_mutex_unlock(&gate.lock);
}

void web_rig_fail_database(unsigned after_steps)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.fail_after = after_steps;
    (void)pthread_mutex_unlock(&gate.lock);
}

void web_rig_server(struct web_rig *rig, const char *bytes)
{
    rig->conf.database.type = REPORTS_POSTGRESQL;
    server_dialect = *dialect_of(DB_SQLITE);
    server_dialect.bytes = bytes;
}

unsigned web_rig_database_held(void)
{
    unsigned held;

    (void)pthread_mutex_lock(&gate.lock);
    held = gate.waiting;
    (void)pthread_mutex_unlock(&gate.lock);
    return held;
}

/* ---- the audit sink ---- */

static void deliver(struct web_rig *rig, int err)
{
    for (size_t i = 0; i < 16; i++) {
        struct audit_wait *wait = rig->trail.waits[i];

        rig->trail.waits[i] = NULL;
        if (wait)
            wait->done(wait, err);
    }
}

static void on_deliver(struct deadline *deadline)
{
    struct web_rig *rig = CONTAINER_OF(deadline, struct web_rig, trail.deliver);

    if (!rig->trail.held)
        deliver(rig, rig->trail.down ? -EIO : 0);
}

static int trail_put(struct audit_sink *sink, const char *members, size_t n, unsigned flags,
                     struct audit_wait *wait)
{
    struct web_rig *rig = CONTAINER_OF(sink, struct web_rig, audit);

    assert_memory_equal(members, "\"event\":", 8);
    assert_true(n < AUDIT_MEMBERS_MAX);
    if (!rig->trail.down || flags & AUDIT_KEEP) {
        rig->trail.text = realloc(rig->trail.text, rig->trail.n + n + 2);
        assert_non_null(rig->trail.text);
        memcpy(rig->trail.text + rig->trail.n, members, n);
        memcpy(rig->trail.text + rig->trail.n + n, "\n", 2);
        rig->trail.n += n + 1;
    }
    for (size_t i = 0; wait; i++) {
        assert_in_range(i, 0, 15);
        if (rig->trail.waits[i])
            continue;
        rig->trail.waits[i] = wait;
        break;
    }
    if (wait)
        assert_int_equal(timer_start(loop_timers(rig->http.loop), &rig->trail.deliver, 0, on_deliver), 0);
    return 0;
}

static void trail_forget(struct audit_sink *sink, struct audit_wait *wait)
{
    struct web_rig *rig = CONTAINER_OF(sink, struct web_rig, audit);

    for (size_t i = 0; i < 16; i++)
        if (rig->trail.waits[i] == wait)
            rig->trail.waits[i] = NULL;
}

static void trail_state(struct audit_sink *sink, struct audit_state *state)
{
    struct web_rig *rig = CONTAINER_OF(sink, struct web_rig, audit);

    *state = (struct audit_state){.writable = !rig->trail.down, .why = "disk full"};
}

unsigned web_rig_records(const struct web_rig *rig, const char *text)
{
    unsigned n = 0;

    for (const char *at = rig->trail.text; at && (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

void web_rig_forget_records(struct web_rig *rig)
{
    rig->trail.n = 0;
    if (rig->trail.text)
        rig->trail.text[0] = '\0';
}

/* ---- the rig ---- */

static uint64_t rig_now(void *arg)
{
    return ((struct web_rig *)arg)->http.now;
}

static int64_t rig_wall(void *arg)
{
    return ((struct web_rig *)arg)->wall_ms;
}

static void fill_store(struct web_rig *rig)
{
    rig_make(&rig->store);
    assert_true(rig_open(&rig->store, false));
    for (int64_t i = 0; i < WEB_SESSIONS; i++) {
        struct record_arena arena = {0};
        struct rig_session of = {
            .number = i + 1, .start = RIG_T0 + i * 600, .end = RIG_T0 + i * 600 + 300, .variant = 1};

        (void)rig_store(&rig->store, rig_session(&arena, &of), STORE_CLOSED, RIG_T0 + i * 600 + 400);
        record_arena_free(&arena);
    }
}

static void fill_users(struct web_rig *rig)
{
    static const struct {
        const char *name;
        unsigned allow;
        bool enabled;
    } rows[] = {
        {"ann", REPORTS_VIEW | REPORTS_EXPORT | REPORTS_RECORDINGS | REPORTS_ADMIN, true},
        {"bob", REPORTS_VIEW, true},
        {"eve", REPORTS_VIEW | REPORTS_EXPORT, true},
        {"off", REPORTS_VIEW, false},
    };

    for (size_t i = 0; i < 4; i++) {
        snprintf(rig->users[i].name, sizeof(rig->users[i].name), "%s", rows[i].name);
        rig->users[i].password = strdup(PASSWORD_TEXT);
        rig->users[i].allow = rows[i].allow;
        rig->users[i].enabled = rows[i].enabled;
    }
    rig->two[0] = strdup("two");
    rig->users[2].sites = (struct conf_list){.item = rig->two, .n = 1};
    rig->conf.users = rig->users;
    rig->conf.nusers = 4;
}

static void fill_reader(struct reports_reader *r, const char *name, const char *token, unsigned allow)
{
    snprintf(r->name, sizeof(r->name), "%s", name);
    assert_int_equal(digest_sha256(token, strlen(token), r->token.sha256[0]), 0);
    r->token.n = 1;
    r->allow = allow;
}

static void fill_sites(struct web_rig *rig)
{
    static const char *const names[] = {"one", "two"};
    static const char *const hosts[] = {RIG_HOST, "two.example.com"};

    for (size_t i = 0; i < 2; i++) {
        snprintf(rig->sites[i].name, sizeof(rig->sites[i].name), "%s", names[i]);
        rig->sites[i].host_name = strdup(hosts[i]);
        rig->sites[i].url = strdup(i ? "https://two.example.com" : "https://" RIG_HOST);
        rig->sites[i].enabled = true;
    }
    rig->conf.sites = rig->sites;
    rig->conf.nsites = 2;
}

/* Lines of requests say nothing here: JG_LOG=1 shows them. */
static void log_quiet(void)
{
    const struct log_opts opts = {.level = getenv("JG_LOG") ? LOG_DEBUG : LOG_ERROR, .file = "-"};

    assert_int_equal(log_open(&opts), 0);
}

void web_rig_init(struct web_rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    log_quiet();
    web_rig_hold_database(false);
    web_rig_fail_database(0);
    gated = db_sqlite;
    server_dialect.bytes = NULL;
    gated.open = gated_open;
    gated.close = gated_close;
    gated.prepare = gated_prepare;
    gated.step = gated_step;
    gated.interrupt = gated_interrupt;
    gated.resume = gated_resume;
    rig->http.now = 1000000;
    rig->busy_ms = 2000;
    rig->wall_ms = (int64_t)(RIG_T0 + 86400) * 1000;
    rig->http.clock = (struct clock){.now_ms = rig_now, .wall_ms = rig_wall, .arg = rig};
    rig->http.loop = loop_new_clock(&rig->http.clock);
    assert_non_null(rig->http.loop);
    fill_store(rig);
    fill_sites(rig);
    fill_users(rig);
    fill_reader(&rig->readers[0], "siem", "feed-token", REPORTS_FEED);
    fill_reader(&rig->readers[1], "prometheus", "other-token", REPORTS_OBSERVE);
    rig->conf.readers = rig->readers;
    rig->conf.nreaders = 2;
    rig->conf.reports = (struct reports_main){.time_zone = (char *)(uintptr_t) "UTC",
                                              .late_release_ms = MINUTES(5),
                                              .unmatched_after_ms = HOURS(1),
                                              .query_timeout_ms = SECONDS(10),
                                              .export_timeout_ms = MINUTES(10),
                                              .drain_timeout_ms = SECONDS(10),
                                              .readers = 2};
    rig->conf.database.path = rig->store.path;
    tls_file("server", ".crt", rig->certificate);
    tls_file("server", ".key", rig->key);
    rig->conf.web = (struct reports_web){
        .address = {.text = (char *)(uintptr_t) "0.0.0.0:0", .host = (char *)(uintptr_t) "0.0.0.0"},
        .tls_certificate = rig->certificate,
        .tls_key = rig->key,
        .public_url = (char *)(uintptr_t) "https://reports.example.com",
        .session_idle_ms = MINUTES(30),
        .session_max_ms = HOURS(12),
        .sign_in_attempts = 3,
        .lock_out_ms = MINUTES(15)};
}

void web_rig_start(struct web_rig *rig)
{
    static const struct audit_sink_ops ops = {.put = trail_put, .forget = trail_forget, .state = trail_state};
    struct db_params reader = {.path = rig->store.path, .read_only = true, .cache_kib = 512};
    struct db_params writer = {.path = rig->store.path, .full_sync = true, .busy_ms = rig->busy_ms};
    char why[256];

    rig->audit.ops = &ops;
    rig->web = web_open(&(struct web_opts){.loop = rig->http.loop,
                                           .conf = &rig->conf,
                                           .db = &gated,
                                           .reader = &reader,
                                           .writer = &writer,
                                           .audit = &rig->audit},
                        rig->http.address, why);
    if (!rig->web)
        fail_msg("%s", why);
    memcpy(rig->http.address, "127.0.0.1", 7); /* 0.0.0.0:PORT: 127.x.y.z is any client's own choice */
    char port[16];
    snprintf(port, sizeof(port), "%s", strrchr(rig->http.address, ':') + 1);
    snprintf(rig->http.address, sizeof(rig->http.address), "127.0.0.1:%s", port);
}

static void on_closed(void *arg)
{
    ((struct web_rig *)arg)->closed = true;
}

void web_rig_close(struct web_rig *rig)
{
    web_close(rig->web, on_closed, rig);
    rig->web = NULL;
}

void web_rig_end(struct web_rig *rig)
{
    web_rig_deafen_database(false);
    web_rig_hold_database(false);
    if (rig->web)
        web_rig_close(rig);
    for (int i = 0; i < MAX_ROUNDS && !rig->closed; i++)
        rig_iterate_n(&rig->http, 1);
    assert_true(rig->closed);
    timer_stop(loop_timers(rig->http.loop), &rig->trail.deliver);
    for (size_t i = 0; i < 16; i++)
        assert_null(rig->trail.waits[i]);
    assert_int_equal(loop_free(rig->http.loop), 0);
    for (size_t i = 0; i < 4; i++) {
        free(rig->users[i].password);
        free(rig->users[i].certificate_san);
    }
    for (size_t i = 0; i < 2; i++) {
        free(rig->sites[i].host_name);
        free(rig->sites[i].url);
    }
    free(rig->two[0]);
    free(rig->trail.text);
    rig_remove(&rig->store);
    assert_secrets_gone();
}

void web_rig_advance(struct web_rig *rig, uint64_t ms)
{
    rig_iterate_n(&rig->http, 2);
    rig->http.now += ms;
    rig->wall_ms += (int64_t)ms;
    rig_iterate_n(&rig->http, 2);
}

/* ---- browsers ---- */

/* Set, the buffers do not grow: a large answer does not fit into them. The server's end is in this process.
 */
static void narrow_sockets(const struct browser *b)
{
    const int *size = &b->rig->socket_bytes;
    struct sockaddr_in client, peer;
    socklen_t n = sizeof(client);
    unsigned found = 0;

    assert_int_equal(setsockopt(b->client.fd, SOL_SOCKET, SO_RCVBUF, size, sizeof(*size)), 0);
    assert_int_equal(getsockname(b->client.fd, (struct sockaddr *)&client, &n), 0);
    for (int fd = 0; fd < 256; fd++) {
        n = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &n) || peer.sin_port != client.sin_port)
            continue;
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, size, sizeof(*size)), 0);
        found++;
    }
    assert_int_equal(found, 1);
}

void browser_open(struct browser *b, struct web_rig *rig)
{
    char path[TLS_FILES_PATH];

    b->rig = rig;
    client_open_from(&b->client, &rig->http, rig->source);
    b->client.ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(b->client.ctx);
    if (rig->client_cert) {
        assert_int_equal(SSL_CTX_use_certificate_file(b->client.ctx, tls_file(rig->client_cert, ".crt", path),
                                                      SSL_FILETYPE_PEM),
                         1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(b->client.ctx, tls_file(rig->client_cert, ".key", path),
                                                     SSL_FILETYPE_PEM),
                         1);
    }
    b->client.ssl = SSL_new(b->client.ctx);
    assert_non_null(b->client.ssl);
    assert_int_equal(SSL_set_fd(b->client.ssl, b->client.fd), 1);
    for (int i = 0; i < MAX_ROUNDS && SSL_connect(b->client.ssl) != 1; i++)
        rig_iterate_n(&rig->http, 1);
    assert_true(SSL_is_init_finished(b->client.ssl));
    if (rig->socket_bytes)
        narrow_sockets(b);
}

void browser_close(struct browser *b)
{
    client_close(&b->client);
}

void browser_send(struct browser *b, const char *bytes)
{
    for (int i = 0; i < 2; i++)
        client_poll(&b->client); /* has the server closed it? */
    if (b->client.eof || b->client.reset || b->closes) {
        browser_close(b);
        browser_open(b, b->rig);
    }
    b->closes = false;
    client_forget(&b->client);
    client_send(&b->client, bytes);
}

/* Takes the chunks apart; false = the last one is not there. */
static bool unchunk(const char *from, const char *end, struct answer *a)
{
    for (;;) {
        char *after;
        size_t n = strtoul(from, &after, 16);

        if (after == from || after + 2 > end || (size_t)(end - after - 2) < n + 2)
            return false;
        if (!n)
            return true;
        assert_true(a->len + n < sizeof(a->body));
        memcpy(a->body + a->len, after + 2, n);
        a->len += n;
        from = after + 2 + n + 2;
    }
}

static bool take(struct browser *b, struct answer *a, bool head_only)
{
    const struct client *c = &b->client;
    const char *split = memmem(c->in, c->len, "\r\n\r\n", 4), *length;

    if (!split)
        return false;
    a->len = 0;
    snprintf(a->head, sizeof(a->head), "%.*s", (int)(split - c->in + 2), c->in);
    a->status = atoi(c->in + 9);
    split += 4;
    if (head_only || a->status == 204)
        return true;
    if (strstr(a->head, "Transfer-Encoding: chunked\r\n")) {
        if (!unchunk(split, c->in + c->len, a))
            return false;
    } else {
        length = answer_header(a, "Content-Length");
        a->len = length ? (size_t)atol(length) : 0;
        if ((size_t)(c->in + c->len - split) < a->len)
            return false;
        assert_true(a->len < sizeof(a->body));
        memcpy(a->body, split, a->len);
    }
    a->body[a->len] = '\0';
    return true;
}

static void read_answer(struct browser *b, struct answer *a, bool head_only)
{
    memset(a, 0, sizeof(*a));
    for (int i = 0; i < MAX_ROUNDS; i++) {
        if (take(b, a, head_only)) {
            b->closes = strstr(a->head, "\r\nConnection: close\r\n");
            return;
        }
        if (b->client.eof || b->client.reset)
            break;
        client_poll(&b->client);
    }
    if (!b->client.eof && !b->client.reset)
        fail_msg("no answer: %.500s", b->client.in);
    a->broken = true;
}

void browser_read(struct browser *b, struct answer *a)
{
    read_answer(b, a, false);
}

void browser_read_head(struct browser *b, struct answer *a)
{
    read_answer(b, a, true);
}

void browser_begin(struct browser *b, const char *method, const char *target, const char *headers,
                   const char *body)
{
    size_t size = strlen(target) + (body ? strlen(body) : 0) + 4096;
    char *text = malloc(size), length[64] = "";

    assert_non_null(text);
    if (body)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    snprintf(text, size, "%s %s HTTP/1.1\r\nHost: reports.example.com\r\n%s%s%s\r\n%s", method, target,
             b->cookie, headers ? headers : "", length, body ? body : "");
    browser_send(b, text);
    free(text);
}

int browser_ask(struct browser *b, struct answer *a, const char *method, const char *target,
                const char *headers, const char *body)
{
    browser_begin(b, method, target, headers, body);
    read_answer(b, a, strcmp(method, "HEAD") == 0);
    return a->status;
}

int browser_get(struct browser *b, struct answer *a, const char *target)
{
    return browser_ask(b, a, "GET", target, NULL, NULL);
}

int browser_change(struct browser *b, struct answer *a, const char *method, const char *target,
                   const char *headers, const char *body)
{
    char all[1024];

    snprintf(all, sizeof(all), "X-Jumpgate-Csrf: %s\r\n%s", b->csrf, headers ? headers : "");
    return browser_ask(b, a, method, target, all, body);
}

int browser_sign_in(struct browser *b, struct answer *a, const char *user, const char *password)
{
    char body[512];
    const char *cookie;

    snprintf(body, sizeof(body), "{\"user\":\"%s\",\"password\":\"%s\"}", user, password);
    (void)browser_ask(b, a, "POST", "/api/sign-in", "Content-Type: application/json\r\n", body);
    cookie = answer_header(a, "Set-Cookie");
    if (cookie)
        snprintf(b->cookie, sizeof(b->cookie), "Cookie: %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
    return a->status;
}

void browser_sign_in_ok(struct browser *b, const char *user)
{
    static struct answer a;
    const char *csrf;

    assert_int_equal(browser_sign_in(b, &a, user, "correct horse"), 204);
    assert_int_equal(browser_get(b, &a, "/api/me"), 200);
    csrf = strstr(a.body, "\"csrf\":\"");
    assert_non_null(csrf);
    snprintf(b->csrf, sizeof(b->csrf), "%.64s", csrf + 8);
}

bool answer_has(const struct answer *a, const char *text)
{
    return memmem(a->body, a->len, text, strlen(text));
}

const char *answer_header(const struct answer *a, const char *name)
{
    static char value[4096];
    char line[128];
    const char *at;

    snprintf(line, sizeof(line), "\r\n%s: ", name);
    at = strstr(a->head, line);
    if (!at)
        return NULL;
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}
