/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_xml.c - sessions as XML; see report_xml.h.
 */
#include "pra-sim/report_xml.h"

#include "base/text.h"
#include "pra-sim/month_items.h"
#include "pra-sim/month_xml.h"
#include "pra-sim/report_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

static void put_member(struct xml *x, const struct session *s, const char *type, int64_t gsnumber,
                       const char *name)
{
    part_open_event(x, "Conference Member Added", s->start_ms);
    part_actor(x, "performed_by", type, gsnumber, name);
    part_actor(x, "destination", "everyone", 0, "Everyone");
    xml_close(x);
}

static void put_injection(struct xml *x, const struct session *s)
{
    const char *credential = session_text(s, SESSION_CREDENTIAL_ID);

    if (!*credential)
        return;
    part_open_event(x, "Credential Injection Attempt", s->start_ms);
    part_actor(x, "performed_by", "representative", 2, session_text(s, SESSION_USER));
    xml_open(x, "data");
    part_value(x, "attempt_id", "1");
    part_value(x, "credential_id", credential);
    part_value(x, "credential_name", credential);
    xml_close(x);
    xml_close(x);
}

static void put_events(struct dispatch *d, struct xml *x, const struct session *s)
{
    if (s->state == SESSION_RUNNING && d->site->knob[KNOB_RUNNING_EVENTS])
        return;
    xml_open(x, "session_details");
    part_open_event(x, "Session Start", s->start_ms);
    part_actor(x, "performed_by", "system", 0, "System");
    xml_close(x);
    put_member(x, s, "customer", 1, session_text(s, SESSION_ENDPOINT));
    put_member(x, s, "representative", 2, session_text(s, SESSION_USER));
    put_injection(x, s);
    if (s->state == SESSION_ENDED) {
        part_open_event(x, "Session End", s->end_ms);
        part_actor(x, "performed_by", "system", 0, "System");
        xml_close(x);
    }
    xml_close(x);
}

/* ---- endpoint and user ---- */

static void put_customer(struct xml *x, const struct session *s)
{
    xml_open(x, "primary_customer");
    xml_attribute(x, "gsnumber", "1");
    xml_text(x, session_text(s, SESSION_ENDPOINT));
    xml_close(x);
    xml_open(x, "primary_rep");
    xml_attribute(x, "gsnumber", "2");
    xml_attribute(x, "id", "7");
    xml_text(x, session_text(s, SESSION_USER));
    xml_close(x);
    xml_open(x, "customer_list");
    xml_open(x, "customer");
    xml_attribute(x, "gsnumber", "1");
    xml_leaf(x, "username", session_text(s, SESSION_ENDPOINT));
    xml_leaf(x, "public_ip", "192.0.2.20:50122");
    xml_leaf(x, "private_ip", "10.0.0.20");
    xml_leaf(x, "hostname", session_text(s, SESSION_HOSTNAME));
    xml_leaf(x, "os", "Linux");
    xml_close(x);
    xml_close(x);
}

static void put_user(struct xml *x, const struct session *s)
{
    const char *user = session_text(s, SESSION_USER);

    xml_open(x, "rep_list");
    xml_open(x, "representative");
    xml_attribute(x, "gsnumber", "2");
    xml_attribute(x, "id", "7");
    xml_leaf(x, "username", user);
    xml_leaf(x, "display_name", user);
    xml_leaf(x, "public_display_name", user);
    xml_leaf(x, "private_display_name", user);
    xml_leaf(x, "public_ip", "[2001:db8::5]:40010");
    xml_leaf(x, "private_ip", "10.0.1.5");
    xml_leaf(x, "hostname", "workstation.acme.test");
    xml_leaf(x, "os", "Windows 11");
    xml_leaf(x, "session_owner", "1");
    xml_leaf_int(x, "seconds_involved", s->end_ms > s->start_ms ? (s->end_ms - s->start_ms) / 1000 : 0);
    xml_close(x);
    xml_close(x);
}

static void put_where(struct dispatch *d, struct xml *x, const struct session *s)
{
    const struct jumpoint *j = site_jumpoint(d->site, session_text(s, SESSION_JUMPOINT));

    if (*session_text(s, SESSION_JUMPOINT)) {
        xml_open(x, "jumpoint");
        xml_attribute_int(x, "id", j ? j->id : -1);
        xml_text(x, session_text(s, SESSION_JUMPOINT));
        xml_close(x);
    }
    xml_open(x, "jump_group");
    xml_attribute(x, "id", "1");
    xml_attribute(x, "type", "shared");
    xml_text(x, session_text(s, SESSION_JUMP_GROUP));
    xml_close(x);
    xml_leaf(x, "external_key", session_text(s, SESSION_EXTERNAL_KEY));
}

static void put_links(struct dispatch *d, struct xml *x, const struct session *s)
{
    if (s->state != SESSION_ENDED)
        return;
    part_link(d, x, "session_chat_view_url", s->lsid, "chat_view");
    part_link(d, x, "session_chat_download_url", s->lsid, "chat");
    if (!s->recording)
        return;
    part_link(d, x, "session_recording_view_url", s->lsid, "recording_view");
    part_link(d, x, "session_recording_download_url", s->lsid, "recording");
}

