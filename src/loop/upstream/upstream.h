/*
 * upstream.h - HTTP calls to one vault over a capped pool of connections. Only this folder uses libcurl's
 * multi interface.
 *
 * libcurl's multi interface on the loop opens connections (CURLOPT_CONNECT_ONLY: names, proxy, TLS with full
 * verification, client certificate, also when asked late); one HTTP/1.1 exchange on such a connection is
 * written and parsed by loop/upstream/exchange.c (llhttp), its bytes moved by loop/upstream/vault_conn.c. At
 * most `connections` at once; calls beyond that wait in order. A connection that failed mid-answer, or sent
 * bytes after its answer, is never pooled. A connection is pinned to the owner of its first call and carries
 * no other owner's. A call whose pooled connection is lost before any byte of an answer is repeated once on a
 * fresh connection if it is marked `safe`, or if nothing of it was sent. With `single` no connection is
 * pooled: each call opens its own, and the name is resolved again for each.
 *
 * Rules for struct call, which lives inside its owner's object:
 *  - upstream_call() returns 0 and later calls done() exactly once, or <0 and never calls it;
 *  - done() is never called before upstream_call() has returned, and never from within libcurl;
 *  - after upstream_cancel() done() is never called; the connection, if one was busy with it, is closed.
 * Request texts (target, headers, body) belong to the caller and stay valid until done(). The answer is the
 * caller's from done() on (call_free_answer). A struct call is zeroed before its first use; Host, User-Agent
 * and Content-Length are written here, every other line is the caller's.
 *
 * A call may sit in the queue, or the whole process may be stopped, between upstream_call() and the first
 * byte. A call that is allowed only up to some moment has a `may_send` function, which judges by the time
 * read then (clock_system): loop_clock() is of the beginning of the iteration.
 *
 * A large answer comes in pieces where the call has a `piece` function: each piece is at most 32 kB, status
 * and headers are known by then, and `body_in` stays empty. Once piece() has returned CALL_PAUSE no more is
 * read, until upstream_resume(): so a reader decides how much of an answer is processed in one iteration. The
 * call's deadline runs on meanwhile. piece() neither starts, resumes nor cancels calls of this upstream.
 */
#ifndef JG_LOOP_UPSTREAM_UPSTREAM_H
#define JG_LOOP_UPSTREAM_UPSTREAM_H

#include "base/buf.h"
#include "base/queue/priority_queue.h"
#include "loop/loop.h"

#include <sys/queue.h>

struct upstream;
struct call;

enum call_headers { /* answer headers that are kept */
                    CALL_DATE,
                    CALL_RETRY_AFTER,
                    CALL_2FA, /* WWW-Authenticate-2FA */
                    CALL_CONTENT_TYPE,
                    CALL_RATE_REMAINING, /* X-RateLimit-Remaining */
                    CALL_LAST_PAGE,      /* X-BT-Pagination-Last-Page */
                    CALL_NHEADERS
};

enum { CALL_PAUSE = 1 };

enum call_fault { /* why no connection was opened */
                  CALL_FAULT_NONE,
                  CALL_FAULT_NAME,    /* the name is unknown, or was not resolved in time */
                  CALL_FAULT_REFUSED, /* no TCP connection: refused, or no route */
                  CALL_FAULT_TIMEOUT, /* no TCP connection in time */
                  CALL_FAULT_ISSUER, /* the certificate's issuer is not trusted, or the chain is bad otherwise
                                      */
                  CALL_FAULT_WRONG_NAME,
                  CALL_FAULT_EXPIRED, /* the certificate is not valid any more, or not yet */
                  CALL_FAULT_NO_TLS,  /* no TLS, or the handshake failed or was not done in time */
                  CALL_FAULT_OTHER
};

struct call {
    /* the caller's, before upstream_call() */
    const char *method;  /* "GET" */
    const char *target;  /* path and query, beginning with '/' */
    const char *headers; /* extra lines, each ended by \r\n (one Cookie: line among them); NULL = none */
    const char *body;    /* NULL = none; then POST and PUT send Content-Length: 0 */
    size_t body_len;
    bool safe;       /* may be sent twice (reads; POST Requests with reuse; check-in) */
    bool background; /* goes after the calls that are not */
    bool begun;      /* it continues a check-out: CALL_CONTINUE (base/queue/priority_queue.h) */
    struct fair_queue_party *party; /* whose call it is in the fair queue; NULL = no party */
    uint64_t owner;                 /* owners share no connection; 0 is an owner like others */
    bool secret;                    /* the answer's body comes into secret memory */
    uint64_t
        wait_ms; /* longest wait for a connection; timeout_ms then counts from its end. 0 = no such limit */
    uint64_t timeout_ms; /* whole call, waiting for a connection included; 0 = the upstream's call_timeout */
    size_t max_answer;   /* 0 = the upstream's */
    /* NULL, or asked when the first byte would go to the socket, also of a repeat: false = it may not go any
     * more, and the call ends with -ESTALE. It starts and cancels no call. */
    bool (*may_send)(struct call *);
    /* NULL, or takes the answer's body: 0, CALL_PAUSE, or -errno, with which the call ends */
    int (*piece)(struct call *, const char *bytes, size_t n);
    void (*done)(struct call *);

