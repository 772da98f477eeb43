/*
 * dialer.h - libcurl's multi interface on the loop; it opens the connections of one vault.
 *
 * Private to loop/upstream/. Life: dialer_new -> dialer_add/dialer_remove (vault_conn.c) -> all connections
 * closed -> dialer_close -> closed(), possibly from within dialer_close().
 */
#ifndef JG_LOOP_UPSTREAM_DIALER_H
#define JG_LOOP_UPSTREAM_DIALER_H

#include "loop/upstream/upstream.h"
#include "loop/upstream/vault_conn.h"

struct dialer;

struct dialer *dialer_new(struct loop *, const struct upstream_opts *, char why[256]);
void dialer_close(struct dialer *, void (*closed)(void *arg), void *arg);

/* Proxy, authorities, client certificate and connect timeout for connections opened from now on. */
struct dialer_files;
struct dialer_files *dialer_files_new(const struct upstream_opts *); /* NULL when out of memory */
void dialer_files_free(struct dialer_files *);                       /* NULL is fine */
void dialer_reload(struct dialer *, struct dialer_files *);          /* takes them */

/* The vault may have another address now: the next connect resolves its name again. */
void dialer_doubt(struct dialer *);

/* The value of the Host header. */
const char *dialer_host(const struct dialer *);
uv_loop_t *dialer_uv(const struct dialer *);
bool dialer_is_tls(const struct dialer *);

/* Starts opening: sets vc->easy. 0, -ENOMEM or -EIO. */
int dialer_add(struct dialer *, struct vault_conn *vc);
/* Closes the connection, whatever its state, and frees vc->easy. */
void dialer_remove(struct dialer *, struct vault_conn *vc);

#endif
