/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_link.c - the network between a gateway and the vault, the PRA site and the members of etcd: it stands
 * in for dialer.c and vault_conn.c of src/loop/upstream/, so that pool, queue and HTTP exchange above them
 * are the program's own.
 *
 * A link is one connection. What the gateway sends is gathered until it is a whole request; then it is on its
 * way to the vault, together with the fault that an act of the script has prepared for it, whatever becomes
 * of the connection. A partition cuts a node off: what is sent meanwhile never comes, or after it. A fault
 * waits for the next call of its kind.
 *
 * Not here: what the vault does (vault_api.c).
 */
#include "vault.h"

#include "etcd_sim.h"
#include "gateway_run.h"
#include "keyed_vault.h"
#include "oracle.h"
#include "site_sim.h"

#include "base/container_of.h"
#include "base/text.h"
#include "loop/upstream/dialer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX       ((size_t)1 << 22)
#define FAULT_WAITS     (30 * UINT64_C(60000)) /* for a call of its kind */
#define CONNECT_MS      2
#define ETCD_USUAL_MS   3
#define CALL_TIMEOUT_MS 10000 /* the gateway's call_timeout */
#define PAGE            "<html><head><title>Sign in</title></head><body>Please sign in to the proxy.</body></html>"

/* Those that the gateway calls; of etcd each member. What cuts a gateway off from the vault does so from the
 * site. */
enum far_end { FAR_VAULT, FAR_SITE, FAR_ETCD, FAR_NENDS = FAR_ETCD + ETCD_MEMBERS };

enum way { WAY_TO, WAY_BACK, NWAYS };

/* Nothing comes through until then. */
struct cut {
    uint64_t until_ms;
    bool keeps; /* and what was sent comes afterwards */
};

struct link {
    TAILQ_ENTRY(link) entry;
    enum far_end far;
    struct node *node;
    struct link_side *side;
    struct vault_conn *vc; /* NULL = the gateway has closed it */
    struct buf sent;       /* by the gateway, not yet a whole request */
    struct buf back;       /* for the gateway, not yet read */
    size_t read;           /* of it */
    bool open, eof, lost;
};

/* One request on its way. */
struct flight {
    TAILQ_ENTRY(flight) entry;
    struct link *link;
    enum vault_call_kind kind;
    enum vault_fault_kind fault;
    unsigned number; /* of the fault */
    uint64_t sent_ms;
    unsigned restores; /* of etcd until then */
    char *text;        /* the request's head and body, cut into lines and texts */
    struct vault_http http;
    struct buf answer;
    bool landed;   /* the vault has it, or never gets it */
    bool answered; /* it, or a part, is at the gateway */
};

struct fault_waiting {
    TAILQ_ENTRY(fault_waiting) entry;
    enum vault_call_kind call;
    enum vault_fault_kind fault;
    unsigned number;
    uint64_t until_ms;
};

struct link_side {
    struct world *world;
    TAILQ_HEAD(, link) links;
    TAILQ_HEAD(, flight) flights;
    TAILQ_HEAD(, fault_waiting) faults;
    uint64_t down_ms[FAR_NENDS];          /* away until then */
    uint64_t since_ms[FAR_NENDS];         /* ... and since then */
    bool silent[FAR_NENDS];               /* ... and does not even refuse */
    uint64_t leaderless_ms[ETCD_MEMBERS]; /* such a member answers 503 */
    uint64_t slow_ms;                     /* etcd, until then */
    unsigned takes_ms;
    unsigned restores;                      /* of etcd */
    struct cut cuts[SETUP_NODES][2][NWAYS]; /* to and from the vault, and etcd */
};

struct dialer {
    struct node *node;
    char host[128];
};

struct dialer_files {
    char unused;
};

static const char *const fault_words[VAULT_NFAULTS] = {
#define X(name, word) word,
    VAULT_FAULTS(X)
#undef X
};

