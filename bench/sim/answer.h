/*
 * answer.h - an HTTP answer before it is sent.
 */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include "base/buf.h"

#define SIM_ANSWER_MAX ((size_t)256 << 20)

struct sim_answer {
    int status;
    const char *content_type; /* NULL = no body */
    struct buf body;
    struct buf headers; /* whole lines, each with \r\n */
};

#define SIM_ANSWER_INIT ((struct sim_answer){.body = BUF_INIT(SIM_ANSWER_MAX), .headers = BUF_INIT(8192)})

static inline void sim_answer_free(struct sim_answer *a)
{
    buf_free(&a->body);
    buf_free(&a->headers);
}

#endif
