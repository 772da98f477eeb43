/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_reporting.c - the Reporting API: which sessions a report is about, and the three kinds of report.
 *
 * A period is one of start_date, start_time, end_date, end_time together with duration: days with a date,
 * seconds with a time, 0 = up to now. By start it holds sessions that began in it, also those that run; by
 * end it holds sessions that ended in it and have an end time.
 */
#include "pra-sim/report_xml.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S INT64_C(86400)

struct report {
    const char *name, *list;
    void (*put)(struct dispatch *, struct xml *, const struct row *);
    bool by_lsid;
    enum permission permission;
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
    struct xml x;

    if (d->site->knob[KNOB_NO_ROWS] == NO_ROWS_CRITERIA) {
        answer_error(d, r->list, "No session data matching your chosen criteria is available.");
        return;
    }
    if (d->site->knob[KNOB_NO_ROWS] == NO_ROWS_FOUND) {
        answer_error(d, r->list, "No sessions found for the given search criteria.");
        return;
    }
    x = answer_xml(d);
    xml_open(&x, r->list);
    xml_close(&x);
}

static void put_rows(struct dispatch *d, const struct report *r, const struct period *p)
{
    struct rows rows;
    struct xml x;

    rows_find(d->site, p, &rows);
    if (d->opts.rows_twice)
        rows_repeat(&rows);
    if (d->opts.rows_shuffled)
        rows_shuffle(&rows);
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

    if (!r->by_lsid || (!one && !many))
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

/* ---- the table ---- */

static const struct report reports[] = {
    {"AccessSessionListing", "session_summary_list", report_listing_row, false, PERM_REPORTING_SUPPORT},
    {"AccessSession", "session_list", report_session, true, PERM_REPORTING_SUPPORT},
    {"AccessSessionSummary", "summary_list", NULL, false, PERM_REPORTING_SUPPORT},
};

static const char *const others[] = {
    "AccessSessionRecording", "CommandShellRecording", "EndpointLicenseUsage", "JumpItem", "Syslog", "Team",
    "VaultAccountActivity"};

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

static bool known(struct dispatch *d, const struct report *r)
{
    static const char *const usual[] = {"generate_report", "start_date", "start_time", "end_date",
                                        "end_time",        "duration",   NULL};
    static const char *const session[] = {
        "generate_report", "start_date", "start_time", "end_date", "end_time",
        "duration",        "lsid",       "lsids",      NULL};
    static const char *const summary[] = {"generate_report", "start_date", "start_time",  "end_date",
                                          "end_time",        "duration",   "report_type", NULL};
    const char *type = dispatch_param(d, "report_type");

    if (!dispatch_params_known(d, r->by_lsid ? session : r->put ? usual : summary))
        return false;
    if (r->put || (type && strcmp(type, "user") == 0))
        return true;
    answer_violation(d, type ? VIOLATION_BAD_PARAMETER : VIOLATION_MISSING_PARAMETER,
                     "report_type must be user.");
    return false;
}

void calls_reporting(struct dispatch *d)
{
    const char *name = dispatch_param(d, "generate_report");
    const struct report *r = name ? report_named(name) : NULL;
    struct period period = {0};

    if (!name || !*name) {
        answer_violation(d, VIOLATION_MISSING_PARAMETER, "Missing parameter: generate_report");
        return;
    }
    if (!r) {
        no_such_report(d, name);
        return;
    }
    if (!d->account->permission[r->permission]) {
        answer_denied(d, r->list);
        return;
    }
    if (known(d, r) && !by_lsid(d, r) && read_period(d, &period))
        put_rows(d, r, &period);
}
