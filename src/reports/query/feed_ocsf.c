/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_ocsf.c - a record as an event of OCSF: its class and what all classes share; see feed_ocsf.h.
 *
 * Columns without a place in the class go to `unmapped` under their own names, so that nothing is lost.
 */
#include "reports/query/feed_ocsf.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OCSF_VERSION   "1.3.0"
#define ACTIVITY_OTHER 99

static const struct {
    int category, uid;
    const char *category_name, *name;
    const char *profile; /* that the attributes are of; NULL */
    void (*attributes)(struct ocsf *);
} classes[OCSF_NCLASSES] = {
    [OCSF_BASE_EVENT] = {0, 0, "Uncategorized", "Base Event", NULL, NULL},
    [OCSF_NETWORK_ACTIVITY] = {4, 4001, "Network Activity", "Network Activity", "host",
                               ocsf_network_activity},
    [OCSF_AUTHENTICATION] = {3, 3002, "Identity & Access Management", "Authentication", NULL,
                             ocsf_authentication},
    [OCSF_ENTITY_MANAGEMENT] = {3, 3004, "Identity & Access Management", "Entity Management", NULL,
                                ocsf_entity_management},
    [OCSF_USER_INVENTORY] = {5, 5003, "Discovery", "User Inventory Info", NULL, ocsf_user_inventory},
};

static const char *const severities[] = {
    [SEVERITY_INFORMATIONAL] = "Informational", [SEVERITY_LOW] = "Low", [SEVERITY_MEDIUM] = "Medium"};
static const char *const statuses[] = {[STATUS_SUCCESS] = "Success", [STATUS_FAILURE] = "Failure"};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- which class, by dataset ---- */

static void uid_of(struct ocsf *o, const char *second, int64_t third, int64_t fourth)
{
    char host[OCSF_TEXT];
    const char *name = ocsf_get(o, "host_name", host);
    int n = snprintf(o->uid, sizeof(o->uid), "%s:%s", name ? name : "", second ? second : "");

    if (third != QUERY_NONE)
        n += snprintf(o->uid + n, sizeof(o->uid) - (size_t)n, ":%" PRId64, third);
    if (fourth != QUERY_NONE)
        (void)snprintf(o->uid + n, sizeof(o->uid) - (size_t)n, ":%" PRId64, fourth);
}

static void of_session(struct ocsf *o)
{
    static const struct {
        const char *state;
        int activity;
        const char *name;
        enum ocsf_severity severity;
        enum ocsf_status status;
    } rows[] = {{"running", 1, "Open", SEVERITY_INFORMATIONAL, STATUS_NONE},
                {"closed", 2, "Close", SEVERITY_INFORMATIONAL, STATUS_SUCCESS},
                {"abnormal", 3, "Reset", SEVERITY_LOW, STATUS_FAILURE}};
    char text[OCSF_TEXT];
    const char *state = ocsf_get(o, "state", text);
    size_t i = 0;

    while (i + 1 < sizeof(rows) / sizeof(*rows) && (!state || strcmp(rows[i].state, state) != 0))
        i++;
    o->class = OCSF_NETWORK_ACTIVITY;
    o->activity = rows[i].activity;
    o->activity_name = rows[i].name;
    o->severity = rows[i].severity;
    o->status = rows[i].status;
    o->time = ocsf_number(o, "end_unix");
    if (o->time == QUERY_NONE)
        o->time = ocsf_number(o, o->activity == 1 ? "start_unix" : "changed_at");
    uid_of(o, ocsf_get(o, "lsid", text), ocsf_number(o, "revision"), QUERY_NONE);
}

static void of_event(struct ocsf *o)
{
    char text[OCSF_TEXT];

    o->activity = ACTIVITY_OTHER;
    o->time = ocsf_number(o, "timestamp_unix");
    if (ocsf_get(o, "type", text))
        (void)text_copy(o->event, sizeof(o->event), text);
    o->activity_name = o->event;
    if (strcmp(o->event, "Credential Injection Attempt Failed") == 0)
        o->severity = SEVERITY_LOW;
    uid_of(o, ocsf_get(o, "lsid", text), ocsf_number(o, "revision"), ocsf_number(o, "position"));
}