    /* the answer, in done() */
    int err; /* 0 = an answer is here; -ETIMEDOUT, -ECONNREFUSED (no connection: refused, name, TLS),
                -ECONNRESET (lost), -EPROTO (not HTTP), -EMSGSIZE (too large), -ENOMEM,
                -EAGAIN (wait_ms is over, nothing was sent), -ESTALE (may_send() said no), -ECANCELED
                (upstream is closing) */
    enum call_fault fault; /* for -ECONNREFUSED */
    bool sent; /* some of the request may have reached the vault: with err, the outcome is unknown */
    int status;
    char value[CALL_NHEADERS][128]; /* empty = absent; cut if longer */
    struct buf cookies;             /* all Set-Cookie values, each ended by '\n' */
    struct buf body_in;             /* the answer's body */
    char why[160];                  /* for err: libcurl's or this folder's words, without request data */

    /* private to loop/ */
    TAILQ_ENTRY(call) link;
    TAILQ_ENTRY(call) own; /* while it waits: among calls of its owner */
    struct priority_queue_item place;
    struct deadline deadline;
    struct upstream *up;
    void *conn;
    uint64_t started_us, begun_ms, exchange_timeout_ms;
    int state;
    bool retried;
};

struct upstream_opts {
    const char *kind, *name; /* for logs: what it is of, static; the name of its section */
    const char *url;         /* scheme://host[:port] */
    const char *proxy;       /* NULL or "" = none */
    const char *ca_file;     /* NULL = the system's store */
    const char *client_certificate, *client_key; /* PEM; NULL = none */
    bool single; /* one call per connection, the name resolved for each; fixed for the upstream's life */
    size_t connections;
    size_t max_calls; /* queued or in flight; beyond it upstream_call() returns -EAGAIN */
    uint64_t connect_timeout_ms, call_timeout_ms, idle_timeout_ms;
    uint64_t max_age_ms; /* of a connection; 0 = no limit */
    size_t max_answer;
};

int upstream_global_init(void); /* curl_global_init once; 0 or -EIO */
void upstream_global_cleanup(void);

struct upstream *upstream_new(struct loop *, const struct upstream_opts *, char why[256]);
/* Ends all calls with -ECANCELED (through done), closes connections; `closed` when nothing is left. */
void upstream_close(struct upstream *, void (*closed)(void *arg), void *arg);

/*
 * Replaces limits, timeouts, proxy, authorities and client certificate; name and url stay. Two steps, since
 * only the first can fail. Calls and connections in use are not affected.
 */
struct upstream_next;
struct upstream_next *upstream_prepare(const struct upstream_opts *); /* NULL when out of memory */
void upstream_discard(struct upstream_next *);                        /* NULL is fine */
void upstream_reload(struct upstream *, struct upstream_next *);      /* takes it */

/* 0, -EAGAIN (max_calls reached), -EINVAL (a forged line in the request text), -ENOMEM, -ESHUTDOWN. */
int upstream_call(struct upstream *, struct call *) __attribute__((warn_unused_result));
void upstream_cancel(struct call *); /* any number of times; frees the answer so far */
void upstream_resume(struct call *); /* reads on after CALL_PAUSE; one that is not paused is fine */
bool upstream_unsent(
    const struct call *); /* it waits and nothing of it is sent: it may be cancelled without a trace */
void call_free_answer(struct call *); /* cookies and body, wiped */

struct upstream_state {
    size_t connections, connecting, idle, queued, in_flight; /* connections: all, also those being opened */
    size_t priority_queue[CALL_NCLASSES];                    /* queued calls by class */
    uint64_t last_success_ms; /* monotonic; 0 = never. Any HTTP answer is a success of the transport */
    uint64_t last_failure_ms;
    char last_error[160];
    uint64_t calls, opened, reused, retried;
};
void upstream_state(const struct upstream *, struct upstream_state *);

struct upstream_outlook {
    uint64_t wait_ms;     /* of a first call made now; 0 = no call would be before it */
    uint64_t exchange_ms; /* duration of recent exchanges; 0 = not known */
};
void upstream_outlook(const struct upstream *, const struct fair_queue_party *, struct upstream_outlook *);

#endif