/* ---- to the gateway ---- */

static void wake(struct link *l)
{
    if (l->vc && l->open && !l->vc->paused && !l->node->dead && !node_is_paused(l->node)) {
        node_enter(l->node);
        l->vc->ready(l->vc);
    }
}

static void deliver(struct link *l, const char *bytes, size_t n)
{
    if (!l->vc || l->lost || l->eof)
        return;
    if (buf_append(&l->back, bytes, n))
        abort();
    wake(l);
}

static void lose(struct link *l)
{
    l->lost = true;
    wake(l);
}

/* ---- a request's way ---- */

static void answer_with(struct flight *f, int status, const char *type, const char *lines, const char *body)
{
    buf_clear(&f->answer);
    vault_api_answer(&f->answer, status, type, lines, body);
}

static bool is_etcd(enum far_end far)
{
    return far >= FAR_ETCD;
}

static struct cut *cut_of(const struct link *l, enum way way)
{
    return &l->side->cuts[l->node->number][is_etcd(l->far)][way];
}

/* What goes wrong with the site is no disturbance of what the gateway promises. */
static void disturb(const struct link_side *side, enum far_end far)
{
    if (far == FAR_SITE)
        site_sim_disturbed(side->world->site);
    else
        world_disturbed(side->world);
}

static void do_call(struct flight *f)
{
    struct vault_sim *v = f->link->side->world->vault;

    buf_clear(&f->answer);
    if (f->link->far == FAR_SITE) {
        site_sim_answer(v->world->site, &f->http, &f->answer);
        return;
    }
    if (is_etcd(f->link->far)) {
        etcd_sim_call(v->world->etcd, f->link->node, &f->http, &f->answer);
        return;
    }
    if (v->world->keyed) {
        keyed_vault_call(v->world->keyed, &f->http, f->kind, &f->answer);
        return;
    }
    vault_api(v, &f->http, f->kind, &f->answer);
    if (f->kind != VAULT_PROBE)
        world_note(v->world, "vault: %s %s -> %.3s", f->http.method, f->http.target + strlen(VAULT_BASE),
                   f->answer.data + strlen("HTTP/1.1 "));
}

/* True = it is on no way now: it comes later, or never. */
static bool is_cut(struct flight *f, enum way way, void (*later)(void *arg))
{
    struct world *w = f->link->side->world;
    const struct cut *cut = cut_of(f->link, way);

    if (cut->until_ms <= w->now_ms)
        return false;
    counts_add(w->counts, 1, "cut.%s.%s%s", vault_call_word(f->kind), way == WAY_TO ? "to" : "back",
               cut->keeps ? ".kept" : "");
    if (cut->keeps)
        world_after(w, cut->until_ms - w->now_ms + 1, later, f);
    return true;
}

static void flight_free(struct flight *f)
{
    TAILQ_REMOVE(&f->link->side->flights, f, entry);
    buf_free(&f->answer);
    free(f->text);
    free(f);
}

/* To an etcd that has been replaced since: its connection is lost. */
static bool is_to_old_etcd(const struct flight *f)
{
    if (!is_etcd(f->link->far) || f->restores == f->link->side->restores)
        return false;
    lose(f->link);
    return true;
}

static void send_answer(void *arg)
{
    struct flight *f = arg;

    if (is_cut(f, WAY_BACK, send_answer) || is_to_old_etcd(f))
        return;
    f->answered = true;
    if (f->fault == VAULT_FAULT_CUT) {
        deliver(f->link, f->answer.data, f->answer.len / 2 + 1);
        lose(f->link);
        return;
    }
    size_t n = f->answer.len;
    if (f->fault == VAULT_FAULT_ANSWERED_TWICE &&
        (buf_reserve(&f->answer, n) || buf_append(&f->answer, f->answer.data, n)))
        abort();
    deliver(f->link, f->answer.data, f->answer.len);
    flight_free(f);
}

