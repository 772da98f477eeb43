/*
 * connection.h - what the files of the HTTP server share; private to loop/server/.
 *
 * One file per idea: server.c the server as a whole, listener.c sockets that accept, connection.c the life of
 * one connection (phases, deadlines, closing), conn_read.c and conn_write.c its bytes, request.c from bytes
 * to requests, response.c from answers to bytes, request_backlog.c requests begun in a later iteration,
 * pieces.c responses in pieces,
 * read_queue.c connections read in a later iteration, strangers.c limits of connections without a client,
 * request_head.c the head, tls.c TLS, passed_socket.c sockets of the service manager, hand_over.c the last
 * responses.
 *
 * A connection is in one phase at a time; conn_goto() alone changes it:
 *
 *   HANDSHAKE -> IDLE -> HEAD -> (CERTIFICATE) -> BODY -> WORK -> RESPONSE -> IDLE ...        (keep-alive)
 *                                                                 RESPONSE -> LINGER -> CLOSED
 *   WORK -> PIECES <-> PIECE -> RESPONSE: a response in pieces; RESPONSE sends what is left of it.
 *   NEXT: bytes of the next request wait for a later iteration of the loop; nothing is read meanwhile.
 *
 * Ownership: a connection owns itself and is freed in one place, when libuv reports its handle closed. The
 * server is freed when the last handle of it is. A `struct writing` is the loop's until its callback.
 */
#ifndef JG_LOOP_SERVER_CONNECTION_H
#define JG_LOOP_SERVER_CONNECTION_H

#include "loop/server/conn_limits.h"
#include "loop/server/request_head.h"
#include "loop/server/server.h"
#include "loop/server/tls.h"

#include <llhttp.h>
#include <sys/queue.h>

enum conn_phase {
    CONN_HANDSHAKE,
    CONN_IDLE,
    CONN_HEAD,
    CONN_CERTIFICATE, /* the client was asked for its certificate after the head */
    CONN_BODY,
    CONN_TRAILERS, /* after the last chunk */
    CONN_WORK,     /* the application works on the complete request */
    CONN_RESPONSE, /* bytes of the response wait for the socket */
    CONN_PIECES,   /* the application makes the next piece of its response, and all before are sent */
    CONN_PIECE,    /* pieces wait for the socket */
    CONN_NEXT,
    CONN_LINGER, /* response sent, write side shut, further input is discarded */
    CONN_CLOSED,
    CONN_NPHASES
};

/* COUNTED: in max_connections. SEPARATE: in HTTP_MAX_SEPARATE. OVER_LIMIT: answered 503 and closed. */
enum conn_place { PLACE_COUNTED, PLACE_SEPARATE, PLACE_OVER_LIMIT };

/* How far a stranger's connection has come: over TLS it makes progress before it identifies a client. */
enum stranger_stage { STAGE_SILENT, STAGE_HELLO, STAGE_ESTABLISHED };

/* What follows when a response is sent. */
enum conn_ending { ENDING_KEEP, ENDING_POLITE, ENDING_ABRUPT, ENDING_RESET };

struct http_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    TAILQ_ENTRY(http_conn) link, stranger_link, buffering_link;
    struct fair_queue_item backlog_item, read_item;
    struct conn_peer *party; /* the peer it counts against; NULL = none */
    struct http_server *server;
    struct listener *listener;
    struct tls *tls;          /* NULL = plain, or no byte has arrived */
    struct deadline deadline; /* ends at due_ms or before; then it is started again */
    uint64_t due_ms;          /* end of the phase's time; UINT64_MAX = none */
    struct http_peer peer;
    struct http_req req;
    struct head head;
    struct head_scan scan;
    llhttp_t parser;
    struct buf body;
    struct buf pending;               /* bytes of later requests */
    struct fault fault;               /* found inside a callback of the parser */
    size_t accepted;                  /* body bytes the application takes */
    size_t extensions;                /* bytes of chunk extensions so far */
    size_t discarded;                 /* while lingering */
    uint64_t since_ms;                /* monotonic, when it was accepted */
    uint64_t stage_ms;                /* monotonic, when it reached its stage */
    uint64_t last_read_ms;            /* monotonic, last read of a stranger; 0 = never */
    size_t buffered;                  /* bytes counted in server->strangers.bytes */
    size_t buffered_secret;           /* ... and in server->secret */
    struct fair_queue *backlog_queue; /* the backlog queue it is in; NULL = none */
    struct read_queue *queue;         /* it waits in for its next read; NULL = none */
    unsigned requests;
    unsigned writes; /* in libuv's queue */
    enum conn_phase phase;
    enum conn_ending ending;
    bool head_done, message_done; /* set by the parser's callbacks */
    bool req_open;                /* the application holds a request without a response */
    bool minor0;                  /* the request is HTTP/1.0 */
    bool first_piece;             /* of a response in pieces: none is sent */
    bool close_after;             /* ... and its head says that the connection is closed after it */
    bool full;                    /* ... and the application waits for drained() */
    bool in_pieces;               /* bytes of a response in pieces may wait for the socket */
    size_t untaken;               /* ... and so many its client had not taken when the deadline was set */
    bool asked_late;              /* for its certificate */
    enum conn_place place;        /* which limit it counts against */
    enum stranger_stage stage;    /* of a stranger */
    bool stranger;                /* in server->strangers: it has identified no client */
    bool buffering;               /* in server->strangers.buffering */
    bool may_read;                /* the read queue has granted its next read */
    bool in_feed;                 /* request_feed() is on the stack */
    bool rearm;                   /* the phase has changed since the deadline was set */
    bool reading;
    bool untrusted;  /* its certificate is no longer trusted: closed after its response */
    bool eof;        /* the client shut its write side before its response was sent */
    bool input_shut; /* this side has shut the client's direction: its end does not say that it left */
};

