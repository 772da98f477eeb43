/*
 * web_internal.h - private to reports/web/: the web, and one request from its head to its answer.
 *
 * A struct web_request is made when a head arrives. `req` is the server's request, NULL once it is answered
 * or its client has left; the answering functions (web_json() and those beside it) clear it. The request
 * itself lives on while a thread works for it (`working`), and is freed by web_request_rest() when neither is
 * left.
 *
 *   head -> who asks, may they -> body -> route->start() -> an answer now, or:
 *   reader job -> audit record on disk -> answer
 *
 * Invariant: each open request is in web->requests, and each answer goes through finish() in answer.c, which
 * writes the headers that every answer has.
 */
#ifndef JG_REPORTS_WEB_WEB_INTERNAL_H
#define JG_REPORTS_WEB_WEB_INTERNAL_H

#include "audit/audit_sink.h"
#include "base/jsonw.h"
#include "base/token_bucket.h"
#include "loop/server/server.h"
#include "loop/worker.h"
#include "reports/collect/collect.h"
#include "reports/conf/reports_conf.h"
#include "reports/query/feed.h"
#include "reports/query/query.h"
#include "reports/web/counts.h"
#include "reports/web/lock_out.h"
#include "reports/web/problem.h"
#include "reports/web/readers.h"
#include "reports/web/sessions.h"
#include "reports/web/web.h"

#include <cJSON.h>
#include <sys/queue.h>

#define WEB_ID_MAX       128                 /* letters of a request's id */
#define WEB_BODY_MAX     ((size_t)64 * 1024) /* of a request */
#define WEB_JSON_MAX     ((size_t)16 << 20)  /* of an answer */
#define SIGN_INS_WAIT    8
#define EXPORTS_PER_USER 2 /* at once, with those that wait for a reader */

struct web_request;
struct export;

/* ---- routes ---- */

enum route_access {
    ACCESS_ANYONE,
    ACCESS_PAGE,   /* signed in, else 303 to /sign-in */
    ACCESS_USER,   /* signed in, else 401 */
    ACCESS_READER, /* a [reader] with a token */
    ACCESS_NONE    /* rows of unknown paths: signed in 404, else 303 or 401 */
};

enum route_flags {
    ROUTE_QUIET = 1,    /* polled every few seconds: logged at debug only */
    ROUTE_DRAINING = 2, /* answers while draining */
    ROUTE_JSON = 4,     /* its body is JSON: else 415 */
    ROUTE_BARE = 8      /* takes no parameter: one is refused with its name */
};

struct web_route {
    const char *path; /* `{x}` = one segment, at most two; NULL = the last row */
    enum http_method method;
    enum route_access access;
    unsigned permit; /* bits of enum reports_permission, or of reports_reader_permission */
    unsigned flags;
    const char *operation; /* for log and metrics */
    void (*start)(struct web_request *);
};

/* routes.c: the table, with a last row for unknown paths. */
extern const struct web_route web_routes[];
size_t web_routes_count(void);

/* ---- one request ---- */

struct view; /* what a query may see: context.c */

