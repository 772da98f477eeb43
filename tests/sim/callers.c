/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callers.c - requests out, answers in; see callers.h.
 *
 * Bytes reach the gateway as events, in the order in which they were sent. What the gateway writes is read at
 * the moment it is written: an answer counts from then on.
 */
#include "callers.h"

#include "gateway_run.h"
#include "keyed_conf.h"
#include "oracle.h"
#include "site_sim.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/jsonw.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BYTES_MAX    ((size_t)1 << 24)
#define REQUEST_MS   15000 /* request_timeout */
#define LATE_MS      5000
#define SHORT_MS     300
#define PIECES       4
#define KEEP_OPEN_MS 20000
#define WAY_MS       1
#define SITE_PEER    (2 * SETUP_SESSIONS)  /* the number of the site among the clients */
#define GARBAGE_MS   (3 * UINT64_C(60000)) /* for an answer to what is no request */

struct caller_conn {
    struct virtual_socket socket; /* first */
    TAILQ_ENTRY(caller_conn) link;
    struct callers *callers;
    struct node *node;
    TAILQ_HEAD(, caller_op) ops; /* without an answer, oldest first */
    unsigned session;
    uint64_t way_ms;  /* when the last byte on its way arrives */
    struct buf reply; /* not yet a whole answer */
    bool connected, closed, left;
};

/* Bytes on their way to the gateway. */
struct piece {
    TAILQ_ENTRY(piece) link;
    struct caller_conn *conn;
    struct caller_op *last_of; /* its request is whole with it; NULL = it is not */
    bool end;                  /* of the connection, after them */
    bool reset;
    size_t n;
    char bytes[];
};

struct callers {
    struct world *world;
    TAILQ_HEAD(conns_head, caller_conn) conns; /* all that ever were */
    TAILQ_HEAD(op_list, caller_op) ops;
    TAILQ_HEAD(, piece) pieces; /* on their way */
    unsigned last_op;
    uint64_t order;
};

/* ---- ends ---- */

static const char *op_name(const struct caller_op *op)
{
    return script_word(op->kind);
}

static void op_over(struct caller_op *op)
{
    TAILQ_REMOVE(&op->conn->ops, op, link);
    op->conn = NULL;
}

static void op_lost(struct caller_op *op, const char *why)
{
    struct world *w = op->conn->callers->world;

    op->lost = true;
    op->ended_ms = w->now_ms;
    op_over(op);
    world_note(w, "request %u %s: no answer, %s", op->number, op_name(op), why);
    counts_add(w->counts, 1, "lost.%s.%s", op_name(op), why);
    if (op->over)
        op->over(op, op->over_arg);
}

static void conn_over(struct caller_conn *c, const char *why)
{
    struct caller_op *op;

    c->closed = true;
    while ((op = TAILQ_FIRST(&c->ops)))
        op_lost(op, why);
    buf_free(&c->reply);
    buf_free(&c->socket.in);
}

void callers_cut(struct callers *cs, const struct node *n)
{
    struct caller_conn *c;

    TAILQ_FOREACH(c, &cs->conns, link)
    {
        if (c->closed || c->node != n)
            continue;
        c->socket.lost = true; /* the dead process finds it so */
        conn_over(c, "gateway-killed");
    }
}

/* ---- answers ---- */

/* The whole length of the answer at the beginning, 0 = it is not whole; its head is *head bytes long. */
static size_t answer_length(const struct buf *b, size_t *head)
{
    const char *end = memmem(b->data, b->len, "\r\n\r\n", 4), *length;

    if (!end)
        return 0;
    *head = (size_t)(end - b->data) + 4;
    length = memmem(b->data, *head, "\r\nContent-Length: ", 18);
    size_t all = *head + (length ? strtoul(length + 18, NULL, 10) : 0);
    return b->len >= all ? all : 0;
}

