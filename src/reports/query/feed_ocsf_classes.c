/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_ocsf_classes.c - the attributes of each class of OCSF; see feed_ocsf.h.
 *
 * Each class has what 1.3.0 requires of it: network activity a destination, log-ins a user and where they log
 * in, changes an entity, inventory a user. Where the site does not say who or what, the word is "unknown".
 */
#include "reports/query/feed_ocsf.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNKNOWN    "unknown"
#define TYPE_OTHER 99
#define USER_PLAIN 1 /* type_id of a user: User */

int64_t ocsf_number(const struct ocsf *o, const char *column)
{
    const struct feed_cell *cell = feed_cell(o->batch, o->record, column);

    return cell->null ? QUERY_NONE : cell->number;
}

const char *ocsf_get(const struct ocsf *o, const char *column, char out[OCSF_TEXT])
{
    return feed_text(o->batch, feed_cell(o->batch, o->record, column), out, OCSF_TEXT);
}

void ocsf_put(struct ocsf *o, const char *name, const char *text)
{
    if (text && *text)
        jsonw_str(&o->w, name, text);
}

void ocsf_put_time(struct ocsf *o, const char *name, int64_t seconds)
{
    if (seconds != QUERY_NONE)
        jsonw_int(&o->w, name, seconds * 1000);
}

static const char *person(const struct ocsf *o, enum feed_person which, char out[OCSF_TEXT])
{
    return feed_text(o->batch, &o->record->persons[which], out, OCSF_TEXT);
}

/* An address as sites write it: with a port behind it, with brackets, or plain. False: it is none, and
 * nothing is written. */
static bool put_address(struct ocsf *o, const char *text)
{
    char ip[64];
    const char *colon = text ? strrchr(text, ':') : NULL;
    int64_t port = 0;

    if (!text || !text_copy(ip, sizeof(ip), text))
        return false;
    if (!text_is_ip(ip) && colon) {
        ip[colon - text] = '\0';
        if (!text_int(colon + 1, 1, 65535, &port))
            return false;
    }
    if (!text_is_ip(ip))
        return false;
    size_t n = strlen(ip);
    bool brackets = ip[0] == '[' && ip[n - 1] == ']';
    jsonw_strn(&o->w, "ip", ip + brackets, n - 2U * brackets);
    if (port)
        jsonw_int(&o->w, "port", port);
    return true;
}

/* Where a user acts from: nothing where neither is known. */
static void write_source(struct ocsf *o, const char *address, const char *host)
{
    bool named = host && *host;

    if (!named && !(address && *address))
        return;
    jsonw_object(&o->w, "src_endpoint");
    if (named)
        jsonw_str(&o->w, "hostname", host);
    if (!put_address(o, address) && !named)
        jsonw_str(&o->w, "name", address);
    jsonw_end(&o->w);
}

/* ---- sessions ---- */

static void write_actor(struct ocsf *o, const char *lsid)
{
    char user[OCSF_TEXT], text[OCSF_TEXT], id[24];
    const char *name = ocsf_get(o, "user_name", user);

    jsonw_object(&o->w, "actor");
    if (name && *name) {
        jsonw_object(&o->w, "user");
        jsonw_str(&o->w, "name", name);
        ocsf_put(o, "full_name", person(o, SRC_NAME, text));
        if (!o->record->persons[SRC_ID].null) {
            (void)snprintf(id, sizeof(id), "%" PRId64, o->record->persons[SRC_ID].number);
            jsonw_str(&o->w, "uid", id);
        }
        jsonw_int(&o->w, "type_id", USER_PLAIN);
        jsonw_end(&o->w);
    }
    jsonw_object(&o->w, "session");
    jsonw_str(&o->w, "uid", lsid);
    jsonw_end(&o->w);
    jsonw_end(&o->w);
}

void ocsf_network_activity(struct ocsf *o)
{
    char lsid[OCSF_TEXT], text[OCSF_TEXT], address[OCSF_TEXT];
    int64_t seconds = ocsf_number(o, "duration_seconds");

    if (!ocsf_get(o, "lsid", lsid))
        lsid[0] = '\0';
    ocsf_put_time(o, "start_time", ocsf_number(o, "start_unix"));
    ocsf_put_time(o, "end_time", ocsf_number(o, "end_unix"));
    ocsf_put_time(o, "duration", seconds);
    write_actor(o, lsid);
    jsonw_object(&o->w, "session");
    jsonw_str(&o->w, "uid", lsid);
    jsonw_end(&o->w);
    jsonw_object(&o->w, "dst_endpoint");
    const char *endpoint = ocsf_get(o, "endpoint_name", text);
    jsonw_str(&o->w, "name", endpoint && *endpoint ? endpoint : UNKNOWN);
    ocsf_put(o, "hostname", person(o, DST_HOST, text));
    (void)put_address(o, person(o, DST_IP, address));
    jsonw_end(&o->w);
    write_source(o, person(o, SRC_IP, address), person(o, SRC_HOST, text));
}

