/*
 * clients.h - which client calls: the `[client]` sections against what a connection and a request present.
 *
 * A section may name a bearer token (by its SHA-256), a name in the client certificate, and the uid at the
 * other end of a Unix socket; it matches when everything it names is presented. The first matching section in
 * the order of the file is the caller, so put narrow sections before wide ones. A presented token is compared
 * with every section's hash in constant time; the time of the search does not depend on where it matched.
 *
 * On the control socket, which the gateway opens in its state directory for its own commands, no token is
 * used: the gateway's own user, and root, are the implicit client `control`, which may operate and observe;
 * no other user is a client there, whatever the file says.
 *
 * Each client has a bucket of its `rate`, filled continuously, holding one second's worth (at least one).
 */
#ifndef JG_HANDLERS_CLIENTS_H
#define JG_HANDLERS_CLIENTS_H

#include "base/clock.h"
#include "base/token_bucket.h"
#include "conf/conf.h"
#include "loop/server/server.h"

/* Name of the listener behind the control socket. No configured listener can have it: a section's name has no
 * parentheses. */
#define CONTROL_LISTENER "(control)"

struct clients;

struct client {
    const struct conf_client *conf;
    struct token_bucket bucket;
};

struct clients *clients_new(const struct conf *,
                            const struct clock *); /* conf outlives it; NULL = no memory */
void clients_free(struct clients *);               /* NULL is fine */
/* A client of the same name in `before` keeps the tokens left in its bucket. */
void clients_inherit(struct clients *, const struct clients *before);

/*
 * *found: the client, NULL = none matches. 0, or -ENOMEM: a token was shown and could not be hashed. Then no
 * section is the caller's, not even one that names no token: it may stand behind the one that was meant.
 */
int clients_find(struct clients *, const struct http_req *, struct client **found)
    __attribute__((warn_unused_result));
/* Does the connection itself, without a token, identify a client? */
bool clients_know(const struct clients *, const struct http_peer *);
/* The first letters of the SHA-256 of the token that was shown, as `token_sha256` begins; "-" = none. */
#define TOKEN_DIGEST_SIZE 9
void clients_token_digest(const struct http_req *, char out[TOKEN_DIGEST_SIZE]);
/* Takes one from the client's bucket: 0, or after how many seconds it may try again. */
unsigned clients_take(struct clients *, struct client *);

#endif