/* A refusal is no good answer to be spoilt: in its place these would say that the call was done. */
static bool is_good(const struct flight *f)
{
    return f->answer.len && strncmp(f->answer.data, "HTTP/1.1 2", 10) == 0;
}

static unsigned number_behind(const char *target, const char *part)
{
    const char *at = strstr(target, part);

    return at ? (unsigned)strtoul(at + strlen(part), NULL, 10) : 0;
}

/* A check-in that is refused was asked for all the same. */
static void note_refused(const struct flight *f)
{
    unsigned id = f->kind == VAULT_CHECKIN ? number_behind(f->http.target, "/Requests/") : 0;
    struct vault_entry *e = id ? vault_find(f->link->side->world->vault, id) : NULL;

    if (e)
        e->asked_back = true;
}

static void other_answer(struct flight *f)
{
    static const int refusals[] = {400, 401, 403, 404, 409, 429}, failures[] = {500, 502, 503, 504};
    static const char *const refusal_bodies[] = {
        "\"bad\"", "\"User not authenticated\"", "4031", "\"not found\"", "4091", "\"slow down\""};
    /* A 404 to a check-in, in the vault's own form, cannot be told from the vault's. */
    unsigned refusal = f->kind == VAULT_CHECKIN && f->number % 6 == 3 ? 0 : f->number % 6;

    switch (f->fault) {
    case VAULT_FAULT_PAGE_BEFORE:
    case VAULT_FAULT_PAGE_AFTER: answer_with(f, 200, "text/html", "", PAGE); break;
    case VAULT_FAULT_WRONG_JSON:
        if (is_good(f))
            answer_with(f, 200, "application/json", "", "{\"Result\":[1,{\"x\":null}]}");
        break;
    case VAULT_FAULT_EMPTY:
        if (is_good(f))
            answer_with(f, 200, "application/json", "", "");
        break;
    case VAULT_FAULT_REFUSED:
        note_refused(f);
        if (is_etcd(f->link->far)) { /* what else it refuses ends a gateway that joins */
            answer_with(f, 429, "application/json", "",
                        "{\"error\":\"etcdserver: too many requests\",\"code\":8}");
            break;
        }
        answer_with(f, refusals[refusal], "application/json", refusal == 5 ? "Retry-After: 3\r\n" : "",
                    refusal_bodies[refusal]);
        break;
    case VAULT_FAULT_FAILED_BEFORE:
    case VAULT_FAULT_FAILED_AFTER: answer_with(f, failures[f->number % 4], "text/plain", "", "failed"); break;
    default: break;
    }
}

static bool is_done(enum vault_fault_kind fault)
{
    return fault != VAULT_FAULT_PAGE_BEFORE && fault != VAULT_FAULT_REFUSED &&
           fault != VAULT_FAULT_FAILED_BEFORE;
}

/* A commit, and the way of its answer. */
static uint64_t etcd_ms(const struct link_side *side)
{
    struct world *w = side->world;

    return ETCD_USUAL_MS + (w->now_ms < side->slow_ms ? rng_below(&w->rng, side->takes_ms + 1) : 0);
}

/* From the vault's word until its answer arrives. */
static uint64_t back_ms(const struct flight *f)
{
    const struct setup *setup = &f->link->side->world->setup;

    if (f->fault == VAULT_FAULT_LATE_ANSWER)
        return f->number;
    if (is_etcd(f->link->far))
        return etcd_ms(f->link->side);
    return setup->latency_ms / 2 + 1 + (f->kind == VAULT_CHECKIN ? setup->checkin_ms : 0);
}

static bool is_leaderless(const struct flight *f)
{
    const struct link_side *side = f->link->side;

    return is_etcd(f->link->far) && side->leaderless_ms[f->link->far - FAR_ETCD] > side->world->now_ms;
}

