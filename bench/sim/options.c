/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line by its table; see options.h.
 */
#include "sim/options.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ROWS 64

void option_help(const struct option_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char head[64];
        (void)snprintf(head, sizeof(head), "--%s %s", rows[i].name, rows[i].argument ? rows[i].argument : "");
        printf("  %-30s %s\n", head, rows[i].help);
    }
}

static bool read_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1}};
    size_t n = strspn(text, "0123456789");
    char digits[16];
    int64_t value;

    if (!text_copy_n(digits, sizeof(digits), text, n) || !text_int(digits, 0, INT64_C(1) << 40, &value))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].unit, text + n) != 0)
            continue;
        *out = (uint64_t)(value * units[i].ms);
        return true;
    }
    return false;
}

static bool add(struct option_list *list, const char *value)
{
    if (list->n == OPTION_MANY)
        return false;
    list->text[list->n++] = value;
    return true;
}

static bool set_option(void *into, const struct option_row *row, const char *value)
{
    char *place = (char *)into + row->at;
    int64_t number;
    bool yes = true;

    switch (row->kind) {
    case OPTION_TEXT: memcpy(place, &value, sizeof(value)); return true;
    case OPTION_FLAG: memcpy(place, &yes, sizeof(yes)); return true;
    case OPTION_LIST: return add((struct option_list *)(void *)place, value);
    case OPTION_TIME: return read_time(value, (uint64_t *)(void *)place);
    case OPTION_COUNT: break;
    }
    if (!text_int(value, 0, 1000000, &number))
        return false;
    *(uint64_t *)(void *)place = (uint64_t)number;
    return true;
}

int option_read(const struct option_row *rows, size_t n, void *into, bool *given, int argc, char **argv)
{
    struct option list[ROWS + 1] = {{0}};
    int index = 0, got;

    if (n > ROWS)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct option){.name = rows[i].name,
                                  .has_arg = rows[i].argument ? required_argument : no_argument};
    while ((got = getopt_long(argc, argv, "", list, &index)) != -1) {
        if (got != 0)
            return -EINVAL;
        if (given)
            given[index] = true;
        if (set_option(into, &rows[index], optarg))
            continue;
        (void)fprintf(stderr, "--%s: cannot be %s\n", rows[index].name, optarg);
        return -EINVAL;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "%s: not an option\n", argv[optind]);
        return -EINVAL;
    }
    return 0;
}

static bool read_address(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    int64_t value;

    if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (!n || !text_copy_n(host, size, text, n) || !text_int(colon + 1, 0, 65535, &value))
        return false;
    *port = (uint16_t)value;
    return true;
}

int option_listen(struct http_server *http, const char *name, const char *text,
                  const struct http_tls_opts *tls, char bound[128])
{
    struct http_listen_opts opts = {.name = name, .tls = tls};
    char host[128], why[256] = "";
    int rc = -EINVAL;

    if (read_address(text, host, sizeof(host), &opts.port)) {
        opts.host = host;
        rc = http_listen(http, &opts, bound, why);
    }
    if (rc)
        (void)fprintf(stderr, "cannot listen on %s: %s\n", text, why);
    else
        printf("listening listener=%s address=%s\n", name, bound);
    return rc;
}