static void count_answer(struct world *w, const struct caller_op *op, const cJSON *body)
{
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItem(body, "code"));

    world_note(w, "request %u %s (user %u, session %u, account %u): %d %s", op->number, op_name(op), op->user,
               op->session, op->account, op->status, code ? code : "");
    counts_add(w->counts, 1, "answer.%s.%d%s%s", op_name(op), op->status, code ? "." : "", code ? code : "");
}

/* While it was asked. */
static bool was_paused(const struct caller_op *op)
{
    return op->node->paused_ms >= op->started_ms && op->node->paused_ms;
}

static void on_due(void *arg)
{
    struct caller_op *op = arg;
    struct world *w;

    if (!op->conn)
        return;
    w = op->conn->callers->world;
    if (!op->conn->left && gateway_run_serves(op->node->gateway) && !was_paused(op))
        world_fail(w, "request %u %s has no answer in its time", op->number, op_name(op));
}

/* The gateway may begin with the first request of the connection, if that is whole. */
static void begin_first(struct caller_conn *c)
{
    struct caller_op *op = TAILQ_FIRST(&c->ops);

    if (!op || !op->whole || op->begun_order)
        return;
    op->begun_order = ++c->callers->order;
    op->begun_ms = c->callers->world->now_ms;
    op->due_ms = c->callers->world->now_ms + REQUEST_MS + LATE_MS;
    world_after(c->callers->world, REQUEST_MS + LATE_MS, on_due, op);
}

static void note_listed(struct caller_op *list, const cJSON *body)
{
    const cJSON *row, *id;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(body, "leases"))
    {
        id = cJSON_GetObjectItem(row, "request_id");
        if (cJSON_IsNumber(id) && list->nlisted < CALLER_LISTED_MAX)
            list->listed[list->nlisted++] = (unsigned)id->valuedouble;
    }
}

static void ask_next_page(void *arg);

static void take_page(const struct callers *cs, struct caller_op *op, const cJSON *body)
{
    const char *next = cJSON_GetStringValue(cJSON_GetObjectItem(body, "next"));
    struct caller_op *list = op->list ? op->list : op;

    if (op->kind != ACT_LIST)
        return;
    note_listed(list, body);
    if (!next)
        return;
    (void)snprintf(list->next, sizeof list->next, "%s", next);
    world_after(cs->world, WAY_MS, ask_next_page, list);
}

static void take_answer(struct caller_conn *c, const char *text, size_t head, size_t all)
{
    struct world *w = c->callers->world;
    struct caller_op *op = TAILQ_FIRST(&c->ops);
    struct json_outcome outcome;
    cJSON *body = all > head ? json_read(text + head, all - head, 64, 0, &outcome) : NULL;

    if (!op) {
        world_fail(w, "an answer to no request: %.40s", text);
        cJSON_Delete(body);
        return;
    }
    op->status = (int)strtol(text + 9, NULL, 10);
    if (!op->begun_order) /* answered before it was whole */
        op->begun_order = ++c->callers->order;
    op->answered_order = ++c->callers->order;
    op->ended_ms = w->now_ms;
    op->pending = cJSON_IsTrue(cJSON_GetObjectItem(body, "pending"));
    count_answer(w, op, body);
    op_over(op);
    begin_first(c);
    take_page(c->callers, op, body);
    oracle_on_answer(w->oracle, op, body);
    cJSON_Delete(body);
    if (op->over)
        op->over(op, op->over_arg);
}

static void on_sent(struct virtual_socket *s, const char *bytes, size_t n)
{
    struct caller_conn *c = CONTAINER_OF(s, struct caller_conn, socket);
    size_t head, all;

    if (c->closed || c->node->dead)
        return;
    if (buf_append(&c->reply, bytes, n))
        abort();
    while (c->reply.len && (all = answer_length(&c->reply, &head))) {
        take_answer(c, c->reply.data, head, all);
        memmove(c->reply.data, c->reply.data + all, c->reply.len - all);
        c->reply.len -= all;
    }
}

