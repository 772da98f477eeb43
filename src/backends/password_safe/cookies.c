/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cookies.c - the jar of one vault session: `name=value; name=value`.
 *
 * The vault and a balancer before it may set several cookies, on any answer. All of them are kept in the
 * order they came, a later one of the same name takes the place of the earlier, and they go back in one
 * Cookie line: servers have been seen to answer 401 to several lines, and to attributes sent back. So
 * everything from the first `;` of a Set-Cookie on is dropped. Names and values are opaque.
 *
 * Not here: whose jar it is. One jar per vault session, and a session per user: sessions.c.
 */
#include "backends/password_safe/internal.h"

#include <errno.h>
#include <string.h>

struct piece {
    const char *text;
    size_t len;
    size_t name_len; /* 0 = not a cookie */
};

static struct piece piece_trim(const char *text, size_t len)
{
    struct piece piece = {.text = text, .len = len};
    const char *equals;

    while (piece.len && (*piece.text == ' ' || *piece.text == '\t')) {
        piece.text++;
        piece.len--;
    }
    while (piece.len && strchr(" \t\r", piece.text[piece.len - 1]))
        piece.len--;
    for (size_t i = 0; i < piece.len; i++)
        if ((unsigned char)piece.text[i] < 0x20 || piece.text[i] == 0x7f)
            return (struct piece){0};
    equals = piece.len ? memchr(piece.text, '=', piece.len) : NULL;
    if (equals)
        piece.name_len = (size_t)(equals - piece.text);
    return piece;
}

/* Takes the next part of `text` up to `end_char`; false when nothing is left. */
static bool piece_next(const char **text, size_t *len, char end_char, struct piece *out)
{
    const char *end;
    size_t n;

    if (!*len)
        return false;
    end = memchr(*text, end_char, *len);
    n = end ? (size_t)(end - *text) : *len;
    *out = piece_trim(*text, n);
    *text += n + (end ? 1 : 0);
    *len -= n + (end ? 1 : 0);
    return true;
}

/* One line of Set-Cookie without its attributes. */
static bool set_next(const char **text, size_t *len, struct piece *out)
{
    const char *line = *text, *end = *len ? memchr(line, '\n', *len) : NULL;
    size_t n = end ? (size_t)(end - line) : *len;

    if (!*len)
        return false;
    *text += n + (end ? 1 : 0);
    *len -= n + (end ? 1 : 0);
    *out = (struct piece){0};
    (void)piece_next(&line, &n, ';', out);
    return true;
}

static bool same_name(const struct piece *a, const struct piece *b)
{
    return a->name_len == b->name_len && !memcmp(a->text, b->text, a->name_len);
}

/* The last Set-Cookie of this name, or the piece itself. */
static struct piece newest(const struct piece *piece, const struct buf *set)
{
    struct piece best = *piece, other;
    const char *text = set->data;
    size_t len = set->len;

    while (set_next(&text, &len, &other))
        if (other.name_len && same_name(&other, piece))
            best = other;
    return best;
}

static bool jar_has(const struct buf *jar, const struct piece *piece)
{
    const char *text = jar->data;
    size_t len = jar->len;
    struct piece other;

    while (piece_next(&text, &len, ';', &other))
        if (other.name_len && same_name(&other, piece))
            return true;
    return false;
}

static int jar_put(struct buf *jar, const struct piece *piece)
{
    int err = jar->len ? buf_str(jar, "; ") : 0;

    return err ? err : buf_append(jar, piece->text, piece->len);
}

int ps_cookies_merge(const char *jar, size_t jar_len, const struct buf *set, struct buf *out)
{
    const char *text = jar;
    size_t len = jar_len;
    struct piece piece;
    int err = 0;

    while (!err && piece_next(&text, &len, ';', &piece)) {
        piece = newest(&piece, set);
        if (piece.name_len)
            err = jar_put(out, &piece);
    }
    text = set->data;
    len = set->len;
    while (!err && set_next(&text, &len, &piece)) {
        if (!piece.name_len || jar_has(out, &piece))
            continue;
        piece = newest(&piece, set);
        err = jar_put(out, &piece);
    }
    return err;
}
