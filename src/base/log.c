/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - one line or record per event; see log.h.
 *
 * The format string is read pair by pair: each `key=%conversion` takes its argument by type, becomes a text,
 * and is written in the form of the output. A line is built in one bounded buffer; the buffer is kept for the
 * next line unless it grew beyond KEPT_BYTES. Values are cut at VALUE_MAX_BYTES. Letters that control a
 * terminal, and invisible letters, are escaped in both forms (letter_is_hidden).
 *
 * The loop's thread alone calls these functions; the writing thread builds only the line about lines that
 * were left out.
 *
 * Not here: the output and its thread (log_out.c).
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/crash_message.h"
#include "base/jsonw.h"
#include "base/log_out.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES  65536
#define VALUE_MAX_BYTES 1024
#define KEPT_BYTES      4096 /* largest buffer that is kept between lines */
#define FACILITY_DAEMON 3
#define READY_MS        1000 /* longest wait of `ready` for the lines before it */

static const char *program = "jumpgate";

static struct {
    enum log_level level;
    atomic_bool json;
    struct buf line;
} out = {.level = LOG_INFO, .line = {.max = LINE_MAX_BYTES}};

static const char *const level_name[] = {"error", "warn", "info", "debug"};
static const int priority[] = {3, 4, 6, 7};                  /* of syslog */
static const char *const level_blank[] = {"", " ", " ", ""}; /* to equal widths */

void log_identify(const char *name)
{
    program = name;
}

int log_open(const struct log_opts *opts)
{
    int err = log_out_open(opts->file, opts->journal);

    if (err)
        return err;
    out.level = opts->level;
    atomic_store(&out.json, opts->json);
    crash_message_form(opts->json, log_out_stderr_is_journal());
    return 0;
}

const char *log_why(int err)
{
    switch (err) {
    case -ELOOP: return "it is a link; name the file itself";
    case -EMEDIUMTYPE: return "it is no regular file; `-` is standard error";
    default: return strerror(-err);
    }
}

