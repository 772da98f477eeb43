/*
 * server.h - the HTTP/1.1 server: listeners and connections, over TCP, TLS and Unix sockets.
 *
 * The application sees one request at a time per connection: `head` when the head is complete, `message` when
 * the body is complete, `gone` when the client leaves before the response. A pipelined request waits until
 * the one before is answered. The server itself answers malformed HTTP, in the application's form (`refuse`).
 *
 * Ownership: a struct http_req belongs to its connection. It is valid from `head` until
 * http_respond()/http_abort() is called or `gone` has returned, whichever is first. The work behind a request
 * outlives the request: an application that still works when `gone` is called drops the pointer and undoes
 * its work later. http_respond() may be called inside head/message or at any later time; exactly once.
 */
#ifndef JG_LOOP_SERVER_SERVER_H
#define JG_LOOP_SERVER_SERVER_H

#include "base/buf.h"
#include "base/fault.h"
#include "loop/loop.h"

#include <sys/types.h>

#define HTTP_MAX_TARGET  8192
#define HTTP_MAX_HEADERS 32768
#define HTTP_MAX_FIELDS  100
#define HTTP_SANS        16
#define HTTP_ORIGIN_SIZE 56

struct http_server;
struct http_conn;

enum http_method { HTTP_GET_, HTTP_HEAD_, HTTP_POST_, HTTP_PUT_, HTTP_DELETE_, HTTP_OTHER_ };

struct http_header {
    const char *name; /* as sent */
    const char *value;
};

/* The client's end of a connection, filled in when the connection is accepted and after the TLS handshake. */
struct http_peer {
    const char *listener;          /* name of the listener */
    char address[64];              /* "127.0.0.1:40412", "unix" */
    char origin[HTTP_ORIGIN_SIZE]; /* what limits count by: "127.0.0.1", "2001:db8:1:2::/64", "uid:1000" */
    bool is_unix;
    uid_t uid;               /* Unix sockets: the peer's */
    pid_t pid;               /* the same; 0 = not known */
    const char *const *sans; /* verified client certificate: "DNS:…", "URI:…", "email:…", "IP:…" */
    size_t nsans;
    bool certificate; /* there is a verified certificate of the client, with or without names */
    bool known;       /* the connection has identified a client */
};

/* A certificate that a client has shown, in words for the log; long names are cut. */
struct http_shown {
    char subject[256], issuer[256], serial[64], sha256[65];
};

struct http_req {
    struct http_conn *conn;
    void *app; /* for the application, NULL at first */
    enum http_method method;
    const char *method_name;
    const char *path;  /* undecoded, without query */
    const char *query; /* without '?'; NULL = none */
    const struct http_header *headers;
    size_t nheaders;
    int64_t content_length; /* -1 = none given */
    bool chunked;
    const char *body; /* valid in and after `message`; NUL-terminated */
    size_t body_len;
    const struct http_peer *peer;
    uint64_t started_ms; /* monotonic, when the head was complete */
    bool keep_alive;
    bool urgent; /* set by the application in `head`: goes before other requests, within a limit of its own */
};

struct http_app {
    void *arg;
    /*
     * The head is complete. Returns the number of body bytes it will take (0 = none), or -1 after it has
     * called http_respond() itself (what is left of the body is discarded, and then the connection is
     * closed).
     */
    int64_t (*head)(void *arg, struct http_req *);
    void (*message)(void *arg, struct http_req *);
    /* The request ends before its response: the client left, the server closes, or it refused the rest of the
     * request. */
    void (*gone)(void *arg, struct http_req *);
    /*
     * Writes the answer for a request the server itself refuses (malformed, too large, wrong version, over
     * max_connections) into `body`; `req` is NULL when its head is not there. Returns the content type.
     */
    const char *(*refuse)(void *arg, const struct http_peer *, const struct http_req *req,
                          const struct fault *, struct buf *body, struct buf *extra_headers);
    /*
     * Does the connection itself (certificate, uid) identify a client? Until it does, or http_known() is
     * called for a request, the connection is a stranger's and is counted against separate budgets. NULL =
     * every connection is a client's.
     */
    bool (*knows)(void *arg, const struct http_peer *);
    /* May one more line about this stranger go to the log? NULL = always. */
    bool (*may_log)(void *arg, const struct http_peer *);
    /* More pieces may be given, after http_piece() was false. NULL = no response is given in pieces. */
    void (*drained)(void *arg, struct http_req *);
};

