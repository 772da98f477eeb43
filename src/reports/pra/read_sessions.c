/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_sessions.c - the trees of AccessSession and AccessSessionListing.
 *
 * A session that runs has no end_time, or an empty one; one of a Jump Client has no jumpoint, or one with the
 * id -1. A time is the attribute `timestamp` (`ts` in other reports of the site), else the text.
 *
 * Two parts are not one value each: files of an event become pairs of its data (file.N.filename), and
 * system_information becomes rows of (category, row, field, value). A field without a name goes by the
 * description at its place, else by its number.
 */
#include "reports/pra/xml_reading.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IN(type, member) offsetof(struct record_##type, member)
#define LIST(type, list, element)                                                                            \
    {                                                                                                        \
        IN(type, list), IN(type, n##list), IN(type, list##_room), sizeof(struct element)                     \
    }

/* ---- new objects ---- */

static void init_session(void *object)
{
    struct record_session *s = object;

    s->lseq = s->start = s->end = s->jumpoint_id = s->jump_group_id = RECORD_NONE;
    s->primary_customer_gsnumber = s->primary_rep_gsnumber = RECORD_NONE;
    s->file_transfers = s->file_moves = s->file_deletes = RECORD_NONE;
}

static void init_event(void *object)
{
    struct record_event *e = object;

    e->timestamp = e->performed_by_gsnumber = e->destination_gsnumber = e->filesize = RECORD_NONE;
}

static void init_person(void *object)
{
    struct record_person *p = object;

    p->gsnumber = p->rep_id = p->seconds_involved = RECORD_NONE;
}

static void init_shell(void *object)
{
    ((struct record_shell *)object)->instance = RECORD_NONE;
}

/* ---- the session ---- */

static int end_session(struct xml_reading *r, void *object, const char *text)
{
    struct record_session *s = object;

    (void)r;
    (void)text;
    if (s->jumpoint_id < 0) { /* -1 = none */
        s->jumpoint_id = RECORD_NONE;
        s->jumpoint_name = NULL;
    }
    if (s->end != RECORD_NONE && s->end <= 0)
        s->end = RECORD_NONE;
    return s->lsid ? 0 : -EINVAL;
}

static int begin_event(struct xml_reading *r, void *object, const char **attributes)
{
    const struct record_session *s = r->record;

    (void)object;
    (void)attributes;
    r->files = 0;
    if (s->nevents <= REPORT_EVENTS_MAX)
        return 0;
    r->why = "the session has more than 200000 events";
    return -E2BIG;
}

/* ---- files of an event ---- */

static int add_pair(struct xml_reading *r, struct record_event *e, const char *name, const char *value)
{
    int err = 0;
    struct record_pair *pair =
        xml_reading_append(r, &e->data, &e->ndata, &e->data_room, sizeof(*e->data), &err);

    if (pair)
        pair->name = xml_reading_text(r, name, strlen(name), &err);
    if (!err)
        pair->value = xml_reading_text(r, value, strlen(value), &err);
    return err;
}

static int begin_file(struct xml_reading *r, void *object, const char **attributes)
{
    (void)object;
    (void)attributes;
    r->files++;
    return 0;
}

static int add_file(struct xml_reading *r, void *object, const char *what, const char *text)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "file.%zu.%s", r->files, what);
    return *text ? add_pair(r, object, name, text) : 0;
}

static int end_filename(struct xml_reading *r, void *object, const char *text)
{
    return add_file(r, object, "filename", text);
}

static int end_filesize(struct xml_reading *r, void *object, const char *text)
{
    return add_file(r, object, "filesize", text);
}

/* ---- system information ---- */

static int begin_category(struct xml_reading *r, void *object, const char **attributes)
{
    const char *name = pra_xml_attribute(attributes, "name");
    const struct record_event *e = object;
    int err = 0;

    r->category = name ? xml_reading_text(r, name, strlen(name), &err) : NULL;
    r->first = e->ninfo;
    r->row = -1;
    return err;
}

