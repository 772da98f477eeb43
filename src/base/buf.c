/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.c - bytes that grow up to a maximum; see buf.h.
 *
 * Invariants: len < cap <= max + 1 once there is memory (one byte for the NUL of buf_cstr). Every call that
 * shrinks the contents wipes what it leaves behind, so wiping `len` bytes at the end is enough.
 */
#include "base/buf.h"

#include "base/memory/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

/* Secret memory wipes by itself. */
static void free_data(struct buf *b)
{
    if (b->secret) {
        secret_free(b->data);
        return;
    }
    wipe(b->data, b->len);
    free(b->data);
}

void buf_free(struct buf *b)
{
    free_data(b);
    *b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_clear(struct buf *b)
{
    wipe(b->data, b->len);
    b->len = 0;
    b->failed = b->no_memory = false;
}

static int mark_failed(struct buf *b, int err)
{
    b->failed = true;
    b->no_memory |= err == -ENOMEM;
    return err;
}

int buf_reserve(struct buf *b, size_t more)
{
    if (more > b->max || b->len > b->max - more)
        return mark_failed(b, -EMSGSIZE);
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    char *data = b->secret ? secret_alloc(cap) : malloc(cap);
    if (!data)
        return mark_failed(b, -ENOMEM);
    if (b->len)
        memcpy(data, b->data, b->len);
    free_data(b);
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_append_growing(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return 0;
    int err = buf_reserve(b, n);
    if (err)
        return err;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    size_t rest = b->len - n;

    if (n == 0)
        return;
    memmove(b->data, b->data + n, rest);
    wipe(b->data + rest, n);
    b->len = rest;
}

void buf_move(struct buf *to, struct buf *from)
{
    buf_free(to);
    *to = *from;
    *from = (struct buf){.max = to->max, .secret = to->secret};
}

const char *buf_cstr(struct buf *b)
{
    if (!b->data && buf_reserve(b, 0))
        return NULL;
    b->data[b->len] = '\0';
    return b->data;
}

/* Written at once into the free bytes; only if they are too few the buffer grows and it is written again. */
int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    size_t room = b->cap - b->len; /* with the NUL */
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, again);
    va_end(again);
    if (n < 0 || (size_t)n >= room) {
        wipe(room ? b->data + b->len : NULL, room);
        int err = n < 0 ? mark_failed(b, -EINVAL) : buf_reserve(b, (size_t)n);
        if (err)
            return err;
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    }
    b->len += (size_t)n;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int err = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return err;
}
