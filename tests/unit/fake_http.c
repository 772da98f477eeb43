/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_http.c - see fake_http.h.
 */
#include "fake_http.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct fake_answer fake_answer;
unsigned fake_answers;
bool fake_answer_cut;

void fake_req_init(struct fake_req *f, enum http_method method, const char *path)
{
    *f = (struct fake_req){.peer = {.listener = "test", .address = "127.0.0.1:1"}};
    f->req.method = method;
    f->req.path = path;
    f->req.headers = f->headers;
    f->req.content_length = -1;
    f->req.body = "";
    f->req.peer = &f->peer;
    f->req.keep_alive = true;
}

void fake_req_header(struct fake_req *f, const char *name, const char *value)
{
    if (f->req.nheaders == sizeof(f->headers) / sizeof(f->headers[0]))
        abort();
    f->headers[f->req.nheaders++] = (struct http_header){name, value};
}

void fake_req_json(struct fake_req *f, const char *body)
{
    fake_req_header(f, "Content-Type", "application/json");
    f->req.body = body;
    f->req.body_len = strlen(body);
    f->req.content_length = (int64_t)f->req.body_len;
}

const char *http_header(const struct http_req *req, const char *name)
{
    for (size_t i = 0; i < req->nheaders; i++)
        if (!strcasecmp(req->headers[i].name, name))
            return req->headers[i].value;
    return NULL;
}

size_t http_header_count(const struct http_req *req, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < req->nheaders; i++)
        n += !strcasecmp(req->headers[i].name, name);
    return n;
}

bool http_shown_certificate(const struct http_req *req, struct http_shown *shown)
{
    (void)req;
    *shown = (struct http_shown){.subject = ""};
    return false;
}

void http_known(const struct http_req *req)
{
    ((struct fake_req *)(void *)(uintptr_t)req)->peer.known = true; /* `req` is its first member */
}

void http_respond(struct http_req *req, const struct http_response *answer)
{
    if (req->app)
        abort(); /* the link must be cut before the answer is given */
    fake_answers++;
    fake_answer = (struct fake_answer){.status = answer->status, .type = answer->content_type};
    snprintf(fake_answer.headers, sizeof(fake_answer.headers), "%s", answer->headers ? answer->headers : "");
    if (!answer->body || answer->body->failed)
        return;
    fake_answer.length = answer->body->len;
    if (answer->body->len >= sizeof(fake_answer.body) && !fake_answer_cut)
        abort();
    if (answer->body->len)
        memcpy(fake_answer.body, answer->body->data,
               answer->body->len < sizeof(fake_answer.body) ? answer->body->len
                                                            : sizeof(fake_answer.body) - 1);
    buf_free(answer->body);
}

const char *fake_answer_header(const char *name)
{
    static char value[256];
    size_t n = strlen(name);

    for (const char *line = fake_answer.headers; *line; line = strstr(line, "\r\n") + 2)
        if (!strncasecmp(line, name, n) && line[n] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + n + 2, "\r"), line + n + 2);
            return value;
        }
    return NULL;
}
