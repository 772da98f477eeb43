/*
 * web_rig.h - the web of session reports over a real database, with a browser's side in the same thread.
 *
 * web_rig_init() makes database, configuration and clock; a test may change the configuration;
 * web_rig_start() opens the web. Time stands still unless web_rig_advance() moves it. The audit sink keeps
 * records as texts. The database's steps can be held, and fail, on the readers' threads.
 *
 * Users, all with the password "correct horse": `ann` may all, `bob` may view, `eve` may view and export at
 * site "two" alone, `off` is not enabled. Readers: "feed-token" may feed, "other-token" may observe.
 */
#ifndef JG_TESTS_WEB_RIG_H
#define JG_TESTS_WEB_RIG_H

#include "audit/audit_sink.h"
#include "http_rig.h"
#include "reports/conf/reports_conf.h"
#include "reports/web/web.h"
#include "reports_rig.h"
#include "tls_files.h"

#define WEB_SESSIONS 40
#define PASSWORD_TEXT                                                                                        \
    "$scrypt$ln=12,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$/jx4uMnBLEcnyBJyK5rKAfmnFbwMBoBPE5YY+OEpHOo"

struct web_rig {
    struct reports_rig store;
    struct rig http; /* loop, clock and address, for clients */
    int64_t wall_ms;
    struct reports_conf conf;
    struct reports_site sites[2];
    struct reports_user users[4];
    struct reports_reader readers[2];
    char *two[1];
    char certificate[TLS_FILES_PATH], key[TLS_FILES_PATH], ca[TLS_FILES_PATH];
    struct audit_sink audit;
    struct {
        char *text; /* records, one a line */
        size_t n;
        bool down; /* cannot be written: waits end with an error */
        bool held; /* waits end with web_rig_release_audit() */
        struct audit_wait *waits[16];
        struct deadline deliver;
    } trail;
    struct web *web;
    bool closed, drained;
    unsigned busy_ms;        /* how long a change waits for another's lock */
    int socket_bytes;        /* buffers of the next connection's sockets; 0 = as they are */
    const char *source;      /* address of the next client; NULL = any */
    const char *client_cert; /* name in tls_files; NULL = none */
};

struct answer {
    int status;
    bool broken; /* the connection ended before the answer did */
    char head[8192];
    char body[60000];
    size_t len;
};

struct browser {
    struct client client;
    struct web_rig *rig;
    char cookie[128]; /* "Cookie: …\r\n", "" = none */
    char csrf[80];
    bool closes; /* the last answer said so */
};

void web_rig_init(struct web_rig *);
void web_rig_start(struct web_rig *);
void web_rig_close(struct web_rig *); /* closes the web; web_rig_end() does, where it was not called */
void web_rig_end(struct web_rig *);
void web_rig_advance(struct web_rig *, uint64_t ms);
/* How many records have that text. */
unsigned web_rig_records(const struct web_rig *, const char *text);
void web_rig_forget_records(struct web_rig *);

/* The database is that of a server, whose size this query gives; before web_rig_start(). */
void web_rig_server(struct web_rig *, const char *bytes);
/* Steps of the database, but for the web's own look at the sites: hold until let go or interrupted; fail
 * after so many; 0 = never. */
void web_rig_hold_database(bool hold);
void web_rig_deafen_database(bool deaf); /* interrupting has no effect, as with a server that has stopped */
void web_rig_fail_database(unsigned after_steps);
unsigned web_rig_database_held(void); /* how many threads wait there */

void browser_open(struct browser *, struct web_rig *);
void browser_close(struct browser *);
/* A request of these bytes, whole. */
void browser_send(struct browser *, const char *bytes);
void browser_read(struct browser *, struct answer *);
void browser_read_head(struct browser *, struct answer *); /* of HEAD: no body comes */
/* `headers`: lines, each with its end. Adds Host, the cookie and the length of the body. */
void browser_begin(struct browser *, const char *method, const char *target, const char *headers,
                   const char *body);
int browser_ask(struct browser *, struct answer *, const char *method, const char *target,
                const char *headers, const char *body);
int browser_get(struct browser *, struct answer *, const char *target);
/* With the CSRF token of the session. */
int browser_change(struct browser *, struct answer *, const char *method, const char *target,
                   const char *headers, const char *body);
int browser_sign_in(struct browser *, struct answer *, const char *user, const char *password);
void browser_sign_in_ok(struct browser *, const char *user); /* and asks for /api/me */

bool answer_has(const struct answer *, const char *text);           /* in its body */
const char *answer_header(const struct answer *, const char *name); /* static; NULL = absent */

#endif
