/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog.c - messages and their lines; see syslog.h.
 *
 * A line is `Mon DD hh:mm:ss host BG[pid]: siteid:segment:segments:payload`. A payload over the site's limit
 * is cut into segments anywhere, also inside a key. Two appliances write into one log, each with a few
 * processes, so that segments of one message have lines of other processes between them.
 */
#include "pra-sim/syslog.h"

#include "pra-sim/month_items.h"
#include "pra-sim/month_streams.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define COUNT(list)   (sizeof(list) / sizeof((list)[0]))
#define MOST_SEGMENTS 99u

struct writing {
    const struct site *site;
    const struct month *month;
    uint64_t key, index;
    int64_t at_s;
    struct buf *out;
    struct month_user user;
};

/* ---- payload ---- */

static void put_pair(struct writing *w, const char *name, const char *value)
{
    if (w->out->len)
        (void)buf_char(w->out, ';');
    (void)buf_str(w->out, name);
    (void)buf_char(w->out, '=');
    for (; *value; value++) {
        if (strchr("=;\\", *value))
            (void)buf_char(w->out, '\\');
        (void)buf_char(w->out, *value);
    }
}

static void put_number(struct writing *w, const char *name, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    put_pair(w, name, text);
}

static void put_who(struct writing *w)
{
    char who[3 * MONTH_TEXT];

    (void)snprintf(who, sizeof(who), "%s using %s", w->user.private, (w->key >> 50) % 3 ? "local" : "saml");
    put_pair(w, "who", who);
    put_pair(w, "who_ip", w->user.private_ip);
}

static void login(struct writing *w)
{
    static const char *const reasons[] = {"failed", "account locked", "Bad password; 2 attempts left",
                                          "not allowed"};
    bool fails = (w->key >> 20) % 6 == 0;

    put_pair(w, "event", "login");
    put_pair(w, "target", "web/login");
    put_pair(w, "status", fails ? "failure" : "success");
    if (fails)
        put_pair(w, "reason", reasons[(w->key >> 30) % COUNT(reasons)]);
}

static void logout(struct writing *w)
{
    put_pair(w, "event", "logout");
    put_pair(w, "target", "web/login");
    put_pair(w, "status", "success");
}

static void token(struct writing *w)
{
    put_pair(w, "event", "token");
    put_pair(w, "target", "web/api");
    put_pair(w, "status", (w->key >> 20) % 20 ? "success" : "failure");
}

static void setting(struct writing *w)
{
    put_pair(w, "event", "setting_changed");
    put_pair(w, "setting", "session:banner");
    put_pair(w, "old_value", "C:\\old=1;x");
    put_pair(w, "new_value", "C:\\new=2;y \\\\server\\share");
}

static void user_changed(struct writing *w)
{
    put_pair(w, "event", "user_changed");
    put_pair(w, "id", "17");
    put_pair(w, "username", "t.able");
    put_pair(w, "old_password", "***");
    put_pair(w, "new_password", "***NEW***");
    put_pair(w, "new_photo", "@@@iVBORw0KGgoAAAANSUhEUgAA==");
}

static void api_account(struct writing *w)
{
    static const char *const rights[] = {"command",          "configuration",   "ecm",    "reporting:support",
                                         "reporting:syslog", "reporting:vault", "backup", "scim",
                                         "reporting:license"};
    char name[64];

    put_pair(w, "event", "api_account_changed");
    put_pair(w, "name", "Gateway; primary = \"A\"");
    put_pair(w, "client_id", "c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4");
    for (size_t i = 0; i < COUNT(rights); i++) {
        (void)snprintf(name, sizeof(name), "old_permissions:%s", rights[i]);
        put_pair(w, name, "deny");
        (void)snprintf(name, sizeof(name), "new_permissions:%s", rights[i]);
        put_pair(w, name, "full_access");
    }
    put_pair(w, "ecm_group", "Default");
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "ip_addresses:%u", i);
        put_pair(w, name, "192.0.2.0/24 behind the proxy of site C:\\net");
    }
    put_pair(w, "old_secret", "***");
    put_pair(w, "new_secret", "***NEW***");
}

static void account(struct writing *w)
{
    static const char *const events[] = {"account_added", "account_changed", "account_removed"};

    put_pair(w, "event", events[(w->key >> 20) % COUNT(events)]);
    put_number(w, "id", (w->key >> 30) % w->month->opts.vault_accounts + 1);
    put_pair(w, "name", "svc-deploy");
    put_pair(w, "type", "windows_domain");
    put_pair(w, "password", "***");
}

static void account_user(struct writing *w)
{
    put_pair(w, "event", "account_user_added");
    put_number(w, "account", (w->key >> 30) % w->month->opts.vault_accounts + 1);
    put_pair(w, "user", w->user.username);
    put_pair(w, "role", (w->key >> 20) % 2 ? "Inject" : "Inject and Checkout");
}

