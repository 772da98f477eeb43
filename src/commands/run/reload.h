/*
 * reload.h - SIGHUP and POST /v1/reload: the configuration read again and put in place, all of it or nothing.
 *
 * The file and every file it names (certificates, keys, secrets, revocation lists) are read again. The steps
 * that can fail come first and change nothing: reading, checking, comparing with what only a restart may
 * change, TLS contexts, secrets, the log. Then everything is replaced between two iterations of the loop.
 * Mistakes are logged line by line, and the gateway continues unchanged.
 *
 * No connection is dropped: connections keep the TLS context and time limits they began with, requests in
 * progress keep their client, operations keep their deadline, vault connections and vault sessions stay open.
 * The old values are kept until the last request that may use them must have ended, and then freed.
 */
#ifndef JG_COMMANDS_RUN_RELOAD_H
#define JG_COMMANDS_RUN_RELOAD_H

#include "backends/backend.h"
#include "loop/server/server.h"

struct broker;
struct gateway;
struct reload_report; /* handlers/routes.h */
struct pra_site;
struct reload_opts {
    struct loop *loop;
    const char *path; /* of the configuration; outlives the reload, like everything below */
    struct conf *conf;
    struct vault *const *vaults; /* in the order of the configuration */
    struct broker *broker;
    struct pra_site *site; /* NULL = none */
    struct gateway *gateway;
    struct http_server *server;
};

struct reload;

struct reload *reload_new(const struct reload_opts *); /* NULL when out of memory */
/* After every request has ended and the gateway is freed. NULL is fine. */
void reload_free(struct reload *);
/* Between two iterations of the loop. True = the new configuration is in place. The caller frees the report,
 * which is filled in in both cases. */
bool reload_now(struct reload *, struct reload_report *);
void reload_report_free(struct reload_report *);

/* The server's options from the configuration, which owns the texts. */
struct http_server_opts reload_server_opts(const struct conf *);
struct http_tls_opts reload_tls_opts(const struct conf_listener *);

#endif