static void of_account(struct ocsf *o)
{
    char id[24];

    o->class = OCSF_USER_INVENTORY;
    o->activity = 2;
    o->activity_name = "Collect";
    o->time = later(ocsf_number(o, "changed_at"), ocsf_number(o, "gone_at"));
    (void)snprintf(id, sizeof(id), "%" PRId64, ocsf_number(o, "account_id"));
    uid_of(o, id, ocsf_number(o, "seq"), QUERY_NONE);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

static void of_syslog(struct ocsf *o)
{
    static const struct {
        const char *event, *end; /* the whole word, or its end */
        enum ocsf_class class;
        int activity;
        const char *name;
    } rows[] = {
        {"login", NULL, OCSF_AUTHENTICATION, 1, "Logon"},
        {"logout", NULL, OCSF_AUTHENTICATION, 2, "Logoff"},
        {NULL, "_added", OCSF_ENTITY_MANAGEMENT, 1, "Create"},
        {NULL, "_changed", OCSF_ENTITY_MANAGEMENT, 3, "Update"},
        {NULL, "_removed", OCSF_ENTITY_MANAGEMENT, 4, "Delete"},
    };
    char text[OCSF_TEXT], status[OCSF_TEXT];

    o->activity = ACTIVITY_OTHER;
    o->time = ocsf_number(o, "timestamp_unix");
    if (ocsf_get(o, "event", text))
        (void)text_copy(o->event, sizeof(o->event), text);
    o->activity_name = o->event;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].event ? strcmp(rows[i].event, o->event) != 0 : !ends_with(o->event, rows[i].end))
            continue;
        o->class = rows[i].class;
        o->activity = rows[i].activity;
        o->activity_name = rows[i].name;
        break;
    }
    if (ocsf_get(o, "status", status))
        o->status = strcmp(status, "success") == 0 ? STATUS_SUCCESS : STATUS_FAILURE;
    else if (o->class != OCSF_BASE_EVENT)
        o->status = STATUS_SUCCESS;
    if (o->class == OCSF_AUTHENTICATION && o->status == STATUS_FAILURE)
        o->severity = SEVERITY_LOW;
    uid_of(o, ocsf_get(o, "digest", text), QUERY_NONE, QUERY_NONE);
}

/* ---- what all classes share ---- */

static void write_metadata(struct ocsf *o)
{
    const char *profile = classes[o->class].profile;
    char text[OCSF_TEXT];

    jsonw_object(&o->w, "metadata");
    jsonw_str(&o->w, "version", OCSF_VERSION);
    jsonw_object(&o->w, "product");
    jsonw_str(&o->w, "name", "Privileged Remote Access");
    jsonw_str(&o->w, "vendor_name", "BeyondTrust");
    jsonw_end(&o->w);
    jsonw_str(&o->w, "uid", o->uid);
    jsonw_int(&o->w, "sequence", o->record->seq);
    ocsf_put(o, "correlation_uid", ocsf_get(o, "lsid", text));
    ocsf_put(o, "event_code", o->event);
    jsonw_str(&o->w, "log_name", o->batch->layout->source->name);
    jsonw_str(&o->w, "log_provider", "jumpgate-reports");
    ocsf_put_time(o, "modified_time", ocsf_number(o, "changed_at"));
    if (profile)
        jsonw_strs(&o->w, "profiles", &profile, 1);
    jsonw_end(&o->w);
}

static void write_shared(struct ocsf *o)
{
    jsonw_int(&o->w, "activity_id", o->activity);
    jsonw_str(&o->w, "activity_name", *o->activity_name ? o->activity_name : "Other");
    jsonw_int(&o->w, "category_uid", classes[o->class].category);
    jsonw_str(&o->w, "category_name", classes[o->class].category_name);
    jsonw_int(&o->w, "class_uid", classes[o->class].uid);
    jsonw_str(&o->w, "class_name", classes[o->class].name);
    jsonw_int(&o->w, "type_uid", classes[o->class].uid * 100 + o->activity);
    jsonw_int(&o->w, "severity_id", o->severity);
    jsonw_str(&o->w, "severity", severities[o->severity]);
    if (o->status != STATUS_NONE) {
        jsonw_int(&o->w, "status_id", o->status);
        jsonw_str(&o->w, "status", statuses[o->status]);
    }
    jsonw_int(&o->w, "time", o->time == QUERY_NONE ? 0 : o->time * 1000);
    ocsf_put(o, "message", o->event);
    write_metadata(o);
}

static void write_unmapped(struct ocsf *o)
{
    const struct feed_layout *l = o->batch->layout;

    jsonw_object(&o->w, "unmapped");
    for (size_t i = 0; i < l->ncolumns; i++)
        if (!l->columns[i].mapped && (l->columns[i].kind == FEED_PART || !o->record->cells[i].null))
            feed_write_column(&o->w, o->batch, o->record, i);
    if (o->record->shortened)
        jsonw_bool(&o->w, "shortened", true);
    jsonw_end(&o->w);
}

void feed_write_ocsf(const struct feed_batch *b, const struct feed_record *r, struct buf *out)
{
    static void (*const of_dataset[FEED_NDATASETS])(struct ocsf *) = {[FEED_SESSIONS] = of_session,
                                                                      [FEED_EVENTS] = of_event,
                                                                      [FEED_ACCOUNTS] = of_account,
                                                                      [FEED_SYSLOG] = of_syslog};
    struct ocsf o = {.batch = b,
                     .record = r,
                     .w = jsonw_start(out),
                     .class = OCSF_BASE_EVENT,
                     .severity = SEVERITY_INFORMATIONAL,
                     .status = STATUS_NONE};

    of_dataset[b->layout->dataset](&o);
    jsonw_object(&o.w, NULL);
    write_shared(&o);
    if (classes[o.class].attributes)
        classes[o.class].attributes(&o);
    write_unmapped(&o);
    jsonw_end(&o.w);
    (void)buf_char(out, '\n');
}
