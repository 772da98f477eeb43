/*
 * token_bucket.h - a limited rate: tokens that fill continuously at `per_s`, up to `size`; an event takes
 * one.
 */
#ifndef JG_BASE_TOKEN_BUCKET_H
#define JG_BASE_TOKEN_BUCKET_H

#include <math.h>
#include <stdint.h>

#define TOKEN_WAIT_MAX_S 3600

struct token_bucket {
    double tokens;
    uint64_t filled_ms; /* monotonic, the time at which it held `tokens` */
};

/* Takes one token: 0, or the seconds until there is one (TOKEN_WAIT_MAX_S at most), and none is taken. */
static inline unsigned token_bucket_take(struct token_bucket *b, double per_s, double size, uint64_t now_ms)
{
    b->tokens = fmin(b->tokens + (double)(now_ms - b->filled_ms) / 1000.0 * per_s, size);
    b->filled_ms = now_ms;
    if (b->tokens < 1)
        return (unsigned)ceil(fmin((1 - b->tokens) / per_s, TOKEN_WAIT_MAX_S));
    b->tokens -= 1;
    return 0;
}

#endif