/* ---- accounts ---- */

void ocsf_user_inventory(struct ocsf *o)
{
    char user[OCSF_TEXT], name[OCSF_TEXT], text[OCSF_TEXT], id[24];

    (void)snprintf(id, sizeof(id), "%" PRId64, ocsf_number(o, "account_id"));
    jsonw_object(&o->w, "user");
    const char *account = ocsf_get(o, "name", name), *username = ocsf_get(o, "username", user);
    ocsf_put(o, "name", username && *username ? username : account);
    jsonw_str(&o->w, "uid", id);
    ocsf_put(o, "type", ocsf_get(o, "type", text));
    jsonw_int(&o->w, "type_id", TYPE_OTHER);
    jsonw_object(&o->w, "account");
    ocsf_put(o, "name", account);
    jsonw_str(&o->w, "uid", id);
    jsonw_end(&o->w);
    jsonw_end(&o->w);
}

/* ---- syslog ---- */

/* `who` is "name (username) using method", or a part of it. */
static void write_user(struct ocsf *o)
{
    char text[OCSF_TEXT] = UNKNOWN;
    char *name = NULL, *end;

    (void)ocsf_get(o, "who", text);
    end = strstr(text, " using ");
    if (end)
        *end = '\0';
    end = text + strlen(text);
    if (end > text && end[-1] == ')' && (name = strrchr(text, '(')) != NULL && name > text &&
        name + 2 < end) {
        end[-1] = '\0';
        *name++ = '\0';
        for (end = name - 2; end >= text && *end == ' '; end--)
            *end = '\0';
    } else {
        name = NULL;
    }
    jsonw_object(&o->w, "user");
    jsonw_str(&o->w, "name", name ? name : *text ? text : UNKNOWN);
    if (name)
        ocsf_put(o, "full_name", text);
    jsonw_int(&o->w, "type_id", USER_PLAIN);
    jsonw_end(&o->w);
}

void ocsf_authentication(struct ocsf *o)
{
    char text[OCSF_TEXT];

    write_user(o);
    write_source(o, ocsf_get(o, "who_ip", text), NULL);
    jsonw_object(&o->w, "dst_endpoint");
    jsonw_str(&o->w, "hostname", ocsf_get(o, "host_name", text) ? text : UNKNOWN);
    jsonw_end(&o->w);
    const char *target = ocsf_get(o, "target", text);
    if (target && *target) {
        jsonw_object(&o->w, "service");
        jsonw_str(&o->w, "name", target);
        jsonw_end(&o->w);
    }
    ocsf_put(o, "status_code", ocsf_get(o, "status", text));
    jsonw_bool(&o->w, "is_remote", true);
}

/* What is changed, by the word before _added, _changed or _removed: its end decides. */
static int entity_type(const char *word, size_t n)
{
    static const struct {
        const char *end;
        int type_id;
    } rows[] = {{"user", 2}, {"account", 2}, {"group", 3},    {"team", 3},    {"policy", 5},
                {"item", 1}, {"client", 1},  {"jumpoint", 1}, {"endpoint", 1}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t m = strlen(rows[i].end);
        if (n >= m && memcmp(word + n - m, rows[i].end, m) == 0)
            return rows[i].type_id;
    }
    return TYPE_OTHER;
}

void ocsf_entity_management(struct ocsf *o)
{
    char text[OCSF_TEXT];
    size_t n = (size_t)(strrchr(o->event, '_') - o->event);

    jsonw_object(&o->w, "actor");
    write_user(o);
    jsonw_end(&o->w);
    write_source(o, ocsf_get(o, "who_ip", text), NULL);
    jsonw_object(&o->w, "entity");
    const char *target = ocsf_get(o, "target", text);
    if (target && *target)
        jsonw_str(&o->w, "name", target);
    else
        jsonw_strn(&o->w, "name", o->event, n);
    jsonw_strn(&o->w, "type", o->event, n);
    jsonw_int(&o->w, "type_id", entity_type(o->event, n));
    jsonw_end(&o->w);
    ocsf_put(o, "status_code", ocsf_get(o, "status", text));
}
