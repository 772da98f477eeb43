/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.c - the audit trail of session reports; see trail.h.
 *
 * Not here: records of who looked at what (web/notes.c).
 */
#include "reports/commands/run/trail.h"

#include "base/jsonw.h"
#include "base/log.h"
#include "base/text.h"
#include "reports/conf/reports_sections.h"
#include "reports/records.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_QUEUED  16384
#define DEADLINE_MS 2000
#define RETRY_MS    1000
#define VALUES_MAX  16384

struct paths {
    char folder[PATH_MAX], file[PATH_MAX], head[PATH_MAX];
};

static bool join(char path[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

char *trail_folder(const struct reports_conf *conf, bool collects)
{
    const char *dir = conf->reports.state_dir, *address = conf->web.address.text;
    char *folder = NULL;

    if (collects)
        return strdup(dir);
    return asprintf(&folder, "%s/audit.%s", dir, address ? address : "page") < 0 ? NULL : folder;
}

static bool write_folder(struct paths *p, const struct reports_conf *conf, bool collects)
{
    char *folder = trail_folder(conf, collects);
    bool written = folder && text_copy(p->folder, PATH_MAX, folder);

    free(folder);
    return written;
}

/* `audit_file` has its default value where it is not set. */
static bool write_paths(struct paths *p, const struct reports_conf *conf, bool collects)
{
    const char *set = conf->reports.audit_file;

    if (!write_folder(p, conf, collects) || !join(p->head, p->folder, "audit.head") ||
        !join(p->file, conf->reports.state_dir, "audit.jsonl"))
        return false;
    if (strcmp(set, p->file) != 0)
        return text_copy(p->file, PATH_MAX, set);
    return join(p->file, p->folder, "audit.jsonl");
}

struct audit_writer *trail_open(struct loop *loop, const struct reports_conf *conf, bool collects,
                                char why[320])
{
    struct paths paths;
    struct audit_writer_opts opts = {.uv = loop_uv(loop),
                                     .clock = loop_clock(loop),
                                     .timers = loop_timers(loop),
                                     .file = paths.file,
                                     .head = paths.head,
                                     .max_queued = MAX_QUEUED,
                                     .deadline_ms = DEADLINE_MS,
                                     .retry_ms = RETRY_MS};

    if (!write_paths(&paths, conf, collects)) {
        (void)snprintf(why, 320, "the name of the state directory or of `audit_file` is too long");
        errno = ENAMETOOLONG;
        return NULL;
    }
    return audit_writer_open(&opts, why);
}

/* ---- records ---- */

struct record {
    struct buf buf;
    struct jsonw w;
};

static void begin(struct record *r, const char *event)
{
    r->buf = BUF_INIT(AUDIT_MEMBERS_MAX);
    r->w = jsonw_start(&r->buf);
    jsonw_object(&r->w, NULL);
    jsonw_str(&r->w, "event", event);
}

/* The record is the inside of the object. */
static int put_waiting(struct record *r, struct audit_writer *writer, struct audit_wait *wait)
{
    struct audit_sink *sink = audit_writer_sink(writer);
    int err = -ENOMEM;

    jsonw_end(&r->w);
    if (!r->buf.failed && r->buf.len > 2)
        err = sink->ops->put(sink, r->buf.data + 1, r->buf.len - 2, AUDIT_KEEP, wait);
    buf_free(&r->buf);
    return err;
}

static void put(struct record *r, struct audit_writer *writer)
{
    int err = put_waiting(r, writer, NULL);

    if (err)
        log_error("audit_record_lost", "error=%s", strerror(-err));
}

void trail_started(struct audit_writer *writer, const struct reports_conf *conf, bool collects)
{
    struct record r;

    begin(&r, "collector_started");
    jsonw_str(&r.w, "version", JG_VERSION);
    jsonw_str(&r.w, "config_digest", conf->digest);
    jsonw_str(&r.w, "policy", conf->reports.audit_policy == REPORTS_AUDIT_STRICT ? "strict" : "degraded");
    jsonw_bool(&r.w, "collects", collects);
    jsonw_int(&r.w, "sites", (int64_t)conf->nsites);
    jsonw_int(&r.w, "pid", getpid());
    put(&r, writer);
}

static void write_time(struct record *r, const char *name, int64_t unix_s)
{
    char text[CLOCK_RFC3339_SIZE];

    jsonw_str(&r->w, name, unix_s == RECORD_NONE ? NULL : clock_rfc3339(unix_s * 1000, text));
}

int trail_backfill(struct audit_writer *writer, const struct trail_backfill *b, struct audit_wait *wait)
{
    struct record r;

    begin(&r, "backfill");
    jsonw_str(&r.w, "site", b->site);
    write_time(&r, "since", b->since);
    write_time(&r, "until", b->until);
    return put_waiting(&r, writer, wait);
}

static void put_user(struct audit_writer *writer, const char *name, const char *change)
{
    struct record r;

    begin(&r, "user_changed");
    jsonw_str(&r.w, "user", name);
    jsonw_str(&r.w, "change", change);
    put(&r, writer);
}

static const struct reports_user *find_user(const struct reports_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->nusers; i++)
        if (strcmp(conf->users[i].name, name) == 0)
            return &conf->users[i];
    return NULL;
}

static bool same_user(const struct reports_user *a, const struct reports_user *b)
{
    struct buf x = BUF_INIT(VALUES_MAX), y = BUF_INIT(VALUES_MAX);
    bool same;

    for (size_t i = 0; i < reports_table.nrows; i++) {
        const struct conf_row *row = &reports_table.rows[i];

        if (row->section != REPORTS_USER)
            continue;
        row->type->print(row, a, &x);
        row->type->print(row, b, &y);
        (void)buf_char(&x, '\n');
        (void)buf_char(&y, '\n');
    }
    same = !x.failed && !y.failed && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
    buf_free(&x);
    buf_free(&y);
    return same;
}

void trail_users(struct audit_writer *writer, const struct reports_conf *now, const struct reports_conf *next)
{
    for (size_t i = 0; i < now->nusers; i++)
        if (!find_user(next, now->users[i].name))
            put_user(writer, now->users[i].name, "removed");
    for (size_t i = 0; i < next->nusers; i++) {
        const struct reports_user *old = find_user(now, next->users[i].name);

        if (!old)
            put_user(writer, next->users[i].name, "added");
        else if (!same_user(old, &next->users[i]))
            put_user(writer, next->users[i].name, "changed");
    }
}
