/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_activity.c - the trees of Team and VaultAccountActivity.
 *
 * A record of a team is one of its events: id and name of the team stand above it, and are copied into each.
 * Activity of the vault keeps its <data> as the site wrote it; it is an lsid where the event is a use.
 */
#include "reports/pra/xml_reading.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

#define IN(type, member) offsetof(struct record_##type, member)

/* ---- Team ---- */

static int begin_team(struct xml_reading *r, void *object, const char **attributes)
{
    const char *id = pra_xml_attribute(attributes, "id"), *name = pra_xml_attribute(attributes, "name");

    (void)object;
    if (!id || !text_int(id, INT64_MIN + 1, INT64_MAX, &r->number))
        r->number = RECORD_NONE;
    buf_free(&r->name);
    r->name = BUF_INIT(16384);
    return name ? buf_str(&r->name, name) : 0;
}

static void init_team(void *object)
{
    struct record_team *t = object;

    t->team_id = t->timestamp = RECORD_NONE;
}

static int end_team_event(struct xml_reading *r, void *object, const char *text)
{
    struct record_team *t = object;
    int err = 0;

    (void)text;
    t->team_id = r->number;
    if (r->name.len)
        t->name = xml_reading_text(r, r->name.data, r->name.len, &err);
    if (!err && t->timestamp == RECORD_NONE)
        err = -EINVAL;
    return err;
}

static const struct xml_list pairs = {IN(team, data), IN(team, ndata), IN(team, data_room),
                                      sizeof(struct record_pair)};
static const struct xml_field pair_fields[] = {
    {"name", XML_TEXT, IN(pair, name)}, {"value", XML_TEXT, IN(pair, value)}, {0}};
static const struct xml_element values[] = {
    {.name = "value", .list = &pairs, .attributes = pair_fields, .text = {NULL, XML_TEXT, IN(pair, value)}},
    {0}};
static const struct xml_element team_parts[] = {
    {.name = "performed_by", .text = {NULL, XML_TEXT, IN(team, performed_by)}},
    {.name = "data", .children = values},
    {0}};
static const struct xml_field team_fields[] = {
    {"timestamp", XML_TIME, IN(team, timestamp)}, {"event_type", XML_TEXT, IN(team, type)}, {0}};
static const struct xml_element team_events[] = {{.name = "event",
                                                  .record = true,
                                                  .init = init_team,
                                                  .end = end_team_event,
                                                  .attributes = team_fields,
                                                  .children = team_parts},
                                                 {0}};
static const struct xml_element team_activity[] = {{.name = "events", .children = team_events}, {0}};
static const struct xml_element teams[] = {
    {.name = "team_activity", .begin = begin_team, .children = team_activity}, {0}};
const struct xml_element report_team_list = {.name = "team_activity_list", .children = teams};

/* ---- VaultAccountActivity ---- */

static void init_vault(void *object)
{
    ((struct record_vault_activity *)object)->timestamp = RECORD_NONE;
}

static int end_vault(struct xml_reading *r, void *object, const char *text)
{
    (void)r;
    (void)text;
    return ((struct record_vault_activity *)object)->timestamp == RECORD_NONE ? -EINVAL : 0;
}

static const struct xml_field performer_fields[] = {{"type", XML_TEXT, IN(vault_activity, performed_by_type)},
                                                    {0}};
static const struct xml_element vault_parts[] = {
    {.name = "performed_by",
     .attributes = performer_fields,
     .text = {NULL, XML_TEXT, IN(vault_activity, performed_by)}},
    {.name = "data", .text = {NULL, XML_TEXT, IN(vault_activity, data)}},
    {0}};
static const struct xml_field vault_fields[] = {{"timestamp", XML_TIME, IN(vault_activity, timestamp)},
                                                {"event_type", XML_TEXT, IN(vault_activity, event_type)},
                                                {"account", XML_TEXT, IN(vault_activity, account_id)},
                                                {0}};
static const struct xml_element vault_rows[] = {{.name = "vault_account_activity",
                                                 .record = true,
                                                 .init = init_vault,
                                                 .end = end_vault,
                                                 .attributes = vault_fields,
                                                 .children = vault_parts},
                                                {0}};
const struct xml_element report_vault_list = {.name = "vault_account_activity_list", .children = vault_rows};
