/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_lists.c - types of a configuration made of words: permissions, templates, free words, and pairs
 * LEFT:RIGHT.
 *
 * Words are separated by blanks. A word that occurs twice is a mistake: the second one usually was meant to
 * be something else. Templates know a fixed set of placeholders (the row's choices); an unknown one, or a
 * lone brace, is reported here and not when the first user signs in. A pair is divided at its last colon, so
 * that the left side may hold one; both sides must be there, and where the row has choices the right side is
 * one of them. Two pairs with the same left side contradict each other and are a mistake as well.
 *
 * Not here: what a pattern or a pair means (the files that use them).
 */
#include "base/address.h"
#include "base/did_you_mean.h"
#include "base/text.h"
#include "conf/table/conf_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_SIZE 64

const char *conf_next_word(const char **list, size_t *len)
{
    const char *word = *list + strspn(*list, " \t");

    *len = strcspn(word, " \t");
    *list = word + *len;
    return *len ? word : NULL;
}

int conf_choice_index(const char *choices, const char *word, size_t len)
{
    const char *choice;
    size_t n;

    for (int i = 0; (choice = conf_next_word(&choices, &n)); i++)
        if (n == len && memcmp(choice, word, n) == 0)
            return i;
    return -1;
}

/* Writes "; did you mean …" with the nearest choice into `hint`, or "". */
static void choice_hint(const char *choices, const char *word, size_t len, char *hint, size_t size)
{
    char typed[WORD_SIZE], known[16][WORD_SIZE];
    struct did_you_mean near = DID_YOU_MEAN(typed);
    const char *choice;
    size_t n;

    (void)text_copy_n(typed, sizeof(typed), word, len);
    for (size_t i = 0; i < 16 && (choice = conf_next_word(&choices, &n)); i++) {
        (void)text_copy_n(known[i], sizeof(known[i]), choice, n);
        did_you_mean_offer(&near, known[i]);
    }
    (void)did_you_mean_hint(&near, hint, size);
}

void conf_clear_zero(const struct conf_row *row, void *object)
{
    memset(conf_field(row, object), 0, row->size);
}

int conf_refuse(char why[CONF_WHY_SIZE], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, CONF_WHY_SIZE, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

int conf_refuse_choice(const struct conf_row *row, const char *word, size_t len, char why[CONF_WHY_SIZE])
{
    char hint[WORD_SIZE + 32];

    choice_hint(row->choices, word, len, hint, sizeof(hint));
    return conf_refuse(why, "knows only: %s%s", row->choices, hint);
}

/* Writes the indexes of the choices in `text`, in its order. 0, or -EINVAL and why. */
int conf_choices_parse(const struct conf_row *row, const char *text, int index[32], size_t *n, char *why)
{
    const char *word;
    size_t len;
    unsigned seen = 0;

    for (*n = 0; (word = conf_next_word(&text, &len)); (*n)++) {
        int i = conf_choice_index(row->choices, word, len);
        if (i < 0)
            return conf_refuse_choice(row, word, len, why);
        if (seen & 1U << i)
            return conf_refuse(why, "names `%.*s` twice", (int)len, word);
        seen |= 1U << i;
        index[*n] = i;
    }
    return 0;
}

void conf_choices_print(const struct conf_row *row, const int *index, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        const char *list = row->choices, *word;
        size_t len = 0;
        int left = index[i];
        while ((word = conf_next_word(&list, &len)) && left--) {}
        if (i)
            (void)buf_char(out, ' ');
        if (word)
            (void)buf_append(out, word, len);
    }
}

/* ---- permissions: a set of bits ---- */

static int permissions_parse(const struct conf_row *row, const char *text, void *object,
                             char why[CONF_WHY_SIZE])
{
    int index[32];
    size_t n;
    unsigned bits = 0;

    if (conf_choices_parse(row, text, index, &n, why))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        bits |= 1U << index[i];
    memcpy(conf_field(row, object), &bits, sizeof(bits));
    return 0;
}

static void permissions_print(const struct conf_row *row, const void *object, struct buf *out)
{
    int index[32];
    size_t n = 0;
    unsigned bits;

    memcpy(&bits, conf_field_const(row, object), sizeof(bits));
    for (int i = 0; i < 32; i++)
        if (bits & 1U << i)
            index[n++] = i;
    conf_choices_print(row, index, n, out);
}

const struct conf_type conf_permissions = {
    .what = "list",
    .shape = SHAPE_LIST_OF,
    .parse = permissions_parse,
    .print = permissions_print,
    .clear = conf_clear_zero,
};

/* ---- lists of words: struct conf_list ---- */

int conf_template_check(const struct conf_row *row, const char *text, size_t len, char why[CONF_WHY_SIZE])
{
    const char *end = text + len;

    for (const char *p = text; p < end; p++) {
        const char *close = *p == '{' ? memchr(p, '}', (size_t)(end - p)) : NULL;
        size_t n;
        if (*p == '}' || (*p == '{' && !close))
            return conf_refuse(why, "has a lone brace");
        if (*p != '{')
            continue;
        n = (size_t)(close - p - 1);
        if (conf_choice_index(row->choices, p + 1, n) < 0) {
            char hint[WORD_SIZE + 32];
            choice_hint(row->choices, p + 1, n, hint, sizeof(hint));
            return conf_refuse(why, "has an unknown placeholder `{%.*s}`; known are: %s%s",
                               n < WORD_SIZE ? (int)n : WORD_SIZE, p + 1, row->choices, hint);
        }
        p = close;
    }
    return 0;
}

static const char *last_colon(const char *word, size_t len)
{
    return memrchr(word, ':', len);
}

/* -EINVAL and why if the word, or the left side of the pair, is on the list already. */
static int check_new(const struct conf_list *list, const char *word, size_t len, bool pair, char *why)
{
    size_t n = pair ? (size_t)(last_colon(word, len) - word) + 1 : len;

    for (size_t i = 0; i < list->n; i++) {
        const char *other = list->item[i];
        size_t other_n = pair ? (size_t)(last_colon(other, strlen(other)) - other) + 1 : strlen(other);
        if (!text_equal_nocase_n(other, other_n, word, n))
            continue;
        return conf_refuse(why, "names `%.*s` twice", n < 64 ? (int)(n - pair) : 64, word);
    }
    return 0;
}

static int check_pair(const struct conf_row *row, const char *word, size_t len, char *why)
{
    const char *colon = last_colon(word, len);
    size_t right = colon ? (size_t)(word + len - colon) - 1 : 0;

    if (!colon || colon == word || !right)
        return conf_refuse(why, "wants pairs LEFT:RIGHT, and `%.*s` is none", len < 64 ? (int)len : 64, word);
    if (row->choices && conf_choice_index(row->choices, colon + 1, right) < 0)
        return conf_refuse_choice(row, colon + 1, right, why);
    return 0;
}

static void list_free(struct conf_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct conf_list){0};
}