struct web_request {
    struct web *web;
    struct http_req *req; /* NULL: answered, or the client has left */
    TAILQ_ENTRY(web_request) link;
    const struct web_route *route;
    uint64_t started_us;
    char id[WEB_ID_MAX + 1];
    char peer[64], network[HTTP_ORIGIN_SIZE];
    /* who asks */
    char name[CONF_NAME_MAX]; /* of user or reader; "" = not known */
    unsigned allow;           /* of the user */
    char csrf[SESSION_TOKEN + 1];
    unsigned char session[DIGEST_SIZE]; /* key of the session, which may have ended meanwhile */
    bool has_session;
    char new_cookie[SESSION_TOKEN + 1]; /* to be set with the answer; "" = none */
    bool drop_cookie;
    /* what is asked; decoded */
    char *segment[2];
    char *query;      /* as sent; NULL = none */
    uint64_t address; /* digest of path and query, for views */
    /* work */
    bool working; /* a thread works for it, or will */
    bool begun;   /* the head of an answer in pieces is sent, or tried */
    struct reader_job job;
    struct view *view;
    struct query *parsed;
    bool has_range; /* its query takes a range and filters */
    enum query_outcome outcome;
    enum query_format format;
    struct query_result result;
    struct buf body;
    const char *type;                                          /* of the body */
    struct buf headers;                                        /* of its own */
    enum db_outcome (*ask)(struct web_request *, struct db *); /* on the reader's thread */
    void (*asked)(struct web_request *);                       /* then, on the loop */
    struct audit_wait wait;
    void (*recorded)(struct web_request *);
    bool waiting; /* for its audit record */
    struct export *export;
    /* Its client has left, or its audit record could not be had: ends what works for it, and lets it rest.
     * NULL = nothing works. */
    void (*left)(struct web_request *);
    void (*drained)(struct web_request *); /* the socket has room for a piece; NULL = none is given */
    struct {
        struct feed_request request;
        struct feed_answer answer;
        struct query_error error;
    } feed;
    struct {
        int64_t revision, expected; /* expected: -1 = none */
        bool found, conflict;
        char *document;
    } layout;
    struct sign_in *sign_in;
};

/* ---- the web ---- */

struct site_row { /* of jg_site */
    char host_name[256], name[64], state[32], reason[256], api_version[64];
    int64_t since, last_success, skew_ms;
    int64_t missing_from; /* by the cursor of the backfill and what it has put into jg_todo */
    bool has_since, has_success, has_skew, has_missing;
};

struct web_next {
    struct web *web;
    const struct reports_conf *conf;
    struct tls_context *tls;
};

struct reader_state { /* a [reader]: its rate */
    char name[CONF_NAME_MAX];
    struct token_bucket bucket;
};

struct web {
    struct loop *loop;
    const struct clock *clock;
    const struct reports_conf *conf;
    const char *db_name; /* "sqlite" */
    struct audit_sink *audit;
    struct collector *collector;
    const struct web_route *routes;
    size_t nroutes;
    struct http_app app;
    struct http_server *server;
    char address[128];
    char *origin; /* what browsers send as Origin */
    struct web_sessions sessions;
    struct lock_out lock_out;
    struct token_bucket stranger_lines;
    struct reader_state *readers;
    size_t nreaders;
    struct readers *pages, *exports, *layouts; /* pools */
    /* signing in: one password at a time */
    struct worker scrypt;
    STAILQ_HEAD(, sign_in) sign_ins;
    size_t nsign_ins;
    struct sign_in *checking;
    bool scrypt_open;
    void (*scrypt_closed)(void *web);
    /* states of sites, read now and then */
    struct site_row *rows;
    size_t nrows;
    int64_t server_bytes; /* size of the database of a server; -1 = not known */
    struct states_job *states;
    struct deadline states_next;
    struct counts counts;
    TAILQ_HEAD(web_requests, web_request) requests;
    uint64_t started_ms;
    int64_t started_wall_ms;
    bool draining, closing;
    struct deadline drain_look;
    void (*drained)(void *arg);
    void *drained_arg;
    void (*closed)(void *arg);
    void *closed_arg;
    unsigned parts; /* of closing that are not done */
};

/* ---- router.c ---- */
void router_app(struct web *);

/* ---- who.c: who asks, and may they ---- */
/* False and a problem; `*redirect` = to the sign-in page. */
bool who_may(struct web_request *, struct problem *, bool *redirect);
bool who_knows(void *web, const struct http_peer *);
int who_readers(struct web *, const struct reports_conf *); /* the rates of [reader] sections */
/* The request's origin, where the browser says it: another one's is a forged request. */
bool who_same_origin(const struct web_request *);

/* ---- users.c ---- */
const struct reports_user *user_find(const struct web *, const char *name); /* NULL = none, or not enabled */
/* Does the connection show the certificate that the user's section names, if it names one? */
bool user_shows_certificate(const struct reports_user *, const struct http_peer *);