/* The server may close a connection that it has answered, one whose request never came whole, and one that
 * has been idle for too long for a gateway that was paused. */
static void on_closed(struct virtual_socket *s, bool reset)
{
    struct caller_conn *c = CONTAINER_OF(s, struct caller_conn, socket);
    struct world *w = c->callers->world;
    struct caller_op *op = TAILQ_FIRST(&c->ops);

    (void)reset;
    if (c->closed)
        return;
    if (op && !c->left && gateway_run_serves(c->node->gateway) && w->now_ms >= c->way_ms && !was_paused(op))
        world_fail(w, "request %u %s has no answer, its connection is closed", op->number, op_name(op));
    conn_over(c, c->left                                ? "client-left"
                 : gateway_run_serves(c->node->gateway) ? "closed-early"
                                                        : "gateway-ends");
}

/* ---- bytes out ---- */

static void on_piece(void *arg)
{
    struct piece *p = arg;
    struct caller_conn *c = p->conn;

    if (!c->closed) {
        if (p->n && buf_append(&c->socket.in, p->bytes, p->n))
            abort();
        c->socket.eof |= p->end;
        c->socket.lost |= p->reset;
        if (p->reset)
            buf_clear(&c->socket.in);
        if (p->last_of)
            p->last_of->whole = true;
        begin_first(c);
    }
    TAILQ_REMOVE(&c->callers->pieces, p, link);
    free(p);
}

/* On its way from now on; it arrives behind what is on its way. */
static struct piece *piece_new(struct caller_conn *c, const char *bytes, size_t n, uint64_t after_ms)
{
    struct world *w = c->callers->world;
    struct piece *p = calloc(1, sizeof *p + n);
    uint64_t at_ms = w->now_ms + after_ms;

    if (!p)
        abort();
    p->conn = c;
    p->n = n;
    memcpy(p->bytes, bytes, n);
    TAILQ_INSERT_TAIL(&c->callers->pieces, p, link);
    c->way_ms = at_ms > c->way_ms ? at_ms : c->way_ms;
    world_after(w, c->way_ms - w->now_ms, on_piece, p);
    return p;
}

static void send_text(struct caller_conn *c, struct caller_op *op, const struct buf *text, unsigned flags)
{
    struct rng *r = &c->callers->world->rng;
    size_t at = 0;

    for (unsigned left = flags & SEND_IN_PIECES ? PIECES : 1; left; left--) {
        size_t n = left == 1 ? text->len - at : rng_below(r, (unsigned)(text->len - at));

        piece_new(c, text->data + at, n, flags & SEND_IN_PIECES ? rng_below(r, 800) : WAY_MS)->last_of =
            left == 1 ? op : NULL;
        at += n;
    }
}

/* ---- connections ---- */

static struct caller_conn *conn_new(struct callers *cs, unsigned session)
{
    struct caller_conn *c = calloc(1, sizeof *c);

    if (!c)
        abort();
    c->callers = cs;
    c->session = session;
    c->reply = BUF_INIT(BYTES_MAX);
    c->socket = (struct virtual_socket){.in = BUF_INIT(BYTES_MAX), .sent = on_sent, .closed = on_closed};
    TAILQ_INIT(&c->ops);
    TAILQ_INSERT_TAIL(&cs->conns, c, link);
    c->node = cs->world->to;
    c->connected = gateway_run_connect(c->node->gateway, &c->socket, session);
    c->closed = !c->connected;
    return c;
}

static struct caller_conn *open_conn(struct callers *cs, unsigned session)
{
    struct caller_conn *c;

    TAILQ_FOREACH_REVERSE(c, &cs->conns, conns_head, link)
    if (c->session == session && c->node == cs->world->to && !c->closed && !c->left && !c->socket.eof)
        return c;
    return NULL;
}

