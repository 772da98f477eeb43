/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_reason.c - a text for the auditor, and the gateway's mark.
 *
 * The mark ` [jumpgate LEASE]` at the end tells which request is the gateway's when its id was lost: after a
 * check-out whose answer never came, the user's list of live requests contains the mark. So a text that is
 * too long for the vault is cut in the middle, never at the end, and never inside a UTF-8 sequence. The vault
 * counts UTF-16 units, and so does this file.
 */
#include "broker/identity/request_reason.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MARK       "[jumpgate "
#define ELLIPSIS   "\xe2\x80\xa6"
#define HEAD_UNITS 500
/* Letters of the id that a cut mark still has: all ids of a gateway begin with one tag, which tells them
 * from others only. System and account are compared as well. */
#define CUT_MIN (ID_TAG_SIZE - 1 + 6)

static void expand_template(struct buf *out, const struct reason_parts *p)
{
    const struct session *s = p->session;
    const char *item = s->name ? s->name : s->hostname ? s->hostname : s->computer_name;
    const struct {
        const char *key, *value;
    } words[] = {{"{user}", s->username},
                 {"{session}", s->id},
                 {"{jump_item}", item            ? item
                                 : s->ip_address ? s->ip_address
                                                 : s->application},
                 {"{lease}", p->lease_id}};

    for (const char *t = p->template; *t;) {
        size_t i = 0, plain = strcspn(t, "{");

        (void)buf_append(out, t, plain);
        t += plain;
        while (i < sizeof words / sizeof words[0] && strncmp(t, words[i].key, strlen(words[i].key)) != 0)
            i++;
        if (i < sizeof words / sizeof words[0]) {
            (void)buf_str(out, words[i].value ? words[i].value : "");
            t += strlen(words[i].key);
        } else if (*t) {
            (void)buf_char(out, *t++);
        }
    }
}

bool reason_empty(const struct reason_parts *p)
{
    return !(p->given && *p->given) && !*p->template;
}

/* Bytes of the letter at s (n > 0 left), and its UTF-16 units. */
static size_t letter_units(const char *s, size_t n, size_t *units)
{
    uint32_t letter;
    size_t len = utf8_letter(s, n, &letter);

    *units = letter > 0xffff ? 2 : 1;
    return len;
}

static size_t count_units(const char *s, size_t n)
{
    size_t total = 0, units;

    for (size_t i = 0; i < n; total += units)
        i += letter_units(s + i, n - i, &units);
    return total;
}

/* Bytes of the shortest front part of at least `skip` units. */
static size_t skip_units(const char *s, size_t n, size_t skip)
{
    size_t i = 0, units;

    for (size_t gone = 0; i < n && gone < skip; gone += units)
        i += letter_units(s + i, n - i, &units);
    return i;
}

/* Bytes of the longest front part of at most `keep` units. */
static size_t keep_units(const char *s, size_t n, size_t keep)
{
    size_t i = 0, units, held = 0;

    while (i < n) {
        size_t len = letter_units(s + i, n - i, &units);

        if (held + units > keep)
            break;
        held += units;
        i += len;
    }
    return i;
}

static char *cut_middle(const char *text, size_t n)
{
    size_t units = count_units(text, n);

    if (units <= REASON_MAX)
        return strndup(text, n);
    size_t head = keep_units(text, n, HEAD_UNITS - 1);
    size_t tail = skip_units(text, n, units - (REASON_MAX - HEAD_UNITS));
    char *out = malloc(head + strlen(ELLIPSIS) + (n - tail) + 1);

    if (!out)
        return NULL;
    memcpy(out, text, head);
    memcpy(out + head, ELLIPSIS, strlen(ELLIPSIS));
    memcpy(out + head + strlen(ELLIPSIS), text + tail, n - tail);
    out[head + strlen(ELLIPSIS) + (n - tail)] = '\0';
    return out;
}

char *reason_text(const struct reason_parts *p)
{
    struct buf b = BUF_INIT(1U << 20);
    char *out = NULL;

    if (p->given && *p->given)
        (void)buf_str(&b, p->given);
    else
        expand_template(&b, p);
    (void)buf_printf(&b, "%s" MARK "%s]", b.len ? " " : "", p->lease_id);
    if (!b.failed)
        out = cut_middle(b.data, b.len);
    buf_free(&b);
    return out;
}

bool reason_lease_id(const char *reason, char id[ID_SIZE])
{
    const size_t tail = strlen(MARK) + (ID_SIZE - 1) + 1;
    size_t n = reason ? strlen(reason) : 0;

    while (n && (reason[n - 1] == ' ' || reason[n - 1] == '\n' || reason[n - 1] == '\r'))
        n--; /* a vault may pad what it stores */
    if (n < tail || reason[n - 1] != ']' || strncmp(reason + n - tail, MARK, strlen(MARK)) != 0)
        return false;
    memcpy(id, reason + n - ID_SIZE, ID_SIZE - 1);
    id[ID_SIZE - 1] = '\0';
    return strpbrk(id, " []") == NULL;
}

bool reason_is_cut(const char *reason, const char *lease_id)
{
    const char *mark = NULL, *at = reason ? strstr(reason, MARK) : NULL;

    for (; at; at = strstr(at + 1, MARK))
        mark = at;
    if (!mark)
        return false;
    mark += strlen(MARK);
    return strlen(mark) >= CUT_MIN && strncmp(mark, lease_id, strlen(mark)) == 0;
}
