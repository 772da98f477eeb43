/*
 * web.h - the page and the feed of session reports: one HTTPS listener over a pool of database readers.
 *
 *     web_open() -> (web_prepare() -> web_reload() | web_discard())* -> web_drain() -> [web_give_up()] ->
 * web_close() -> closed()
 *
 * The loop's thread owns everything here but what a reader works on. Queries run on threads of their own
 * (reports/query), so that no request waits for another one's database.
 *
 * Ownership: the configuration, the database parameters and the sink of the audit trail outlive the web; the
 * configuration until web_reload() has put another in its place.
 *
 * Not here: what a query means (reports/query), how sessions get into the database (reports/collect).
 */
#ifndef JG_REPORTS_WEB_WEB_H
#define JG_REPORTS_WEB_WEB_H

#include "audit/audit_sink.h"
#include "loop/loop.h"
#include "reports/db/db.h"

struct reports_conf;
struct collector;
struct web;
struct web_next;

struct web_opts {
    struct loop *loop;
    const struct reports_conf *conf; /* with a [web] section */
    const struct db_ops *db;
    const struct db_params *reader; /* read_only; a connection for each reader */
    const struct db_params *writer; /* full_sync; for the layouts of dashboards alone */
    struct audit_sink *audit;       /* NULL = none is kept */
    struct collector *collector;    /* NULL = another process collects (`collect = no`) */
};

/*
 * Listens. Writes the bound address ("127.0.0.1:8443", "[::1]:8443") into `address`. NULL and `why` (file,
 * line of OpenSSL's complaint, missing memory).
 */
struct web *web_open(const struct web_opts *, char address[128], char why[256]);

/*
 * A reload, in two steps, since only the first can fail: web_prepare() reads certificates and keys, NULL and
 * `why`. web_reload() takes what it made, and from then on uses the configuration given to web_prepare();
 * users whose section has changed are signed out. web_discard() frees it instead; NULL is fine.
 */
struct web_next *web_prepare(struct web *, const struct reports_conf *, char why[256]);
void web_reload(struct web *, struct web_next *);
void web_discard(struct web_next *);

/*
 * No new connections, and /readyz says so. Exports that wait for a reader are answered `draining`; every
 * other open request goes on. `drained` is called once, in a later iteration of the loop, when all answers
 * are sent. It may call web_close().
 */
void web_drain(struct web *, void (*drained)(void *arg), void *arg);
/* There is no more time: requests without an answer are answered `draining`, and exports that are being sent
 * break off. `drained` comes when the answers are sent. */
void web_give_up(struct web *);
/* Closes connections and readers now, whatever they do, and frees the web; `closed` comes later. */
void web_close(struct web *, void (*closed)(void *arg), void *arg);

#endif