static void on_keep_over(void *arg)
{
    struct caller_conn *c = arg;

    if (c->closed || c->left || !TAILQ_EMPTY(&c->ops))
        return;
    c->left = true;
    c->socket.eof = true;
}

static struct caller_op *op_new(struct callers *cs, struct caller_conn *c, const struct act *act)
{
    struct caller_op *op = calloc(1, sizeof *op);

    if (!op)
        abort();
    op->conn = c;
    op->callers = cs;
    op->node = c->node;
    op->kind = act->kind;
    op->number = ++cs->last_op;
    op->session = act->a;
    op->user = act->a % cs->world->setup.users;
    op->account = act->c % cs->world->setup.accounts;
    op->started_ms = cs->world->now_ms;
    op->sent_order = ++cs->order;
    TAILQ_INSERT_TAIL(&c->ops, op, link);
    TAILQ_INSERT_TAIL(&cs->ops, op, by_time);
    return op;
}

/* ---- requests ---- */

static void write_session(struct jsonw *w, const struct caller_op *op, unsigned flags)
{
    char text[64];

    jsonw_object(w, "session");
    (void)snprintf(text, sizeof text, "s%u", op->session);
    jsonw_str(w, "id", text);
    if (flags & SEND_LSID) {
        site_sim_lsid(op->session, text);
        jsonw_str(w, "lsid", text);
    }
    jsonw_object(w, "user");
    (void)snprintf(text, sizeof text, "u%u", op->user);
    jsonw_str(w, "username", text);
    jsonw_end(w);
    jsonw_object(w, "jump_item");
    (void)snprintf(text, sizeof text, "web%u", op->account);
    jsonw_str(w, "hostname", text);
    jsonw_end(w);
    jsonw_end(w);
}

static void write_body(struct buf *body, const struct caller_op *op, const struct setup *setup,
                       unsigned flags)
{
    struct jsonw w = jsonw_start(body);
    char id[128];

    jsonw_object(&w, NULL);
    if (op->kind == ACT_END_SESSION)
        jsonw_bool(&w, "terminate", true);
    else
        write_session(&w, op, flags);
    if (setup->keyed)
        keyed_conf_credential(op->account, id, sizeof id);
    else
        (void)snprintf(id, sizeof id, "j1.main.l.%u.%u.0", 100 + op->account, 200 + op->account);
    if (op->kind == ACT_CHECKOUT || op->kind == ACT_RELEASE)
        jsonw_str(&w, "credential_id", id);
    if (op->kind == ACT_CHECKOUT && op->minutes)
        jsonw_int(&w, "duration_minutes", op->minutes);
    if (op->kind == ACT_CHECKOUT && flags & SEND_REASON)
        jsonw_str(&w, "reason", "ticket \"4711\"");
    jsonw_end(&w);
}

static void write_request(struct buf *text, const struct caller_op *op, const char *method, const char *path,
                          const struct buf *body, unsigned flags)
{
    (void)buf_printf(text,
                     "%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nX-Request-Id: r%u\r\n",
                     method, path, gateway_run_token(), op->number);
    if (flags & SEND_SHORT_TIME)
        (void)buf_printf(text, "X-Request-Timeout-Ms: %d\r\n", SHORT_MS);
    if (body->len)
        (void)buf_str(text, "Content-Type: application/json\r\n");
    if (strcmp(method, "POST") == 0)
        (void)buf_printf(text, "Content-Length: %zu\r\n", body->len);
    (void)buf_str(text, "\r\n");
    (void)buf_append(text, body->data ? body->data : "", body->len);
}