/* ---- answer.c ---- */
struct web_request *web_request_new(struct web *, struct http_req *);
void web_request_rest(struct web_request *); /* frees it when nothing needs it */
void web_request_gone(struct web_request *); /* its client has left */
/* There is no more time for it: answers `draining`, or breaks off an answer that has begun. */
void web_request_give_up(struct web_request *);
struct web_session *web_request_session(const struct web_request *); /* NULL = it has ended */
void web_request_id(const struct http_req *, char out[WEB_ID_MAX + 1]);
extern const char web_headers[]; /* of every answer */

/* Each answers; the request may be gone afterwards. */
void web_json(struct web_request *, int status); /* what is in `body` */
void web_send(struct web_request *, int status, const char *type, const char *cache);
void web_empty(struct web_request *); /* 204 */
void web_redirect(struct web_request *, const char *to);
void web_fail(struct web_request *, const struct problem *);
void web_fail_with(struct web_request *, enum problem_code, const char *detail);
/* An answer in pieces: its head. False = no piece is wanted, and the request is over. */
bool web_begin(struct web_request *, const char *type);
void web_end(struct web_request *, bool whole);                 /* not whole: breaks the connection */
struct jsonw *web_object(struct web_request *, struct jsonw *); /* begins an object in `body` */
/* May one more line about this stranger be logged? */
bool web_may_log(void *web, const struct http_peer *);

/* ---- ask.c: work on a reader ---- */
/* `ask` on a thread of the pool, then `asked`; answers itself when there is no room. */
void web_ask(struct web_request *, struct readers *, uint64_t timeout_ms);
/* On the thread: keeps the outcome of a query; that of the job is the database's alone. */
enum db_outcome web_judge(struct web_request *, const struct db *, enum query_outcome);
/* Answers what came of it, where that was no success: false. */
bool web_asked_well(struct web_request *);
bool web_query_parsed(struct web_request *, enum query_outcome, const struct query_error *);
void web_fail_database(struct web_request *, enum db_outcome);

/* ---- context.c ---- */
struct view *view_new(const struct web *, const struct web_request *);
void view_free(struct view *);
const struct query_context *view_context(const struct view *);
bool view_sees(const struct view *, const char *host_name);
int states_start(struct web *);
/* Of the database: of SQLite the size of its file, of a server what it said last; -1 = not known. */
int64_t states_database_bytes(const struct web *);
void states_stop(struct web *);

/* ---- notes.c: audit records ---- */
struct note {
    struct web_request *request;
    struct buf buf;
    struct jsonw w;
};
void note_begin(struct note *, struct web_request *, const char *event); /* who, from where, request id */
void note_text(struct note *, const char *name, const char *value);
void note_number(struct note *, const char *name, int64_t value);
void note_bool(struct note *, const char *name, bool value);
void note_write(struct note *); /* soon, with others */
/* Then `recorded`, once the record is on disk, or may be missing by the policy; else answers 503. */
void note_await(struct note *, void (*recorded)(struct web_request *));
/* Can the trail be written, or may it be missing? */
bool notes_possible(const struct web *);
/* Is this what the page asks again on its own, and was viewed before? */
bool note_is_refresh(const struct web_request *);

/* ---- sign_in.c ---- */
int sign_in_open(struct web *);
void sign_in_close(struct web *, void (*closed)(void *web));

/* ---- assets.c ---- */
void asset_send(struct web_request *, const char *name, int status, const char *cache);

/* ---- export.c ---- */
/* Ends exports: of the user, or, where `session` is given, of this session alone. */
void exports_end(struct web *, const char *user, const unsigned char *session);
/* Answers `draining` to those that have no reader yet. */
void exports_refuse_waiting(struct web *);

/* ---- starts of routes ---- */
typedef void route_start(struct web_request *);
route_start page_start, sign_in_page_start, asset_start, unknown_start;
route_start sign_in_start, sign_out_start, me_start;
route_start tiles_start, tile_start, records_start, columns_start, values_start, session_start, events_start;
route_start export_start, layout_get_start, layout_put_start, layout_delete_start, collector_start,
    feed_start;
route_start livez_start, readyz_start, status_start, metrics_start;

#endif