struct listener {
    uv_poll_t poll;
    int fd;
    struct http_server *server;
    struct tls_context *tls;
    struct deadline pause;
    SLIST_ENTRY(listener) link;
    TAILQ_ENTRY(listener) waiting_link;
    bool is_unix, open;
    bool separate;            /* its connections have a limit of their own */
    bool passed;              /* the socket is the service manager's */
    bool is_waiting;          /* in server->waiting */
    bool exhausted;           /* the last accept failed: no descriptors or memory */
    unsigned full_iterations; /* iterations at max_connections, in which nothing was accepted */
    char *name, *path;        /* path: the Unix socket's file */
    dev_t dev;                /* ... and the file this listener made */
    ino_t ino;
    bool ask_late;
};

#define SERVER_READ  65536
#define SERVER_PLAIN 16384

/* Connections that wait to be read; their peers alternate. */
struct read_queue {
    struct fair_queue conns;
    enum loop_work work; /* the budget each read is taken from (loop_step) */
};

/* The way from the signal to the last response on passed sockets (hand_over.c). */
struct hand_over {
    bool stopped;      /* nothing more is accepted on passed sockets */
    uint64_t since_ms; /* monotonic, when the notice, or then the stop, began */
    uint64_t notice_ms;
    struct deadline look; /* at the connections */
    void (*done)(void *arg);
    void *arg;
};

#define STRANGER_SIZES 24

/* All connections that have identified no client, and what they use. */
struct strangers {
    TAILQ_HEAD(conn_peers, conn_peer) peers[STRANGER_SIZES]; /* those with 1, 2 or 3, 4 to 7, ... of them */
    struct http_conns buffering; /* with bytes of an unfinished request, in the order of their first byte */
    size_t n, bytes, secret;
    uint64_t closed[HTTP_NREASONS];
    uint64_t warned_ms, warned_of; /* last warning about closed ones: when, and how many there were then */
};

struct http_server {
    struct loop *loop;
    struct http_server_opts opts;
    struct http_app app;
    uint64_t timeout_ms[CONN_NPHASES]; /* UINT64_MAX = none */
    struct http_conns conns;
    struct fair_queue urgent, backlog; /* connections with complete requests that are not begun */
    struct deadline begin;             /* begins the first of them */
    struct read_queue read_queues[NREAD_QUEUES];
    struct deadline serve_queues; /* serves the read queues */
    struct strangers strangers;
    SLIST_HEAD(, listener) listeners;
    TAILQ_HEAD(, listener) waiting; /* until strangers may be accepted; the first one is next */
    struct deadline accept_waiting; /* tries them again */
    size_t nconns, nover_limit, nseparate, busy;
    size_t secret;     /* bytes that connections hold in secret memory */
    size_t handles;    /* open handles of listeners and connections */
    bool last_answers; /* each response closes its connection */
    bool closing;
    struct hand_over hand_over;
    void (*closed)(void *arg);
    void *closed_arg;
    struct deadline end;
    struct deadline rotate; /* of ticket keys */
    struct conn_limits conn_limits;
    uint64_t peer_warned_ms; /* monotonic; last warning about a peer with too many connections */
    char date[40];           /* of the second date_s */
    int64_t date_s;
    char read[SERVER_READ];   /* shared by all connections; empty between reads */
    char plain[SERVER_PLAIN]; /* decrypted bytes, likewise */
};

