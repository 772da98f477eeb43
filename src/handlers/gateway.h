/*
 * gateway.h - private to handlers/: the gateway, and one request from its head to its response.
 *
 * A struct request_context is made when a head arrives and freed when its response is given to the server or
 * the client has left, whichever is first. It is the `app` of its struct http_req; the two point at each
 * other, and one function cuts the link (ctx_detach). While the broker works, `op` is set: if the client
 * leaves, broker_leave() is called and the context is freed; if the broker answers, `op` is cleared first and
 * the response is written.
 *
 * The response functions free the context: ctx_json(), ctx_fail(), ctx_text(), ctx_empty(). A handler calls
 * exactly one of them, in start() or later.
 *
 * Not here: who a caller is (clients.h), JSON members (json_fields.h).
 */
#ifndef JG_HANDLERS_GATEWAY_H
#define JG_HANDLERS_GATEWAY_H

#include "backends/pra/site.h"
#include "base/jsonw.h"
#include "base/timers.h"
#include "broker/audit.h"
#include "handlers/auth_failures.h"
#include "handlers/clients.h"
#include "handlers/last_errors.h"
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

/* Counts the log lines about unknown callers that were left out. */
struct stranger_lines {
    struct timers *timers;
    struct deadline count;       /* writes the count to the log */
    uint64_t left_out;           /* since the last count in the log */
    char peer[HTTP_ORIGIN_SIZE]; /* of the last one */
    uint64_t total;
};

/* What the PRA site's events were not accepted for, counted for a minute each. */
struct pra_events {
    struct timers *timers;
    struct audit *audit;
    struct deadline refused_end, malformed_end;
    uint64_t refused, malformed;
    char refused_peer[64], malformed_peer[64];
    char malformed_why[160];
};

#define CONTROL_NAME_SIZE 64

struct control_peers {
    char own[CONTROL_NAME_SIZE], root[CONTROL_NAME_SIZE]; /* "" = there is no name */
};

struct gateway {
    struct loop *loop;
    const struct clock *clock;
    const struct conf *conf;
    struct broker *broker;
    struct vault *const *vaults;
    size_t nvaults;
    struct store *store; /* NULL = leases are in memory only */
    struct audit *audit; /* NULL = none is kept */
    struct clients *clients;
    struct auth_failures *auth_failures;
    struct last_errors *last_errors;
    struct stranger_lines stranger_lines;
    struct control_peers control_peers;
    struct pra_site *site; /* NULL = no [pra] section */
    struct pra_events events;
    int (*ask_reload)(void *arg); /* NULL until gateway_on_reload() */
    void *ask_reload_arg;
    TAILQ_HEAD(, termination) terminations;
    struct gateway_metrics *metrics;
    struct request_metrics *requests;
    struct http_server *server; /* NULL until gateway_set_server() */
    struct http_app app;
    uint64_t started_ms; /* monotonic */
    int64_t started_wall_ms;
    size_t inflight; /* operations admitted and not yet answered */
    bool draining;
    TAILQ_HEAD(context_list, request_context) contexts; /* all without a response */
};

/*
 * The arguments of a request; texts belong to its parsed body or to ctx->target and are valid until start()
 * returns. In rows with a session `by` is the common initial member of the others: the router fills it in.
 */
union route_args {
    struct asked_by by;
    struct checkout_args checkout;
    struct release_args release;
    struct endpoints_args endpoints;
    struct started_args started;
    struct lease_filter leases;
    struct {
        const char *id;
        bool terminate; /* the session too, at the site */
        bool forget;    /* its check-in is given up */
    } lease;
    const char *checked_in_id; /* of a credential */
    const char *explained_id;
    bool reconcile_all_users;
    struct {
        int change; /* see cluster_actions.c */
        const char *name;
    } cluster_record;
};

struct request_context;

