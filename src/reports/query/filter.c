/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.c - conditions on columns, as a URL has them: f.COLUMN=OP:VALUE; see query_internal.h.
 *
 * Values of a list are separated by commas; behind a backslash a comma is one of the value, and so is a
 * backslash. A value that is empty means rows without one.
 */
#include "base/text.h"
#include "base/utf8.h"
#include "reports/query/query_internal.h"

#include <stdio.h>

#define OF(type) (1U << (type))
#define TEXTS    OF(VALUE_TEXT)
#define AMOUNTS  (OF(VALUE_NUMBER) | OF(VALUE_TIME) | OF(VALUE_DURATION))
#define ANY      (TEXTS | AMOUNTS | OF(VALUE_BOOL))

static const struct {
    const char *name;
    unsigned types;
    size_t min, max; /* values; the first of 0: the whole text is one value, commas too */
} ops[OP_NOPS] = {
    [OP_EQ] = {"eq", ANY, 0, 1},
    [OP_NE] = {"ne", ANY, 0, 1},
    [OP_IN] = {"in", ANY, 1, LIST_MAX},
    [OP_NOTIN] = {"notin", ANY, 1, LIST_MAX},
    [OP_CONTAINS] = {"contains", TEXTS, 0, 1},
    [OP_STARTS] = {"starts", TEXTS, 0, 1},
    [OP_GE] = {"ge", AMOUNTS, 0, 1},
    [OP_LE] = {"le", AMOUNTS, 0, 1},
    [OP_BETWEEN] = {"between", AMOUNTS, 2, 2},
    [OP_EMPTY] = {"empty", ANY, 0, 1},
};

static enum query_outcome refuse_filter(struct query_error *error, const struct filter *f, const char *why)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "f.%s", f->column->name);
    return refuse(error, name, why);
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

const char *like_pattern(struct query *q, const char *text, bool anywhere)
{
    char *pattern = record_alloc(&q->texts, 2 * strlen(text) + 3), *to = pattern;

    if (!pattern)
        return NULL;
    if (anywhere)
        *to++ = '%';
    for (; *text; text++) {
        if (strchr("%_![", *text))
            *to++ = '!';
        *to++ = lower(*text);
    }
    *to = '%';
    return pattern;
}

static bool read_number(enum value_type type, const char *text, int64_t *number)
{
    if (type == VALUE_TIME)
        return zone_read(text, number);
    if (type != VALUE_BOOL)
        return text_int(text, INT64_MIN + 1, INT64_MAX - 1, number);
    *number = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *number || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static const char *const wrong_value[VALUE_NTYPES] = {
    [VALUE_NUMBER] = "has a value that is no whole number",
    [VALUE_TIME] = "has a value that is no time with its offset (2026-11-28T14:00:00Z)",
    [VALUE_BOOL] = "has a value that is neither true nor false",
    [VALUE_DURATION] = "has a value that is no number of seconds",
};

static enum query_outcome add_value(struct query *q, struct filter *f, char *text, struct query_error *error)
{
    enum value_type type = f->column->type;

    if (f->list.n == LIST_MAX || q->nvalues >= VALUES_MAX)
        return refuse_filter(error, f, "has more than 100 values");
    if (type == VALUE_TEXT && f->column->flags & COL_LOWER)
        for (char *c = text; *c; c++)
            *c = lower(*c);
    if (type != VALUE_TEXT && *text && !read_number(type, text, &f->numbers[f->list.n]))
        return refuse_filter(error, f, wrong_value[type]);
    return list_add(q, &f->list, text);
}

/* Splits at commas that stand alone, in place. */
static enum query_outcome add_values(struct query *q, struct filter *f, char *text, struct query_error *error)
{
    enum query_outcome outcome = QUERY_OK;

    for (bool more = true; more && outcome == QUERY_OK;) {
        char *value = text, *to = text;
        for (; *text && *text != ','; text++) {
            if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
                text++;
            *to++ = *text;
        }
        more = *text == ',';
        text++;
        *to = '\0';
        outcome = add_value(q, f, value, error);
    }
    return outcome;
}

/* The only comma of a value may be escaped where no list is, so that all values are written alike. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
            text++;
        *to++ = *text;
    }
    *to = '\0';
}

static enum query_outcome read_empty(struct filter *f, const char *text, struct query_error *error)
{
    f->negated = strcmp(text, "no") == 0 || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
    if (f->negated || !*text || strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 ||
        strcmp(text, "1") == 0)
        return QUERY_OK;
    return refuse_filter(error, f, "takes `empty:`, `empty:yes` or `empty:no`");
}

static enum query_outcome read_values(struct query *q, struct filter *f, char *text,
                                      struct query_error *error)
{
    if (f->op == OP_EMPTY)
        return read_empty(f, text, error);
    if (ops[f->op].min == 0)
        unescape(text);
    if (f->op == OP_CONTAINS || f->op == OP_STARTS) {
        q->nvalues++;
        f->pattern = like_pattern(q, text, f->op == OP_CONTAINS);
        return f->pattern ? QUERY_OK : QUERY_NO_MEMORY;
    }
    enum query_outcome outcome =
        ops[f->op].min ? add_values(q, f, text, error) : add_value(q, f, text, error);
    if (outcome != QUERY_OK)
        return outcome;
    if (f->op == OP_BETWEEN && (f->list.n != 2 || f->list.empty))
        return refuse_filter(error, f, "takes two values, separated by a comma");
    if ((f->op == OP_GE || f->op == OP_LE) && f->list.empty)
        return refuse_filter(error, f, "takes a value");
    return QUERY_OK;
}

/* "eq:VALUE", "empty" */
static bool read_op(struct filter *f, const char *text)
{
    size_t n = strcspn(text, ":");

    for (int i = 0; i < OP_NOPS; i++)
        if (strlen(ops[i].name) == n && strncmp(ops[i].name, text, n) == 0) {
            f->op = (enum filter_op)i;
            return text[n] || f->op == OP_EMPTY;
        }
    return false;
}

enum query_outcome filter_add(struct query *q, const struct dataset_column *column, const char *text,
                              struct query_error *error)
{
    struct filter *f =
        record_append(&q->texts, &q->filters, &q->nfilters, &q->filters_room, sizeof(*q->filters));
    char *copy = (char *)record_text(&q->texts, text, strlen(text));

    if (!f || !copy)
        return QUERY_NO_MEMORY;
    f->column = column;
    f->written = text;
    if (!read_op(f, copy))
        return refuse_filter(
            error, f, "must be OP:VALUE with one of eq ne in notin contains starts ge le between empty");
    if (!(ops[f->op].types & OF(column->type)))
        return refuse_filter(error, f, "has an operator that does not go with this column");
    copy += strcspn(copy, ":");
    return read_values(q, f, *copy ? copy + 1 : copy, error);
}

enum query_outcome filter_add_encoded(struct query *q, char *pair, struct query_error *error)
{
    char *value = strchr(pair, '=');

    if (!value || !text_url_decode(value + 1, true))
        return refuse(error, pair, "is no filter");
    *value++ = '\0';
    const struct dataset_column *column = dataset_column(q->dataset, pair + 2);
    return column ? filter_add(q, column, value, error) : refuse(error, pair, "is no column");
}
