/*
 * exchange.h - one HTTP/1.1 request and its answer, as bytes; no socket, no clock.
 *
 * Private to loop/upstream/. The owner moves the bytes:
 *
 *   exchange_begin -> exchange_unsent/exchange_sent until nothing is left
 *                  -> exchange_feed/exchange_end until it says EXCHANGE_DONE or fails -> exchange_finish
 *
 * The request text lives in one buffer that is kept from exchange to exchange and wiped as soon as it is
 * sent: it holds Cookie and Authorization. The answer is written into the call.
 */
#ifndef JG_LOOP_UPSTREAM_EXCHANGE_H
#define JG_LOOP_UPSTREAM_EXCHANGE_H

#include "loop/upstream/upstream.h"

#include <llhttp.h>

enum { EXCHANGE_MORE = 0, EXCHANGE_DONE = 1 };

struct exchange {
    llhttp_t parser;
    struct call *call;
    struct buf out;   /* head, and the body when it is small */
    const char *body; /* what of the body is not in `out` */
    size_t body_len;
    size_t out_sent, body_sent;
    size_t overhead;        /* bytes of the answer that were not body */
    size_t given;           /* bytes of the body that piece() has taken */
    bool paused;            /* piece() wants no more for now */
    enum call_headers want; /* the header being read; CALL_NHEADERS = one that is not kept */
    bool is_cookie;
    bool in_head; /* before the end of the final head */
    bool began;   /* a byte of the answer has come */
    bool complete;
    bool doubt; /* bytes may follow the answer although its head announces none */
    bool keep;  /* the peer keeps the connection open */
    enum exchange_size {
        SIZE_NOT,
        SIZE_FIRST,
        SIZE_MORE,
        SIZE_BLANKS
    } size; /* position in the size line of a chunk */
    size_t name_len;
    char name[32]; /* header name being read, as long as the longest that is kept */
    int err;
};

void exchange_init(struct exchange *);
void exchange_free(struct exchange *);

/* Is the request text well-formed (no injected line, no blank in the target)? */
bool exchange_valid(const struct call *);
/* Builds the request. 0, -ENOMEM or -EMSGSIZE (head over 64 kB). */
int exchange_begin(struct exchange *, struct call *, const char *host);
/* Wipes the request text and forgets the call. */
void exchange_finish(struct exchange *);

/* The next bytes to send; 0 = all sent. */
size_t exchange_unsent(const struct exchange *, const char **bytes);
void exchange_sent(struct exchange *, size_t n);

/* EXCHANGE_MORE, EXCHANGE_DONE, -EPROTO, -EMSGSIZE or -ENOMEM. Words for an error are in call->why. */
int exchange_feed(struct exchange *, const char *bytes, size_t n);
/* The peer closed in order. EXCHANGE_DONE where the answer ends so, else -ECONNRESET. */
int exchange_end(struct exchange *);
/* After EXCHANGE_DONE: may the connection be used again? No if bytes followed the answer, or may follow. */
bool exchange_reusable(const struct exchange *);

#endif
