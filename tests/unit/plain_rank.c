/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain_rank.c - see plain_rank.h. Byte by byte and word by word, without any of the shortcuts of a system
 * entry.
 */
#include "plain_rank.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

static bool is_word_char(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z');
}

/* Where a word is found best: MATCH_PREFIX at the name's beginning, then at a word's, then inside. */
static enum match_rank rank_word(const char *word, size_t len, const char *name)
{
    enum match_rank best = MATCH_NOT;
    size_t name_len = strlen(name);

    for (size_t i = 0; i + len <= name_len; i++) {
        if (strncasecmp(name + i, word, len) != 0)
            continue;
        if (i == 0)
            return MATCH_PREFIX;
        if (!is_word_char(name[i - 1]) && is_word_char(name[i]))
            return MATCH_WORD_START;
        best = MATCH_INSIDE;
    }
    return best;
}

/*
 * All words must be there. The name as a whole may be the query; else the first word decides about the
 * prefix, and the worst-placed word about the rest.
 */
enum match_rank plain_rank(const char *query, const char *name)
{
    static const char blanks[] = " \t\r\n";
    const char *at = query + strspn(query, blanks);
    enum match_rank worst = MATCH_EXACT, first = MATCH_EXACT;
    size_t trimmed = strlen(at);

    while (trimmed && strchr(blanks, at[trimmed - 1]))
        trimmed--;
    if (text_equal_nocase_n(at, trimmed, name, strlen(name)))
        return MATCH_EXACT;
    for (bool is_first = true; *at; is_first = false) {
        size_t len = strcspn(at, blanks);
        enum match_rank rank = rank_word(at, len, name);
        if (is_first)
            first = rank;
        if (rank > worst)
            worst = rank;
        at += len;
        at += strspn(at, blanks);
    }
    return worst < MATCH_NOT && first == MATCH_PREFIX ? MATCH_PREFIX : worst;
}