/* NULL = the gateway takes no connection. */
static struct caller_op *send_request(struct callers *cs, const struct act *act, const char *method,
                                      const char *path, bool has_body, unsigned flags)
{
    struct world *w = cs->world;
    struct caller_conn *c = flags & SEND_ON_OPEN ? open_conn(cs, act->a) : NULL;
    struct buf body = BUF_INIT(BYTES_MAX), text = BUF_INIT(BYTES_MAX);

    if (!c)
        c = conn_new(cs, act->a);
    struct caller_op *op = op_new(cs, c, act);
    if (!c->connected) {
        op_lost(op, "refused");
        return NULL;
    }
    op->hurried = flags & SEND_SHORT_TIME;
    op->named = flags & SEND_LSID;
    op->minutes = flags & SEND_DURATION ? 1 + (act->a * 7 + act->c) % 90 : 0;
    oracle_on_start(w->oracle, op);
    if (has_body)
        write_body(&body, op, &w->setup, flags);
    write_request(&text, op, method, path, &body, flags);
    send_text(c, op, &text, flags);
    world_after(w, c->way_ms - w->now_ms + REQUEST_MS + KEEP_OPEN_MS, on_keep_over, c);
    buf_free(&body);
    buf_free(&text);
    return op;
}

static void ask_next_page(void *arg)
{
    struct caller_op *list = arg, *op;
    const struct act act = {.kind = ACT_LIST, .a = list->session};
    char path[sizeof list->next + 32];
    struct callers *cs = list->callers;

    (void)snprintf(path, sizeof path, "/v1/leases?cursor=%s", list->next);
    cs->world->to = list->node;
    op = send_request(cs, &act, "GET", path, false, 0);
    if (op)
        op->list = list;
}

/* Bytes that are no request, or one that no client sends. */
static void send_garbage(struct callers *cs, const struct act *act)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "POST /v1/credentials/checkout HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello",
        "BREW /pot HTTP/1.1\r\nHost: g\r\n\r\n",
        "\x16\x03\x01 no TLS here\r\n\r\n",
        "POST /v1/credentials/find HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: g\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: g\r\n\r\n",
        "GET /" /* and no more */
    };
    struct caller_conn *c = conn_new(cs, SETUP_SESSIONS + act->a);
    struct act as = *act;
    const char *text = texts[act->a % (sizeof texts / sizeof texts[0])];
    struct buf bytes = BUF_INIT(BYTES_MAX);

    as.a += SETUP_SESSIONS;
    struct caller_op *op = op_new(cs, c, &as);
    if (!c->connected) {
        op_lost(op, "refused");
        return;
    }
    (void)buf_str(&bytes, text);
    send_text(c, op, &bytes, act->b);
    buf_free(&bytes);
    world_after(cs->world, GARBAGE_MS, on_due, op);
}

/* ---- acts ---- */

static void leave(struct callers *cs, const struct act *act)
{
    struct caller_op *op;
    unsigned n = act->a;

    TAILQ_FOREACH_REVERSE(op, &cs->ops, op_list, by_time)
    if (op->conn && !op->conn->left && !n--)
        break;
    if (!op)
        return;
    struct caller_conn *c = op->conn;
    c->left = true;
    op->left = true;
    struct piece *p = piece_new(c, "", 0, WAY_MS);
    p->end = !act->b;
    p->reset = act->b;
    counts_add(cs->world->counts, 1, act->b ? "client.reset" : "client.left");
}

static void operator_release(struct callers *cs, const struct act *act)
{
    struct act as = *act;
    const char *lease = oracle_pick_lease(cs->world->oracle, act->a, act->kind == ACT_END_SESSION, &as.a);
    char path[128];

    if (!lease)
        return;
    (void)snprintf(path, sizeof path, "/v1/leases/%s/release", lease);
    send_request(cs, &as, "POST", path, act->kind == ACT_END_SESSION, 0);
    (void)snprintf(TAILQ_LAST(&cs->ops, op_list)->lease, ID_SIZE, "%s", lease);
}

