/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cookies.c - the cookie jar of one vault session: `name=value; name=value`.
 *
 * The vault and a load balancer in front of it may set several cookies, on any answer. The jar keeps all of
 * them in the order they came; a later cookie replaces the earlier one of the same name. All go back in one
 * Cookie header: servers answer 401 to several headers, and to attributes that are sent back. Names and
 * values are opaque.
 *
 * Max-Age and Expires are read for one thing: a cookie that expires at once is removed from the jar. Max-Age
 * counts before Expires (RFC 6265); one that cannot be read counts as absent.
 *
 * Not here: the sessions that own the jars (sessions.c).
 */
#include "backends/password_safe/internal.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

struct piece {
    const char *text;
    size_t len;
    size_t name_len; /* 0 = not a cookie */
    bool expired;    /* removed by its Max-Age or Expires */
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

/* Takes the next `n` bytes of `text`, up to `end_char`, and returns them; NULL when nothing is left. */
static const char *part_next(const char **text, size_t *len, char end_char, size_t *n)
{
    const char *part = *text, *end = *len ? memchr(part, end_char, *len) : NULL;

    if (!*len)
        return NULL;
    *n = end ? (size_t)(end - part) : *len;
    *text += *n + (end ? 1 : 0);
    *len -= *n + (end ? 1 : 0);
    return part;
}

static bool piece_next(const char **text, size_t *len, char end_char, struct piece *out)
{
    size_t n;
    const char *part = part_next(text, len, end_char, &n);

    if (part)
        *out = piece_trim(part, n);
    return part;
}

static bool is_attribute(const struct piece *piece, const char *name)
{
    struct piece own = piece_trim(piece->text, piece->name_len);

    return own.len && text_equal_nocase_n(own.text, own.len, name, strlen(name));
}

/* Behind the equals sign of an attribute. */
static struct piece value_of(const struct piece *piece)
{
    size_t before = piece->name_len + 1;

    return piece_trim(piece->text + before, piece->len - before);
}

/* -1 for Max-Age=0 and below, 1 above, 0 = not readable. */
static int max_age_of(struct piece value)
{
    size_t minus = value.len && *value.text == '-';
    bool zero = true;

    for (size_t i = minus; i < value.len; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return 0;
        zero = zero && value.text[i] == '0';
    }
    return value.len == minus ? 0 : minus || zero ? -1 : 1;
}

static int expires_of(struct piece value, int64_t now_wall_ms)
{
    char text[64];
    int64_t at_ms;

    if (!text_copy_n(text, sizeof(text), value.text, value.len) || clock_parse_cookie_date(text, &at_ms))
        return 0;
    return at_ms <= now_wall_ms ? -1 : 1;
}

/* `attributes` = the part behind the cookie itself. */
static bool is_expired(const char *attributes, size_t len, int64_t now_wall_ms)
{
    int max_age = 0, expires = 0;
    struct piece piece;

    while (piece_next(&attributes, &len, ';', &piece)) {
        if (is_attribute(&piece, "Max-Age"))
            max_age = max_age_of(value_of(&piece));
        else if (is_attribute(&piece, "Expires"))
            expires = expires_of(value_of(&piece), now_wall_ms);
    }
    return max_age ? max_age < 0 : expires < 0;
}

/* The next Set-Cookie, without its attributes. */
static bool set_next(const char **text, size_t *len, int64_t now_wall_ms, struct piece *out)
{
    size_t n;
    const char *header = part_next(text, len, '\n', &n);

    if (!header)
        return false;
    *out = (struct piece){0};
    if (piece_next(&header, &n, ';', out) && n)
        out->expired = is_expired(header, n, now_wall_ms);
    return true;
}

static bool same_name(const struct piece *a, const struct piece *b)
{
    return a->name_len == b->name_len && !memcmp(a->text, b->text, a->name_len);
}

/* The last Set-Cookie of this name, or the piece itself. */
static struct piece newest(const struct piece *piece, const struct buf *set, int64_t now_wall_ms)
{
    struct piece best = *piece, other;
    const char *text = set->data;
    size_t len = set->len;

    while (set_next(&text, &len, now_wall_ms, &other))
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

int ps_cookies_merge(const char *jar, size_t jar_len, const struct buf *set, int64_t now_wall_ms,
                     struct buf *out)
{
    const char *text = jar;
    size_t len = jar_len;
    struct piece piece;
    int err = 0;

    while (!err && piece_next(&text, &len, ';', &piece)) {
        piece = newest(&piece, set, now_wall_ms);
        if (piece.name_len && !piece.expired)
            err = jar_put(out, &piece);
    }
    text = set->data;
    len = set->len;
    while (!err && set_next(&text, &len, now_wall_ms, &piece)) {
        if (!piece.name_len || jar_has(out, &piece))
            continue;
        piece = newest(&piece, set, now_wall_ms);
        err = piece.expired ? 0 : jar_put(out, &piece);
    }
    return err;
}