static int begin_description(struct xml_reading *r, void *object, const char **attributes)
{
    (void)object;
    (void)attributes;
    r->index = 0;
    r->row = -1;
    return 0;
}

static int begin_data(struct xml_reading *r, void *object, const char **attributes)
{
    return begin_description(r, object, attributes);
}

static int begin_row(struct xml_reading *r, void *object, const char **attributes)
{
    (void)object;
    (void)attributes;
    r->index = 0;
    r->row++;
    return 0;
}

/* The index-th field of the category's description; NULL = there is none. */
static const char *described(const struct xml_reading *r, const struct record_event *e)
{
    const struct record_info *info = r->first + r->index < e->ninfo ? &e->info[r->first + r->index] : NULL;

    if (!info || info->row != -1)
        return NULL;
    return info->value ? info->value : info->field;
}

static int name_field(struct xml_reading *r, const struct record_event *e, struct record_info *info,
                      const char *name)
{
    char number[24];
    int err = 0;

    if (!name && r->row >= 0)
        info->field = described(r, e); /* of the same record: its memory lives as long */
    if (info->field)
        return 0;
    (void)snprintf(number, sizeof(number), "%zu", r->index);
    if (!name)
        name = number;
    info->field = xml_reading_text(r, name, strlen(name), &err);
    return err;
}

static int begin_field(struct xml_reading *r, void *object, const char **attributes)
{
    struct record_event *e = object;
    int err = 0;
    struct record_info *info =
        xml_reading_append(r, &e->info, &e->ninfo, &e->info_room, sizeof(*e->info), &err);

    if (!info)
        return err;
    info->category = r->category;
    info->row = r->row;
    err = name_field(r, e, info, pra_xml_attribute(attributes, "name"));
    r->index++;
    return err;
}

static int end_field(struct xml_reading *r, void *object, const char *text)
{
    struct record_event *e = object;
    int err = 0;

    if (e->ninfo && *text)
        e->info[e->ninfo - 1].value = xml_reading_text(r, text, strlen(text), &err);
    return err;
}

static const struct xml_element fields[] = {{.name = "field", .begin = begin_field, .end = end_field}, {0}};
static const struct xml_element rows[] = {{.name = "row", .begin = begin_row, .children = fields}, {0}};
static const struct xml_element parts[] = {
    {.name = "description", .begin = begin_description, .children = fields},
    {.name = "data", .begin = begin_data, .children = rows},
    {0}};
static const struct xml_element categories[] = {
    {.name = "category", .begin = begin_category, .children = parts}, {0}};

/* ---- events ---- */

static const struct xml_list pairs = LIST(event, data, record_pair);
static const struct xml_field pair_fields[] = {
    {"name", XML_TEXT, IN(pair, name)}, {"value", XML_TEXT, IN(pair, value)}, {0}};
static const struct xml_element values[] = {
    {.name = "value", .list = &pairs, .attributes = pair_fields, .text = {NULL, XML_TEXT, IN(pair, value)}},
    {0}};
static const struct xml_element file_parts[] = {
    {.name = "filename", .end = end_filename}, {.name = "filesize", .end = end_filesize}, {0}};
static const struct xml_element files[] = {{.name = "file", .begin = begin_file, .children = file_parts},
                                           {0}};

static const struct xml_field performer_fields[] = {
    {"type", XML_TEXT, IN(event, performed_by_type)},
    {"gsnumber", XML_NUMBER, IN(event, performed_by_gsnumber)},
    {0}};
static const struct xml_field destination_fields[] = {
    {"type", XML_TEXT, IN(event, destination_type)},
    {"gsnumber", XML_NUMBER, IN(event, destination_gsnumber)},
    {0}};
static const struct xml_element event_parts[] = {
    {.name = "performed_by",
     .attributes = performer_fields,
     .text = {NULL, XML_TEXT, IN(event, performed_by)}},
    {.name = "destination",
     .attributes = destination_fields,
     .text = {NULL, XML_TEXT, IN(event, destination)}},
    {.name = "data", .children = values},
    {.name = "body", .text = {NULL, XML_TEXT, IN(event, body)}},
    {.name = "encoded_body", .text = {NULL, XML_BASE64, IN(event, body)}},
    {.name = "filename", .text = {NULL, XML_TEXT, IN(event, filename)}},
    {.name = "filesize", .text = {NULL, XML_NUMBER, IN(event, filesize)}},
    {.name = "files", .children = files},
    {.name = "system_information", .children = categories},
    {0}};
