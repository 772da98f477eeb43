/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings.c - a list of findings, and its two forms; see findings.h.
 *
 * The reader of the configuration gives its notes as lines of text; a note about a key begins with the key's
 * name in backquotes.
 */
#include "commands/line/findings.h"

#include "base/jsonw.h"
#include "base/log.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 16384
#define LINES_MAX      (1U << 20)
#define WARNING        "warning: "

void findings_free(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->list[i].key);
        free(f->list[i].text);
    }
    free(f->list);
    *f = (struct findings){0};
}

/* Takes the texts of the finding. */
static void add_finding(struct findings *f, struct finding one)
{
    struct finding *more = one.text ? reallocarray(f->list, f->n + 1, sizeof(*more)) : NULL;

    f->mistakes += !one.warning;
    if (more) {
        f->list = more;
        f->list[f->n++] = one;
        return;
    }
    f->failed = true;
    free(one.key);
    free(one.text);
}

static void __attribute__((format(printf, 3, 0)))
add_formatted(struct findings *f, struct finding one, const char *fmt, va_list ap)
{
    if (one.key)
        one.key = strdup(one.key);
    if (vasprintf(&one.text, fmt, ap) < 0)
        one.text = NULL;
    add_finding(f, one);
}

void findings_mistake(struct findings *f, unsigned line, const char *key, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_formatted(f, (struct finding){.line = line, .key = (char *)(uintptr_t)key, .err = err}, fmt, ap);
    va_end(ap);
}

void findings_warn(struct findings *f, unsigned line, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_formatted(f, (struct finding){.line = line, .key = (char *)(uintptr_t)key, .warning = true}, fmt, ap);
    va_end(ap);
}

/* ---- the lines of the reader ---- */

static void take_line(struct findings *f, const char *text, size_t n)
{
    struct finding one = {0};
    size_t digits = n > 1 && *text == ':' ? strspn(text + 1, "0123456789") : 0;

    if (digits && digits + 3 <= n && text[digits + 1] == ':') {
        one.line = (unsigned)strtoul(text + 1, NULL, 10);
        text += digits + 3;
        n -= digits + 3;
    } else if (n > 2 && *text == ':') { /* about the file as a whole */
        text += 2;
        n -= 2;
    }
    if (n > strlen(WARNING) && memcmp(text, WARNING, strlen(WARNING)) == 0) {
        one.warning = true;
        text += strlen(WARNING);
        n -= strlen(WARNING);
    }
    const char *end = n > 2 && *text == '`' ? memchr(text + 1, '`', n - 1) : NULL;
    if (end)
        one.key = strndup(text + 1, (size_t)(end - text) - 1);
    one.text = strndup(text, n);
    add_finding(f, one);
}

void findings_take_lines(struct findings *f, const char *file, const struct buf *lines)
{
    struct buf name = BUF_INIT(NAME_MAX_BYTES);
    const char *at = lines->data, *end = at + lines->len;

    utf8_visible(&name, file, strlen(file));
    f->failed = f->failed || name.failed;
    for (size_t n; lines->len && at < end; at += n + 1) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));

        n = (size_t)((eol ? eol : end) - at);
        size_t skip = n > name.len && memcmp(at, name.data, name.len) == 0 ? name.len : 0;
        if (n)
            take_line(f, at + skip, n - skip);
    }
    buf_free(&name);
}

/* ---- printing ---- */

/* By line; findings of one line keep their order (insertion sort is stable, and the list is short). */
static void sort_findings(struct findings *f)
{
    for (size_t i = 1; i < f->n; i++) {
        struct finding one = f->list[i];
        size_t k = i;

        for (; k && f->list[k - 1].line > one.line; k--)
            f->list[k] = f->list[k - 1];
        f->list[k] = one;
    }
}

static void print_one(const struct finding *one, const char *file, struct buf *out)
{
    utf8_visible(out, file, strlen(file));
    if (one->line)
        (void)buf_printf(out, ":%u", one->line);
    (void)buf_printf(out, ": %s", one->warning ? WARNING : "");
    utf8_visible(out, one->text, strlen(one->text));
    (void)buf_char(out, '\n');
}

void findings_print(struct findings *f, const char *file, struct buf *out)
{
    sort_findings(f);
    for (size_t i = 0; i < f->n; i++)
        print_one(&f->list[i], file, out);
}

void findings_print_apart(struct findings *f, const char *file, struct buf *mistakes, struct buf *warnings)
{
    sort_findings(f);
    for (size_t i = 0; i < f->n; i++)
        print_one(&f->list[i], file, f->list[i].warning ? warnings : mistakes);
}

void findings_log(struct findings *f, const char *file)
{
    struct buf mistakes = BUF_INIT(LINES_MAX), warnings = BUF_INIT(LINES_MAX);

    findings_print_apart(f, file, &mistakes, &warnings);
    if (mistakes.len)
        log_text(LOG_ERROR, "configuration_mistake", mistakes.data, mistakes.len);
    if (warnings.len)
        log_text(LOG_WARN, "configuration_warning", warnings.data, warnings.len);
    buf_free(&mistakes);
    buf_free(&warnings);
}

void findings_print_json(struct findings *f, const char *file, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    sort_findings(f);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *one = &f->list[i];

        jsonw_object(&w, NULL);
        jsonw_str(&w, "level", one->warning ? "warning" : "error");
        jsonw_str(&w, "file", file);
        jsonw_int_or_null(&w, "line", one->line, !one->line);
        jsonw_str(&w, "key", one->key);
        jsonw_str(&w, "text", one->text);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    (void)buf_char(out, '\n');
}
