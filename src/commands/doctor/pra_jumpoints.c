/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pra_jumpoints.c - the stage pra_jumpoint: each Jumpoint that is watched is known, enabled,
 * connected.
 *
 * Pages are read until all configured names are found, and at most PAGES_MAX of them. What lies behind is a
 * warning, since nothing is known of it.
 */
#include "backends/pra/pra.h"
#include "commands/doctor/pra.h"
#include "conf/conf.h"

#include <stdio.h>
#include <string.h>

#define PAGES_MAX 10

static bool is_wanted(const struct site_doctor *s, const char *name, bool *found)
{
    const struct conf_jumpoints *wanted = &s->conf->jumpoints;

    for (size_t i = 0; i < wanted->names.n; i++)
        if (strcmp(wanted->names.item[i], name) == 0) {
            found[i] = true;
            return true;
        }
    return wanted->all;
}

struct jumpoint_findings {
    bool found[64];    /* of the configured names; the table's maximum */
    size_t read;       /* Jumpoints of the site */
    bool cut;          /* there are more */
    const char *fault; /* the first one */
    char detail[256];
};

static void judge_jumpoint(struct site_doctor *s, const struct pra_jumpoint *j, struct jumpoint_findings *f)
{
    f->read++;
    if (!is_wanted(s, j->name, f->found))
        return;
    report_note(s->d, "%s: %s, %s", j->name, j->enabled ? "enabled" : "disabled",
                j->connected ? "connected" : "not connected");
    if (f->fault || (j->enabled && j->connected) || (s->conf->jumpoints.all && !j->enabled))
        return; /* of `all` those that are in use */
    f->fault = j->enabled ? "jumpoint_disconnected" : "jumpoint_disabled";
    (void)snprintf(f->detail, sizeof(f->detail), "Jumpoint %s is %s", j->name,
                   j->enabled ? "not connected" : "disabled");
}

/* A configured name that no page so far has; NULL = none. */
static const char *first_unseen(const struct site_doctor *s, const struct jumpoint_findings *f)
{
    const struct conf_list *names = &s->conf->jumpoints.names;

    for (size_t i = 0; i < names->n; i++)
        if (!f->found[i])
            return names->item[i];
    return NULL;
}

/* PRA_OK, or the fault of a page, which is explained. */
static enum pra_fault read_jumpoints(struct site_doctor *s, struct jumpoint_findings *f)
{
    static const struct explanation rows[] = {
        {PRA_DENIED, "configuration_denied", "the account may not use the Configuration API",
         "Management > API Configuration: set Configuration API to Allow Access"},
        {PRA_OK, "configuration_denied", "the list of Jumpoints could not be read", "see the detail"},
    };
    enum pra_fault fault = PRA_OK;
    bool last = false, enough = false;

    for (unsigned page = 1; fault == PRA_OK && !last && !enough && page <= PAGES_MAX; page++) {
        struct site_call call = {.call = {.kind = PRA_CALL_JUMPOINTS, .page = page}};

        site_ask(s, &call);
        fault = call.call.result.fault;
        for (size_t i = 0; fault == PRA_OK && i < call.call.answer.jumpoints.n; i++)
            judge_jumpoint(s, &call.call.answer.jumpoints.rows[i], f);
        last = call.call.answer.jumpoints.last || !call.call.answer.jumpoints.n;
        enough = !s->conf->jumpoints.all && !first_unseen(s, f);
        if (fault != PRA_OK)
            site_explain(s, &rows[site_denies(&call.call.result) ? 0 : 1], &call.call.result);
        pra_call_free(&call.call);
    }
    f->cut = fault == PRA_OK && !last && !enough;
    return fault;
}

/* Behind the last page that is read nothing is known: a warning, and no fault. */
static void judge_unseen(struct site_doctor *s, struct jumpoint_findings *f)
{
    const char *name = first_unseen(s, f);
    char detail[256];

    if (name && !f->cut) {
        f->fault = "jumpoint_unknown";
        (void)snprintf(f->detail, sizeof(f->detail), "the site has no Jumpoint %s", name);
    }
    if (!f->cut)
        return;
    (void)snprintf(detail, sizeof(detail),
                   "the first %zu Jumpoints of the site were looked at, the others not%s%s", f->read,
                   name ? "; not seen: " : "", name ? name : "");
    site_fault(s, REPORT_WARNING, "jumpoints_cut", detail,
               "the site has more Jumpoints than the doctor reads",
               "see the Jumpoints in /status of the running gateway, which reads ten times as many");
}

void site_check_jumpoints(struct site_doctor *s)
{
    const struct conf_jumpoints *wanted = &s->conf->jumpoints;
    struct jumpoint_findings f = {.fault = NULL};

    site_enter(s, STAGE_PRA_JUMPOINT);
    if (!wanted->all && !wanted->names.n) {
        report_ok(s->d, "not looked at: `jumpoints` is not set");
        return;
    }
    if (read_jumpoints(s, &f) != PRA_OK)
        return;
    judge_unseen(s, &f);
    if (f.fault)
        site_fault(s, REPORT_FAILED, f.fault, f.detail,
                   "the Jumpoint was renamed, stopped or disabled, or `jumpoints` is misspelt",
                   "see Jump > Jumpoint at the site; start the Jumpoint's service on its machine");
    else if (s->d->report.of[STAGE_PRA_JUMPOINT].state == STATE_UNKNOWN)
        report_ok(s->d, "all Jumpoints that are looked at are connected");
}
