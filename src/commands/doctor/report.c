/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - findings, and the two ways to show them: a page for people, an object for programs.
 *
 * Stages without a report are shown as not reached.
 *
 * Texts may hold names of the vault; control and invisible characters are escaped (utf8_visible), so that
 * they cannot change the page. A note without memory or space is left out.
 */
#include "commands/doctor/report.h"

#include "base/jsonw.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_SIZE   512
#define TEXT_MAX    65536 /* before it is cut */
#define TEXT_COLUMN 25    /* where the text of a stage begins */
#define PAGE_WIDTH  110

static const char *const words[] = {
    [STATE_UNKNOWN] = "unknown", [STATE_OK] = "ok", [STATE_WARNING] = "warning", [STATE_FAILED] = "failed"};

#define NOT_REACHED "not reached: an earlier stage failed"

static void write_text(char *out, size_t size, const struct buf *raw)
{
    struct buf shown = BUF_INIT(TEXT_MAX);

    utf8_visible(&shown, raw->data, raw->len);
    (void)text_copy_n(out, size, shown.data ? shown.data : "", shown.len);
    buf_free(&shown);
}

static void add_note(struct doctor_finding *finding, const struct buf *raw)
{
    char text[NOTE_SIZE];

    if (finding->nnotes == REPORT_NOTES)
        return;
    write_text(text, sizeof(text), raw);
    finding->note[finding->nnotes] = strdup(text);
    if (finding->note[finding->nnotes])
        finding->nnotes++;
}

void report_write(struct doctor_report *report, enum report_part part, const char *fmt, ...)
{
    static const enum doctor_state states[] = {[REPORT_OK] = STATE_OK,
                                               [REPORT_UNKNOWN] = STATE_UNKNOWN,
                                               [REPORT_WARNING] = STATE_WARNING,
                                               [REPORT_FAILED] = STATE_FAILED};
    struct doctor_finding *finding = &report->of[report->stage];
    struct buf raw = BUF_INIT(TEXT_MAX);
    va_list ap;

    va_start(ap, fmt);
    (void)buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    switch (part) {
    case REPORT_CAUSE: write_text(finding->cause, sizeof(finding->cause), &raw); break;
    case REPORT_REMEDY: write_text(finding->remedy, sizeof(finding->remedy), &raw); break;
    case REPORT_NOTE: add_note(finding, &raw); break;
    default: finding->state = states[part]; write_text(finding->detail, sizeof(finding->detail), &raw);
    }
    buf_free(&raw);
}

void report_free(struct doctor_report *report)
{
    for (size_t s = 0; s < STAGE_N; s++)
        for (size_t i = 0; i < report->of[s].nnotes; i++)
            free(report->of[s].note[i]);
}

/* NULL = none has failed. */
static const struct doctor_row *first_failed(const struct doctor_report *report)
{
    for (size_t s = 0; s < STAGE_N; s++)
        if (report->of[s].state == STATE_FAILED)
            return &doctor_rows[s];
    return NULL;
}

int report_exit_code(const struct doctor_report *report)
{
    const struct doctor_row *failed = first_failed(report);

    return failed ? failed->exit_code : 0;
}

/* The stages of a vault where one is looked at, those of the site where one is; the gateway's own beside a
 * vault's. */
static bool is_shown(const struct doctor_report *report, size_t stage)
{
    if (report->checklist)
        return (stage <= STAGE_SIGN_IN && stage != STAGE_MAPPING) || stage == STAGE_PROBE;
    if (stage == STAGE_PROBE)
        return false;
    if (stage >= STAGE_PRA_SECRET && stage < STAGE_LISTENER)
        return report->site;
    if (stage >= STAGE_STORE_REACH && stage <= STAGE_STORE_CLUSTER && !report->etcd)
        return false;
    return stage == STAGE_CONFIGURATION || report->user;
}

static const char *detail_of(const struct doctor_finding *finding)
{
    return *finding->detail ? finding->detail : NOT_REACHED;
}

/* ---- for people ---- */

/* The text, broken at blanks, all lines but the first indented. */
static void print_wrapped(struct buf *out, const char *text, size_t column, size_t indent)
{
    for (bool first = true; *text; first = false) {
        size_t len = strcspn(text, " ");
        if (!first && column + 1 + len > PAGE_WIDTH) {
            (void)buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            (void)buf_char(out, ' ');
            column++;
        }
        (void)buf_append(out, text, len);
        column += len;
        text += len + (text[len] == ' ');
    }
    (void)buf_char(out, '\n');
}

