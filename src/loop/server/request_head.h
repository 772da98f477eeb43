/*
 * request_head.h - the head of a request: where it ends, what it holds, whether it may be served.
 *
 * Three steps. head_scan() looks at the raw bytes before llhttp does and finds the end of the head by itself;
 * it checks lines, limits and forbidden bytes. struct head keeps what llhttp reports, as NUL-terminated
 * texts one after the other in one buffer, in ordinary memory; the value of an Authorization header has a
 * buffer of its own in secret memory, from its first byte on. head_judge() checks a complete head.
 *
 * Two readers of the same bytes are on purpose: a head on whose end they differ is refused, so that no
 * leniency of one of them (bare line feeds, folded lines) moves the border between two requests.
 */
#ifndef JG_LOOP_SERVER_REQUEST_HEAD_H
#define JG_LOOP_SERVER_REQUEST_HEAD_H

#include "base/buf.h"
#include "base/fault.h"
#include "loop/server/server.h"

#include <llhttp.h>

enum head_verdict { HEAD_MORE, HEAD_END, HEAD_REFUSED };

struct head_scan {
    uint32_t target; /* bytes of the target so far */
    uint32_t bytes;  /* of the fields, their line ends included */
    uint16_t fields;
    uint8_t state;
    uint8_t blanks; /* empty lines before the request line */
};

/*
 * Reads on. HEAD_END: the head ends with the first *used bytes. HEAD_MORE: all were read. HEAD_REFUSED:
 * *fault says why. A zeroed struct is the start of a request.
 */
enum head_verdict head_scan(struct head_scan *, const char *bytes, size_t n, size_t *used, struct fault *);

/* Goes on with the fields after a chunked body; they count to the same limits. */
void head_scan_trailers(struct head_scan *);

struct head {
    struct buf text;  /* target, then name and value of each field */
    struct buf shown; /* the values of Authorization headers: they are not in `text` */
    struct http_header *fields;
    size_t nfields;
    size_t name_at; /* where the name of the present field begins in `text` */
    bool secret;    /* the value that comes is an Authorization header's */
};

void head_init(struct head *);
void head_free(struct head *); /* wiped */

/* Called with what llhttp reports; 0 or -errno. A text may come in pieces, head_end_*() finishes it. */
int head_add(struct head *, const char *bytes, size_t n); /* target or name */
int head_add_value(struct head *, const char *bytes, size_t n);
int head_end_target(struct head *);
int head_end_name(struct head *);
int head_end_value(struct head *); /* without blanks at its end; counts the field */

/* Fills method, path, query and headers of the request. 0 or -ENOMEM. */
int head_build(struct head *, const llhttp_t *, struct http_req *);
/* True when the request may be served; else *fault says why not. */
bool head_judge(const llhttp_t *, const struct http_req *, struct fault *);

#endif
