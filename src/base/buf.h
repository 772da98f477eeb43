/*
 * buf.h - bytes that grow up to a maximum, and are wiped when they are freed.
 *
 * Every buffer has a limit, given at init: what comes from outside cannot grow without bound. Any buffer may
 * have held a secret, so growth is allocate-copy-wipe-free (never realloc) and buf_free() wipes what was
 * used. A failed append leaves the buffer as it was and sets `failed`, so that a writer can append freely and
 * ask once at the end.
 */
#ifndef JG_BASE_BUF_H
#define JG_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
    char *data; /* not NUL-terminated; NULL while empty */
    size_t len;
    size_t cap;
    size_t max;     /* bytes it may hold */
    bool failed;    /* an append did not fit or memory ran out */
    bool no_memory; /* `failed`, for want of memory */
    bool secret;    /* lives in secret memory (secret.h); the loop's thread only */
};

#define BUF_INIT(limit)   ((struct buf){.max = (limit)})
#define BUF_SECRET(limit) ((struct buf){.max = (limit), .secret = true})

void buf_free(struct buf *);  /* wipes; the buffer may be used again with the same limit */
void buf_clear(struct buf *); /* wipes and empties, keeps the memory */

/* All: 0, -ENOMEM, or -EMSGSIZE over `max`. */
int buf_reserve(struct buf *, size_t more);
int buf_append_growing(struct buf *, const void *bytes, size_t n);
static inline int buf_append(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0 || n >= b->cap - b->len)
        return buf_append_growing(b, bytes, n);
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return 0;
}
static inline int buf_str(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}
static inline int buf_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}
/* Makes it longer by n bytes, which the caller fills in at once. Where they begin; NULL as an append fails.
 */
static inline char *buf_add(struct buf *b, size_t n)
{
    if (n >= b->cap - b->len && buf_reserve(b, n))
        return NULL;
    b->len += n;
    return b->data + b->len - n;
}
/* As printf. A failed write leaves the contents as they were, and nothing behind them. Not for a secret, of
 * which the C library may leave a part on the stack: buf_append(). */
int buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Drops the first n bytes (n <= len), wiping what they leave. */
void buf_consume(struct buf *, size_t n);
/* Moves the contents with their limit and the kind of their memory; `from` is empty afterwards, with a limit
 * and kind as before. `to` is freed first. */
void buf_move(struct buf *to, struct buf *from);
/* A NUL-terminated view; the NUL is not counted. NULL when memory ran out. */
const char *buf_cstr(struct buf *);

#endif