void callers_post(struct callers *cs, const struct act *act, const char *target, const char *type,
                  const char *body, void (*over)(struct caller_op *, void *arg), void *arg)
{
    struct caller_conn *c = conn_new(cs, SITE_PEER);
    struct caller_op *op = op_new(cs, c, act);
    struct buf text = BUF_INIT(BYTES_MAX);

    op->over = over;
    op->over_arg = arg;
    if (!c->connected) {
        op_lost(op, "refused");
        return;
    }
    oracle_on_start(cs->world->oracle, op);
    (void)buf_printf(&text,
                     "POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                     target, type, strlen(body), body);
    send_text(c, op, &text, 0);
    world_after(cs->world, c->way_ms - cs->world->now_ms + REQUEST_MS + KEEP_OPEN_MS, on_keep_over, c);
    buf_free(&text);
}

static void ask_status(struct callers *cs, const struct act *act)
{
    static const char *const paths[STATUS_NPAGES] = {"/status", "/metrics", "/v1/health", "/readyz",
                                                     "/livez"};

    (void)send_request(cs, act, "GET", paths[act->a % STATUS_NPAGES], false, 0);
}

void callers_act(struct callers *cs, const struct act *act)
{
    static const char *const paths[ACT_NKINDS] = {
        [ACT_FIND] = "/v1/credentials/find",       [ACT_CHECKOUT] = "/v1/credentials/checkout",
        [ACT_RELEASE] = "/v1/credentials/release", [ACT_COMPLETE] = "/v1/sessions/complete",
        [ACT_STARTED] = "/v1/sessions/started",
    };

    switch (act->kind) {
    case ACT_OPERATOR_RELEASE:
    case ACT_END_SESSION: operator_release(cs, act); break;
    case ACT_LIST: (void)send_request(cs, act, "GET", "/v1/leases", false, act->b); break;
    case ACT_STATUS: ask_status(cs, act); break;
    case ACT_GARBAGE: send_garbage(cs, act); break;
    case ACT_LEAVE: leave(cs, act); break;
    default: (void)send_request(cs, act, "POST", paths[act->kind], true, act->b);
    }
}

bool callers_any(const struct callers *cs, bool (*fn)(void *arg, const struct caller_op *), void *arg)
{
    const struct caller_op *op;

    TAILQ_FOREACH(op, &cs->ops, by_time)
    if (fn(arg, op))
        return true;
    return false;
}

void callers_check_end(const struct callers *cs)
{
    const struct caller_op *op;

    TAILQ_FOREACH(op, &cs->ops, by_time)
    if (op->conn && !op->conn->left)
        world_fail(cs->world, "request %u %s is never answered", op->number, op_name(op));
}

bool callers_certain(const struct callers *cs, unsigned user, unsigned account, uint64_t since_ms)
{
    const struct caller_op *op;

    TAILQ_FOREACH(op, &cs->ops, by_time)
    if (op->kind == ACT_CHECKOUT && op->user == user && op->account == account &&
        (op->conn || (op->lost && op->ended_ms >= since_ms)))
        return false;
    return true;
}

/* ---- life ---- */

struct callers *callers_new(struct world *w)
{
    struct callers *cs = calloc(1, sizeof *cs);

    if (!cs)
        abort();
    cs->world = w;
    TAILQ_INIT(&cs->conns);
    TAILQ_INIT(&cs->ops);
    TAILQ_INIT(&cs->pieces);
    return cs;
}

void callers_free(struct callers *cs)
{
    struct caller_conn *c;
    struct piece *p;
    struct caller_op *op;

    while ((c = TAILQ_FIRST(&cs->conns))) {
        TAILQ_REMOVE(&cs->conns, c, link);
        buf_free(&c->reply);
        buf_free(&c->socket.in);
        free(c);
    }
    while ((p = TAILQ_FIRST(&cs->pieces))) {
        TAILQ_REMOVE(&cs->pieces, p, link);
        free(p);
    }
    while ((op = TAILQ_FIRST(&cs->ops))) {
        TAILQ_REMOVE(&cs->ops, op, by_time);
        free(op);
    }
    free(cs);
}
