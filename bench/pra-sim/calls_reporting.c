/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_reporting.c - the Reporting API: which report it is, and what it is about.
 *
 * A period is one of start_date, start_time, end_date, end_time together with duration: days with a date,
 * seconds with a time, 0 = up to now. By start it holds sessions that began in it, also those that run; by
 * end it holds sessions that ended in it and have an end time.
 */
#include "pra-sim/report_activity.h"
#include "pra-sim/report_xml.h"
#include "pra-sim/spoil.h"
#include "pra-sim/syslog.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S INT64_C(86400)

#define PARAMETERS 10

struct report {
    const char *name, *list;
    const char *rows; /* what it has not, in the text of an empty one */
    void (*run)(struct dispatch *, const struct report *);
    void (*put)(struct dispatch *, struct xml *, const struct row *);       /* one session */
    size_t (*fill)(struct dispatch *, struct xml *, const struct period *); /* all rows */
    enum permission permission;
    const char *parameters[PARAMETERS]; /* NULL-ended */
};

/* ---- the period ---- */

static bool read_date(const char *text, int64_t *out)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);

    if (strlen(text) != 10 || !end || *end)
        return false;
    *out = (int64_t)timegm(&tm);
    return true;
}

static bool read_point(const char *text, bool date, int64_t *out)
{
    return date ? read_date(text, out) : text_int(text, 0, INT64_C(1) << 40, out);
}

static const struct point {
    const char *name;
    bool by_end, date;
} points[] = {
    {"start_date", false, true},
    {"start_time", false, false},
    {"end_date", true, true},
    {"end_time", true, false},
};
#define NPOINTS (sizeof(points) / sizeof(points[0]))

/* The one that is given; NULL and answered when it is none or several. */
static const struct point *only_point(struct dispatch *d)
{
    const struct point *found = NULL;
    size_t n = 0;
    bool both_starts;

    for (size_t i = 0; i < NPOINTS; i++) {
        if (!dispatch_param(d, points[i].name))
            continue;
        found = &points[i];
        n++;
    }
    both_starts = n == 2 && dispatch_param(d, "start_date") && dispatch_param(d, "start_time");
    if (n == 1 || (both_starts && d->site->knob[KNOB_BOTH_TIMES]))
        return found;
    if (n)
        answer_violation(d, VIOLATION_BOTH_TIMES,
                         "Only one of start_date, start_time, end_date and end_time may be given.");
    else
        answer_violation(d, VIOLATION_MISSING_PARAMETER, "Missing parameter: a start or end date or time");
    return NULL;
}

static bool read_period(struct dispatch *d, struct period *p)
{
    const struct point *point = only_point(d);
    const char *duration = dispatch_param(d, "duration");
    int64_t length;

    if (!point)
        return false;
    if (!duration) {
        answer_violation(d, VIOLATION_MISSING_PARAMETER, "Missing parameter: duration");
        return false;
    }
    if (!read_point(dispatch_param(d, point->name), point->date, &p->from) ||
        !text_int(duration, 0, INT64_C(1) << 40, &length)) {
        answer_violation(d, VIOLATION_BAD_PARAMETER, "A date, time or duration is not valid.");
        return false;
    }
    p->by_end = point->by_end;
    p->to = length ? p->from + length * (point->date ? DAY_S : 1) : INT64_MAX;
    return true;
}

/* ---- answers ---- */

static void no_rows(struct dispatch *d, const struct report *r)
{
    char text[96];
    struct xml x;

    if (d->site->knob[KNOB_NO_ROWS] == NO_ROWS_EMPTY) {
        x = answer_xml(d);
        xml_open(&x, r->list);
        xml_close(&x);
        return;
    }
    if (d->site->knob[KNOB_NO_ROWS] == NO_ROWS_CRITERIA)
        (void)snprintf(text, sizeof(text), "No %s matching your chosen criteria is available.", r->rows);
    else
        (void)snprintf(text, sizeof(text), "No %s found for the given search criteria.",
                       strcmp(r->rows, "session data") == 0 ? "sessions" : r->rows);
    answer_error(d, r->list, text);
}

static void put_rows(struct dispatch *d, const struct report *r, const struct period *p)
{
    struct rows rows;
    struct xml x;

    rows_find(d->site, p, &rows);
    rows_spoil(&rows, d->opts.fault);
    if (!rows.n) {
        no_rows(d, r);
        return;
    }
    x = answer_xml(d);
    xml_open(&x, r->list);
    for (size_t i = 0; r->put && i < rows.n && !x.buf->failed; i++)
        r->put(d, &x, &rows.row[i]);
    if (!r->put)
        report_summaries(d, &x, &rows);
    xml_close(&x);
    d->answer->body.failed |= rows.failed;
    rows_free(&rows);
}

/* ---- by lsid ---- */

