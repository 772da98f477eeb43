/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change_sessions.c - sessions begin and end, one or tens of thousands; see changes.h.
 */
#include "pra-sim/changes.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "sim/fields.h"
#include "sim/strings.h"

#include <errno.h>

#define MOST 1000000

struct making {
    int count;
    uint64_t start_ago_ms, end_ago_ms;
    bool ended, abnormal, events, recording;
};

/* ---- beginning ---- */

static int read_making(struct fields *f, struct making *m)
{
    *m = (struct making){.count = 1, .events = true};
    fields_int(f, "count", &m->count);
    fields_u64(f, "start_ago_ms", &m->start_ago_ms);
    fields_u64(f, "end_ago_ms", &m->end_ago_ms);
    fields_bool(f, "ended", &m->ended);
    fields_bool(f, "abnormal", &m->abnormal);
    fields_bool(f, "events", &m->events);
    fields_bool(f, "recording", &m->recording);
    if (m->count < 1 || m->count > MOST)
        return fields_missing(f, "count");
    return f->rc;
}

static int read_texts(struct fields *f, struct session *s)
{
    for (int i = 0; i < SESSION_NTEXTS; i++) {
        const char *value = NULL;
        fields_text(f, session_text_names[i], &value);
        if (value && strings_replace(&s->text[i], value))
            return -ENOMEM;
    }
    return f->rc;
}

static int make_one(struct site *site, const struct making *m, struct fields *f, const char *lsid,
                    struct jsonw *w)
{
    int64_t now = site_now(site);
    struct session *s = sessions_start(&site->sessions, lsid, now - (int64_t)m->start_ago_ms);
    int rc;

    if (!s)
        return lsid ? fields_missing(f, "lsid") : -ENOMEM;
    s->recording = m->recording;
    rc = read_texts(f, s);
    if (!rc && m->events)
        rc = site_session_begun(site, s);
    if (!rc && (m->ended || m->abnormal)) {
        (void)sessions_end(&site->sessions, s, m->abnormal, now - (int64_t)m->end_ago_ms);
        rc = m->events ? site_session_ended(site, s) : 0;
    }
    jsonw_str(w, NULL, s->lsid);
    return rc;
}

int change_sessions(struct server *s, const cJSON *e, struct buf *why, struct buf *out)
{
    struct fields f = {.entry = e, .why = why};
    struct jsonw w = jsonw_start(out);
    const char *lsid = NULL;
    struct making m;
    int rc = cJSON_IsObject(e) ? read_making(&f, &m) : -EINVAL;

    fields_text(&f, "lsid", &lsid);
    if (!rc && lsid && m.count != 1)
        rc = fields_missing(&f, "lsid");
    if (rc)
        return rc;
    jsonw_object(&w, NULL);
    jsonw_array(&w, "lsids");
    for (int i = 0; i < m.count && !rc; i++)
        rc = make_one(s->site, &m, &f, lsid, &w);
    jsonw_end(&w);
    jsonw_end(&w);
    return rc;
}

/* ---- ending ---- */

struct ending {
    struct site *site;
    bool abnormal, events;
    int64_t at_ms;
    size_t n;
};

static int end_one(struct ending *e, struct session *s)
{
    if (!sessions_end(&e->site->sessions, s, e->abnormal, e->at_ms))
        return 0;
    e->n++;
    return e->events ? site_session_ended(e->site, s) : 0;
}

static int end_listed(struct ending *e, const cJSON *list, struct fields *f)
{
    const cJSON *item;
    int rc = 0;

    cJSON_ArrayForEach(item, list)
    {
        struct session *s =
            cJSON_IsString(item) ? sessions_find(&e->site->sessions, item->valuestring) : NULL;
        rc = s ? end_one(e, s) : fields_missing(f, "lsids");
        if (rc)
            break;
    }
    return rc;
}

static int end_all(struct ending *e, int limit)
{
    const struct vec *all = &e->site->sessions.all;
    int rc = 0;

    for (size_t i = 0; i < all->n && !rc && (limit == 0 || e->n < (size_t)limit); i++)
        rc = end_one(e, all->item[i]);
    return rc;
}

int change_end(struct server *s, const cJSON *e, struct buf *why, struct buf *out)
{
    struct fields f = {.entry = e, .why = why};
    struct ending ending = {.site = s->site, .events = true};
    const cJSON *list = json_get(e, "lsids");
    const char *lsid = NULL;
    struct session *one = NULL;
    uint64_t ago_ms = 0;
    bool all = false;
    int limit = 0, rc;

    fields_text(&f, "lsid", &lsid);
    fields_bool(&f, "all", &all);
    fields_int(&f, "limit", &limit);
    fields_bool(&f, "abnormal", &ending.abnormal);
    fields_bool(&f, "events", &ending.events);
    fields_u64(&f, "end_ago_ms", &ago_ms);
    ending.at_ms = site_now(s->site) - (int64_t)ago_ms;
    if (lsid)
        one = sessions_find(&s->site->sessions, lsid);
    if (f.rc || (lsid && !one) || (!lsid && !list && !all))
        return fields_missing(&f, "lsid");
    if (all)
        rc = end_all(&ending, limit);
    else
        rc = one ? end_one(&ending, one) : end_listed(&ending, list, &f);
    (void)buf_printf(out, "{\"ended\":%zu}", ending.n);
    return rc;
}
