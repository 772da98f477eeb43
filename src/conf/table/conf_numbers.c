/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_numbers.c - types of a configuration whose value is a number: durations, sizes, counts, choices,
 * rates, permissions, user ids.
 *
 * A duration, size or count is a whole number times a unit. It is a uint64_t in the smallest unit, and is
 * printed in the largest unit that keeps it whole. A duration needs its unit: a bare 60 could be seconds or
 * minutes. A choice is the index of its word, in a bool or an enum by the size of the member.
 *
 * Not here: texts (conf_texts.c), lists of words (conf_lists.c).
 */
#include "base/did_you_mean.h"
#include "base/text.h"
#include "conf/table/conf_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct conf_unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct conf_unit day_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                             {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct conf_unit size_units[] = {
    {"", 1}, {"K", 1024}, {"k", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct conf_unit count_units[] = {{"", 1}, {NULL, 0}};

/* Reads the digits at the start of text; false when there are none, or the number does not fit. */
static bool read_digits(const char *text, const char **rest, uint64_t *out)
{
    uint64_t n = 0;
    bool fits = true;

    for (*rest = text; **rest >= '0' && **rest <= '9'; (*rest)++) {
        uint64_t digit = (uint64_t)(**rest - '0');
        fits = fits && n <= (UINT64_MAX - digit) / 10;
        n = fits ? n * 10 + digit : 0;
    }
    *out = n;
    return fits && *rest != text;
}

static const struct conf_unit *unit_find(const struct conf_unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

void conf_number_print(const struct conf_type *type, uint64_t value, struct buf *out)
{
    const struct conf_unit *best = type->units;

    /* Zero is printed as `0s` or `0`, not as `0h`. */
    for (const struct conf_unit *u = type->units; u->name; u++)
        if (value ? value % u->factor == 0 : u->factor <= 1000)
            best = u;
    (void)buf_printf(out, "%" PRIu64 "%s", value / best->factor, best->name);
}

static int refuse_range(const struct conf_row *row, char why[CONF_WHY_SIZE])
{
    struct buf text = BUF_INIT(CONF_WHY_SIZE);

    (void)buf_str(&text, "must be from ");
    conf_number_print(row->type, row->min, &text);
    (void)buf_str(&text, " to ");
    conf_number_print(row->type, row->max, &text);
    (void)text_copy_n(why, CONF_WHY_SIZE, text.data ? text.data : "", text.len);
    buf_free(&text);
    return -EINVAL;
}

static int number_read(const struct conf_row *row, const char *text, uint64_t *out, char why[CONF_WHY_SIZE])
{
    const char *rest;
    uint64_t n;
    bool digits = read_digits(text, &rest, &n);
    const struct conf_unit *unit = unit_find(row->type->units, rest);

    if (rest == text || !unit)
        return conf_refuse(why, "needs %s", row->type->needs);
    if (!digits || n > UINT64_MAX / unit->factor || n * unit->factor < row->min ||
        n * unit->factor > row->max)
        return refuse_range(row, why);
    *out = n * unit->factor;
    return 0;
}

static int number_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    uint64_t n;
    int err = number_read(row, text, &n, why);

    if (!err)
        memcpy(conf_field(row, object), &n, sizeof(n));
    return err;
}

static uint64_t number_get(const struct conf_row *row, const void *object)
{
    uint64_t n;

    memcpy(&n, conf_field_const(row, object), sizeof(n));
    return n;
}

static void number_print(const struct conf_row *row, const void *object, struct buf *out)
{
    conf_number_print(row->type, number_get(row, object), out);
}

#define NUMBER_TYPE(title, wanted, scale)                                                                    \
    {                                                                                                        \
        .what = (title), .needs = (wanted), .units = (scale), .parse = number_parse, .print = number_print,  \
        .clear = conf_clear_zero,                                                                            \
    }

const struct conf_type conf_duration =
    NUMBER_TYPE("duration", "a duration with its unit, such as 500ms, 10s, 15m or 2h", duration_units);
const struct conf_type conf_days =
    NUMBER_TYPE("duration", "a duration with its unit, such as 10s, 15m, 2h or 30d", day_units);
const struct conf_type conf_size =
    NUMBER_TYPE("size", "a size in bytes, such as 4096, 64k or 16M", size_units);
const struct conf_type conf_count = NUMBER_TYPE("number", "a whole number", count_units);

/* ---- durations: a rising list ---- */

static int durations_parse(const struct conf_row *row, const char *text, void *object,
                           char why[CONF_WHY_SIZE])
{
    struct conf_durations list = {.n = 0};
    const char *word;
    size_t len;

    while ((word = conf_next_word(&text, &len))) {
        char one[32];
        int err;

        if (list.n == CONF_DURATIONS)
            return conf_refuse(why, "takes at most %d durations", CONF_DURATIONS);
        if (!text_copy_n(one, sizeof(one), word, len))
            return conf_refuse(why, "needs %s", row->type->needs);
        err = number_read(row, one, &list.ms[list.n], why);
        if (err)
            return err;
        if (list.n && list.ms[list.n] <= list.ms[list.n - 1])
            return conf_refuse(why, "needs each duration longer than the one before it");
        list.n++;
    }
    memcpy(conf_field(row, object), &list, sizeof(list));
    return 0;
}

static void durations_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_durations *list = conf_field_const(row, object);

    for (size_t i = 0; i < list->n; i++) {
        if (i)
            (void)buf_char(out, ' ');
        conf_number_print(row->type, list->ms[i], out);
    }
}

