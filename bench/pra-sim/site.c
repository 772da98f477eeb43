/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.c - the site as a whole; see site.h.
 */
#include "pra-sim/site.h"

#include "base/buf.h"
#include "base/text.h"
#include "pra-sim/month_items.h"
#include "sim/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_FORM 16384

const char *const violation_names[VIOLATION_COUNT] = {
    [VIOLATION_MULTIPART] = "multipart",
    [VIOLATION_CONTENT_TYPE] = "content_type",
    [VIOLATION_UNKNOWN_PARAMETER] = "unknown_parameter",
    [VIOLATION_REPEATED_PARAMETER] = "repeated_parameter",
    [VIOLATION_MISSING_PARAMETER] = "missing_parameter",
    [VIOLATION_BAD_PARAMETER] = "bad_parameter",
    [VIOLATION_BOTH_TIMES] = "both_times",
    [VIOLATION_KEPT_CONNECTION] = "kept_connection",
    [VIOLATION_TOKEN_IN_URL] = "token_in_url",
    [VIOLATION_NO_BASIC] = "no_basic",
    [VIOLATION_CHANGING_ACTION] = "changing_action",
    [VIOLATION_NOT_SIMULATED] = "not_simulated",
    [VIOLATION_NO_ACCEPT] = "no_accept",
    [VIOLATION_NO_LENGTH] = "no_length",
    [VIOLATION_CHANGING_CALL] = "changing_call",
    [VIOLATION_RATE_SECOND] = "rate_second",
    [VIOLATION_RATE_HOUR] = "rate_hour",
    [VIOLATION_WRONG_METHOD] = "wrong_method",
};

const char *const failover_roles[ROLE_COUNT] = {"none", "primary", "backup"};

static void forget_gone(struct site *);

/* ---- life ---- */

static void jumpoint_free(struct jumpoint *j)
{
    free(j->name);
    free(j->code_name);
    free(j->comments);
    free(j->platform);
    free(j->network_id);
    free(j->hostname);
    free(j->public_ip);
    free(j->private_ip);
    free(j);
}

void site_free(struct site *s)
{
    if (!s)
        return;
    outbound_free(&s->outbound);
    accounts_free(&s->accounts);
    sessions_free(&s->sessions);
    month_free(s->month);
    forget_gone(s);
    for (size_t i = 0; i < s->jumpoints.n; i++)
        jumpoint_free(s->jumpoints.item[i]);
    vec_free(&s->jumpoints);
    free(s->appliance_id);
    free(s->hostname);
    free(s->version);
    free(s->api_version);
    free(s->error_message);
    free(s->shared_ips);
    free(s->sync_status);
    free(s);
}

static int fill(struct site *s)
{
    if (strings_replace(&s->appliance_id, "3F2504E0-4F89-11D3-9A0C-0305E82C3301") ||
        strings_replace(&s->hostname, "pra.acme.test") || strings_replace(&s->version, "25.2.1 (110452)") ||
        strings_replace(&s->api_version, "1.25.2") || strings_replace(&s->error_message, "") ||
        strings_replace(&s->shared_ips, "") || strings_replace(&s->sync_status, "Success"))
        return -ENOMEM;
    return site_add_jumpoint(s, "Head office") && site_add_jumpoint(s, "Branch office") ? 0 : -ENOMEM;
}

struct site *site_new(struct timers *timers, uint64_t seed)
{
    struct site *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->timers = timers;
    s->clock = timers_clock(timers);
    s->healthy = s->xml_api = true;
    s->next_jumpoint = 1;
    s->event_version = 1;
    s->syslog_segment = 1024;
    accounts_init(&s->accounts, s->clock);
    sessions_init(&s->sessions, seed);
    outbound_init(&s->outbound, timers);
    s->sync_ms = site_now(s);
    if (fill(s)) {
        site_free(s);
        return NULL;
    }
    return s;
}

int64_t site_now(const struct site *s)
{
    return clock_wall(s->clock);
}

void site_set_role(struct site *s, enum failover_role role)
{
    if (role != s->role && !s->knob[KNOB_FAILOVER_TOKENS])
        accounts_drop_tokens(&s->accounts);
    s->role = role;
}

/* ---- Jumpoints ---- */

struct jumpoint *site_jumpoint(const struct site *s, const char *name)
{
    for (size_t i = 0; i < s->jumpoints.n; i++) {
        struct jumpoint *j = s->jumpoints.item[i];
        if (text_equal_nocase(j->name, name))
            return j;
    }
    return NULL;
}

struct jumpoint *site_jumpoint_by_id(const struct site *s, int id)
{
    for (size_t i = 0; i < s->jumpoints.n; i++) {
        struct jumpoint *j = s->jumpoints.item[i];
        if (j->id == id)
            return j;
    }
    return NULL;
}