static void reach_vault(void *arg)
{
    struct flight *f = arg;
    struct world *w = f->link->side->world;

    if (is_cut(f, WAY_TO, reach_vault) || is_to_old_etcd(f))
        return;
    if (is_leaderless(f)) {
        answer_with(f, 503, "application/json", "", "{\"error\":\"etcdserver: no leader\",\"code\":14}");
        world_after(w, 1, send_answer, f);
        return;
    }
    f->landed = true;
    w->vault->strays = w->now_ms - f->sent_ms >= 2 * CALL_TIMEOUT_MS;
    if (is_done(f->fault))
        do_call(f);
    if (f->fault == VAULT_FAULT_DONE_TWICE)
        do_call(f);
    w->vault->strays = false;
    other_answer(f);
    if (f->fault == VAULT_FAULT_SILENT)
        return;
    if (f->fault == VAULT_FAULT_LOST_AFTER)
        lose(f->link);
    else
        world_after(w, back_ms(f), send_answer, f);
}

static void on_lost(void *arg)
{
    struct flight *f = arg;

    f->landed = true;
    lose(f->link);
}

static uint64_t way_ms(const struct flight *f)
{
    bool slow = f->fault == VAULT_FAULT_SLOW || f->fault == VAULT_FAULT_STUCK;

    if (is_etcd(f->link->far))
        return 1 + (slow ? f->number : 0);
    return f->link->side->world->setup.latency_ms / 2 + 1 + (slow ? f->number : 0);
}

static void take_fault(struct flight *f)
{
    struct link_side *side = f->link->side;
    struct fault_waiting *fault;

    f->fault = VAULT_FINE;
    TAILQ_FOREACH(fault, &side->faults, entry)
    if (fault->call == f->kind && fault->until_ms > side->world->now_ms)
        break;
    if (!fault)
        return;
    f->fault = fault->fault;
    f->number = fault->number;
    TAILQ_REMOVE(&side->faults, fault, entry);
    free(fault);
    world_note(side->world, "fault %s at %s (%u)", fault_words[f->fault], vault_call_word(f->kind),
               f->number);
    counts_add(side->world->counts, 1, "fault.%s.%s", vault_call_word(f->kind), fault_words[f->fault]);
    disturb(side, f->link->far);
}

/* Cuts the text of a whole request into its parts. */
static void cut_request(struct flight *f, size_t head)
{
    char *target = strchr(f->text, ' '), *end;

    f->text[head - 1] = '\0';
    if (!target || !(end = strchr(target + 1, ' ')))
        abort();
    *target = *end = '\0';
    f->http = (struct vault_http){f->text, target + 1, end + 1, f->text + head};
    f->kind = f->link->far == FAR_SITE      ? site_sim_kind(&f->http)
              : is_etcd(f->link->far)       ? etcd_sim_kind(&f->http)
              : f->link->side->world->keyed ? keyed_vault_kind(&f->http)
                                            : vault_api_kind(&f->http);
}

/* A gateway gives no request back while it waits for an answer with its secret. One of several may: it reads
 * through another one's lease. */
static void check_not_read(const struct flight *checkin)
{
    const struct link_side *side = checkin->link->side;
    unsigned request = number_behind(checkin->http.target, "/Requests/");
    const struct flight *f;

    TAILQ_FOREACH(f, &side->flights, entry)
    {
        const struct link *l = f->link;

        if (f->kind == VAULT_CREDENTIAL && !f->answered && l->node == checkin->link->node && l->vc &&
            !l->lost && !l->eof && number_behind(f->http.target, "/Credentials/") == request)
            world_fail(side->world, "request %u is given back while its secret is asked for", request);
    }
}

/* It may still take effect, or the gateway waits for its answer. */
static bool is_under_way(const struct flight *f)
{
    const struct link *l = f->link;

    return !f->landed || (!f->answered && l->vc && !l->lost && !l->eof && !l->node->dead);
}

