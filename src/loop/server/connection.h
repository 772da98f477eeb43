/*
 * connection.h - what the files of the HTTP server share among themselves; nobody else includes it.
 *
 * One file per idea: server.c the server as a whole, listener.c sockets that accept, connection.c the life of
 * one connection (phases, reading, writing, closing), request.c from bytes to requests, response.c from
 * answers to bytes, request_backlog.c requests that are begun later, read_queue.c connections that are heard
 * later, strangers.c what connections without a client may use, request_head.c the head, tls.c TLS.
 *
 * A connection is in one phase at a time; conn_goto() alone changes it:
 *
 *   HANDSHAKE -> IDLE -> HEAD -> (CERTIFICATE) -> BODY -> WORK -> ANSWER -> IDLE ...        (keep-alive)
 *                                                                 ANSWER -> LINGER -> CLOSED
 *   NEXT: bytes of the next request wait for a later turn of the loop; nothing is read meanwhile.
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
    CONN_WORK,     /* the application has the whole request */
    CONN_RESPONSE, /* bytes of the answer wait for the socket */
    CONN_NEXT,
    CONN_LINGER, /* answer sent, write side shut, what still comes is discarded */
    CONN_CLOSED,
    CONN_NPHASES
};

/* APART: the listener's connections count for nothing. OVER: there is no room; it is answered 503. */
enum conn_place { PLACE_INSIDE, PLACE_APART, PLACE_OVER };

/* How far a stranger's connection has come: over TLS it shows good will before it shows a client. */
enum stranger_stage { STAGE_SILENT, STAGE_HELLO, STAGE_ESTABLISHED };

/* What follows when an answer is out. */
enum conn_ending { ENDING_KEEP, ENDING_POLITE, ENDING_ABRUPT, ENDING_RESET };

struct http_conn {
    unsigned magic;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    TAILQ_ENTRY(http_conn) link, stranger_link, holder_link;
    struct fair_queue_item backlog_item, read_item;
    struct conn_peer *party; /* whose it is; NULL = it does not count */
    struct http_server *server;
    struct listener *listener;
    struct tls *tls;          /* NULL = plain */
    struct deadline deadline; /* runs until due_ms at the latest, perhaps in vain */
    uint64_t due_ms;          /* when the time of the phase is over; UINT64_MAX = never */
    struct http_peer peer;
    struct http_req req;
    struct head head;
    struct head_scan scan;
    llhttp_t parser;
    struct buf body;
    struct buf pending;       /* bytes that came before their time */
    struct fault fault;       /* found inside a callback of the parser */
    size_t accepted;          /* body bytes the application takes */
    size_t extensions;        /* bytes of chunk extensions so far */
    size_t discarded;         /* while lingering */
    uint64_t since_ms;        /* monotonic, when it was accepted */
    uint64_t stage_ms;        /* monotonic, when it reached its stage */
    uint64_t heard_ms;        /* monotonic, when a stranger was last read; 0 = never */
    size_t held;              /* bytes counted in server->strangers.bytes */
    size_t held_secret;       /* ... and in server->secret */
    struct fair_queue *waits; /* the line of complete requests it is in; NULL = none */
    struct read_queue *queue; /* it waits to be heard in; NULL = none */
    unsigned requests;
    unsigned writes; /* in libuv's queue */
    enum conn_phase phase;
    enum conn_ending ending;
    bool head_done, message_done; /* set by the parser's callbacks */
    bool req_open;                /* the application has it and has not answered */
    bool minor0;                  /* the request is HTTP/1.0 */
    bool asked_late;              /* for its certificate */
    enum conn_place place;        /* what it counts as */
    enum stranger_stage stage;    /* of a stranger */
    bool stranger;                /* counted in server->strangers: it has shown no client */
    bool holder;                  /* in server->strangers.holders */
    bool called;                  /* its turn in the line has come: the next read is paid for */
    bool in_feed;                 /* request_feed() is on the stack */
    bool rearm;                   /* the phase changed since the deadline was set */
    bool reading;
    bool untrusted; /* its certificate is none any more: it ends after its answer */
    bool eof;       /* the client ended its side while its answer was on the way */
};

struct listener {
    unsigned magic;
    uv_poll_t poll;
    int fd;
    struct http_server *server;
    struct tls_context *tls;
    struct deadline pause;
    SLIST_ENTRY(listener) link;
    TAILQ_ENTRY(listener) door_link;
    bool is_unix, open;
    bool apart;        /* its connections count for no limit of the others */
    bool at_door;      /* in server->door */
    bool short_of;     /* the last accept failed for want of descriptors or memory */
    unsigned patience; /* turns for which those who knock have been left waiting at a full house */
    char *name, *path; /* path: the Unix socket's file */
    dev_t dev;         /* ... and which file we made */
    ino_t ino;
    bool ask_late;
};

#define SERVER_READ  65536
#define SERVER_PLAIN 16384

/* Connections that wait to be heard; their peers take turns. */
struct read_queue {
    struct fair_queue conns;
    enum conn_line line;
    enum loop_work work; /* what each of them costs in a turn of the loop */
};
enum { QUEUE_STRANGERS, QUEUE_INSISTENT, QUEUE_HANDSHAKES, NREAD_QUEUES };

#define STRANGER_SIZES 24

