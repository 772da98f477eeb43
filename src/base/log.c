/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - one line per event; see log.h.
 *
 * The format string is walked pair by pair: each `key=%conversion` takes its argument by type, is turned into
 * text, and is then written in the form of the output. A line is built in one bounded buffer, kept from line
 * to line unless it grew long, and leaves in one write(2): lines of several processes on one file do not mix.
 * Values are cut at VALUE_MAX_BYTES.
 *
 * Used from the loop's thread only.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES  65536
#define VALUE_MAX_BYTES 1024
#define KEPT_BYTES      4096 /* of the line's buffer, between lines */

static struct {
    int fd;
    enum log_level level;
    bool json;
    char *file;
    struct buf line;
} out = {.fd = STDERR_FILENO, .level = LOG_INFO, .line = {.max = LINE_MAX_BYTES}};

static const char *const level_name[] = {"error", "warn", "info", "debug"};
static const char *const level_blank[] = {"", " ", " ", ""}; /* to equal widths */

static int open_file(const char *file)
{
    if (strcmp(file, "-") == 0)
        return STDERR_FILENO;
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

static void use_fd(int fd)
{
    if (out.fd != STDERR_FILENO)
        (void)close(out.fd);
    out.fd = fd;
}

int log_open(const struct log_opts *opts)
{
    char *file = strdup(opts->file);
    if (!file)
        return -ENOMEM;
    int fd = open_file(file);
    if (fd < 0) {
        free(file);
        return fd;
    }
    use_fd(fd);
    free(out.file);
    out.file = file;
    out.level = opts->level;
    out.json = opts->json;
    return 0;
}

int log_reopen(void)
{
    if (!out.file)
        return 0;
    int fd = open_file(out.file);
    if (fd < 0)
        return fd;
    use_fd(fd);
    return 0;
}

void log_close(void)
{
    use_fd(STDERR_FILENO);
    free(out.file);
    buf_free(&out.line);
    out.file = NULL;
    out.json = false;
    out.level = LOG_INFO;
}

bool log_on(enum log_level level)
{
    return level <= out.level;
}

/* ---- pairs ----------------------------------------------------------------------------------------------
 */

struct pair {
    char key[48];
    char value[VALUE_MAX_BYTES];
    bool number;
};

/* The next integer argument of that length; its sign is kept in the bits. */
static uint64_t next_integer(const char *modifier, bool is_signed, va_list *ap)
{
    switch (modifier[0]) {
    case 'z': return va_arg(*ap, size_t);
    case 'j': return va_arg(*ap, uintmax_t);
    case 'l': return modifier[1] == 'l' ? va_arg(*ap, unsigned long long) : va_arg(*ap, unsigned long);
    default: return is_signed ? (uint64_t)(int64_t)va_arg(*ap, int) : va_arg(*ap, unsigned);
    }
}

static void take_integer(struct pair *p, const char *modifier, char conversion, va_list *ap)
{
    bool is_signed = conversion == 'd' || conversion == 'i';
    uint64_t v = next_integer(modifier, is_signed, ap);

    bool minus = is_signed && v >> 63;
    if (conversion == 'x') {
        (void)snprintf(p->value, sizeof(p->value), "%" PRIx64, v);
    } else {
        p->value[0] = '-';
        *text_digits(p->value + minus, minus ? 0 - v : v, 0) = '\0';
    }
    p->number = conversion != 'x';
}

/* Takes one `key=%conversion` off *fmt. False at the end or when the format is not of that form. */
static bool take_pair(struct pair *p, const char **fmt, va_list *ap)
{
    const char *f = *fmt + strspn(*fmt, " ");
    const char *equals = strchr(f, '=');

    if (!*f || !equals || equals[1] != '%')
        return false;
    (void)text_copy_n(p->key, sizeof(p->key), f, (size_t)(equals - f));
    const char *precision = equals + 2;
    const char *modifier = precision + strspn(precision, ".0123456789*");
    const char *conversion = modifier + strspn(modifier, "hlzj");
    p->number = true;
    if (*conversion == 's') {
        const char *s = va_arg(*ap, const char *);
        p->number = false;
        (void)text_copy(p->value, sizeof(p->value), s ? s : "-");
    } else if (*conversion == 'f') {
        (void)snprintf(p->value, sizeof(p->value), "%.3f", va_arg(*ap, double));
    } else {
        take_integer(p, modifier, *conversion, ap);
    }
    *fmt = conversion + 1;
    return true;
}

static bool needs_quotes(const char *value)
{
    if (!*value)
        return true;
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if (*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p >= 0x7f)
            return true;
    return false;
}

static void put_text_pair(struct buf *b, const struct pair *p)
{
    (void)buf_char(b, ' ');
    (void)buf_str(b, p->key);
    (void)buf_char(b, '=');
    if (!needs_quotes(p->value)) {
        (void)buf_str(b, p->value);
        return;
    }
    (void)buf_char(b, '"');
    jsonw_escape(b, p->value, strlen(p->value));
    (void)buf_char(b, '"');
}

static void put_json_pair(struct jsonw *w, const struct pair *p)
{
    if (p->number)
        jsonw_raw(w, p->key, p->value, strlen(p->value));
    else
        jsonw_str(w, p->key, p->value);
}

/* ---- lines ----------------------------------------------------------------------------------------------
 */

static void write_line(int fd, struct buf *b)
{
    (void)buf_char(b, '\n');
    size_t done = 0;
    while (done < b->len) {
        ssize_t n = write(fd, b->data + done, b->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nowhere to complain */
        done += (size_t)n;
    }
}

static void stamp(char to[CLOCK_RFC3339_SIZE])
{
    int64_t ms = clock_wall(&clock_system);

    clock_rfc3339(ms, to);
    char *end = to + strcspn(to, "Z");
    *end = '.';
    memcpy(text_digits(end + 1, (uint64_t)(ms % 1000), 3), "Z", 2);
}

static void build(struct buf *b, enum log_level level, const char *event, const char *fmt, va_list *ap)
{
    struct pair pair;
    char time[CLOCK_RFC3339_SIZE];

    stamp(time);
    if (!out.json) {
        (void)buf_printf(b, "%s %s%s %s", time, level_name[level], level_blank[level], event);
        while (take_pair(&pair, &fmt, ap))
            put_text_pair(b, &pair);
        return;
    }
    struct jsonw w = jsonw_start(b);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "time", time);
    jsonw_str(&w, "level", level_name[level]);
    jsonw_str(&w, "event", event);
    while (take_pair(&pair, &fmt, ap))
        put_json_pair(&w, &pair);
    jsonw_end(&w);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_on(level))
        return;
    va_list ap;

    va_start(ap, fmt);
    build(&out.line, level, event, fmt, &ap);
    va_end(ap);
    write_line(out.fd, &out.line);
    if (out.line.cap > KEPT_BYTES)
        buf_free(&out.line);
    else
        buf_clear(&out.line);
}

void log_always(const char *event, const char *fmt, ...)
{
    struct buf b = BUF_INIT(LINE_MAX_BYTES);
    struct pair pair;
    va_list ap;

    (void)buf_str(&b, event);
    va_start(ap, fmt);
    while (take_pair(&pair, &fmt, &ap))
        put_text_pair(&b, &pair);
    va_end(ap);
    write_line(STDERR_FILENO, &b);
    buf_free(&b);
}