enum route_flags {
    ROUTE_ALWAYS = 1,  /* answers while draining, at max_inflight, or over the client's rate */
    ROUTE_QUIET = 2,   /* polled every few seconds: logged at debug only */
    ROUTE_NO_BODY = 4, /* a POST whose body may be empty */
    ROUTE_FORM = 8,    /* an event of the PRA site: a form from a sender of its own (pra_events.c) */
    ROUTE_EVENTS = 16  /* served by listeners with `routes = events` too */
};

/* Responds now or later. */
typedef void route_start(struct request_context *, const union route_args *);
/* Reads the rest of the body into args; false and a fault. */
typedef bool route_read_body(const cJSON *body, union route_args *, struct fault *);
/* Reads path and query into args, after the body; false and a fault. */
typedef bool route_read_target(struct request_context *, union route_args *, struct fault *);

struct route {
    const char *path;        /* `{id}` = one segment */
    enum http_method method; /* HTTP_GET_ (HEAD as well) or HTTP_POST_ (with a JSON body) */
    unsigned permit;         /* enum conf_permission; 0 = for any caller */
    unsigned flags;
    const char *operation; /* for logs and metrics */
    unsigned session;      /* enum session_needs of the session in the body; 0 = there is none in it */
    route_read_body *read; /* NULL = nothing else in it is read */
    route_start *start;
    route_read_target *read_target; /* NULL = neither is read */
};

/* The table, ended by a row without path, which is that of every unknown path. */
extern const struct route routes[];
size_t routes_count(void); /* that last row included */
/* What the row reads of a body, its session first. False and a fault. `args` must be all zero. */
bool route_read(const struct route *, const cJSON *body, union route_args *args, struct fault *);

struct request_context {
    struct gateway *gateway;
    TAILQ_ENTRY(request_context) link;
    const struct route *route;
    struct http_req *req;
    struct client *client; /* NULL = the route is for any caller */
    struct op *op;         /* the broker's operation, while it works */
    /* Work that goes on without the request: called when the context ends. NULL = none. */
    void (*left)(struct termination *);
    struct termination *termination;
    char *target;        /* decoded by read_target(); NULL = nothing */
    uint64_t timeout_ms; /* the caller's timeout, from the head on; in start(): the time left */
    uint64_t started_us;
    struct buf body; /* of the response, RESPONSE_MAX at most */
    struct jsonw json;
    bool counted;     /* in gateway->inflight */
    bool close_after; /* the connection is closed after the response: its peer fails too often */
    enum {
        RELOAD_NONE,
        RELOAD_ASKED,
        RELOAD_JUDGED
    } reload; /* waits for the verdict of a reload, which is there */
    enum {
        LOGGING_UNDECIDED,
        LOGGING_PERMITTED,
        LOGGING_DENIED
    } logging; /* of lines about a stranger's request: permitted once for all of them */
    char request_id[REQUEST_ID_MAX + 1];
    char trace_id[TRACE_ID_LEN + 1]; /* "" = no traceparent */
    /* Of the session, as much as fits, for last_errors; "" = none. */
    char user[LAST_ERROR_NAME], endpoint[LAST_ERROR_NAME];
};

/* terminate.c: the kill switch of an operator's release */
void terminate_start(struct request_context *, const char *lease_id);

/* pra_events.c */
void pra_events_init(struct pra_events *, struct timers *, struct audit *);
void pra_events_end(struct pra_events *); /* writes what it has counted */
/* A [pra] section takes events. */
bool pra_events_served(const struct gateway *);
/* As on_head() of struct http_app: who the sender is, and how long the form may be. */
int64_t pra_events_head(struct request_context *);

/* request_context.c */

/* Makes the context of a request and links the two; request id and trace id are read or made. NULL = out of
 * memory. */
struct request_context *ctx_new(struct gateway *, struct http_req *);
/* Clients' requests are always logged, a stranger's as stranger_lines.c permits; one decision for all lines
 * of a request. */