static void other(struct writing *w)
{
    static const char *const events[] = {"backup_created", "syslog_report_generated", "session_policy_added",
                                         "account_jump_item_association_added"};

    put_pair(w, "event", events[(w->key >> 20) % COUNT(events)]);
}

void syslog_message(const struct site *s, uint64_t index, struct syslog_message *out)
{
    static const struct {
        unsigned below;
        void (*put)(struct writing *);
    } kinds[] = {{350, login},       {550, logout},  {800, token},        {840, setting}, {880, user_changed},
                 {900, api_account}, {950, account}, {970, account_user}, {1000, other}};
    struct writing w = {.site = s, .month = s->month, .index = index, .out = &out->payload};
    unsigned at, k = 0;

    w.key = stream_key(w.month, STREAM_SYSLOG, index);
    w.at_s = stream_at(w.month, STREAM_SYSLOG, index);
    month_user(w.month, month_rank(&w.month->users, w.key), &w.user);
    out->at_s = w.at_s;
    out->host = (w.key >> 44) % 4 ? "pra-a" : "pra-b";
    out->pid = 1200 + (unsigned)(w.at_s / 86400 % 1000) * 7 + (unsigned)(w.key >> 46) % 3 +
               (out->host[4] == 'b' ? 3 : 0);
    buf_clear(&out->payload);
    put_pair(&w, "site", s->hostname);
    if (!s->knob[KNOB_SYSLOG_WHEN])
        put_number(&w, "when", (uint64_t)w.at_s);
    at = (unsigned)((w.key >> 8) % 1000);
    while (at >= kinds[k].below)
        k++;
    if (kinds[k].put == token) {
        put_pair(&w, "who", "reporting (c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4)");
        put_pair(&w, "who_ip", "192.0.2.77");
    } else {
        put_who(&w);
    }
    kinds[k].put(&w);
}

/* ---- lines ---- */

static void put_head(const struct site *s, const struct syslog_message *m, struct buf *out)
{
    time_t seconds = (time_t)m->at_s;
    struct tm tm;
    char stamp[32] = "";

    if (gmtime_r(&seconds, &tm))
        (void)strftime(stamp, sizeof(stamp), s->knob[KNOB_SYSLOG_DAY] ? "%b %d %H:%M:%S" : "%b %e %H:%M:%S",
                       &tm);
    if (s->knob[KNOB_SYSLOG_PID])
        (void)buf_printf(out, "%s %s BG: ", stamp, m->host);
    else
        (void)buf_printf(out, "%s %s BG[%u]: ", stamp, m->host, m->pid);
}

static size_t segments_of(const struct site *s, const struct syslog_message *m)
{
    size_t limit = s->syslog_segment ? (size_t)s->syslog_segment : 1024;

    return (m->payload.len + limit - 1) / limit > MOST_SEGMENTS ? MOST_SEGMENTS
                                                                : (m->payload.len + limit - 1) / limit;
}

static void put_segment(const struct site *s, const struct syslog_message *m, size_t nth, struct buf *out)
{
    size_t n = segments_of(s, m), each = (m->payload.len + n - 1) / n, from = nth * each;
    size_t len = from + each > m->payload.len ? m->payload.len - from : each;

    put_head(s, m, out);
    (void)buf_printf(out, "0001:%02zu:%02zu:", nth + 1, n);
    (void)buf_append(out, m->payload.data + from, len);
    (void)buf_char(out, '\n');
}

/* Lines of other programs, and what syslog itself writes. */
static void put_noise(const struct site *s, const struct syslog_message *m, uint64_t index, struct buf *out)
{
    (void)s;
    if (index % 50 == 7)
        (void)buf_printf(out, "Mar 31 00:00:00 %s -- MARK --\n", m->host);
    if (index % 50 == 31)
        (void)buf_printf(out, "Mar 31 00:00:00 %s kernel: [12345.678901] eth0: link is up; mtu=1500\n",
                         m->host);
}

void syslog_lines(const struct site *s, uint64_t from, uint64_t to, struct buf *out)
{
    struct syslog_message one = {.payload = BUF_INIT(SYSLOG_PAYLOAD)};
    struct syslog_message next = {.payload = BUF_INIT(SYSLOG_PAYLOAD)};

    for (uint64_t i = from; i < to; i++) {
        bool between;
        syslog_message(s, i, &one);
        between = segments_of(s, &one) > 1 && i + 1 < to;
        if (between)
            syslog_message(s, i + 1, &next);
        between = between && !s->knob[KNOB_SYSLOG_PID] && (next.pid != one.pid || next.host != one.host);
        for (size_t nth = 0; nth < segments_of(s, &one); nth++) {
            put_segment(s, &one, nth, out);
            for (size_t k = 0; between && nth == 0 && k < segments_of(s, &next); k++)
                put_segment(s, &next, k, out);
        }
        put_noise(s, &one, i, out);
        i += between;
    }
    buf_free(&one.payload);
    buf_free(&next.payload);
}