/* A check-out and a check-in of one key are never on their way together. */
static void check_alone(const struct flight *call)
{
    const struct link_side *side = call->link->side;
    unsigned account = keyed_vault_account(&call->http);
    const struct flight *f;

    TAILQ_FOREACH(f, &side->flights, entry)
    if ((f->kind == VAULT_REQUEST || f->kind == VAULT_CHECKIN) && f->kind != call->kind && is_under_way(f) &&
        keyed_vault_account(&f->http) == account)
        world_fail(side->world, "account %u: a %s is sent while a %s is on its way", account,
                   vault_call_word(call->kind), vault_call_word(f->kind));
}

static void start_flight(struct link *l, size_t head, size_t body, bool timely)
{
    struct link_side *side = l->side;
    struct flight *f = calloc(1, sizeof *f);

    if (!f || !(f->text = strndup(l->sent.data, head + body)))
        abort();
    f->link = l;
    f->sent_ms = side->world->now_ms;
    f->restores = side->restores;
    f->answer = BUF_INIT(BYTES_MAX);
    TAILQ_INSERT_TAIL(&side->flights, f, entry);
    cut_request(f, head);
    if (timely && (f->kind == VAULT_REQUEST || f->kind == VAULT_ISA))
        oracle_on_sent(side->world->oracle, l->node);
    if (side->world->keyed && (f->kind == VAULT_REQUEST || f->kind == VAULT_CHECKIN))
        check_alone(f);
    else if (f->kind == VAULT_CHECKIN && !world_is_cluster(side->world))
        check_not_read(f);
    take_fault(f);
    world_after(side->world, way_ms(f), f->fault == VAULT_FAULT_LOST_BEFORE ? on_lost : reach_vault, f);
}

/* Takes every whole request off what was sent. `timely`: the process was not paused in the act. */
static void take_requests(struct link *l, bool timely)
{
    for (;;) {
        const char *end = l->sent.len ? memmem(l->sent.data, l->sent.len, "\r\n\r\n", 4) : NULL;
        const char *length;
        size_t head, body = 0;

        if (!end)
            return;
        head = (size_t)(end - l->sent.data) + 4;
        length = memmem(l->sent.data, head, "\r\nContent-Length: ", 18);
        if (length)
            body = strtoul(length + 18, NULL, 10);
        if (l->sent.len < head + body)
            return;
        start_flight(l, head, body, timely);
        memmove(l->sent.data, l->sent.data + head + body, l->sent.len - head - body);
        l->sent.len -= head + body;
    }
}

/* ---- vault_conn.h ---- */

static struct link *link_of(const struct vault_conn *vc)
{
    return vc->easy;
}

static bool is_out_of_reach(const struct link *l)
{
    uint64_t now_ms = l->side->world->now_ms;

    return cut_of(l, WAY_TO)->until_ms > now_ms || cut_of(l, WAY_BACK)->until_ms > now_ms;
}

static void on_open(void *arg)
{
    struct link *l = arg;
    struct link_side *side = l->side;
    struct vault_conn *vc = l->vc;

    if (!vc || l->node->dead)
        return;
    if (node_is_paused(l->node)) {
        world_after(side->world, l->node->paused_ms - side->world->now_ms, on_open, l);
        return;
    }
    node_enter(l->node);
    if (side->world->now_ms < side->down_ms[l->far] || is_out_of_reach(l)) {
        bool silent = side->silent[l->far] || is_out_of_reach(l);

        vc->fault = silent ? CALL_FAULT_TIMEOUT : CALL_FAULT_REFUSED;
        text_copy(vc->error, sizeof vc->error, silent ? "no answer" : "connection refused");
        disturb(side, l->far);
        vc->opened(vc, -ECONNREFUSED);
        return;
    }
    if (uv_poll_init(gateway_run_uv(l->node->gateway), &vc->poll, -1))
        abort();
    vc->poll.data = vc;
    l->open = true;
    vc->opened(vc, 0);
}

