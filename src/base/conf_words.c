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
#include "base/conf_table.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void words_free(struct conf_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct conf_list){0};
}

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

static int word_add(const struct conf_row *row, struct conf_list *list, const char *word, size_t len,
                    char *why)
{
    bool pair = row->type == &conf_pairs;

    if (list->n == row->max) {
        (void)snprintf(why, CONF_WHY_SIZE, "takes at most %u words", (unsigned)row->max);
        return -EINVAL;
    }
    if ((pair && check_pair(row, word, len, why)) || check_new(list, word, len, pair, why))
        return -EINVAL;
    list->item[list->n] = strndup(word, len);
    if (!list->item[list->n])
        return -ENOMEM;
    list->n++;
    return 0;
}

static int words_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_list *old = conf_field(row, object), list = {.item = calloc(row->max, sizeof(char *))};
    const char *word;
    size_t len;
    int err = list.item ? 0 : -ENOMEM;

    while (!err && (word = conf_next_word(&text, &len)))
        err = word_add(row, &list, word, len, why);
    if (err) {
        words_free(&list);
        return err;
    }
    words_free(old);
    *old = list;
    return 0;
}

static void words_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_list *list = conf_field_const(row, object);

    for (size_t i = 0; i < list->n; i++)
        (void)buf_printf(out, "%s%s", i ? " " : "", list->item[i]);
}

static void words_clear(const struct conf_row *row, void *object)
{
    words_free(conf_field(row, object));
}

const struct conf_type conf_words = {
    .what = "list of words",
    .parse = words_parse,
    .print = words_print,
    .clear = words_clear,
};

const struct conf_type conf_pairs = {
    .what = "list of pairs",
    .parse = words_parse,
    .print = words_print,
    .clear = words_clear,
};
