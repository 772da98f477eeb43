/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_exchange.c - the bytes of a vault's answer through the reader of exchanges.
 *
 * First byte: the method and how the bytes are cut. The answer is read once whole and once in pieces, and
 * both readings must agree on status, body, cookies and on whether the connection may be used again. What is
 * kept never exceeds its limits.
 */
#include "fuzz.h"

#include "loop/upstream/exchange.h"

#include <errno.h>
#include <string.h>

#define BODY_MAX    4096
#define COOKIES_MAX 1024

struct reading {
    struct exchange x;
    struct call call;
    int result;
};

static void begin(struct reading *r, const char *method)
{
    const char *bytes;

    memset(r, 0, sizeof(*r));
    r->call.method = method;
    r->call.target = "/x";
    r->call.body_in = BUF_INIT(BODY_MAX);
    r->call.cookies = BUF_INIT(COOKIES_MAX);
    exchange_init(&r->x);
    FUZZ_ASSERT(exchange_begin(&r->x, &r->call, "vault") == 0);
    exchange_sent(&r->x, exchange_unsent(&r->x, &bytes));
}

/* Pieces of `step` bytes; each in memory of its own size. */
static void feed(struct reading *r, const char *bytes, size_t n, size_t step)
{
    r->result = EXCHANGE_MORE;
    for (size_t at = 0; at < n && r->result == EXCHANGE_MORE; at += step) {
        size_t len = n - at < step ? n - at : step;
        char *piece = malloc(len);

        FUZZ_ASSERT(piece);
        memcpy(piece, bytes + at, len);
        r->result = exchange_feed(&r->x, piece, len);
        free(piece);
    }
    if (r->result == EXCHANGE_MORE)
        r->result = exchange_end(&r->x);
}

static void end(struct reading *r)
{
    call_free_answer(&r->call);
    exchange_finish(&r->x);
    exchange_free(&r->x);
}

static void check_one(const struct reading *r)
{
    FUZZ_ASSERT(r->result == EXCHANGE_DONE || r->result < 0);
    FUZZ_ASSERT(r->call.body_in.len <= BODY_MAX && r->call.cookies.len <= COOKIES_MAX);
    FUZZ_ASSERT(r->result != EXCHANGE_DONE || (r->call.status >= 200 && r->call.status <= 999));
    FUZZ_ASSERT(r->result == EXCHANGE_DONE || r->call.why[0]);
    for (size_t i = 0; i < CALL_NHEADERS; i++)
        FUZZ_ASSERT(memchr(r->call.value[i], 0, sizeof(r->call.value[i])));
}

static bool equal(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

/* A failed answer is thrown away, so only an answer that was had must be the same. */
static void check_both(const struct reading *a, const struct reading *b)
{
    FUZZ_ASSERT((a->result == EXCHANGE_DONE) == (b->result == EXCHANGE_DONE));
    if (a->result != EXCHANGE_DONE)
        return;
    FUZZ_ASSERT(a->call.status == b->call.status);
    FUZZ_ASSERT(equal(&a->call.body_in, &b->call.body_in));
    FUZZ_ASSERT(equal(&a->call.cookies, &b->call.cookies));
    for (size_t i = 0; i < CALL_NHEADERS; i++)
        FUZZ_ASSERT(strcmp(a->call.value[i], b->call.value[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT"};
    struct fuzz_input in = fuzz_input(data, size);
    unsigned char how = fuzz_byte(&in);
    struct reading whole, pieces;

    begin(&whole, methods[how % 4]);
    feed(&whole, in.at, in.left, in.left ? in.left : 1);
    check_one(&whole);
    begin(&pieces, methods[how % 4]);
    feed(&pieces, in.at, in.left, how / 4 % 8 + 1U);
    check_one(&pieces);
    check_both(&whole, &pieces);
    end(&whole);
    end(&pieces);
    return 0;
}