int vault_conn_open(struct vault_conn *vc, struct dialer *dialer)
{
    *vc =
        (struct vault_conn){.opened = vc->opened, .ready = vc->ready, .closed = vc->closed, .dialer = dialer};
    return dialer_add(dialer, vc);
}

static enum far_end far_of(const char *host)
{
    unsigned member;

    if (sscanf(host, ETCD_HOST, &member) == 1)
        return (enum far_end)(FAR_ETCD + member);
    return strcmp(host, SITE_HOST) == 0 ? FAR_SITE : FAR_VAULT;
}

int dialer_add(struct dialer *dialer, struct vault_conn *vc)
{
    struct world *w = dialer->node->world;
    struct link_side *side = w->vault->links;
    enum far_end far = far_of(dialer->host);
    bool silent = side->silent[far] && w->now_ms < side->down_ms[far];

    if (dialer->node->dead)
        return -EIO;
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->side = side;
    l->far = far;
    l->node = dialer->node;
    l->vc = vc;
    l->sent = BUF_INIT(BYTES_MAX);
    l->back = BUF_INIT(BYTES_MAX);
    TAILQ_INSERT_TAIL(&side->links, l, entry);
    vc->easy = (CURL *)l;
    silent |= is_out_of_reach(l);
    world_after(side->world, silent ? is_etcd(far) ? 1000 : 5000 : CONNECT_MS, on_open, l);
    return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct vault_conn *vc = handle->data;

    vc->closed(vc);
}

void vault_conn_close(struct vault_conn *vc)
{
    if (!vc->easy)
        return;
    bool open = link_of(vc)->open;
    dialer_remove(vc->dialer, vc);
    if (open)
        uv_close((uv_handle_t *)&vc->poll, on_poll_closed);
    else
        vc->closed(vc);
}

void dialer_remove(struct dialer *dialer, struct vault_conn *vc)
{
    (void)dialer;
    link_of(vc)->vc = NULL;
    buf_free(&link_of(vc)->back);
    vc->easy = NULL;
}

/* The process is killed in front of this sending, or behind it. */
static bool is_killed_at(struct node *n, bool behind)
{
    if (!n->kill_in || n->kills_behind != behind || --n->kill_in)
        return false;
    node_kill(n, n->kill_restart_ms);
    return true;
}

ssize_t vault_conn_send(struct vault_conn *vc, const char *bytes, size_t n)
{
    struct link *l = link_of(vc);

    if (l->lost || l->node->dead || is_killed_at(l->node, false))
        return -ECONNRESET;
    if (buf_append(&l->sent, bytes, n))
        abort();
    if (l->node->pause_in && --l->node->pause_in == 0)
        node_pause(l->node, l->node->pause_length_ms);
    if (!node_is_paused(l->node)) /* else they go when it goes on */
        take_requests(l, true);
    return is_killed_at(l->node, true) ? -ECONNRESET : (ssize_t)n;
}

ssize_t vault_conn_recv(struct vault_conn *vc, char *to, size_t n)
{
    struct link *l = link_of(vc);
    size_t left = l->back.len - l->read;

    if (l->node->dead)
        return -ECONNRESET;
    if (!left)
        return l->lost ? -ECONNRESET : l->eof ? 0 : -EAGAIN;
    n = n < left ? n : left;
    memcpy(to, l->back.data + l->read, n);
    l->read += n;
    if (l->read == l->back.len) {
        buf_clear(&l->back);
        l->read = 0;
    }
    return (ssize_t)n;
}

bool vault_conn_silent(const struct vault_conn *vc)
{
    const struct link *l = link_of(vc);

    return l->read == l->back.len && !l->lost && !l->eof;
}

bool vault_conn_more(const struct vault_conn *vc, ssize_t got, size_t asked)
{
    (void)vc;
    return got > 0 && (size_t)got == asked;
}

