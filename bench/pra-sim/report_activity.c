/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_activity.c - vault activity and console log-ins of teams; see report_activity.h.
 */
#include "pra-sim/report_activity.h"

#include "base/text.h"
#include "pra-sim/month_items.h"
#include "pra-sim/month_streams.h"
#include "pra-sim/report_parts.h"

#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define KEPT_S      (90 * INT64_C(86400)) /* vault activity is kept so long */

/* Records of the stream in the period, as rows. */
static void find(const struct dispatch *d, enum stream stream, const struct period *p, struct rows *rows)
{
    const struct month *m = d->site->month;
    int64_t now_s = site_now(d->site) / 1000, to = p->to > now_s ? now_s + 1 : p->to;
    uint64_t end;

    *rows = (struct rows){0};
    if (!m || to <= p->from)
        return;
    end = stream_until(m, stream, to - 1);
    for (uint64_t i = stream_until(m, stream, p->from - 1); i < end; i++)
        rows_add(rows, (struct row){.index = i, .at_s = stream_at(m, stream, i)});
    rows_spoil(rows, d->opts.fault);
}

/* ---- vault ---- */

struct activity {
    uint64_t account, actor; /* account from 1 */
    const char *type, *data;
    bool by_api;
    char lsid[LSID_SIZE];
};

static void read_activity(const struct month *m, const struct row *row, struct activity *a)
{
    static const struct {
        const char *type, *data;
        unsigned below;
    } kinds[] = {{"Credentials Used", "", 40},          {"Credentials Checked Out", NULL, 60},
                 {"Credentials Checked In", NULL, 78},  {"Password Changed", "Manually Edited", 84},
                 {"Password Rotated", "Scheduled", 94}, {"Account Created", NULL, 98},
                 {"Account Deleted", NULL, 100}};
    uint64_t key = stream_key(m, STREAM_VAULT, row->index);
    unsigned at = (unsigned)((key >> 8) % 100), k = 0;

    while (at >= kinds[k].below)
        k++;
    *a = (struct activity){.type = kinds[k].type,
                           .data = kinds[k].data,
                           .account = (key >> 24) % m->opts.vault_accounts / 2 + 1,
                           .actor = month_rank(&m->users, key),
                           .by_api = (key >> 16) % 10 == 0};
    if (k == 0 && m->opts.sessions) { /* the session that began last before it */
        uint64_t index = month_first_at(m, row->at_s);
        month_lsid(m, index ? index - 1 : 0, a->lsid);
        a->data = a->lsid;
    }
}

/* limit=all, account:ID or rep:ID */
static bool within_limit(const char *limit, const struct activity *a, int64_t user_id)
{
    char text[40];

    if (!limit || strcmp(limit, "all") == 0)
        return true;
    (void)snprintf(text, sizeof(text), "account:%llu", (unsigned long long)a->account);
    if (strcmp(text, limit) == 0)
        return true;
    (void)snprintf(text, sizeof(text), "rep:%lld", (long long)user_id);
    return !a->by_api && strcmp(text, limit) == 0;
}

static void put_activity(struct xml *x, const struct row *row, const struct activity *a,
                         const struct month_user *user)
{
    xml_open(x, "vault_account_activity");
    xml_attribute_int(x, "timestamp", row->at_s);
    xml_attribute(x, "event_type", a->type);
    xml_attribute_int(x, "account", (int64_t)a->account);
    if (strcmp(a->type, "Password Rotated") != 0) { /* the site does that itself */
        xml_open(x, "performed_by");
        xml_attribute_int(x, "id", a->by_api ? 1 : user->id);
        xml_attribute(x, "type", a->by_api ? "API Account" : "User");
        xml_text(x, a->by_api ? "reporting" : user->display);
        xml_close(x);
    }
    if (a->data)
        xml_leaf(x, "data", a->data);
    xml_close(x);
}

size_t report_vault(struct dispatch *d, struct xml *x, const struct period *p)
{
    const char *limit = dispatch_param(d, "limit");
    int64_t oldest = site_now(d->site) / 1000 - KEPT_S;
    struct month_user user;
    struct activity a;
    struct rows rows;
    size_t n = 0;

    find(d, STREAM_VAULT, p, &rows);
    for (size_t i = 0; i < rows.n; i++) {
        read_activity(d->site->month, &rows.row[i], &a);
        month_user(d->site->month, a.actor, &user);
        if (rows.row[i].at_s < oldest || !within_limit(limit, &a, user.id))
            continue;
        put_activity(x, &rows.row[i], &a, &user);
        n++;
    }
    rows_free(&rows);
    return n;
}

/* ---- teams ---- */

static const char *const teams[] = {"Windows administrators", "Database & storage", "Netzwerk Süd",
                                    "Vendors <ext>", "Service desk"};

static void put_login(struct dispatch *d, struct xml *x, const struct row *row)
{
    static const char *const types[] = {"Conference Member Added", "Conference Member State Changed",
                                        "Conference Member Departed"};
    const struct month *m = d->site->month;
    uint64_t key = stream_key(m, STREAM_TEAM, row->index);
    const char *type = types[(key >> 8) % COUNT(types)];
    struct month_user user;
    char id[24];

    month_user(m, month_rank(&m->users, key), &user);
    *text_digits(id, (uint64_t)user.id, 0) = '\0';
    part_open_event(x, type, row->at_s * 1000);
    part_actor(x, "performed_by", "representative", 1, user.display);
    xml_open(x, "data");
    if (strcmp(type, types[1]) == 0)
        part_value(x, "state", (key >> 12) % 2 ? "connected" : "disconnected");
    part_value(x, "user_id", id);
    part_value(x, "username", user.username);
    part_value(x, "public_ip", user.public_ip);
    xml_close(x);
    xml_close(x);
}

size_t report_team(struct dispatch *d, struct xml *x, const struct period *p)
{
    struct rows rows;
    size_t written = 0;

    find(d, STREAM_TEAM, p, &rows);
    for (size_t team = 0; team < COUNT(teams); team++) {
        bool open = false;
        for (size_t i = 0; i < rows.n; i++) {
            uint64_t key = stream_key(d->site->month, STREAM_TEAM, rows.row[i].index);
            if ((key >> 40) % COUNT(teams) != team)
                continue;
            if (!open) {
                xml_open(x, "team_activity");
                xml_attribute_int(x, "id", (int64_t)team + 1);
                xml_attribute(x, "name", teams[team]);
                xml_open(x, "events");
            }
            open = true;
            put_login(d, x, &rows.row[i]);
            written++;
        }
        if (open) {
            xml_close(x);
            xml_close(x);
        }
    }
    rows_free(&rows);
    return written;
}