static const struct xml_field event_fields[] = {
    {"timestamp", XML_TIME, IN(event, timestamp)}, {"event_type", XML_TEXT, IN(event, type)}, {0}};
static const struct xml_list events = LIST(session, events, record_event);
static const struct xml_element details[] = {{.name = "event",
                                              .list = &events,
                                              .init = init_event,
                                              .begin = begin_event,
                                              .attributes = event_fields,
                                              .children = event_parts},
                                             {0}};

/* ---- people, attributes, shells ---- */

#define PERSON(name_, value_, member_)                                                                       \
    {                                                                                                        \
        .name = name_, .text = { NULL, value_, IN(person, member_) }                                         \
    }

static const struct xml_field person_fields[] = {
    {"gsnumber", XML_NUMBER, IN(person, gsnumber)}, {"id", XML_NUMBER, IN(person, rep_id)}, {0}};
static const struct xml_element person_parts[] = {
    PERSON("username", XML_TEXT, username),
    PERSON("display_name", XML_TEXT, display_name),
    PERSON("public_display_name", XML_TEXT, public_display_name),
    PERSON("private_display_name", XML_TEXT, private_display_name),
    PERSON("public_ip", XML_TEXT, public_ip),
    PERSON("private_ip", XML_TEXT, private_ip),
    PERSON("hostname", XML_TEXT, hostname),
    PERSON("os", XML_TEXT, os),
    PERSON("session_owner", XML_FLAG, session_owner),
    PERSON("seconds_involved", XML_NUMBER, seconds_involved),
    PERSON("invited", XML_FLAG, invited),
    {0}};
static const struct xml_list customers = LIST(session, customers, record_person);
static const struct xml_list representatives = LIST(session, representatives, record_person);
static const struct xml_element customer_list[] = {{.name = "customer",
                                                    .list = &customers,
                                                    .init = init_person,
                                                    .attributes = person_fields,
                                                    .children = person_parts},
                                                   {0}};
static const struct xml_element rep_list[] = {{.name = "representative",
                                               .list = &representatives,
                                               .init = init_person,
                                               .attributes = person_fields,
                                               .children = person_parts},
                                              {0}};

static const struct xml_list attributes = LIST(session, attributes, record_attribute);
static const struct xml_field attribute_fields[] = {{"display_name", XML_TEXT, IN(attribute, display_name)},
                                                    {"code_name", XML_TEXT, IN(attribute, code_name)},
                                                    {0}};
static const struct xml_element custom_attributes[] = {{.name = "custom_attribute",
                                                        .list = &attributes,
                                                        .attributes = attribute_fields,
                                                        .text = {NULL, XML_TEXT, IN(attribute, value)}},
                                                       {0}};

static const struct xml_list shells = LIST(session, shells, record_shell);
static const struct xml_field shell_fields[] = {{"instance", XML_NUMBER, IN(shell, instance)}, {0}};
static const struct xml_element shell_parts[] = {
    {.name = "download_url", .text = {NULL, XML_TEXT, IN(shell, download_url)}},
    {.name = "view_url", .text = {NULL, XML_TEXT, IN(shell, view_url)}},
    {0}};
static const struct xml_element shell_list[] = {{.name = "command_shell_recording",
                                                 .list = &shells,
                                                 .init = init_shell,
                                                 .attributes = shell_fields,
                                                 .children = shell_parts},
                                                {0}};

/* ---- the report ---- */

#define FIELD(name_, value_, member_)                                                                        \
    {                                                                                                        \
        .name = name_, .text = { NULL, value_, IN(session, member_) }                                        \
    }