void log_close(void)
{
    log_out_close();
    buf_free(&out.line);
    atomic_store(&out.json, false);
    crash_message_form(false, false);
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

/* The next integer argument of that length; a signed one is extended to 64 bits. */
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

/* Reads one `key=%conversion` and moves *fmt behind it. False at the end, or for another form of format. */
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

/* How a line is written: by the format, and by what reads it. */
struct form {
    bool json, bare; /* bare: text without time and level */
    enum log_sink sink;
};

static void put_text(struct buf *b, struct form form, enum log_level level, const char *event,
                     const char *fmt, va_list *ap)
{
    char time[CLOCK_RFC3339_SIZE];
    struct pair pair;

    if (!form.bare)
        (void)buf_printf(b, "%s %s%s ", clock_rfc3339_ms(clock_wall(&clock_system), time), level_name[level],
                         level_blank[level]);
    (void)buf_str(b, event);
    while (take_pair(&pair, &fmt, ap))
        put_text_pair(b, &pair);
}

static void put_json(struct buf *b, enum log_level level, const char *event, const char *fmt, va_list *ap)
{
    char time[CLOCK_RFC3339_SIZE];
    struct jsonw w = jsonw_start(b);
    struct pair pair;

    jsonw_object(&w, NULL);
    jsonw_str(&w, "time", clock_rfc3339_ms(clock_wall(&clock_system), time));
    jsonw_str(&w, "level", level_name[level]);
    jsonw_str(&w, "event", event);
    while (take_pair(&pair, &fmt, ap))
        put_json_pair(&w, &pair);
    jsonw_end(&w);
}

static void put_field(struct buf *b, const char *key, const char *value)
{
    (void)buf_str(b, "JUMPGATE_");
    for (; *key; key++)
        (void)buf_char(b, *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key);
    (void)buf_char(b, '=');
    utf8_visible(b, value, strlen(value));
    (void)buf_char(b, '\n');
}

/* A record of log_journal.h. Its journal adds time, process and unit. */
static void put_record(struct buf *b, struct form form, enum log_level level, const char *event,
                       const char *fmt, va_list *ap)
{
    struct pair pair;
    va_list again;

    va_copy(again, *ap);
    form.bare = true;
    (void)buf_str(b, "MESSAGE=");
    if (form.json)
        put_json(b, level, event, fmt, &again);
    else
        put_text(b, form, level, event, fmt, &again);
    va_end(again);
    (void)buf_printf(b, "\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_FACILITY=%d\n", priority[level], program,
                     FACILITY_DAEMON);
    put_field(b, "event", event);
    while (take_pair(&pair, &fmt, ap))
        put_field(b, pair.key, pair.value);
}

static void build_line(struct buf *b, struct form form, enum log_level level, const char *event,
                       const char *fmt, va_list *ap)
{
    if (form.sink == LOG_SINK_PREFIX)
        (void)buf_printf(b, "<%d>", priority[level]);
    if (form.sink == LOG_SINK_JOURNAL)
        put_record(b, form, level, event, fmt, ap);
    else if (form.json)
        put_json(b, level, event, fmt, ap);
    else
        put_text(b, form, level, event, fmt, ap);
    (void)buf_char(b, '\n');
}

static bool is_json(void)
{
    return atomic_load_explicit(&out.json, memory_order_relaxed);
}

static void build_event(struct buf *b, struct form form, enum log_level level, const char *event,
                        const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void build_event(struct buf *b, struct form form, enum log_level level, const char *event,
                        const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    build_line(b, form, level, event, fmt, &ap);
    va_end(ap);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_on(level))
        return;
    va_list ap;

    va_start(ap, fmt);
    build_line(&out.line, (struct form){.json = is_json(), .sink = log_out_sink()}, level, event, fmt, &ap);
    va_end(ap);
    log_out_line(out.line.data, out.line.len);
    if (out.line.cap > KEPT_BYTES)
        buf_free(&out.line);
    else
        buf_clear(&out.line);
}

/* ---- to stderr ------------------------------------------------------------------------------------------
 */

static struct form stderr_form(void)
{
    return (struct form){.json = is_json(), .bare = true, .sink = log_out_stderr_sink()};
}

void log_always(const char *event, const char *fmt, ...)
{
    struct buf b = BUF_INIT(LINE_MAX_BYTES);
    va_list ap;

    va_start(ap, fmt);
    build_line(&b, stderr_form(), LOG_INFO, event, fmt, &ap);
    va_end(ap);
    log_out_stderr(b.data, b.len);
    buf_free(&b);
}

void log_complaint(const char *what, const char *why)
{
    struct buf b = BUF_INIT(LINE_MAX_BYTES);
    struct form form = stderr_form();

    if (form.json || form.sink == LOG_SINK_JOURNAL) {
        build_event(&b, form, LOG_ERROR, "start_failed", "what=%s why=%s", what, why);
    } else {
        if (form.sink == LOG_SINK_PREFIX)
            (void)buf_printf(&b, "<%d>", priority[LOG_ERROR]);
        (void)buf_printf(&b, "%s: ", program);
        utf8_visible(&b, what, strlen(what));
        (void)buf_str(&b, ": ");
        utf8_visible(&b, why, strlen(why));
        (void)buf_char(&b, '\n');
    }
    log_out_stderr(b.data, b.len);
    buf_free(&b);
}

static void put_one_line(struct form form, enum log_level level, const char *event, const char *line,
                         size_t n)
{
    struct buf b = BUF_INIT(LINE_MAX_BYTES);
    char text[VALUE_MAX_BYTES];

    if (form.json || form.sink == LOG_SINK_JOURNAL) {
        (void)text_copy_n(text, sizeof(text), line, n);
        build_event(&b, form, level, event, "line=%s", text);
    } else {
        (void)buf_printf(&b, "<%d>", priority[level]);
        (void)buf_append(&b, line, n);
        (void)buf_char(&b, '\n');
    }
    log_out_stderr(b.data, b.len);
    buf_free(&b);
}

void log_text(enum log_level level, const char *event, const char *lines, size_t n)
{
    struct form form = stderr_form();
    const char *end = lines + n;

    if (!form.json && form.sink == LOG_SINK_PLAIN) {
        log_out_stderr(lines, n);
        return;
    }
    for (size_t length; lines < end; lines += length + 1) {
        const char *eol = memchr(lines, '\n', (size_t)(end - lines));

        length = (size_t)((eol ? eol : end) - lines);
        put_one_line(form, level, event, lines, length);
    }
}

/* ---- without waiting -------------------------------------------------------------------------------------
 */

static void note_left_out(struct buf *b, uint64_t lines)
{
    build_event(b, (struct form){.json = is_json(), .sink = log_out_sink()}, LOG_WARN, "log_lines_left_out",
                "lines=%" PRIu64, lines);
}

int log_thread(void)
{
    return log_out_start(note_left_out);
}

void log_ready(void)
{
    static const char ready[] = "ready\n";
    struct form form = stderr_form();

    log_out_flush(READY_MS);
    if (form.json && log_out_is_one_stream())
        log_always("ready", "version=%s", JG_VERSION);
    else
        log_out_stdout(ready, sizeof(ready) - 1);
}
