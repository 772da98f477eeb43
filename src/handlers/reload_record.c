/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload_record.c - the audit record of a reload: what has changed, and who asked.
 *
 *   reloaded         changed (all names), clients_added, clients_removed, clients_changed
 *   reload_refused   mistakes (their number), why (the first); nothing has changed
 *
 * The names are those of conf/conf_change.h: `gateway.log_level`, `client pra.rate`, `client pra (new)`. No
 * value of the configuration is in the record. Who asked is the request that waits longest for the reload; a
 * reload by signal has `source` signal instead. Lists that would not fit a record end early: `changed_count`
 * has the number of all names.
 */
#include "handlers/gateway.h"

#include <string.h>

#define LIST_MAX 4096 /* bytes of names in one list */
#define CLIENT   "client "

enum kind { ANY, ADDED, REMOVED, CHANGED };

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t length = strlen(end);

    return n >= length && memcmp(text + n - length, end, length) == 0;
}

/* The part of the name that the list shows; 0 = it is not in the list. `key` of a client: without its
 * section. */
static size_t shown(enum kind kind, const char **name, size_t n)
{
    static const char *const endings[] = {[ADDED] = " (new)", [REMOVED] = " (removed)"};
    size_t prefix = sizeof(CLIENT) - 1;

    if (kind == ANY)
        return n;
    if (n <= prefix || memcmp(*name, CLIENT, prefix) != 0)
        return 0;
    bool whole = ends_with(*name, n, endings[ADDED]) || ends_with(*name, n, endings[REMOVED]);
    if (kind != CHANGED && !ends_with(*name, n, endings[kind]))
        return 0;
    if (kind == CHANGED && whole)
        return 0;
    const char *dot = kind == CHANGED ? memrchr(*name, '.', n) : NULL;
    if (kind == CHANGED && !dot)
        return 0;
    size_t end = dot ? (size_t)(dot - *name) : n - strlen(endings[kind]);
    *name += prefix;
    return end - prefix;
}

/* A client has as many names as keys that changed, one after the other; it is listed once. Returns how many
 * names fit. */
static void write_list(struct audit_note *note, const char *member, const struct buf *names, enum kind kind)
{
    const char *text = names->len ? names->data : "", *end = text + names->len, *last = NULL;
    size_t used = 0, last_n = 0, listed = 0;

    for (size_t n; text < end; text += n + 1) {
        const char *eol = memchr(text, '\n', (size_t)(end - text)), *name = text;

        n = (size_t)((eol ? eol : end) - text);
        size_t length = shown(kind, &name, n);
        bool again = last && length == last_n && memcmp(last, name, length) == 0;
        if (!length || again || (used += length) > LIST_MAX)
            continue;
        if (listed++ == 0)
            jsonw_array(&note->w, member);
        jsonw_strn(&note->w, NULL, name, length);
        last = name;
        last_n = length;
    }
    if (!listed && kind == ANY)
        jsonw_array(&note->w, member);
    if (listed || kind == ANY)
        jsonw_end(&note->w);
}

static int64_t count_lines(const struct buf *lines)
{
    int64_t n = 0;

    for (size_t i = 0; i < lines->len; i++)
        n += lines->data[i] == '\n';
    return n;
}

static void add_first_line(struct audit_note *note, const struct buf *lines)
{
    const char *eol = lines->len ? memchr(lines->data, '\n', lines->len) : NULL;
    size_t n = eol ? (size_t)(eol - lines->data) : lines->len;

    if (n)
        jsonw_strn(&note->w, "why", lines->data, n < AUDIT_TEXT_MAX ? n : AUDIT_TEXT_MAX);
}

void reload_record(const struct gateway *gw, const struct reload_report *report,
                   const struct request_context *asked)
{
    struct session by = {0};
    struct audit_note note;

    if (!gw->audit)
        return;
    audit_note(&note, gw->audit, report->done ? "reloaded" : "reload_refused");
    audit_text(&note, "outcome", report->done ? "ok" : "refused");
    if (asked)
        ctx_origin(asked, &by);
    audit_session(&note, &by);
    audit_text(&note, "source", asked ? "request" : "signal");
    audit_text(&note, "config_digest", gw->conf->digest);
    if (report->done) {
        audit_count(&note, "changed_count", count_lines(&report->changed));
        write_list(&note, "changed", &report->changed, ANY);
        write_list(&note, "clients_added", &report->changed, ADDED);
        write_list(&note, "clients_removed", &report->changed, REMOVED);
        write_list(&note, "clients_changed", &report->changed, CHANGED);
    } else {
        audit_count(&note, "mistakes", count_lines(&report->mistakes));
        add_first_line(&note, &report->mistakes);
    }
    audit_write(&note);
}
