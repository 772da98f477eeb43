/* SPDX-License-Identifier: Apache-2.0 */
/*
 * month_xml.c - made-up sessions as XML; see month_xml.h.
 */
#include "pra-sim/month_xml.h"

#include "pra-sim/month_events.h"
#include "pra-sim/report_parts.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define CUSTOMER_GS   1
#define FIRST_USER_GS 2

/* ---- events ---- */

static void put_actor(struct xml *x, const struct month_script *s, const char *element,
                      enum event_actor actor, unsigned user)
{
    switch (actor) {
    case ACTOR_NONE: break;
    case ACTOR_SYSTEM: part_actor(x, element, "system", 0, "System"); break;
    case ACTOR_EVERYONE: part_actor(x, element, "everyone", 0, "Everyone"); break;
    case ACTOR_PRE_START: part_actor(x, element, "system", 0, "Pre-start Conference"); break;
    case ACTOR_CUSTOMER: part_actor(x, element, "customer", CUSTOMER_GS, s->item.name); break;
    case ACTOR_USER:
        part_actor(x, element, "representative", FIRST_USER_GS + user, s->user[user].display);
        break;
    }
}

static void put_body(struct xml *x, const struct month_event *e)
{
    char base64[256];

    if (!e->body)
        return;
    if (!e->encoded) {
        xml_leaf(x, "body", e->body);
        return;
    }
    if (strlen(e->body) < 180) {
        (void)EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)e->body, (int)strlen(e->body));
        xml_leaf(x, "encoded_body", base64);
    }
}

static void put_files(struct xml *x, const struct month_event *e)
{
    char name[64];

    if (e->filename) {
        xml_leaf(x, "filename", e->filename);
        xml_leaf_int(x, "filesize", e->filesize);
    }
    if (!e->files)
        return;
    xml_open(x, "files");
    for (unsigned i = 0; i < e->files; i++) {
        xml_open(x, "file");
        (void)snprintf(name, sizeof(name), "shared-%u.zip", i + 1);
        xml_leaf(x, "filename", name);
        xml_leaf_int(x, "filesize", 1000 * (int64_t)(i + 1));
        xml_close(x);
    }
    xml_close(x);
}

struct table { /* a category of system information */
    const char *category;
    const char *field[4]; /* NULL-ended */
    const char *value[2][4];
};

static const struct table tables[] = {
    {"Operating System",
     {"Name", "Version", NULL},
     {{"Windows Server 2022 <Datacenter>", "21H2", NULL}, {NULL}}},
    {"Memory & Processor", {"Processor", "Memory", NULL}, {{"Xeon \"Gold\" 6338", "64 GB", NULL}, {NULL}}},
    {"Disks",
     {"Drive", "Size", "Free", NULL},
     {{"C:", "120 GB", "14 GB", NULL}, {"D:", "2 TB", "Unknown", NULL}}},
};

static void put_fields(struct dispatch *d, struct xml *x, const struct table *t, const char *const *values)
{
    for (int i = 0; t->field[i] && values[i]; i++) {
        xml_open(x, "field");
        if (d->site->knob[KNOB_SYSTEM_INFORMATION])
            xml_attribute(x, "name", t->field[i]);
        xml_text(x, values[i]);
        xml_close(x);
    }
}

static void put_information(struct dispatch *d, struct xml *x)
{
    xml_open(x, "system_information");
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const struct table *t = &tables[i];
        xml_open(x, "category");
        xml_attribute(x, "name", t->category);
        xml_open(x, "description");
        put_fields(d, x, t, t->field);
        xml_close(x);
        xml_open(x, "data");
        for (int row = 0; row < 2 && t->value[row][0]; row++) {
            xml_open(x, "row");
            put_fields(d, x, t, t->value[row]);
            xml_close(x);
        }
        xml_close(x);
        xml_close(x);
    }
    xml_close(x);
}

static void put_event(struct dispatch *d, struct xml *x, const struct month_script *s,
                      const struct month_event *e)
{
    part_open_event(x, e->type, e->at_s * 1000);
    put_actor(x, s, "performed_by", e->by, e->by_user);
    put_actor(x, s, "destination", e->to, e->to_user);
    put_body(x, e);
    put_files(x, e);
    if (e->nvalues) {
        xml_open(x, "data");
        for (unsigned i = 0; i < e->nvalues; i++)
            part_value(x, e->value[i].name, e->value[i].value);
        xml_close(x);
    }
    if (e->system_information)
        put_information(d, x);
    xml_close(x);
}

static void put_events(struct dispatch *d, struct xml *x, const struct month_script *s)
{
    struct month_event e;

    if (s->session->state == SESSION_RUNNING && d->site->knob[KNOB_RUNNING_EVENTS])
        return;
    xml_open(x, "session_details");
    for (uint64_t i = 0; i < s->shown; i++) {
        month_event(s, i, &e);
        put_event(d, x, s, &e);
    }
    xml_close(x);
}

/* ---- people ---- */

static void put_primary(struct xml *x, const struct month_script *s)
{
    xml_open(x, "primary_customer");
    xml_attribute_int(x, "gsnumber", CUSTOMER_GS);
    xml_text(x, s->item.name);
    xml_close(x);
    xml_open(x, "primary_rep");
    xml_attribute_int(x, "gsnumber", FIRST_USER_GS);
    xml_attribute_int(x, "id", s->user[0].id);
    xml_text(x, s->user[0].display);
    xml_close(x);
}

