/*
 * gateway.h - private to the room: the gateway, and one client's request on its way through it.
 *
 * A struct request_context is made when a head arrives and lives until its answer is handed to the server or
 * the client is gone, whichever is first. It is the `app` of its struct http_req; the two point at each
 * other, and the link is cut in one place (ctx_detach). While the broker works, `op` is set: if the client
 * leaves, the broker is told (broker_leave) and the context goes; if the broker answers, `op` is cleared
 * first and the answer written.
 *
 * The answer functions end the context: after ctx_json(), ctx_fail(), ctx_text() and ctx_empty() it is gone.
 * A handler calls exactly one of them, in start() or later.
 *
 * Not here: who a caller is (clients.h), JSON members (json_fields.h).
 */
#ifndef JG_HANDLERS_GATEWAY_H
#define JG_HANDLERS_GATEWAY_H

#include "base/jsonw.h"
#include "base/timers.h"
#include "broker/audit.h"
#include "handlers/auth_failures.h"
#include "handlers/clients.h"
#include "handlers/routes.h"
#include "stores/store.h"

#include <cJSON.h>
#include <sys/queue.h>

#define REQUEST_ID_MAX 128
#define TRACE_ID_LEN   32
#define RESPONSE_MAX   (16U << 20) /* bytes of the longest answer: a list of some 40,000 accounts */
#define READ_DEPTH     32          /* nesting of a request body */

struct gateway_metrics;
struct request_metrics;

/* Of lines in the log about unknown callers: what was left out. */
struct stranger_lines {
    struct timers *timers;
    struct deadline count;       /* when the log hears of it */
    uint64_t left_out;           /* since it last heard */
    char peer[HTTP_ORIGIN_SIZE]; /* of the last one */
    uint64_t total;
};

struct gateway {
    struct loop *loop;
    const struct clock *clock;
    const struct conf *conf;
    struct broker *broker;
    struct vault **vaults;
    size_t nvaults;
    struct store *store; /* NULL = leases are in memory only */
    struct audit *audit; /* NULL = none is kept */
    struct clients *clients;
    struct auth_failures *auth_failures;
    struct stranger_lines lines;
    struct gateway_metrics *metrics;
    struct request_metrics *requests;
    struct http_server *server; /* NULL until gateway_set_server() */
    struct http_app app;
    uint64_t started_ms; /* monotonic */
    int64_t started_wall_ms;
    size_t inflight; /* operations admitted and not yet answered */
    bool draining;
    TAILQ_HEAD(context_list, request_context) contexts; /* all without an answer */
};

/*
 * What a request asks for; texts belong to its parsed body or to ask->target and are gone after start(). Of
 * rows with a session, `by` is the common beginning of what the others hold: the router fills it in.
 */
union route_args {
    struct asked_by by;
    struct find_args find;
    struct checkout_args checkout;
    struct release_args release;
    struct endpoints_args endpoints;
    struct started_args started;
    struct lease_filter leases;
    const char *lease_id;
    const char *explained_id;
};

struct request_context;

enum route_flags {
    ROUTE_ALWAYS = 1, /* answers while draining, full, or over the client's rate */
    ROUTE_QUIET = 2,  /* asked by machines every few seconds: logged at debug only */
    ROUTE_NO_BODY = 4 /* a POST that says everything in its path: an empty body will do */
};

struct route {
    const char *path;        /* `{id}` stands for one segment */
    enum http_method method; /* HTTP_GET_ (HEAD as well) or HTTP_POST_ (with a JSON body) */
    unsigned permit;         /* enum conf_permission; 0 = nobody is asked who he is */
    unsigned flags;
    const char *operation; /* for logs and metrics */
    unsigned session;      /* enum session_needs of the session in the body; 0 = there is none in it */
    /* Reads the rest of the body into args; false and a fault. NULL = nothing else in it is looked at. */
    bool (*read)(const cJSON *body, union route_args *args, struct fault *fault);
    void (*start)(struct request_context *, const union route_args *args);
    /* Reads path and query into args, after the body; false and a fault. NULL = neither is looked at. */
    bool (*look)(struct request_context *, union route_args *args, struct fault *fault);
};

/* The table, ended by a row without path that stands for everything unknown. */
extern const struct route routes[];
size_t routes_count(void); /* that last row included */
/* What the row reads of a body, its session first. False and a fault. `args` must be all zero. */
bool route_read(const struct route *, const cJSON *body, union route_args *args, struct fault *);

struct request_context {
    struct gateway *gateway;
    TAILQ_ENTRY(request_context) link;
    const struct route *route;
    struct http_req *req;
    struct client *client; /* NULL = none was asked for */
    struct op *op;         /* the broker's part, while it works */
    char *target;          /* what look() decoded, if anything */
    uint64_t timeout_ms;   /* what the caller grants from its head on; in start(): what is left of it */
    uint64_t started_us;
    bool counted; /* in gateway->inflight */
    bool hang_up; /* the connection ends with the answer: its peer fails too often */
    enum { LINES_UNASKED, LINES_GRANTED, LINES_DENIED } lines; /* about it, while it is a stranger's */
    char request_id[REQUEST_ID_MAX + 1];
    char trace_id[TRACE_ID_LEN + 1]; /* "" = no traceparent */
};