struct jumpoint *site_add_jumpoint(struct site *s, const char *name)
{
    struct jumpoint *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    if (strings_replace(&j->name, name) || strings_replace(&j->code_name, "") ||
        strings_replace(&j->comments, "") || strings_replace(&j->platform, "linux-x86") ||
        strings_replace(&j->network_id, "") || strings_replace(&j->hostname, "jumpoint.acme.test") ||
        strings_replace(&j->public_ip, "192.0.2.10") || strings_replace(&j->private_ip, "10.0.0.10") ||
        vec_push(&s->jumpoints, j)) {
        jumpoint_free(j);
        return NULL;
    }
    j->id = s->next_jumpoint++;
    j->enabled = true;
    site_connect_jumpoint(s, j, true);
    return j;
}

void site_connect_jumpoint(struct site *s, struct jumpoint *j, bool connected)
{
    if (connected == j->connected)
        return;
    j->connected = connected;
    *(connected ? &j->connect_ms : &j->disconnect_ms) = site_now(s);
}

int site_make_month(struct site *s, const struct month_opts *o)
{
    struct month *m = month_new(o);
    char name[MONTH_TEXT];

    if (!m)
        return -ENOMEM;
    month_free(s->month);
    s->month = m;
    for (uint64_t i = 0; i < m->opts.jumpoints; i++) {
        month_jumpoint(i, name);
        if (!site_jumpoint(s, name) && !site_add_jumpoint(s, name))
            return -ENOMEM;
    }
    return 0;
}

/* ---- what is out of the inventory ---- */

bool site_is_gone(const struct site *s, const char *path)
{
    struct gone_item *g = NULL;

    HASH_FIND_STR(s->gone, path, g);
    return g != NULL;
}

int site_set_gone(struct site *s, const char *path, bool gone)
{
    struct gone_item *g = NULL;

    HASH_FIND_STR(s->gone, path, g);
    if (g && !gone) {
        HASH_DEL(s->gone, g);
        free(g);
    }
    if (g || !gone)
        return 0;
    g = calloc(1, sizeof(*g));
    if (!g || !text_copy(g->path, sizeof(g->path), path)) {
        free(g);
        return -ENOMEM;
    }
    HASH_ADD_STR(s->gone, path, g);
    return 0;
}

static void forget_gone(struct site *s)
{
    struct gone_item *g, *next;

    HASH_ITER(hh, s->gone, g, next)
    {
        HASH_DEL(s->gone, g);
        free(g);
    }
}

/* ---- outbound events ---- */

const char *site_event_name(const struct site *s, enum outbound_kind kind)
{
    static const char *const names[][2] = {
        [EVENT_CONFERENCE_BEGIN] = {"support_conference_begin", "support_conference_end"},
        [EVENT_ACCESS_START] = {"access_session_start", "access_session_end"},
        [EVENT_ACCESS_BEGIN] = {"access_session_begin", "access_session_end"},
    };

    return names[s->knob[KNOB_EVENT_NAMES]][kind == OUTBOUND_END];
}

static void put_field(struct buf *form, const char *name, const char *value)
{
    char encoded[1024];

    if (!value || !text_url_encode(encoded, sizeof(encoded), value))
        return;
    (void)buf_printf(form, "%s%s=%s", form->len ? "&" : "", name, encoded);
}

static void put_number(struct buf *form, const char *name, int64_t value)
{
    (void)buf_printf(form, "%s%s=%lld", form->len ? "&" : "", name, (long long)value);
}

int site_event(struct site *s, struct recipient *only, enum outbound_kind kind, const char *name,
               const char *lsid, const char *external_key)
{
    struct buf form = BUF_INIT(EVENT_FORM);
    int rc = -ENOMEM;

    put_field(&form, "event", name);
    put_number(&form, "version", (int64_t)s->event_version);
    put_number(&form, "timestamp", site_now(s) / 1000);
    put_field(&form, "appliance_id", s->appliance_id);
    put_field(&form, "lsid", lsid);
    put_field(&form, "external_key", external_key);
    if (!form.failed && buf_cstr(&form))
        rc = outbound_queue(&s->outbound, only, kind, buf_cstr(&form), "application/x-www-form-urlencoded");
    buf_free(&form);
    return rc;
}

int site_session_begun(struct site *s, const struct session *one)
{
    return site_event(s, NULL, OUTBOUND_BEGIN, site_event_name(s, OUTBOUND_BEGIN), one->lsid,
                      session_text(one, SESSION_EXTERNAL_KEY));
}

int site_session_ended(struct site *s, const struct session *one)
{
    if (one->state == SESSION_ABNORMAL && s->knob[KNOB_ABNORMAL_EVENT])
        return 0;
    return site_event(s, NULL, OUTBOUND_END, site_event_name(s, OUTBOUND_END), one->lsid,
                      session_text(one, SESSION_EXTERNAL_KEY));
}