static void put_customer(struct xml *x, const struct month_script *s)
{
    xml_open(x, "customer_list");
    xml_open(x, "customer");
    xml_attribute_int(x, "gsnumber", CUSTOMER_GS);
    xml_leaf(x, "username", s->item.name);
    xml_leaf(x, "public_ip", "192.0.2.20:50122");
    xml_leaf(x, "private_ip", s->item.private_ip);
    xml_leaf(x, "hostname", s->item.hostname);
    xml_leaf(x, "os", s->item.os);
    xml_close(x);
    xml_close(x);
}

static void put_user(struct xml *x, const struct month_script *s, unsigned which)
{
    const struct month_user *u = &s->user[which];
    const struct month_times *t = &s->session->times;
    int64_t end_s = s->session->now_s < t->closed_s ? s->session->now_s : t->closed_s;

    xml_open(x, "representative");
    xml_attribute_int(x, "gsnumber", FIRST_USER_GS + which);
    xml_attribute_int(x, "id", u->id);
    xml_leaf(x, "username", u->username);
    xml_leaf(x, "display_name", u->display);
    xml_leaf(x, "public_display_name", u->display);
    xml_leaf(x, "private_display_name", u->private);
    xml_leaf(x, "public_ip", u->public_ip);
    xml_leaf(x, "private_ip", u->private_ip);
    xml_leaf(x, "hostname", u->hostname);
    xml_leaf(x, "os", u->os);
    xml_leaf_int(x, "session_owner", which == 0);
    xml_leaf_int(x, "seconds_involved", (end_s - t->start_s) / (which + 1));
    if (which == 2)
        xml_leaf_int(x, "invited", 1);
    xml_close(x);
}

/* ---- the head ---- */

static void put_where(struct dispatch *d, struct xml *x, const struct month_script *s)
{
    const struct month_item *item = &s->item;
    const struct jumpoint *j;
    char name[MONTH_TEXT];

    if (item->jumpoint >= 0) {
        month_jumpoint((uint64_t)item->jumpoint, name);
        j = site_jumpoint(d->site, name);
        xml_open(x, "jumpoint");
        xml_attribute_int(x, "id", j ? j->id : -1);
        xml_text(x, name);
        xml_close(x);
    }
    xml_open(x, "jump_group");
    xml_attribute_int(x, "id", item->group_id);
    xml_attribute(x, "type", item->personal ? "personal" : "shared");
    xml_text(x, item->group);
    xml_close(x);
    xml_leaf(x, "external_key", s->external_key);
}

void month_put_attributes(struct xml *x, const struct month_session *one)
{
    static const struct {
        const char *name, *code, *values[4];
    } rows[] = {{"Ticket", "ticket", {"", "INC-1", "REQ \"urgent\"", "CHG & CAB"}},
                {"Cost centre", "cost_centre", {"4711", "0815", "", "Überall"}},
                {"Risk <level>", "risk", {"low", "high", "medium", "low"}}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && (one->key >> 50) % 4; i++) {
        xml_open(x, "custom_attribute");
        xml_attribute(x, "display_name", rows[i].name);
        xml_attribute(x, "code_name", rows[i].code);
        xml_text(x, rows[i].values[(one->key >> (20 + 2 * i)) % 4]);
        xml_close(x);
    }
}

static void put_links(struct dispatch *d, struct xml *x, const struct month_script *s)
{
    const struct month_session *one = s->session;

    if (one->state != SESSION_ENDED)
        return;
    part_link(d, x, "session_chat_view_url", one->lsid, "chat_view");
    part_link(d, x, "session_chat_download_url", one->lsid, "chat");
    if (one->recording) {
        part_link(d, x, "session_recording_view_url", one->lsid, "recording_view");
        part_link(d, x, "session_recording_download_url", one->lsid, "recording");
    }
    if (!s->shell || !one->recording)
        return;
    xml_open(x, "command_shell_recordings");
    for (int64_t i = 0; i < 1 + (int64_t)(one->key >> 60) % 2; i++) {
        xml_open(x, "command_shell_recording");
        xml_attribute_int(x, "instance", i);
        part_link(d, x, "download_url", one->lsid, "shell");
        part_link(d, x, "view_url", one->lsid, "shell_view");
        xml_close(x);
    }
    xml_close(x);
}

static void put_times(struct dispatch *d, struct xml *x, const struct month_session *one)
{
    const struct month_times *t = &one->times;
    int64_t end_s = one->state == SESSION_RUNNING ? one->now_s : t->closed_s;

    part_time(d, x, "start_time", t->start_s * 1000);
    if (one->state == SESSION_ENDED)
        part_time(d, x, "end_time", t->closed_s * 1000);
    else if (d->site->knob[KNOB_OPEN_END])
        xml_leaf(x, "end_time", "");
    part_duration(x, (end_s - t->start_s) * 1000);
}

void month_put_session(struct dispatch *d, struct xml *x, const struct month_session *one)
{
    struct month_script s;
    char lsid[LSID_TEXT];

    month_script(d->site->month, one, &s);
    xml_open(x, "session");
    xml_attribute(x, "lsid", part_lsid_text(d, one->lsid, lsid));
    xml_leaf(x, "session_type", "support");
    xml_leaf_int(x, "lseq", (int64_t)one->index + 1000);
    put_times(d, x, one);
    put_where(d, x, &s);
    xml_open(x, "custom_attributes");
    month_put_attributes(x, one);
    xml_close(x);
    put_links(d, x, &s);
    xml_leaf_int(x, "file_transfer_count", s.transfers);
    xml_leaf_int(x, "file_move_count", s.moves);
    xml_leaf_int(x, "file_delete_count", s.deletes);
    put_primary(x, &s);
    put_customer(x, &s);
    xml_open(x, "rep_list");
    for (unsigned i = 0; i < one->npeople; i++)
        put_user(x, &s, i);
    xml_close(x);
    put_events(d, x, &s);
    xml_close(x);
}
