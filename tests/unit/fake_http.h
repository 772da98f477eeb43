/*
 * fake_http.h - requests made by hand and answers kept, in place of the server.
 *
 * Defines http_respond(), http_header() and http_header_count() at link time. The last answer is in
 * fake_answer; fake_answers counts them, so that a test sees a request answered twice or never.
 */
#ifndef JG_TESTS_FAKE_HTTP_H
#define JG_TESTS_FAKE_HTTP_H

#include "loop/server/server.h"

struct fake_req {
    struct http_req req;
    struct http_header headers[16];
    struct http_peer peer;
};

struct fake_answer {
    int status;
    const char *type; /* NULL = no body */
    char headers[1024];
    char body[65536]; /* NUL-terminated */
    size_t length;    /* of the whole body */
};

extern struct fake_answer fake_answer;
extern unsigned fake_answers;
extern bool fake_answer_cut; /* keep the beginning of a body that does not fit; else that is an error */

void fake_req_init(struct fake_req *, enum http_method, const char *path);
void fake_req_header(struct fake_req *, const char *name, const char *value);
/* With its length and a JSON content type. */
void fake_req_json(struct fake_req *, const char *body);
/* Value of a header line of the last answer, in memory that the next call reuses; NULL = absent. */
const char *fake_answer_header(const char *name);

#endif