int vault_conn_watch(struct vault_conn *vc)
{
    (void)vc;
    return 0;
}

/* ---- dialer.h ---- */

struct dialer *dialer_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    struct dialer *dialer = calloc(1, sizeof *dialer);

    (void)why;
    if (!dialer)
        return NULL;
    dialer->node = node_of(loop_clock(loop));
    text_copy(dialer->host, sizeof dialer->host, strstr(opts->url, "://") + 3);
    dialer->host[strcspn(dialer->host, "/:")] = '\0';
    return dialer;
}

void dialer_close(struct dialer *dialer, void (*closed)(void *arg), void *arg)
{
    free(dialer);
    closed(arg);
}

struct dialer_files *dialer_files_new(const struct upstream_opts *opts)
{
    (void)opts;
    return calloc(1, sizeof(struct dialer_files));
}

void dialer_files_free(struct dialer_files *files)
{
    free(files);
}

void dialer_reload(struct dialer *dialer, struct dialer_files *files)
{
    (void)dialer;
    dialer_files_free(files);
}

void dialer_doubt(struct dialer *dialer)
{
    (void)dialer;
}

const char *dialer_host(const struct dialer *dialer)
{
    return dialer->host;
}

bool dialer_is_tls(const struct dialer *dialer)
{
    (void)dialer;
    return true;
}

/* ---- acts ---- */

static enum vault_call_kind call_of(const struct act *act)
{
    if (act->kind == ACT_SITE_FAULT)
        return (enum vault_call_kind)(SITE_PROBE + act->a % (SITE_NCALLS - SITE_PROBE));
    if (act->kind == ACT_ETCD_FAULT)
        return (enum vault_call_kind)(ETCD_TXN + act->a % (ALL_NCALLS - ETCD_TXN));
    return (enum vault_call_kind)(act->a % VAULT_NCALLS);
}

static void add_fault(struct link_side *side, const struct act *act)
{
    struct fault_waiting *fault = calloc(1, sizeof *fault);

    if (!fault)
        abort();
    *fault = (struct fault_waiting){.call = call_of(act),
                                    .fault = (enum vault_fault_kind)(act->b % VAULT_NFAULTS),
                                    .number = act->c,
                                    .until_ms = side->world->now_ms + FAULT_WAITS};
    TAILQ_INSERT_TAIL(&side->faults, fault, entry);
}

static void hang_up(struct link_side *side, enum far_end far)
{
    struct link *l, *next;

    for (l = TAILQ_FIRST(&side->links); l; l = next) {
        next = TAILQ_NEXT(l, entry);
        if (l->far != far || !l->vc || !l->open || l->lost)
            continue;
        l->eof = true;
        wake(l);
    }
}

void link_side_etcd_restored(struct link_side *side)
{
    side->restores++;
    for (unsigned member = 0; member < ETCD_MEMBERS; member++)
        hang_up(side, (enum far_end)(FAR_ETCD + member));
}

static void put_down(struct link_side *side, enum far_end far, const struct act *act)
{
    if (side->down_ms[far] <= side->world->now_ms)
        side->since_ms[far] = side->world->now_ms;
    side->down_ms[far] = side->world->now_ms + act->a * UINT64_C(1000);
    side->silent[far] = act->b;
    hang_up(side, far);
}

uint64_t link_side_vault_away_ms(const struct link_side *side)
{
    return side->down_ms[FAR_VAULT] > side->world->now_ms ? side->since_ms[FAR_VAULT] : 0;
}

static void put_member_down(struct link_side *side, unsigned member, const struct act *act)
{
    uint64_t end_ms = side->world->now_ms + act->a * UINT64_C(1000);

    if (act->b % ETCD_NDOWNS == ETCD_NO_LEADER) {
        side->leaderless_ms[member] = end_ms;
        return;
    }
    side->down_ms[FAR_ETCD + member] = end_ms;
    side->silent[FAR_ETCD + member] = act->b % ETCD_NDOWNS == ETCD_SILENT;
    hang_up(side, (enum far_end)(FAR_ETCD + member));
}

