/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_words.c - types of the configuration made of free words: patterns, and pairs LEFT:RIGHT.
 *
 * Words are separated by blanks and kept as written, in order, in a struct conf_list; a word that occurs
 * twice is a mistake. The row's `max` is how many there may be. A pair is divided at its last colon, so that
 * the left side may hold one; both sides must be there. Where the row has choices, the right side is one of
 * them. Two pairs with the same left side contradict each other and are a mistake as well.
 *
 * Not here: what a pattern or a pair means (the files that use them).
 */
#include "base/text.h"
#include "conf/conf_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *last_colon(const char *word, size_t len)
{
    return memrchr(word, ':', len);
}

/* 0 or -EINVAL and why; `word` is not the first on the list. */
static int check_new(const struct conf_list *list, const char *word, size_t len, bool pair, char *why)
{
    size_t n = pair ? (size_t)(last_colon(word, len) - word) + 1 : len;

    for (size_t i = 0; i < list->n; i++) {
        const char *other = list->item[i];
        size_t other_n = pair ? (size_t)(last_colon(other, strlen(other)) - other) + 1 : strlen(other);
        if (!text_equal_nocase_n(other, other_n, word, n))
            continue;
        (void)snprintf(why, CONF_WHY_SIZE, "names `%.*s` twice", n < 64 ? (int)(n - pair) : 64, word);
        return -EINVAL;
    }
    return 0;
}

static int check_pair(const struct conf_row *row, const char *word, size_t len, char *why)
{
    const char *colon = last_colon(word, len);
    size_t right = colon ? (size_t)(word + len - colon) - 1 : 0;

    if (!colon || colon == word || !right) {
        (void)snprintf(why, CONF_WHY_SIZE, "wants pairs LEFT:RIGHT, and `%.*s` is none",
                       len < 64 ? (int)len : 64, word);
        return -EINVAL;
    }
    if (row->choices && conf_choice_index(row->choices, colon + 1, right) < 0) {
        conf_choice_why(row, colon + 1, right, why);
        return -EINVAL;
    }
    return 0;
}

static int check_word(const struct conf_row *row, const struct conf_list *list, const char *word, size_t len,
                      char *why)
{
    bool pair = row->type == &conf_pairs;
    int err = pair ? check_pair(row, word, len, why) : 0;

    return err ? err : check_new(list, word, len, pair, why);
}

static int words_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    static const struct conf_words_rule rule = {"words", check_word};

    return conf_list_parse(row, text, object, &rule, why);
}

const struct conf_type conf_words = {
    .what = "list of words",
    .parse = words_parse,
    .print = conf_list_print,
    .clear = conf_list_clear,
};

const struct conf_type conf_pairs = {
    .what = "list of pairs",
    .parse = words_parse,
    .print = conf_list_print,
    .clear = conf_list_clear,
};