/* request_context.c */

/* Makes the context of a request and links the two; request id and trace id are read or made. NULL = no
 * memory.
 */
struct request_context *ctx_new(struct gateway *, struct http_req *);
/* Clients' requests are always logged, a stranger's as stranger_lines.c permits: asked once for all lines of
 * it. */
bool ask_may_log(struct request_context *, const struct http_peer *);
/* The client is gone: what the broker does for it is left to land and be undone; frees the context. */
void ctx_gone(struct request_context *);
/* The server itself answers the request, with this fault; frees the context. */
void ctx_refused(struct request_context *, const struct fault *);
/* The gateway will not wait for the broker any longer: answers `draining`; frees the context. */
void ctx_give_up(struct request_context *);
/* The request's own id where it brought a good one, else a new one. */
void ctx_request_id(const struct http_req *, char out[REQUEST_ID_MAX + 1]);
/* Writes who asked, and in which request, into the session; as long-lived as the context. */
void ctx_origin(const struct request_context *, struct session *);
/* The answer comes from this op's done(); NULL (out of memory) is answered at once. */
void ctx_wait(struct request_context *, struct op *);
/* First in done(): the op is no more. False = it failed, which is answered; the context is gone. */
bool ctx_succeeded(struct request_context *, const struct fault *);

enum response_flags { RESPONSE_SECRET = 1 /* not to be stored by anybody on the way */ };

/* Each takes the body's contents (wiping them where they fail) and frees the context. */
void ctx_json(struct request_context *, int status, struct buf *body, unsigned flags);
void ctx_text(struct request_context *, const char *content_type, struct buf *body);
void ctx_fail(struct request_context *, const struct fault *);
void ctx_empty(struct request_context *); /* 204 */

/* stranger_lines.c */
void stranger_lines_init(struct stranger_lines *, struct timers *);
void stranger_lines_end(struct stranger_lines *);
/* May one more line about this stranger be written? If not, it is counted. */
bool stranger_lines_permit(struct gateway *, const struct http_peer *);
void stranger_lines_leave_out(struct stranger_lines *, const char *origin);

/* admission.c: the rules a head must pass, in the order of the contract; fills client and timeout. */
bool admission_head(struct request_context *, struct fault *);
/* The rules after the body: rate, draining, room, time. Counts the context as in flight when it passes. */
bool admission_start(struct request_context *, unsigned wait_s, struct fault *);

/* health_state.c: what each reports of itself now */

/* What the vault's backend says of it now. */
void health_vault(const struct vault *, struct vault_state *);
/* Reachable, or not asked yet. */
bool health_vault_usable(const struct vault_state *);
/* What the store says of itself now; false where leases are in memory only. */
bool health_store(const struct gateway *, struct store_state *);
/* What the audit trail says of itself now; false where none is kept. */
bool health_audit(const struct gateway *, struct audit_state *);
/* Seconds the earliest certificate is still valid (negative: past); false where there is none. */
bool health_certificate_left(const struct gateway *, int64_t *seconds);

/* request_metrics.c */
struct request_metrics *request_metrics_new(const struct route *rows, size_t nrows);
void request_metrics_free(struct request_metrics *);
void gateway_count(struct gateway *, const struct route *, int status, uint64_t took_us); /* of those rows */
void gateway_count_refused_caller(struct gateway *);

/* metrics_page.c */
struct gateway_metrics *gateway_metrics_new(struct gateway *);
void gateway_metrics_free(struct gateway_metrics *);
/* The /metrics page. */
void gateway_render_metrics(struct gateway *, struct buf *);

/* The rows' functions, one file per group. */
void find_start(struct request_context *, const union route_args *);
bool checkout_read(const cJSON *, union route_args *, struct fault *);
void checkout_start(struct request_context *, const union route_args *);
bool release_read(const cJSON *, union route_args *, struct fault *);
void release_start(struct request_context *, const union route_args *);
bool endpoints_read(const cJSON *, union route_args *, struct fault *);
void endpoints_start(struct request_context *, const union route_args *);
void session_start_start(struct request_context *, const union route_args *);
bool session_started_read(const cJSON *, union route_args *, struct fault *);
void session_started_start(struct request_context *, const union route_args *);
void session_complete_start(struct request_context *, const union route_args *);
bool leases_look(struct request_context *, union route_args *, struct fault *);
void leases_start(struct request_context *, const union route_args *);
bool lease_release_look(struct request_context *, union route_args *, struct fault *);
void lease_release_start(struct request_context *, const union route_args *);
bool explain_look(struct request_context *, union route_args *, struct fault *);
void explain_start(struct request_context *, const union route_args *);
void capabilities_start(struct request_context *, const union route_args *);
void health_start(struct request_context *, const union route_args *);
void livez_start(struct request_context *, const union route_args *);
void readyz_start(struct request_context *, const union route_args *);
void status_start(struct request_context *, const union route_args *);
void metrics_start(struct request_context *, const union route_args *);

#endif
