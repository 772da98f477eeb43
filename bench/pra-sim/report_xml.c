/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_xml.c - sessions as XML; see report_xml.h.
 */
#include "pra-sim/report_xml.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- parts ---- */

#define LSID_TEXT 48

static const char *lsid_text(const struct dispatch *d, const struct session *s, char out[LSID_TEXT])
{
    int form = d->site->knob[KNOB_LSID_FORM];
    const char *p = s->lsid;

    if (form < LSID_DASHES)
        (void)snprintf(out, LSID_TEXT, "%s", p);
    else
        (void)snprintf(out, LSID_TEXT,
                       form == LSID_BRACES ? "{%.8s-%.4s-%.4s-%.4s-%.12s}" : "%.8s-%.4s-%.4s-%.4s-%.12s", p,
                       p + 8, p + 12, p + 16, p + 20);
    for (char *c = out; form == LSID_UPPER && *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return out;
}

static void put_time(struct dispatch *d, struct xml *x, const char *name, int64_t wall_ms)
{
    int form = d->site->knob[KNOB_SESSION_TIME];
    char iso[TIME_ISO];

    if (form == SESSION_TIME_UNIX) {
        xml_leaf_int(x, name, wall_ms / 1000);
        return;
    }
    time_iso(wall_ms, iso);
    xml_open(x, name);
    if (form != SESSION_TIME_ISO)
        xml_attribute_int(x, form == SESSION_TIME_TS ? "ts" : "timestamp", wall_ms / 1000);
    xml_text(x, iso);
    xml_close(x);
}

static void put_duration(struct xml *x, int64_t ms)
{
    char text[32];
    long long s = ms > 0 ? ms / 1000 : 0;

    (void)snprintf(text, sizeof(text), "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    xml_leaf(x, "duration", text);
}

static void put_actor(struct xml *x, const char *element, const char *type, const char *gsnumber,
                      const char *name)
{
    xml_open(x, element);
    xml_attribute(x, "type", type);
    xml_attribute(x, "gsnumber", gsnumber);
    xml_text(x, name);
    xml_close(x);
}

static void put_value(struct xml *x, const char *name, const char *value)
{
    xml_open(x, "value");
    xml_attribute(x, "name", name);
    xml_attribute(x, "value", value);
    xml_close(x);
}

/* ---- events ---- */

static void open_event(struct xml *x, const char *type, int64_t wall_ms)
{
    xml_open(x, "event");
    xml_attribute_int(x, "timestamp", wall_ms / 1000);
    xml_attribute(x, "event_type", type);
}

static void put_member(struct xml *x, const struct session *s, const char *type, const char *gsnumber,
                       const char *name)
{
    open_event(x, "Conference Member Added", s->start_ms);
    put_actor(x, "performed_by", type, gsnumber, name);
    put_actor(x, "destination", "everyone", "0", "Everyone");
    xml_close(x);
}

static void put_injection(struct xml *x, const struct session *s)
{
    const char *credential = session_text(s, SESSION_CREDENTIAL_ID);

    if (!*credential)
        return;
    open_event(x, "Credential Injection Attempt", s->start_ms);
    put_actor(x, "performed_by", "representative", "2", session_text(s, SESSION_USER));
    xml_open(x, "data");
    put_value(x, "attempt_id", "1");
    put_value(x, "credential_id", credential);
    put_value(x, "credential_name", credential);
    xml_close(x);
    xml_close(x);
}

static void put_events(struct dispatch *d, struct xml *x, const struct session *s)
{
    if (s->state == SESSION_RUNNING && d->site->knob[KNOB_RUNNING_EVENTS])
        return;
    xml_open(x, "session_details");
    open_event(x, "Session Start", s->start_ms);
    put_actor(x, "performed_by", "system", "0", "System");
    xml_close(x);
    put_member(x, s, "customer", "1", session_text(s, SESSION_ENDPOINT));
    put_member(x, s, "representative", "2", session_text(s, SESSION_USER));
    put_injection(x, s);
    if (s->state == SESSION_ENDED) {
        open_event(x, "Session End", s->end_ms);
        put_actor(x, "performed_by", "system", "0", "System");
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

/* ---- rows ---- */

void report_listing_row(struct dispatch *d, struct xml *x, const struct session *s)
{
    char lsid[LSID_TEXT];
    bool reversed = d->site->knob[KNOB_ATTRIBUTE_ORDER];

    xml_open(x, "session_summary");
    if (!reversed)
        xml_attribute(x, "lsid", lsid_text(d, s, lsid));
    xml_attribute(x, "has_recording", s->recording ? "1" : "0");
    if (reversed)
        xml_attribute(x, "lsid", lsid_text(d, s, lsid));
    xml_close(x);
}

void report_session(struct dispatch *d, struct xml *x, const struct session *s)
{
    char lsid[LSID_TEXT];

    xml_open(x, "session");
    xml_attribute(x, "lsid", lsid_text(d, s, lsid));
    xml_leaf(x, "session_type", "support");
    xml_leaf_int(x, "lseq", s->lseq);
    put_time(d, x, "start_time", s->start_ms);
    if (s->state == SESSION_ENDED)
        put_time(d, x, "end_time", s->end_ms);
    else if (d->site->knob[KNOB_OPEN_END])
        xml_leaf(x, "end_time", "");
    put_duration(x, (s->state == SESSION_ENDED ? s->end_ms : site_now(d->site)) - s->start_ms);
    put_where(d, x, s);
    xml_leaf(x, "custom_attributes", "");
    xml_leaf(x, "file_transfer_count", "0");
    xml_leaf(x, "file_move_count", "0");
    xml_leaf(x, "file_delete_count", "0");
    put_customer(x, s);
    put_user(x, s);
    put_events(d, x, s);
    xml_close(x);
}

/* ---- summaries ---- */

static bool counts(const struct session *s, bool by_end, int64_t from, int64_t to)
{
    int64_t at = (by_end ? s->end_ms : s->start_ms) / 1000;

    return (!by_end || s->state == SESSION_ENDED) && at >= from && at < to;
}

/* Has an earlier session in the period the same user? */
static bool seen(const struct vec *all, size_t before, bool by_end, int64_t from, int64_t to,
                 const char *user)
{
    for (size_t i = 0; i < before; i++)
        if (counts(all->item[i], by_end, from, to) &&
            strcmp(session_text(all->item[i], SESSION_USER), user) == 0)
            return true;
    return false;
}

static void put_summary(struct xml *x, const struct vec *all, size_t first, bool by_end, int64_t from,
                        int64_t to)
{
    const char *user = session_text(all->item[first], SESSION_USER);
    int64_t n = 0, ms = 0;

    for (size_t i = first; i < all->n; i++) {
        const struct session *s = all->item[i];
        if (!counts(s, by_end, from, to) || strcmp(session_text(s, SESSION_USER), user) != 0)
            continue;
        n++;
        ms += s->state == SESSION_ENDED ? s->end_ms - s->start_ms : 0;
    }
    xml_open(x, "summary");
    xml_attribute(x, "id", "7");
    xml_leaf(x, "display_name", user);
    xml_leaf_int(x, "total_sessions", n);
    put_duration(x, ms);
    xml_close(x);
}

void report_summaries(struct dispatch *d, struct xml *x, bool by_end, int64_t from, int64_t to)
{
    const struct vec *all = &d->site->sessions.all;

    for (size_t i = 0; i < all->n; i++) {
        if (!counts(all->item[i], by_end, from, to))
            continue;
        if (!seen(all, i, by_end, from, to, session_text(all->item[i], SESSION_USER)))
            put_summary(x, all, i, by_end, from, to);
    }
}