static void print_labelled(struct buf *out, const char *label, const char *text)
{
    int n = (int)strlen(label);

    if (!*text)
        return;
    (void)buf_printf(out, "%*s%s", TEXT_COLUMN, "", label);
    print_wrapped(out, text, TEXT_COLUMN + (size_t)n, TEXT_COLUMN + (size_t)n);
}

static void print_stage(const struct doctor_report *report, enum doctor_stage stage, struct buf *out)
{
    const struct doctor_finding *finding = &report->of[stage];

    (void)buf_printf(out, "%-8s %-15s ", finding->state == STATE_FAILED ? "FAILED" : words[finding->state],
                     doctor_rows[stage].name);
    print_wrapped(out, detail_of(finding), TEXT_COLUMN, TEXT_COLUMN);
    for (size_t i = 0; i < finding->nnotes; i++)
        print_labelled(out, "- ", finding->note[i]);
    if (finding->state != STATE_FAILED && finding->state != STATE_WARNING)
        return;
    print_labelled(out, "likely cause: ", finding->cause);
    print_labelled(out, "what to do:   ", finding->remedy);
}

static void print_verdict(const struct doctor_report *report, struct buf *out)
{
    const struct doctor_row *failed = first_failed(report);

    if (!failed && report->checklist)
        (void)buf_str(out, "\nNothing of the checklist is refuted.\n");
    else if (failed)
        (void)buf_printf(out, "\nThe first thing to put right: %s (exit code %d).\n", failed->name,
                         failed->exit_code);
    else
        (void)buf_printf(out, "\nNothing found that stands in the way of %s.%s\n",
                         report->user ? "this user on this host" : "the PRA site",
                         report->user && report->shared_identity
                             ? " The application's identity is used for all users:\nwhether the vault knows "
                               "this user was not looked at."
                             : "");
}

void report_print(const struct doctor_report *report, struct buf *out)
{
    (void)buf_str(out, "jumpgate doctor: ");
    if (report->user) {
        (void)buf_str(out, "user ");
        utf8_visible(out, report->user, strlen(report->user));
        (void)buf_str(out, ", host ");
        utf8_visible(out, report->host, strlen(report->host));
        (void)buf_printf(out, ", vault %s", report->vault ? report->vault : "-");
    }
    if (report->checklist)
        (void)buf_printf(out, "probe of vault %s", report->vault ? report->vault : "-");
    if (report->site)
        (void)buf_printf(out, "%sPRA site %s", report->user ? ", " : "", report->site);
    (void)buf_str(out, "\n\n");
    for (size_t s = 0; s < STAGE_N; s++)
        if (is_shown(report, s))
            print_stage(report, (enum doctor_stage)s, out);
    if (report->checklist)
        checklist_print(report->checklist, out);
    print_verdict(report, out);
}

/* ---- for programs ---- */

static void json_text(struct jsonw *w, const char *name, const char *text)
{
    jsonw_str(w, name, *text ? text : NULL);
}

static void json_stage(const struct doctor_finding *finding, const struct doctor_row *stage, struct jsonw *w)
{
    bool failed = finding->state == STATE_FAILED || finding->state == STATE_WARNING;

    jsonw_object(w, NULL);
    jsonw_str(w, "stage", stage->name);
    jsonw_str(w, "state", words[finding->state]);
    jsonw_str(w, "detail", detail_of(finding));
    if (failed && finding->fault)
        jsonw_str(w, "fault", finding->fault);
    json_text(w, "cause", failed ? finding->cause : "");
    json_text(w, "remedy", failed ? finding->remedy : "");
    jsonw_array(w, "notes");
    for (size_t i = 0; i < finding->nnotes; i++)
        jsonw_str(w, NULL, finding->note[i]);
    jsonw_end(w);
    jsonw_end(w);
}

void report_json(const struct doctor_report *report, struct buf *out)
{
    const struct doctor_row *failed = first_failed(report);
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_bool(&w, "ok", !failed);
    jsonw_int(&w, "exit_code", failed ? failed->exit_code : 0);
    jsonw_str(&w, "failed", failed ? failed->name : NULL);
    jsonw_str(&w, "vault", report->vault);
    jsonw_str(&w, "user", report->user);
    jsonw_str(&w, "host", report->host);
    if (report->site)
        jsonw_str(&w, "pra", report->site);
    jsonw_array(&w, "stages");
    for (size_t s = 0; s < STAGE_N; s++)
        if (is_shown(report, s))
            json_stage(&report->of[s], &doctor_rows[s], &w);
    jsonw_end(&w);
    if (report->checklist)
        checklist_json(report->checklist, &w);
    jsonw_end(&w);
    (void)buf_char(out, '\n');
}