/* The request has identified a client: its connection is no stranger's from now on. */
void http_known(const struct http_req *);

/* The verified certificate of the connection. False = there is none. */
bool http_shown_certificate(const struct http_req *, struct http_shown *);

/* The server itself writes Content-Length, Connection and Date. */
struct http_response {
    int status;
    const char *content_type; /* NULL = no body */
    struct buf *body;         /* taken (moved from); NULL = empty */
    const char *headers;      /* extra lines, each ended by \r\n; NULL = none */
    bool close;               /* end the connection after it */
    const char *date;         /* simulators: the Date line, ended by \r\n; NULL = the server's own */
};

void http_respond(struct http_req *, const struct http_response *);

/*
 * A response in pieces: http_begin(), then http_piece() as often as wanted, then http_end(). Its length need
 * not be known: it is chunked, or to a client of HTTP/1.0 ended with the connection. The request stays open
 * until http_end(): `gone` is called when the client leaves, or acknowledges none of the waiting bytes for
 * write_timeout_ms; that may be inside http_piece(). http_abort() with `reset` instead of http_end() ends a
 * response that cannot be completed: no client can take what it has for the whole.
 */
#define HTTP_PIECE_MAX   ((size_t)64 * 1024)
#define HTTP_PIECES_WAIT ((size_t)256 * 1024) /* bytes at most that wait for the socket */

/* In `message` or later; without a body. False = no piece is wanted, and the request is over: of HEAD. */
bool http_begin(struct http_req *, const struct http_response *);
/* Sends and empties a piece of HTTP_PIECE_MAX bytes at most. False = none may follow before `drained`. */
bool http_piece(struct http_req *, struct buf *piece);
void http_end(struct http_req *);

/* For simulators: sends the given bytes as they are; more of them follow, and http_abort() ends the response.
 */
void http_send_part(struct http_req *, const char *bytes, size_t n);
/* Has the socket not yet taken all parts? */
bool http_is_sending(const struct http_req *);

/*
 * Sends the given bytes as they are (may be none) and closes; `reset` makes it a TCP reset. For servers that
 * must misbehave on purpose (the vault simulator), and for a response in pieces that cannot be completed.
 */
void http_abort(struct http_req *, const char *bytes, size_t n, bool reset);

/* Value of the first header with that name, any case; NULL = absent. */
const char *http_header(const struct http_req *, const char *name);
/* How often the header is there. */
size_t http_header_count(const struct http_req *, const char *name);

struct http_tls_opts {
    const char *certificate, *key; /* PEM files */
    const char *client_ca;         /* NULL = no client certificates */
    const char *client_crl;        /* revocation lists of the client_ca, PEM; NULL = none */
    bool ask_late;                 /* simulator: request the client certificate only after the first request
                                      head (TLS 1.2 renegotiation, TLS 1.3 post-handshake) */
    int max_version;               /* 0 = newest; TLS1_2_VERSION to pin */
};

struct http_listen_opts {
    const char *name;
    const char *host; /* numeric address, or path of a Unix socket */
    uint16_t port;    /* 0 = any */
    bool is_unix;
    unsigned unix_mode;
    const char *unix_owner, *unix_group; /* NULL = leave */
    const struct http_tls_opts *tls;     /* NULL = plain */
    bool separate; /* its connections count against a limit of their own (HTTP_MAX_SEPARATE) and no other */
    int passed_fd; /* a socket of the service manager that listens there already; 0 = it is made here */
};

#define HTTP_MAX_SEPARATE    32                 /* connections of all listeners with `separate` */
#define HTTP_STRANGER_BYTES  (8U * 1024 * 1024) /* default of max_stranger_bytes */
#define HTTP_STRANGER_SECRET (1U * 1024 * 1024) /* default of max_stranger_secret */