static inline uint64_t server_now(const struct http_server *server)
{
    return clock_now(loop_clock(server->loop));
}

/* server.c */
void server_handle_closed(struct http_server *); /* may free it */
int server_rotate(struct http_server *);         /* ticket keys, once in a period; 0 or -ENOMEM */

/* listener.c */
void listener_close(struct listener *);
void listener_free(struct listener *);

/* passed_socket.c */
int passed_socket_check(const struct http_listen_opts *, char why[256]); /* 0 or -errno; prepares it */

/* connection.c */
void conn_address(const struct sockaddr *, char *out, size_t size); /* "127.0.0.1:80", "[::1]:80" */
/* Takes the descriptor, also when it fails. `from`: the peer's address, over TCP. */
void conn_accept(struct listener *, int fd, const struct sockaddr *from, enum conn_place);
void conn_goto(struct http_conn *, enum conn_phase);
void conn_settle(
    struct http_conn *); /* sets the phase's deadline; the last call of every entry from outside */
void conn_expire(struct http_conn *);                 /* what the end of its phase's time does */
void conn_close(struct http_conn *, const char *why); /* any number of times; calls gone() */
void conn_reset(struct http_conn *, const char *why); /* the same as a TCP reset */
void conn_distrust(struct http_conn *);               /* closes it, after its pending response */
void conn_drop_request(struct http_conn *);           /* calls gone() if the application still works on it */
void conn_request_over(struct http_conn *);           /* it is answered, or abandoned */
void conn_clear_request(struct http_conn *);          /* wipes head and body */

/* conn_read.c */
void conn_set_reading(struct http_conn *);        /* reads exactly while more bytes may be taken or kept */
void conn_read_early(struct http_conn *, int fd); /* the first read of a new connection, in this iteration */
void conn_work_pending(struct http_conn *);       /* feeds the kept bytes to the parser */

/* conn_write.c */
/* Sends both buffers, wipes them, and does what `ending` says when all is sent. They may be empty. */
void conn_send(struct http_conn *, struct buf *first, struct buf *second);
void conn_flush_tls(struct http_conn *); /* OpenSSL's output goes to the socket */

/* pieces.c */
void pieces_written(struct http_conn *);         /* the socket has taken one: the next may come */
size_t pieces_untaken(const struct http_conn *); /* bytes that its client has not acknowledged */

/* request.c */
/* Parses on; returns how many bytes it took, fewer when a request now waits for its response. May close. */
size_t request_feed(struct http_conn *, const char *bytes, size_t n);
void request_late_certificate(struct http_conn *); /* the client has answered: the request continues */

/* request_backlog.c */
bool request_backlog_wait(struct http_conn *); /* true = its complete request is begun in a later iteration */
void request_backlog_leave(struct http_conn *); /* if it is in the backlog: the request has ended */

/* read_queue.c */
void read_queues_init(struct http_server *);
bool read_queue_may_read(struct http_conn *); /* takes a stranger's read from the budget of this iteration;
                                                 false = read_queue_join() */
void read_queue_join(struct http_conn *);     /* it is read in a later iteration, and not before */
void read_queue_leave(struct http_conn *);    /* if it is in a queue */

/* strangers.c */
void strangers_init(struct http_server *);
void strangers_enter(struct http_conn *); /* a stranger, unless the connection itself identifies a client */
void strangers_advance(struct http_conn *, enum stranger_stage); /* it is closed later */
void strangers_check_certificate(struct http_conn *); /* its certificate has arrived, perhaps a client's */
void strangers_forget(struct http_conn *);            /* it closes: it is no longer counted */
void strangers_count_bytes(struct http_conn *); /* counts the bytes it holds; may close it, and others */
/* May one more connection be accepted, if need be by closing a stranger's? Else *wait_ms = when to try again;
 * UINT64_MAX = never. */
bool strangers_have_room(struct http_server *, uint64_t *wait_ms);
bool strangers_make_room(struct http_server *);   /* closes a stranger's connection; false = there is none */
bool strangers_may_log(const struct http_conn *); /* may a line about this connection be logged? */

/* response.c */
/* Writes status line and headers; `pieces`: without a length. 0 or -ENOMEM. */
int response_head(struct http_conn *, const struct http_response *, bool close, bool pieces,
                  struct buf *head);
bool response_closes(const struct http_conn *); /* is the connection closed after the present response? */
void response_refuse(struct http_conn *, const struct fault *);
void response_refuse_with(struct http_conn *, enum fault_code, int status, const char *detail);
void response_continue(struct http_conn *); /* 100 */

#endif