const struct conf_type conf_durations = {
    .what = "durations, rising, each",
    .needs = "durations with their units, such as 30m 24h",
    .units = day_units,
    .parse = durations_parse,
    .print = durations_print,
    .clear = conf_clear_zero,
};

/* ---- choices ---- */

static void choice_set(const struct conf_row *row, void *object, unsigned value)
{
    if (row->size == sizeof(bool)) {
        bool b = value != 0;
        memcpy(conf_field(row, object), &b, sizeof(b));
    } else {
        memcpy(conf_field(row, object), &value, sizeof(value));
    }
}

static int choice_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    /* Other words for no (even index) and yes. */
    static const char *const switches[] = {"no", "yes", "false", "true", "off", "on"};
    int index = conf_choice_index(row->choices, text, strlen(text));

    if (index < 0 && strcmp(row->choices, "no yes") == 0)
        for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
            if (text_equal_nocase(text, switches[i]))
                index = (int)(i % 2);
    if (index < 0)
        return conf_refuse_choice(row, text, strlen(text), why);
    choice_set(row, object, (unsigned)index);
    return 0;
}

static void choice_print(const struct conf_row *row, const void *object, struct buf *out)
{
    unsigned value = 0;
    const char *list = row->choices, *word;
    size_t len;

    if (row->size == sizeof(bool)) {
        bool b;
        memcpy(&b, conf_field_const(row, object), sizeof(b));
        value = b;
    } else {
        memcpy(&value, conf_field_const(row, object), sizeof(value));
    }
    for (; (word = conf_next_word(&list, &len)); value--)
        if (value == 0) {
            (void)buf_append(out, word, len);
            return;
        }
}

const struct conf_type conf_choice = {
    .what = "choice",
    .shape = SHAPE_ONE_OF,
    .parse = choice_parse,
    .print = choice_print,
    .clear = conf_clear_zero,
};

/* ---- rate ---- */

static int rate_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    const char *rest;
    uint64_t n = 0;
    double rate = 0;

    if (!text_equal_nocase(text, "off")) {
        bool good = read_digits(text, &rest, &n) && (strcmp(rest, "/s") == 0 || strcmp(rest, "/m") == 0);
        if (!good || n < row->min || n > row->max)
            return conf_refuse(why,
                               "needs a rate such as 200/s or 600/m, from %" PRIu64 " to %" PRIu64 ", or off",
                               row->min, row->max);
        rate = strcmp(rest, "/m") == 0 ? (double)n / 60.0 : (double)n;
    }
    memcpy(conf_field(row, object), &rate, sizeof(rate));
    return 0;
}