/* All connections that have shown no client, and what they use. */
struct strangers {
    TAILQ_HEAD(conn_peers, conn_peer) peers[STRANGER_SIZES]; /* those with 1, 2 or 3, 4 to 7, ... of them */
    struct http_conns holders; /* those with bytes of an unfinished request; who began first in front */
    size_t n, bytes, secret;
    uint64_t closed[HTTP_NREASONS];
    uint64_t warned_ms, warned_of; /* monotonic, when the log last heard of closed ones, and of how many */
};

struct http_server {
    unsigned magic;
    struct loop *loop;
    struct http_server_opts opts;
    struct http_app app;
    uint64_t timeout_ms[CONN_NPHASES]; /* UINT64_MAX = none */
    struct http_conns conns;
    struct fair_queue urgent, backlog; /* connections with complete requests that are not begun */
    struct deadline begin;             /* of the first of them */
    struct read_queue read_queues[NREAD_QUEUES];
    struct deadline hear; /* the first of the lines */
    struct strangers strangers;
    SLIST_HEAD(, listener) listeners;
    TAILQ_HEAD(, listener) door; /* those at which strangers wait for room; the first one is next */
    struct deadline open_door;   /* when they are asked again */
    size_t nconns, nover, napart, busy;
    size_t secret;  /* bytes that connections hold in secret memory */
    size_t handles; /* open ones of listeners and connections */
    bool draining, closing;
    void (*closed)(void *arg);
    void *closed_arg;
    struct deadline end;
    struct deadline rotate; /* of ticket keys */
    struct conn_limits *conn_limits;
    uint64_t peer_warned_ms; /* monotonic; when the log last heard of a peer with too many connections */
    char date[40];           /* of the second date_s */
    int64_t date_s;
    char read[SERVER_READ];   /* one for all connections: nothing stays in it */
    char plain[SERVER_PLAIN]; /* decrypted bytes, likewise */
};

/* server.c */
void server_handle_closed(struct http_server *); /* may free it */
int server_rotate_later(struct http_server *);   /* ticket keys, in one period; 0 or -ENOMEM */

/* listener.c */
void listener_close(struct listener *);
void listener_free(struct listener *);

/* connection.c */
/* Takes the descriptor, whatever comes of it. `from`: who it is, over TCP. */
void conn_accept(struct listener *, int fd, const struct sockaddr *from, enum conn_place);
void conn_goto(struct http_conn *, enum conn_phase);
void conn_settle(
    struct http_conn *); /* sets the deadline of the phase; last act of every entry from outside */
void conn_close(struct http_conn *, const char *why); /* any number of times; calls gone() */
void conn_reset(struct http_conn *, const char *why); /* the same as a TCP reset */
void conn_distrust(struct http_conn *);               /* ends it, after the answer it has coming */
void conn_drop_request(struct http_conn *);           /* gone(), if the application still works on it */
void conn_request_over(struct http_conn *);           /* it has its answer, or needs none any more */
void conn_clear_request(struct http_conn *);          /* forgets head and body */
void conn_work_pending(struct http_conn *);

/* conn_write.c */
/* Sends both, wiped afterwards, and does what the ending says when all is out. They may be empty. */
void conn_send(struct http_conn *, struct buf *first, struct buf *second);
void conn_flush_tls(struct http_conn *); /* what OpenSSL has to say goes to the socket */

/* request.c */
/* Reads on; returns how many bytes it took, fewer when a request now waits for its answer. May close. */
size_t request_feed(struct http_conn *, const char *bytes, size_t n);
void request_late_certificate(struct http_conn *); /* the client's answer is there: the request goes on */

/* request_backlog.c */
bool request_backlog_wait(
    struct http_conn *); /* true = its complete request is begun in a later turn of the loop */
void request_backlog_leave(struct http_conn *); /* if it is there: the request has ended */

/* read_queue.c */
void read_queues_init(struct http_server *);
bool read_queue_may_read(
    struct http_conn *); /* costs a stranger a step of this turn; false = read_queue_join() */
void read_queue_join(struct http_conn *);  /* it is heard in a later turn of the loop; not read meanwhile */
void read_queue_leave(struct http_conn *); /* if it is there */

/* strangers.c */
void strangers_init(struct http_server *);
void strangers_enter(struct http_conn *); /* a stranger, unless the connection itself shows a client */
void strangers_advance(struct http_conn *, enum stranger_stage); /* it has come further: that counts for a
                                                                     while */
void strangers_meet(struct http_conn *);   /* it has shown a certificate: perhaps a client's */
void strangers_leave(struct http_conn *);  /* it has shown a client; any number of times */
void strangers_forget(struct http_conn *); /* it closes: nothing of it is counted any more */
void strangers_weigh(struct http_conn *);  /* counts what it holds; may close it, and others */
/* Is there room for one more, once one of them is closed? Else *wait_ms is when to ask again, UINT64_MAX =
 * no.
 */
bool strangers_have_room(struct http_server *, uint64_t *wait_ms);
bool strangers_make_room(struct http_server *);   /* closes one of them; false = there is none */
bool strangers_may_log(const struct http_conn *); /* a line about this connection */

/* response.c */
void response_refuse(struct http_conn *, const struct fault *);
void response_refuse_with(struct http_conn *, enum fault_code, int status, const char *detail);
void response_continue(struct http_conn *); /* 100 */

#endif