static const struct xml_field start_fields[] = {
    {"timestamp", XML_TIME, IN(session, start)}, {"ts", XML_TIME, IN(session, start)}, {0}};
static const struct xml_field end_fields[] = {
    {"timestamp", XML_TIME, IN(session, end)}, {"ts", XML_TIME, IN(session, end)}, {0}};
static const struct xml_field jumpoint_fields[] = {{"id", XML_NUMBER, IN(session, jumpoint_id)}, {0}};
static const struct xml_field group_fields[] = {
    {"id", XML_NUMBER, IN(session, jump_group_id)}, {"type", XML_TEXT, IN(session, jump_group_type)}, {0}};
static const struct xml_field customer_fields[] = {
    {"gsnumber", XML_NUMBER, IN(session, primary_customer_gsnumber)}, {0}};
static const struct xml_field rep_fields[] = {{"gsnumber", XML_NUMBER, IN(session, primary_rep_gsnumber)},
                                              {0}};

static const struct xml_element session_parts[] = {
    FIELD("session_type", XML_TEXT, type),
    FIELD("lseq", XML_NUMBER, lseq),
    {.name = "start_time", .attributes = start_fields, .text = {NULL, XML_TIME, IN(session, start)}},
    {.name = "end_time", .attributes = end_fields, .text = {NULL, XML_TIME, IN(session, end)}},
    FIELD("duration", XML_TEXT, duration),
    {.name = "jumpoint", .attributes = jumpoint_fields, .text = {NULL, XML_TEXT, IN(session, jumpoint_name)}},
    {.name = "jump_group",
     .attributes = group_fields,
     .text = {NULL, XML_TEXT, IN(session, jump_group_name)}},
    FIELD("external_key", XML_TEXT, external_key),
    {.name = "custom_attributes", .children = custom_attributes},
    FIELD("session_chat_view_url", XML_TEXT, chat_view_url),
    FIELD("session_chat_download_url", XML_TEXT, chat_download_url),
    FIELD("session_recording_view_url", XML_TEXT, recording_view_url),
    FIELD("session_recording_download_url", XML_TEXT, recording_download_url),
    {.name = "command_shell_recordings", .children = shell_list},
    FIELD("file_transfer_count", XML_NUMBER, file_transfers),
    FIELD("file_move_count", XML_NUMBER, file_moves),
    FIELD("file_delete_count", XML_NUMBER, file_deletes),
    {.name = "primary_customer",
     .attributes = customer_fields,
     .text = {NULL, XML_TEXT, IN(session, primary_customer)}},
    {.name = "primary_rep", .attributes = rep_fields, .text = {NULL, XML_TEXT, IN(session, primary_rep)}},
    {.name = "customer_list", .children = customer_list},
    {.name = "rep_list", .children = rep_list},
    {.name = "session_details", .children = details},
    {0}};
static const struct xml_field session_fields[] = {{"lsid", XML_LSID, IN(session, lsid)}, {0}};
static const struct xml_element sessions[] = {{.name = "session",
                                               .record = true,
                                               .init = init_session,
                                               .end = end_session,
                                               .attributes = session_fields,
                                               .children = session_parts},
                                              {0}};
const struct xml_element report_session_list = {.name = "session_list", .children = sessions};

/* ---- AccessSessionListing ---- */

static int end_listed(struct xml_reading *r, void *object, const char *text)
{
    (void)r;
    (void)text;
    return ((struct record_listed *)object)->lsid ? 0 : -EINVAL;
}

static const struct xml_field listed_fields[] = {
    {"lsid", XML_LSID, IN(listed, lsid)}, {"has_recording", XML_FLAG, IN(listed, has_recording)}, {0}};
static const struct xml_element listed[] = {
    {.name = "session_summary", .record = true, .end = end_listed, .attributes = listed_fields}, {0}};
const struct xml_element report_listing = {.name = "session_summary_list", .children = listed};

/* ---- without records ---- */

const struct xml_element report_attributes = {0};

/* Nothing but an <error> may come where an archive is asked for. */
const struct xml_element report_no_tree = {.name = "error"};
