/*
 * upstream_peer.h - a vault that does what a script says, byte by byte.
 *
 * Each accepted connection runs the script in a thread of its own with plain blocking calls, so that a script
 * reads in order. Nothing waits for time: a script that must not go on yet waits for a permit
 * (peer_wait), which the test gives (peer_allow). peer_free() cuts all connections and joins all threads.
 */
#ifndef JG_TESTS_UPSTREAM_PEER_H
#define JG_TESTS_UPSTREAM_PEER_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct peer;

struct peer_conn {
    struct peer *peer;
    int fd;
    SSL *tls;            /* NULL until the handshake, or plain */
    int index;           /* number of the connection, from 0 */
    int requests;        /* read so far on this connection */
    char request[70000]; /* head of the last one */
    size_t body_len;
};

struct peer *peer_new(void (*script)(struct peer_conn *), const void *arg, SSL_CTX *tls);
/* At 127.0.0.`host`, at a port of its own (0) or this one; peer_new() is at host 1. */
struct peer *peer_new_at(int host, int port, void (*script)(struct peer_conn *), const void *arg,
                         SSL_CTX *tls);
void peer_stop_accepting(struct peer *); /* accepts no more; what is open stays */
void peer_free(struct peer *);
int peer_port(const struct peer *);
int peer_accepted(const struct peer *);
int peer_requests(const struct peer *);
/* Targets of all requests in the order they were read, each ended by a blank. */
void peer_targets(struct peer *, char *out, size_t size);
void peer_allow(struct peer *, int permits);
int peer_notes(const struct peer *); /* how often scripts called peer_note() */

/* For scripts. */
const void *peer_arg(const struct peer_conn *);
bool peer_handshake(struct peer_conn *); /* true at once when the peer is plain */
bool peer_read_request(struct peer_conn *);
bool peer_write(struct peer_conn *, const char *bytes, size_t n);
bool peer_write_text(struct peer_conn *, const char *text);
bool peer_answer(struct peer_conn *, const char *body); /* 200 with Content-Length */
void peer_wait(struct peer_conn *);
void peer_note(struct peer_conn *);
void peer_reset(struct peer_conn *);           /* the connection ends with RST */
void peer_end(struct peer_conn *);             /* close_notify (TLS), then FIN */
void peer_cut(struct peer_conn *);             /* FIN without close_notify */
void peer_linger(struct peer_conn *);          /* until the other side ends */
bool peer_ask_certificate(struct peer_conn *); /* now: renegotiation or post-handshake authentication */

/* Whole scripts: answers every request with "ok", at once or each when it is allowed to. */
void script_answers(struct peer_conn *);
void script_answers_when_allowed(struct peer_conn *);

#endif