/* ---- rows ---- */

static void put_listed(struct dispatch *d, struct xml *x, const char *hex, bool recording)
{
    char lsid[LSID_TEXT];
    bool reversed = d->site->knob[KNOB_ATTRIBUTE_ORDER];

    xml_open(x, "session_summary");
    if (!reversed)
        xml_attribute(x, "lsid", part_lsid_text(d, hex, lsid));
    xml_attribute(x, "has_recording", recording ? "1" : "0");
    if (reversed)
        xml_attribute(x, "lsid", part_lsid_text(d, hex, lsid));
    xml_close(x);
}

void report_listing_row(struct dispatch *d, struct xml *x, const struct row *row)
{
    struct month_session one;

    if (row->made) {
        put_listed(d, x, row->made->lsid, row->made->recording);
        return;
    }
    month_session(d->site->month, row->index, site_now(d->site) / 1000, &one);
    put_listed(d, x, one.lsid, one.recording);
}

static void put_made(struct dispatch *d, struct xml *x, const struct session *s)
{
    char lsid[LSID_TEXT];

    xml_open(x, "session");
    xml_attribute(x, "lsid", part_lsid_text(d, s->lsid, lsid));
    xml_leaf(x, "session_type", "support");
    xml_leaf_int(x, "lseq", s->lseq);
    part_time(d, x, "start_time", s->start_ms);
    if (s->state == SESSION_ENDED)
        part_time(d, x, "end_time", s->end_ms);
    else if (d->site->knob[KNOB_OPEN_END])
        xml_leaf(x, "end_time", "");
    part_duration(x, (s->state == SESSION_ENDED ? s->end_ms : site_now(d->site)) - s->start_ms);
    put_where(d, x, s);
    xml_leaf(x, "custom_attributes", "");
    put_links(d, x, s);
    xml_leaf(x, "file_transfer_count", "0");
    xml_leaf(x, "file_move_count", "0");
    xml_leaf(x, "file_delete_count", "0");
    put_customer(x, s);
    put_user(x, s);
    put_events(d, x, s);
    xml_close(x);
}

void report_session(struct dispatch *d, struct xml *x, const struct row *row)
{
    struct month_session one;

    if (row->made) {
        put_made(d, x, row->made);
        return;
    }
    month_session(d->site->month, row->index, site_now(d->site) / 1000, &one);
    month_put_session(d, x, &one);
}

/* ---- summaries ---- */

struct summary {
    char name[MONTH_TEXT];
    int64_t id, n, ms;
    UT_hash_handle hh;
};

struct summaries {
    struct summary *by_name; /* users of sessions that a test made */
    struct summary *by_user; /* of made-up ones, by the user's number */
};

static struct summary *of_name(struct summaries *all, const char *name)
{
    struct summary *s = NULL;

    HASH_FIND_STR(all->by_name, name, s);
    if (s)
        return s;
    s = calloc(1, sizeof(*s));
    if (!s || !text_copy(s->name, sizeof(s->name), name))
        abort();
    s->id = 7;
    HASH_ADD_STR(all->by_name, name, s);
    return s;
}

static void add_summary(struct dispatch *d, struct summaries *all, const struct row *row)
{
    struct month_session one;
    struct summary *s;

    if (row->made) {
        s = of_name(all, session_text(row->made, SESSION_USER));
        s->ms += row->made->state == SESSION_ENDED ? row->made->end_ms - row->made->start_ms : 0;
    } else {
        month_session(d->site->month, row->index, site_now(d->site) / 1000, &one);
        s = &all->by_user[one.user[0]];
        s->ms += one.state == SESSION_ENDED ? (one.times.closed_s - one.times.start_s) * 1000 : 0;
    }
    s->n++;
}

static void put_summary(struct xml *x, const struct summary *s, const char *name)
{
    xml_open(x, "summary");
    xml_attribute_int(x, "id", s->id);
    xml_leaf(x, "display_name", name);
    xml_leaf_int(x, "total_sessions", s->n);
    part_duration(x, s->ms);
    xml_close(x);
}

static void put_summaries(struct dispatch *d, struct xml *x, struct summaries *all)
{
    struct summary *s, *next;
    struct month_user user;

    HASH_ITER(hh, all->by_name, s, next)
    {
        put_summary(x, s, s->name);
        HASH_DEL(all->by_name, s);
        free(s);
    }
    for (uint64_t i = 0; all->by_user && i < d->site->month->opts.users; i++) {
        if (!all->by_user[i].n)
            continue;
        month_user(d->site->month, i, &user);
        all->by_user[i].id = user.id;
        put_summary(x, &all->by_user[i], user.display);
    }
    free(all->by_user);
}

void report_summaries(struct dispatch *d, struct xml *x, const struct rows *rows)
{
    struct summaries all = {0};

    if (d->site->month)
        all.by_user = calloc(d->site->month->opts.users, sizeof(*all.by_user));
    if (d->site->month && !all.by_user)
        abort(); /* a report with gaps gives every test a wrong result */
    for (size_t i = 0; i < rows->n; i++)
        add_summary(d, &all, &rows->row[i]);
    put_summaries(d, x, &all);
}