/* The new list takes the place of the old one, unless it could not be read. */
static int list_keep(struct conf_list *old, struct conf_list *list, int err)
{
    list_free(err ? list : old);
    if (!err)
        *old = *list;
    return err;
}

static bool list_has(const struct conf_list *list, const char *word, size_t len)
{
    for (size_t i = 0; i < list->n; i++)
        if (strlen(list->item[i]) == len && memcmp(list->item[i], word, len) == 0)
            return true;
    return false;
}

static int check_network(const char *word, size_t len, char *why)
{
    struct address_network network;
    char text[ADDRESS_HOST_SIZE];

    if (!text_copy_n(text, sizeof(text), word, len))
        return conf_refuse(why, "holds a word too long for a network");
    return address_network(text, &network, why);
}

static int check_word(const struct conf_row *row, const struct conf_list *list, const char *word, size_t len,
                      char *why)
{
    bool pair = row->type == &conf_pairs;

    if (row->type != &conf_templates) {
        int err = pair                          ? check_pair(row, word, len, why)
                  : row->type == &conf_networks ? check_network(word, len, why)
                                                : 0;
        return err ? err : check_new(list, word, len, pair, why);
    }
    if (list_has(list, word, len))
        return conf_refuse(why, "names a template twice");
    return conf_template_check(row, word, len, why);
}