static void put_etcd_down(struct link_side *side, const struct act *act)
{
    world_disturbed(side->world);
    for (unsigned member = 0; member < ETCD_MEMBERS; member++)
        if (act->c % (ETCD_MEMBERS + 1) == member || act->c % (ETCD_MEMBERS + 1) == ETCD_MEMBERS)
            put_member_down(side, member, act);
}

static void cut_off(struct link_side *side, const struct act *act)
{
    const struct node *n = side->world->to;
    const struct cut cut = {side->world->now_ms + act->a * UINT64_C(1000), act->b & CUT_KEEPS};

    world_disturbed(side->world);
    site_sim_disturbed(side->world->site);
    for (unsigned end = 0; end < 2; end++)
        for (unsigned way = 0; way < NWAYS; way++)
            if ((act->b & (end ? CUT_ETCD : CUT_VAULT)) && !(act->b & (way == WAY_TO ? CUT_BACK : CUT_TO)))
                side->cuts[n->number][end][way] = cut;
}

void link_side_act(struct link_side *side, const struct act *act)
{
    switch (act->kind) {
    case ACT_ETCD_DOWN: put_etcd_down(side, act); break;
    case ACT_ETCD_SLOW:
        world_disturbed(side->world);
        side->slow_ms = side->world->now_ms + act->a * UINT64_C(1000);
        side->takes_ms = act->c;
        break;
    case ACT_PARTITION: cut_off(side, act); break;
    case ACT_ETCD_FAULT:
    case ACT_FAULT:
    case ACT_SITE_FAULT: add_fault(side, act); break;
    case ACT_VAULT_DOWN: put_down(side, FAR_VAULT, act); break;
    case ACT_SITE_DOWN: put_down(side, FAR_SITE, act); break;
    case ACT_VAULT_HANG_UP: hang_up(side, FAR_VAULT); break;
    default: abort();
    }
}

static void drop_faults(struct link_side *side)
{
    struct fault_waiting *fault;

    while ((fault = TAILQ_FIRST(&side->faults))) {
        TAILQ_REMOVE(&side->faults, fault, entry);
        free(fault);
    }
}

void link_side_heal(struct link_side *side)
{
    drop_faults(side);
    memset(side->down_ms, 0, sizeof side->down_ms);
    memset(side->leaderless_ms, 0, sizeof side->leaderless_ms);
    side->slow_ms = 0;
    for (unsigned n = 0; n < SETUP_NODES; n++)
        for (unsigned cut = 0; cut < 2 * NWAYS; cut++)
            side->cuts[n][cut / NWAYS][cut % NWAYS].until_ms = 0;
}

void link_side_wake(struct link_side *side, struct node *n)
{
    struct link *l, *next;

    for (l = TAILQ_FIRST(&side->links); l; l = next) {
        next = TAILQ_NEXT(l, entry);
        if (l->node == n)
            take_requests(l, false);
        if (l->node == n && (l->back.len > l->read || l->lost || l->eof))
            wake(l);
    }
}

struct link_side *link_side_new(struct world *w)
{
    struct link_side *side = calloc(1, sizeof *side);

    if (!side)
        abort();
    side->world = w;
    TAILQ_INIT(&side->links);
    TAILQ_INIT(&side->flights);
    TAILQ_INIT(&side->faults);
    return side;
}

void link_side_free(struct link_side *side)
{
    struct flight *f;
    struct link *l;

    drop_faults(side);
    while ((f = TAILQ_FIRST(&side->flights)))
        flight_free(f);
    while ((l = TAILQ_FIRST(&side->links))) {
        TAILQ_REMOVE(&side->links, l, entry);
        buf_free(&l->sent);
        buf_free(&l->back);
        free(l);
    }
    free(side);
}
