/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comment.c - the comment of a call; see comment.h.
 */
#include "backends/privileged_identity/comment.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <string.h>

#define GAP        "..."
#define TEXT_BYTES (1U << 16)

/* Bytes of the first n letters. */
static size_t bytes_of(const char *text, size_t n)
{
    size_t at = 0;
    uint32_t letter;

    for (size_t left = strlen(text); n && left; n--) {
        size_t len = utf8_letter(text + at, left, &letter);

        at += len;
        left -= len;
    }
    return at;
}

static char *shorten(const char *text, size_t letters)
{
    size_t kept = PI_COMMENT_LETTERS - strlen(GAP), tail = kept / 2, head = kept - tail;
    size_t head_bytes = bytes_of(text, head), tail_at = bytes_of(text, letters - tail);
    struct buf out = BUF_INIT(TEXT_BYTES);

    (void)buf_append(&out, text, head_bytes);
    (void)buf_str(&out, GAP);
    (void)buf_str(&out, text + tail_at);
    const char *whole = buf_cstr(&out);
    char *copy = whole && !out.failed ? strdup(whole) : NULL;
    buf_free(&out);
    return copy;
}

/* The reason without the mark of the lease, which the broker puts behind it for vaults that keep nothing
 * else. */
static size_t bare_length(const char *reason, const struct buf *mark)
{
    size_t n = strlen(reason);

    if (mark->len && n >= mark->len && memcmp(reason + n - mark->len, mark->data, mark->len) == 0)
        n -= mark->len;
    while (n && reason[n - 1] == ' ')
        n--;
    return n;
}

static void add_part(struct buf *text, const char *part, size_t n)
{
    if (n && text->len)
        (void)buf_char(text, ' ');
    if (n)
        (void)buf_append(text, part, n);
}

char *pi_comment(const char *reason, const char *ticket, const char *lease_id)
{
    struct buf text = BUF_INIT(TEXT_BYTES), mark = BUF_INIT(TEXT_BYTES);
    char *comment = NULL;

    if (lease_id && *lease_id)
        (void)buf_printf(&mark, "[jumpgate %s]", lease_id);
    if (reason)
        add_part(&text, reason, bare_length(reason, &mark));
    if (ticket && *ticket)
        (void)buf_printf(&text, "%sticket %s", text.len ? " " : "", ticket);
    add_part(&text, mark.data, mark.len);
    const char *whole = buf_cstr(&text);
    if (whole && !text.failed && !mark.failed) {
        size_t letters = utf8_count(whole);

        comment = letters > PI_COMMENT_LETTERS ? shorten(whole, letters) : strdup(whole);
    }
    buf_free(&text);
    buf_free(&mark);
    return comment;
}