bool ctx_may_log(struct request_context *, const struct http_peer *);
/* The client has left: the broker finishes and undoes its operation (broker_leave); frees the context. */
void ctx_gone(struct request_context *);
/* The server itself answers the request, with this fault; frees the context. */
void ctx_refused(struct request_context *, const struct fault *);
/* The gateway stops waiting for the broker: answers `draining`; frees the context. */
void ctx_give_up(struct request_context *);
/* The request's own id if it sent a valid one, else a new one. */
void ctx_request_id(const struct http_req *, char out[REQUEST_ID_MAX + 1]);
/* Sets client, request id, trace id and the control socket's peer of the session; valid as long as the
 * context. */
void ctx_origin(const struct request_context *, struct session *);
/* Keeps the names of the session's user and endpoint, which a failure is listed with. */
void ctx_names(struct request_context *, const struct session *);
/* The op's done() will respond; NULL (out of memory) is answered at once. */
void ctx_wait(struct request_context *, struct op *);
/* The first call of done(): clears `op`. False = the operation failed: it is answered, the context freed. */
bool ctx_succeeded(struct request_context *, const struct fault *);

/* The body of the response is a JSON object: its members are written to the result. It may be begun again. */
struct jsonw *ctx_object(struct request_context *);
/* The same for a secret: the body is in secret memory, and no cache may store it. */
struct jsonw *ctx_secret_object(struct request_context *);

/* Each responds and frees the context. */
void ctx_json(struct request_context *,
              int status); /* ends the object, where that is not done, and sends it */
void ctx_text(struct request_context *, const char *content_type); /* what is in `body` */
void ctx_fail(struct request_context *, const struct fault *);
void ctx_empty(struct request_context *); /* 204 */

/* control_peer.c: the names of those who may use the control socket are looked up by init(), which may wait.
 */
void control_peers_init(struct control_peers *);
/* Sets the peer of a session that came over the control socket; its name is valid as long as `peers`. */
void control_peer_set(const struct control_peers *, const struct http_peer *, struct session *);

/* reload_record.c: the audit record of a reload; `asked` NULL = a signal did. */
void reload_record(const struct gateway *, const struct reload_report *, const struct request_context *asked);

/* stranger_lines.c */
void stranger_lines_init(struct stranger_lines *, struct timers *);
void stranger_lines_end(struct stranger_lines *);
/* May one more line about this stranger be written? If not, it is counted. */
bool stranger_lines_permit(struct gateway *, const struct http_peer *);
void stranger_lines_leave_out(struct stranger_lines *, const char *origin);

/* admission.c: the rules a head must pass, in the order of docs/api.md; fills client and timeout. */
bool admission_head(struct request_context *, struct fault *);
/* A caller that is not known: counts, logs and sets the fault (429 over failed_login_rate). Returns false. */
bool admission_refuse_caller(struct request_context *, const char *detail, struct fault *);
/* The token of a caller could not be hashed: 503, no failure of the caller's. Returns false. */
bool admission_unread_caller(struct fault *);
/* The rules after the body: rate, draining, max_inflight, time. A context that passes is counted as in
 * flight. */
bool admission_start(struct request_context *, unsigned wait_s, struct fault *);

/* health_state.c: the present state, as each reports it */

/* As the vault's backend reports it. */
void health_vault(const struct vault *, struct vault_state *);
/* Reachable, or without a first answer. */
bool health_vault_usable(const struct vault_state *);
/* False where leases are in memory only. */
bool health_store(const struct gateway *, struct store_state *);
/* False where no audit trail is kept. */
bool health_audit(const struct gateway *, struct audit_state *);

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
route_start find_start, checkout_start, release_start, endpoints_start, session_start_start;
route_start session_started_start, session_complete_start, leases_start, lease_release_start, explain_start;
route_start credential_checkin_start;
route_start pra_events_start, reload_start, configuration_start, cluster_reconcile_start,
    cluster_record_start;
route_start capabilities_start, health_start, livez_start, readyz_start, status_start, metrics_start;
route_read_body checkout_read, release_read, endpoints_read, session_started_read, lease_release_read,
    cluster_reconcile_read, cluster_record_read;
route_read_target leases_read_target, lease_release_read_target, credential_checkin_read_target,
    explain_read_target;

#endif
