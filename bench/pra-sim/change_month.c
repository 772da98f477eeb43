/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change_month.c - made-up sessions: all of them, or one of them; see changes.h.
 */
#include "pra-sim/changes.h"

#include "pra-sim/rows.h"
#include "sim/fields.h"
#include "sim/strings.h"

#include <errno.h>
#include <string.h>

#define MOST_SESSIONS 100000000u
#define MOST_OTHERS   1000000u

int change_month(struct server *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    struct month_opts o = {.seed = 1};
    int64_t until_ms = site_now(s->site);

    if (!cJSON_IsObject(e))
        return -EINVAL;
    if (s->site->month)
        o = s->site->month->opts;
    fields_u64(&f, "sessions", &o.sessions);
    fields_u64(&f, "running", &o.running);
    fields_u64(&f, "live_hour", &o.live_hour);
    fields_u64(&f, "events", &o.events);
    fields_u64(&f, "seed", &o.seed);
    fields_u64(&f, "days", &o.days);
    fields_u64(&f, "users", &o.users);
    fields_u64(&f, "endpoints", &o.endpoints);
    fields_u64(&f, "groups", &o.groups);
    fields_u64(&f, "jumpoints", &o.jumpoints);
    fields_u64(&f, "vault_accounts", &o.vault_accounts);
    fields_u64(&f, "vault_activity", &o.vault_activity);
    fields_u64(&f, "team_activity", &o.team_activity);
    fields_u64(&f, "syslog_messages", &o.syslog_messages);
    fields_u64(&f, "stream_hour", &o.stream_hour);
    fields_date(&f, "until", &until_ms);
    o.until_s = until_ms / 1000;
    if (f.rc)
        return f.rc;
    if (o.sessions > MOST_SESSIONS || o.running > MOST_OTHERS || o.users > MOST_OTHERS ||
        o.endpoints > MOST_OTHERS || o.groups > MOST_OTHERS || o.jumpoints > 1000 || o.days > 36600)
        return fields_missing(&f, "a smaller number");
    return site_make_month(s->site, &o);
}

/* ---- one session ---- */

static int find_row(struct site *s, struct fields *f, struct row *row)
{
    const char *lsid = NULL;
    uint64_t index = UINT64_MAX;
    char text[LSID_SIZE];

    fields_text(f, "lsid", &lsid);
    fields_u64(f, "index", &index);
    *row = (struct row){.made = lsid ? sessions_find(&s->sessions, lsid) : NULL, .index = index};
    if (f->rc || row->made)
        return f->rc;
    if (lsid && s->month && session_lsid(lsid, text) && month_find(s->month, text, &row->index))
        return 0;
    return s->month && row->index < month_count(s->month, site_now(s) / 1000) ? 0 : fields_missing(f, "lsid");
}

static int read_gone(struct fields *f, enum session_gone *gone)
{
    static const char *const names[] = {"no", "report", "all"};
    const char *text = NULL;

    fields_text(f, "gone", &text);
    for (unsigned i = 0; text && i < 3; i++) {
        if (strcmp(names[i], text) != 0)
            continue;
        *gone = (enum session_gone)i;
        return 0;
    }
    return text ? fields_missing(f, "gone") : f->rc;
}

static int change_made(struct fields *f, struct session *s)
{
    for (int i = 0; i < SESSION_NTEXTS; i++) {
        const char *value = NULL;
        fields_text(f, session_text_names[i], &value);
        if (value && strings_replace(&s->text[i], value))
            return -ENOMEM;
    }
    return read_gone(f, &s->gone);
}

int change_one(struct server *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    struct month_change *c;
    bool revise = false, end = false, abnormal = false;
    struct row row;
    int rc = cJSON_IsObject(e) ? find_row(s->site, &f, &row) : -EINVAL;

    if (rc)
        return rc;
    fields_bool(&f, "revise", &revise);
    fields_bool(&f, "end", &end);
    fields_bool(&f, "abnormal", &abnormal);
    if (f.rc)
        return f.rc;
    if (end || abnormal)
        rc = rows_end(s->site, &row, abnormal, site_now(s->site));
    if (rc || row.made)
        return rc ? rc : change_made(&f, row.made);
    c = month_change(s->site->month, row.index);
    if (!c)
        return -ENOMEM;
    c->revision += revise;
    return read_gone(&f, &c->gone);
}

int change_inventory(struct server *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *path = NULL;
    bool gone = true;

    fields_text(&f, "path", &path);
    fields_bool(&f, "gone", &gone);
    if (f.rc || !path)
        return fields_missing(&f, "path");
    return site_set_gone(s->site, path, gone);
}
