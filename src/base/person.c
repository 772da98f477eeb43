/* SPDX-License-Identifier: Apache-2.0 */
/*
 * person.c - comparing and judging the names of people; see person.h.
 *
 * A name is refused for what a reader cannot see or the vault reads as something else: then one person's name
 * could be taken for another's. A mark that combines with the letter before it is refused as well, since the
 * composed spelling of the same name is another text.
 */
#include "base/person.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static unsigned char lower_ascii(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool person_same(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0; /* the process stays in the plain locale: ASCII alone */
}

bool person_same_n(const char *a, size_t an, const char *b, size_t bn)
{
    return text_equal_nocase_n(a, an, b, bn);
}

char *person_key(char *to, const char *name)
{
    for (; *name; name++)
        *to++ = (char)lower_ascii((unsigned char)*name);
    *to++ = '\0';
    return to;
}

void person_write(char *to, size_t size, const char *domain, const char *name)
{
    bool has_domain = domain && *domain;

    (void)snprintf(to, size, "%s%s%s", has_domain ? domain : "", has_domain ? "\\" : "", name);
    to[utf8_fit(to, size - 1)] = '\0';
}

static const char *letter_refusal(const char *name, size_t n)
{
    size_t len;

    for (size_t at = text_plain_run(name, n); at < n; at += len, at += text_plain_run(name + at, n - at))
        switch (letter_kind_at(name + at, n - at, &len)) {
        case LETTER_CONTROL: return "must not contain control characters";
        case LETTER_HIDDEN:
            return "must not contain letters without width or letters that turn the direction of writing";
        case LETTER_MARK:
            return "must be written with composed letters: it contains a combining mark of its own";
        case LETTER_BLANK:
        case LETTER_PLAIN: break;
        }
    return NULL;
}

const char *person_refusal(enum person_part part, const char *name)
{
    size_t n = strlen(name);
    const char *why = letter_refusal(name, n);

    if (why)
        return why;
    if (letters_blank_before(name, n) || letters_blank_behind(name, n))
        return "must not begin or end with a blank";
    if (part == PERSON_NAME && strchr(name, '\\'))
        return "must not contain a backslash: it is the name without its domain";
    return NULL;
}

const char *person_unwritable(enum person_part part, const char *name)
{
    const char *why = person_refusal(part, name);

    if (why)
        return why;
    if (strchr(name, ';'))
        return "must not contain a semicolon, which ends a name in the sign-in";
    if (part == PERSON_DOMAIN && strchr(name, '\\'))
        return "must not contain a backslash, which ends a domain in the sign-in";
    return NULL;
}
