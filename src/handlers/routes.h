/*
 * routes.h - the gateway as the application of the HTTP server: one table of routes, one router.
 *
 * The router is the http_app of the server: it finds the row, identifies the caller (handlers/clients.h),
 * checks permission and body rules in the order of docs/api.md, makes the request id, and passes complete
 * requests to the row's handler. A handler makes one broker call of JSON, and JSON of the broker's answer,
 * nothing else.
 */
#ifndef JG_HANDLERS_ROUTES_H
#define JG_HANDLERS_ROUTES_H

#include "broker/broker.h"
#include "conf/conf.h"
#include "loop/server/server.h"

struct audit;
struct store;
struct pra_site;
struct gateway; /* everything a handler may use: handlers/gateway.h */

struct gateway_opts {
    struct loop *loop;
    const struct conf *conf; /* outlives the gateway */
    struct broker *broker;
    struct vault *const *vaults; /* outlives the gateway */
    size_t nvaults;
    struct store *store;   /* NULL = leases are in memory only */
    struct audit *audit;   /* outlives the gateway; NULL = none is kept */
    struct pra_site *site; /* outlives the gateway; NULL = no [pra] section */
};

struct gateway *gateway_new(const struct gateway_opts *);
void gateway_free(struct gateway *);
/* Before the broker is freed: operators' requests to end a session are given up. */
void gateway_end_terminations(struct gateway *);
/*
 * A reload, in two steps, since only the first can fail. gateway_reload() comes after the values of the
 * configuration have changed in place (conf/conf_change.h). It returns the clients of before: requests in
 * progress may still point to them, so they are kept, with the configuration they point into, until those
 * must have ended.
 */
struct clients;
struct clients *gateway_prepare(struct gateway *, const struct conf *next); /* NULL = out of memory */
struct clients *gateway_reload(struct gateway *, struct clients *next);
/* What came of a reload, as lines that each end with '\n'. */
struct reload_report {
    bool done;
    struct buf changed;  /* names of keys and sections (conf/conf_change.h) */
    struct buf restart;  /* names of those that only a restart can change */
    struct buf mistakes; /* why it was refused; nothing has changed */
};
/* A client asks for a reload: `ask` arranges that one comes soon, when no request is being handled. 0 or
 * -errno. */
void gateway_on_reload(struct gateway *, int (*ask)(void *arg), void *arg);
/* After each reload: answers the requests that wait for one. NULL: none will come, the gateway ends. */
void gateway_reloaded(struct gateway *, const struct reload_report *);
/* Logs each certificate whose end is near; called once a day. */
void gateway_warn_certificates(const struct gateway *);
/* The application to give to http_server_new(); its arg is the gateway. */
const struct http_app *gateway_app(struct gateway *);
void gateway_set_server(struct gateway *, struct http_server *); /* for readiness and metrics */
/* From now on every operation is answered 503 draining, and /readyz names that reason. */
void gateway_drain(struct gateway *);
/* After gateway_drain(), when drain_timeout is over: every request without a response is answered 503
 * draining. */
void gateway_give_up(struct gateway *);

#endif