struct http_server_opts {
    size_t max_connections;     /* of which strangers have half at most */
    size_t max_per_peer;        /* connections of one origin over TCP; 0 = no limit */
    size_t max_stranger_bytes;  /* of unfinished requests, all strangers together; 0 = the default */
    size_t max_stranger_secret; /* ... of these in secret memory; 0 = the default */
    size_t max_secret;          /* bytes that all connections keep in secret memory; 0 = no limit */
    uint64_t header_timeout_ms; /* from the first byte to a whole head; also TLS handshake */
    uint64_t body_timeout_ms;   /* whole body */
    uint64_t idle_timeout_ms;   /* between requests */
    uint64_t write_timeout_ms;  /* a client that does not read its response */
    size_t max_pipelined;       /* bytes kept of requests that wait */
};

struct http_server *http_server_new(struct loop *, const struct http_server_opts *, const struct http_app *);

/*
 * Binds and listens. On success writes the bound address ("127.0.0.1:43121", "[::1]:8443", "unix:/path") into
 * `address`. On failure returns -errno and says why in `why` (file, line of OpenSSL's complaint). Takes
 * `passed_fd`, also on failure; such a socket keeps its file, mode and owner, and stays open in the manager.
 */
int http_listen(struct http_server *, const struct http_listen_opts *, char address[128], char why[256]);

/* From now on each response closes its connection; idle connections that have had a response are closed. */
void http_last_answers(struct http_server *);
/* Has a listener a socket of the service manager? */
bool http_has_passed(const struct http_server *);
/*
 * Leaves the passed sockets to the next process without losing a request: each response closes its
 * connection, and after `notice_ms` at most nothing more is accepted on the passed sockets. `done` is called
 * once, in a later iteration of the loop, when every connection accepted on them has had its response; not
 * after http_drain() or http_server_close(). 0 or -ENOMEM.
 */
int http_hand_over(struct http_server *, uint64_t notice_ms, void (*done)(void *arg), void *arg);
/* No new connections; idle ones close; busy ones close after their answer. */
void http_drain(struct http_server *);
/* Closes all connections now (`gone` is called for open requests), then the listeners, and frees the server
 * in a later iteration of the loop. Then `closed` is called. */
void http_server_close(struct http_server *, void (*closed)(void *arg), void *arg);

size_t http_connections(const struct http_server *);
size_t http_busy(const struct http_server *);  /* requests without an answer yet */
bool http_sending(const struct http_server *); /* bytes of a response wait for a socket */

/* Why a stranger's connection was closed for others. */
enum http_close_reason { HTTP_FOR_CONNECTIONS, HTTP_FOR_BYTES, HTTP_NREASONS };

struct http_strangers {
    size_t connections, bytes; /* now; the bytes of their unfinished requests */
    uint64_t closed[HTTP_NREASONS];
};
void http_strangers(const struct http_server *, struct http_strangers *);
/* Earliest notAfter of the listeners' certificates, seconds since 1970; 0 = no TLS. */
int64_t http_certificate_end(const struct http_server *);

/* A listener's certificate or revocation lists, and when they end. */
struct http_certificate {
    const char *kind; /* "listener", "client_crl" */
    const char *name; /* of the listener; lives as long as the server */
    bool is_crl;      /* the revocation lists, not the certificate */
    int64_t end;      /* seconds since 1970 */
};
/* Writes at most `max` of them; returns how many were written. */
size_t http_certificates(const struct http_server *, struct http_certificate *, size_t max);

/* New limits, from now on; a deadline that runs already keeps its time. */
void http_server_limits(struct http_server *, const struct http_server_opts *);

struct tls_context;
/*
 * From now on handshakes on this listener use the given context (tls_context_new() in loop/server/tls.h),
 * whose reference it takes. An open connection keeps its own context; one whose certificate, or lack of one,
 * the new context would refuse is closed after its pending response. False, and the reference stays the
 * caller's, if no TLS listener has that name.
 */
bool http_listener_reload(struct http_server *, const char *listener, struct tls_context *);

#endif
