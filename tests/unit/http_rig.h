/*
 * http_rig.h - a server with a small application, and clients, in one thread on loopback.
 *
 * The rig iterates the loop and reads the client's socket until what is awaited is there; time stands still
 * unless rig_advance() moves it. The application answers by path:
 *
 *   /echo    200, the request's body, at once         /reject  403 in `head`, takes no body
 *   /hold    keeps the request; rig_answer() answers  /big     200, 8 MB
 *   /abort   "HTTP/1.1 200 OK\r\n" and no more        /reset   the same and a TCP reset
 *   /urgent  404, but called urgent in `head`         anything else: 404
 *
 * After rig_start_strangers() a request with `Authorization: client` makes its connection a client's.
 *
 * It takes bodies of up to `accept` bytes.
 */
#ifndef JG_TESTS_HTTP_RIG_H
#define JG_TESTS_HTTP_RIG_H

#include "check.h"
#include "loop/server/server.h"

#include <openssl/ssl.h>

#define GET(path)    "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define CLIENT(path) "GET " path " HTTP/1.1\r\nHost: h\r\nAuthorization: client\r\n\r\n"

struct rig {
    struct loop *loop;
    struct http_server *server;
    struct clock clock;
    uint64_t now;
    char address[128];
    int64_t accept;
    bool closed;

    struct http_req *held;
    char path_begun[256];  /* of the last message */
    unsigned urgent_at;    /* which of the messages was the last for /urgent */
    struct http_req *last; /* of the last head, perhaps gone */
    unsigned heads, messages, gones, refusals, drains;
    bool gone_answers;     /* misuse on purpose: answers from inside gone() */
    bool close_in_message; /* closes the server from inside message() */
    char method[16], path[256], query[256], body[4096], sans[1024], peer[64], header[256];
    size_t nheaders;
    bool certificate;
    uid_t uid;
    struct fault fault; /* of the last refusal */
    bool refused_with_request;
};

struct client {
    struct rig *rig;
    int fd;
    SSL *ssl;
    SSL_CTX *ctx;
    char in[65536];
    size_t len;
    bool eof, reset, failed;
};

void rig_start(struct rig *, const struct http_server_opts *); /* NULL = the defaults */
/* The same where connections are strangers' until a request of theirs has shown `Authorization: client`. */
void rig_start_strangers(struct rig *, const struct http_server_opts *);
void rig_listen(struct rig *, const struct http_listen_opts *);
void rig_start_plain(struct rig *); /* rig_start with a listener on 127.0.0.1 */
void rig_end(struct rig *);
void rig_iterate(struct rig *);
void rig_iterate_n(struct rig *, int n);
#define RIG_ROUNDS 60000
/* One iteration; after many of them it leaves the processor to the threads that are waited for. */
void rig_wait(struct rig *, int iteration);
/* Iterates until the condition holds; fails the test when it never does. */
#define rig_wait_for(rig, condition)                                                                         \
    do {                                                                                                     \
        for (int iteration = 0; iteration < RIG_ROUNDS && !(condition); iteration++)                         \
            rig_wait(rig, iteration);                                                                        \
        assert_true(condition);                                                                              \
    } while (0)
void rig_advance(struct rig *, uint64_t ms);
void rig_answer(struct rig *, int status, const char *text); /* the held request */

extern const struct http_server_opts rig_opts;

void client_open(struct client *, struct rig *);
void client_open_from(struct client *, struct rig *, const char *source); /* an address of 127.0.0.0/8 */
void client_close(struct client *);
void client_send(struct client *, const char *text);
void client_send_n(struct client *, const char *bytes, size_t n);
void client_forget(struct client *); /* what was read so far */
/* Iterates the loop and reads until `text` has come n times; fails the test when it does not come. */
void client_expect(struct client *, const char *text, unsigned n);
void client_expect_end(struct client *); /* end of file or reset */
void client_expect_held(struct client *);
unsigned client_count(const struct client *, const char *text);
void client_poll(struct client *); /* one iteration, reads what is there */

#endif
