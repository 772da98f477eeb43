/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml_mend.c - bytes on their way to the XML parser; see xml_mend.h.
 *
 * `head` holds the beginning of a letter whose rest has not come, `ref` that of a reference (&#27;). The end
 * of the buffer is left free for what may still be written when it is full for the caller. A CDATA section,
 * where a reference is text, is not told apart.
 */
#include "backends/pra/xml_mend.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define REF_SIZE 32 /* a longer reference is left to the parser */
#define SPARE    (REF_SIZE + 8)

struct pra_xml_mend {
    size_t n, nhead, nref;
    char head[4], ref[REF_SIZE];
    char out[PRA_XML_MEND_SIZE];
};

struct pra_xml_mend *pra_xml_mend_new(void)
{
    return calloc(1, sizeof(struct pra_xml_mend));
}

void pra_xml_mend_free(struct pra_xml_mend *m)
{
    free(m);
}

static void put(struct pra_xml_mend *m, const char *bytes, size_t n)
{
    memcpy(m->out + m->n, bytes, n);
    m->n += n;
}

static bool is_forbidden(uint32_t letter)
{
    return (letter < 0x20 && letter != '\t' && letter != '\n' && letter != '\r') || letter == 0xfffe ||
           letter == 0xffff;
}

/* ---- references to letters by their number ---- */

/* The number of "&#27" or "&#x1b"; false where it has no digits. */
static bool ref_number(const struct pra_xml_mend *m, uint32_t *number)
{
    bool hex = m->nref > 2 && m->ref[2] == 'x';
    size_t i = hex ? 3 : 2;

    *number = 0;
    if (i >= m->nref)
        return false;
    for (; i < m->nref && *number <= 0x10ffff; i++) {
        char c = m->ref[i];
        uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);

        *number = *number * (hex ? 16 : 10) + digit;
    }
    return true;
}

static void ref_leave(struct pra_xml_mend *m)
{
    put(m, m->ref, m->nref);
    m->nref = 0;
}

static bool ref_takes(const struct pra_xml_mend *m, char c)
{
    if (m->nref == 1)
        return c == '#';
    if (m->nref == 2 && c == 'x')
        return true;
    return (c >= '0' && c <= '9') ||
           (m->nref > 2 && m->ref[2] == 'x' && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

/* The next byte behind a reference that has begun. False: it does not go on with this byte, which is left. */
static bool ref_go_on(struct pra_xml_mend *m, char byte)
{
    uint32_t number;

    if (byte == ';' && ref_number(m, &number) &&
        (is_forbidden(number) || (number >= 0xd800 && number <= 0xdfff) || number > 0x10ffff)) {
        m->nref = 0;
        put(m, "\xef\xbf\xbd", number ? 3 : 0);
        return true;
    }
    if (!ref_takes(m, byte) || m->nref == sizeof(m->ref)) {
        ref_leave(m);
        return false;
    }
    m->ref[m->nref++] = byte;
    return true;
}

/* ---- letters ---- */

/* A whole letter. */
static void put_letter(struct pra_xml_mend *m, const char *bytes, size_t n)
{
    uint32_t letter;

    if (n == 1 && !*bytes)
        return;
    if (utf8_decode(bytes, n, &letter) != n || is_forbidden(letter))
        put(m, "\xef\xbf\xbd", 3);
    else
        put(m, bytes, n);
}

/* The next byte of a letter that has begun. False: it does not go on with this byte, and the byte is left. */
static bool go_on(struct pra_xml_mend *m, char byte)
{
    size_t whole, run;

    m->head[m->nhead] = byte;
    run = utf8_run(m->head, m->nhead + 1, &whole);
    if (run <= m->nhead) {
        m->nhead = 0;
        put(m, "\xef\xbf\xbd", 3);
        return false;
    }
    if (run == whole) {
        m->nhead = 0;
        put_letter(m, m->head, run);
    } else {
        m->nhead = run;
    }
    return true;
}

/* Printable ASCII and what lies between it, but for the begin of a reference: copied as it is. */
static size_t plain_run(const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && (signed char)bytes[i] >= 0x20 && bytes[i] != '&')
        i++;
    return i;
}

/* One letter, or the beginning of one at the end of the piece; its bytes. */
static size_t take_letter(struct pra_xml_mend *m, const char *bytes, size_t n)
{
    size_t whole, run = utf8_run(bytes, n, &whole);

    if (whole > run && run == n) {
        memcpy(m->head, bytes, n);
        m->nhead = n;
        return n;
    }
    put_letter(m, bytes, run);
    return run;
}

size_t pra_xml_mend(struct pra_xml_mend *m, const char *bytes, size_t n)
{
    size_t used = 0;

    while (used < n && m->n + SPARE < sizeof(m->out)) {
        size_t room = sizeof(m->out) - SPARE - m->n, left = n - used;
        size_t plain = m->nhead || m->nref ? 0 : plain_run(bytes + used, left < room ? left : room);

        put(m, bytes + used, plain);
        used += plain;
        if (used == n || m->n + SPARE >= sizeof(m->out))
            break;
        if (m->nhead)
            used += go_on(m, bytes[used]);
        else if (m->nref)
            used += ref_go_on(m, bytes[used]);
        else if (bytes[used] == '&')
            m->ref[m->nref++] = bytes[used++];
        else
            used += take_letter(m, bytes + used, n - used);
    }
    return used;
}

void pra_xml_mend_end(struct pra_xml_mend *m)
{
    if (m->nhead)
        put(m, "\xef\xbf\xbd", 3);
    m->nhead = 0;
    ref_leave(m);
}

const char *pra_xml_mended(const struct pra_xml_mend *m, size_t *n)
{
    *n = m->n;
    return m->out;
}

void pra_xml_mend_taken(struct pra_xml_mend *m)
{
    m->n = 0;
}
