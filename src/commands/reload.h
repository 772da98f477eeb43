/*
 * reload.h - SIGHUP: the configuration read again and put in place, all of it or nothing.
 *
 * The file and every file it names (certificates, keys, secrets, revocation lists) are read anew. Whatever
 * can fail happens first and touches nothing: reading, checking, comparing with what only a restart may
 * change, TLS contexts, secrets, the log. Then everything is exchanged between two turns of the loop. A
 * mistake is logged, line by line, and the gateway goes on as it was.
 *
 * No connection is dropped: connections keep the TLS context and the limits of time they began with, requests
 * under way keep their client, operations their deadline, vault connections and sessions live on. What the
 * old values were is kept until the last request that may look at them must have ended, and then freed.
 */
#ifndef JG_RELOAD_H
#define JG_RELOAD_H

#include "backends/backend.h"
#include "loop/server/server.h"

struct broker;
struct gateway;
struct reload_opts {
    struct loop *loop;
    const char *path; /* of the configuration; outlives it, as everything below */
    struct conf *conf;
    struct vault *const *vaults; /* in the order of the configuration */
    struct broker *broker;
    struct gateway *gateway;
    struct http_server *server;
};

struct reload;

struct reload *reload_new(const struct reload_opts *); /* NULL when out of memory */
/* Everything in flight has ended, and the gateway is freed. NULL is fine. */
void reload_free(struct reload *);
/* Between two turns of the loop. True = the new configuration is in place. */
bool reload_now(struct reload *);

/* The configuration in the words of the server; the texts are the configuration's. */
struct http_server_opts reload_server_opts(const struct conf *);
struct http_tls_opts reload_tls_opts(const struct conf_listener *);

#endif