static int list_add(const struct conf_row *row, struct conf_list *list, const char *word, size_t len,
                    char *why)
{
    if (list->n == row->max)
        return conf_refuse(why, "takes at most %u %s", (unsigned)row->max,
                           row->type == &conf_templates ? "templates" : "words");
    if (check_word(row, list, word, len, why))
        return -EINVAL;
    list->item[list->n] = strndup(word, len);
    if (!list->item[list->n])
        return -ENOMEM;
    list->n++;
    return 0;
}

int conf_list_parse(const struct conf_row *row, const char *text, void *object, conf_list_add_fn *add,
                    char why[CONF_WHY_SIZE])
{
    struct conf_list *old = conf_field(row, object), list = {.item = calloc(row->max, sizeof(char *))};
    const char *word;
    size_t len;
    int err = list.item ? 0 : -ENOMEM;

    while (!err && (word = conf_next_word(&text, &len)))
        err = add(row, &list, word, len, why);
    return list_keep(old, &list, err);
}

static int list_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    return conf_list_parse(row, text, object, list_add, why);
}

void conf_list_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_list *list = conf_field_const(row, object);

    for (size_t i = 0; i < list->n; i++)
        (void)buf_printf(out, "%s%s", i ? " " : "", list->item[i]);
}

void conf_list_clear(const struct conf_row *row, void *object)
{
    list_free(conf_field(row, object));
}

#define LIST_TYPE(title)                                                                                     \
    {                                                                                                        \
        .what = (title), .shape = SHAPE_AT_MOST, .parse = list_parse, .print = conf_list_print,              \
        .clear = conf_list_clear,                                                                            \
    }

const struct conf_type conf_templates = LIST_TYPE("templates");
const struct conf_type conf_words = LIST_TYPE("words");
const struct conf_type conf_pairs = LIST_TYPE("pairs");
const struct conf_type conf_networks = LIST_TYPE("addresses or networks");

/* ---- words that may hold blanks, and then are in double quotes ---- */

const char *conf_next_quoted(const struct conf_row *row, const char **list, size_t *len, bool *quoted,
                             char why[CONF_WHY_SIZE])
{
    const char *word = *list + strspn(*list, " \t"), *end;

    *quoted = *word == '"';
    end = *quoted ? strchr(++word, '"') : word + strcspn(word, " \t");
    if (!end || (*quoted && end[1] && end[1] != ' ' && end[1] != '\t') ||
        (!*quoted && memchr(word, '"', (size_t)(end - word)))) {
        (void)conf_refuse(why,
                          "needs %s, each with blanks in it within double quotes (a # after a blank begins a "
                          "comment even there)",
                          row->type->what);
        return NULL;
    }
    *len = (size_t)(end - word);
    *list = end + *quoted;
    return *len || *quoted ? word : NULL;
}

int conf_quoted_add(const struct conf_row *row, struct conf_list *list, const char *word, size_t len,
                    char why[CONF_WHY_SIZE])
{
    if (list_has(list, word, len))
        return conf_refuse(why, "names `%.*s` twice", len < 64 ? (int)len : 64, word);
    if (!len)
        return conf_refuse(why, "holds an empty %.*s", (int)strlen(row->type->what) - 1, row->type->what);
    if (list->n == row->max)
        return conf_refuse(why, "takes at most %u %s", (unsigned)row->max, row->type->what);
    list->item[list->n] = strndup(word, len);
    if (!list->item[list->n])
        return -ENOMEM;
    list->n++;
    return 0;
}

static int quoted_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_list *old = conf_field(row, object), list = {.item = calloc(row->max, sizeof(char *))};
    const char *word;
    bool quoted;
    size_t len;
    int err = list.item ? 0 : -ENOMEM;

    *why = '\0';
    while (!err && (word = conf_next_quoted(row, &text, &len, &quoted, why)))
        err = conf_quoted_add(row, &list, word, len, why);
    if (!err && *why)
        err = -EINVAL;
    return list_keep(old, &list, err);
}

static void quoted_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_list *list = conf_field_const(row, object);

    for (size_t i = 0; i < list->n; i++)
        (void)buf_printf(out, "%s\"%s\"", i ? " " : "", list->item[i]);
}

const struct conf_type conf_quoted = {
    .what = "words",
    .shape = SHAPE_AT_MOST,
    .parse = quoted_parse,
    .print = quoted_print,
    .clear = conf_list_clear,
};