static void put_listed(struct dispatch *d, const struct report *r, const char *list)
{
    struct xml x = answer_xml(d);
    char lsid[64];
    size_t n = 0;

    xml_open(&x, r->list);
    for (; *list; list += strcspn(list, ","), list += *list == ',') {
        struct row row;
        if (!text_copy_n(lsid, sizeof(lsid), list, strcspn(list, ",")) || !rows_by_lsid(d->site, lsid, &row))
            continue;
        r->put(d, &x, &row);
        if (d->opts.fault == SPOIL_ROWS_TWICE)
            r->put(d, &x, &row);
        n++;
    }
    xml_close(&x);
    if (n)
        return;
    buf_clear(&d->answer->body);
    if (d->site->knob[KNOB_INVALID_LSID])
        no_rows(d, r);
    else
        answer_error(d, r->list, "Invalid lsid.");
}

/* True when the report is asked by lsid, and answered. */
static bool by_lsid(struct dispatch *d, const struct report *r)
{
    const char *one = dispatch_param(d, "lsid"), *many = dispatch_param(d, "lsids");

    if (!one && !many)
        return false;
    for (size_t i = 0; i < NPOINTS; i++) {
        if ((one && many) || dispatch_param(d, points[i].name)) {
            answer_violation(d, VIOLATION_BOTH_TIMES, "lsid, lsids and times exclude each other.");
            return true;
        }
    }
    put_listed(d, r, one ? one : many);
    return true;
}

/* ---- kinds of reports ---- */

static void run_sessions(struct dispatch *d, const struct report *r)
{
    struct period period = {0};

    if (!by_lsid(d, r) && read_period(d, &period))
        put_rows(d, r, &period);
}

static void run_summary(struct dispatch *d, const struct report *r)
{
    const char *type = dispatch_param(d, "report_type");
    struct period period = {0};

    if (!type || strcmp(type, "user") != 0)
        answer_violation(d, type ? VIOLATION_BAD_PARAMETER : VIOLATION_MISSING_PARAMETER,
                         "report_type must be user.");
    else if (read_period(d, &period))
        put_rows(d, r, &period);
}

static void run_activity(struct dispatch *d, const struct report *r)
{
    struct period period = {0};
    struct xml x;
    size_t n;

    if (!read_period(d, &period))
        return;
    x = answer_xml(d);
    xml_open(&x, r->list);
    n = r->fill(d, &x, &period);
    xml_close(&x);
    if (n)
        return;
    buf_clear(&d->answer->body);
    no_rows(d, r);
}

static void run_syslog(struct dispatch *d, const struct report *r)
{
    (void)r;
    syslog_zip(d);
}

/* ---- the table ---- */

#define TIMES "generate_report", "start_date", "start_time", "end_date", "end_time", "duration"

static const struct report reports[] = {
    {.name = "AccessSessionListing",
     .list = "session_summary_list",
     .rows = "session data",
     .run = run_sessions,
     .put = report_listing_row,
     .permission = PERM_REPORTING_SUPPORT,
     .parameters = {TIMES}},
    {.name = "AccessSession",
     .list = "session_list",
     .rows = "session data",
     .run = run_sessions,
     .put = report_session,
     .permission = PERM_REPORTING_SUPPORT,
     .parameters = {TIMES, "lsid", "lsids"}},
    {.name = "AccessSessionSummary",
     .list = "summary_list",
     .rows = "session data",
     .run = run_summary,
     .permission = PERM_REPORTING_SUPPORT,
     .parameters = {TIMES, "report_type"}},
    {.name = "Team",
     .list = "team_activity_list",
     .rows = "team activity",
     .run = run_activity,
     .fill = report_team,
     .permission = PERM_REPORTING_SUPPORT,
     .parameters = {TIMES}},
    {.name = "VaultAccountActivity",
     .list = "vault_account_activity_list",
     .rows = "vault account activity",
     .run = run_activity,
     .fill = report_vault,
     .permission = PERM_REPORTING_VAULT,
     .parameters = {TIMES, "limit"}},
    {.name = "Syslog",
     .list = "syslog",
     .run = run_syslog,
     .permission = PERM_REPORTING_SYSLOG,
     .parameters = {"generate_report"}},
};

static const char *const others[] = {"AccessSessionRecording", "CommandShellRecording",
                                     "EndpointLicenseUsage", "JumpItem"};

static const struct report *report_named(const char *name)
{
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        if (strcmp(reports[i].name, name) == 0)
            return &reports[i];
    return NULL;
}

static void no_such_report(struct dispatch *d, const char *name)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i], name) != 0)
            continue;
        answer_violation(d, VIOLATION_NOT_SIMULATED, "This report is not simulated.");
        return;
    }
    answer_violation(d, VIOLATION_BAD_PARAMETER, "Unknown report.");
}

void calls_reporting(struct dispatch *d)
{
    const char *name = dispatch_param(d, "generate_report");
    const struct report *r = name ? report_named(name) : NULL;

    if (!name || !*name)
        answer_violation(d, VIOLATION_MISSING_PARAMETER, "Missing parameter: generate_report");
    else if (!r)
        no_such_report(d, name);
    else if (!d->account->permission[r->permission])
        answer_denied(d, r->list);
    else if (dispatch_params_known(d, r->parameters))
        r->run(d, r);
}