/* As it is read: a whole number each second, else each minute. */
static void write_rate(double rate, struct buf *out)
{
    uint64_t minute = (uint64_t)(rate * 60 + 0.5);

    (void)buf_printf(out, "%" PRIu64 "/%s", minute % 60 ? minute : minute / 60, minute % 60 ? "m" : "s");
}

static void rate_print(const struct conf_row *row, const void *object, struct buf *out)
{
    double rate;

    memcpy(&rate, conf_field_const(row, object), sizeof(rate));
    if (rate > 0)
        write_rate(rate, out);
    else
        (void)buf_str(out, "off");
}

const struct conf_type conf_rate = {
    .what = "rate",
    .parse = rate_parse,
    .print = rate_print,
    .clear = conf_clear_zero,
};

/* ---- rate of calls: a fraction of a site's budget, which cannot be turned off ---- */

static int call_rate_parse(const struct conf_row *row, const char *text, void *object,
                           char why[CONF_WHY_SIZE])
{
    const char *slash = strchr(text, '/');
    char digits[8] = "";
    int64_t n = 0;
    double rate;

    if (!slash || !text_copy_n(digits, sizeof(digits), text, (size_t)(slash - text)) ||
        !text_int(digits, 1, 60 * (int64_t)row->max, &n) ||
        (strcmp(slash, "/s") != 0 && strcmp(slash, "/m") != 0))
        n = 0;
    rate = slash && strcmp(slash, "/m") == 0 ? (double)n / 60.0 : (double)n;
    if (n == 0 || rate > (double)row->max)
        return conf_refuse(
            why, "needs a rate such as 5/s or 100/m, from 1/m to %" PRIu64 "/s, and cannot be off", row->max);
    memcpy(conf_field(row, object), &rate, sizeof(rate));
    return 0;
}

static void call_rate_print(const struct conf_row *row, const void *object, struct buf *out)
{
    double rate;

    memcpy(&rate, conf_field_const(row, object), sizeof(rate));
    write_rate(rate, out);
}

const struct conf_type conf_call_rate = {
    .what = "rate",
    .shape = SHAPE_RATE,
    .parse = call_rate_parse,
    .print = call_rate_print,
    .clear = conf_clear_zero,
};

/* ---- mode, uid ---- */

static int mode_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    uint64_t mode = 0;
    size_t n = strlen(text);

    if (!text_only(text, "01234567") || n < 3 || n > 4 || (n == 4 && text[0] != '0'))
        return conf_refuse(why, "needs permissions in octal, such as 0660");
    for (; *text; text++)
        mode = mode * 8 + (uint64_t)(*text - '0');
    memcpy(conf_field(row, object), &mode, sizeof(mode));
    return 0;
}

static void mode_print(const struct conf_row *row, const void *object, struct buf *out)
{
    (void)buf_printf(out, "%04" PRIo64, number_get(row, object));
}

const struct conf_type conf_mode = {
    .what = "permissions in octal",
    .parse = mode_parse,
    .print = mode_print,
    .clear = conf_clear_zero,
};

static int uid_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    int64_t uid;

    /* The largest uid is no user: for the kernel it means "none". */
    if (!text_int(text, 0, (int64_t)UINT32_MAX - 1, &uid))
        return conf_refuse(why, "needs a numeric user id (see: id -u NAME)");
    memcpy(conf_field(row, object), &uid, sizeof(uid));
    return 0;
}

static void uid_print(const struct conf_row *row, const void *object, struct buf *out)
{
    int64_t uid;

    memcpy(&uid, conf_field_const(row, object), sizeof(uid));
    if (uid >= 0)
        (void)buf_printf(out, "%" PRId64, uid);
}

/* 0 is root, so -1 means none. */
static void uid_clear(const struct conf_row *row, void *object)
{
    const int64_t none = -1;

    memcpy(conf_field(row, object), &none, sizeof(none));
}

const struct conf_type conf_uid = {
    .what = "user id",
    .parse = uid_parse,
    .print = uid_print,
    .clear = uid_clear,
};
