/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pi_list.c - the sections of the map for this user and host, and what is nearest where there is none; see
 * pi.h. The vault is not asked.
 */
#include "commands/doctor/pi.h"

#include "base/did_you_mean.h"
#include "broker/identity/host_names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOTED_MAX 10

static void note_found(struct doctor *d, const struct pi_found *found)
{
    for (size_t i = 0; i < found->n && i < NOTED_MAX; i++) {
        const struct pi_credential *c = found->list[i];

        if (c->shared)
            report_note(d, "%s of %s, list %s", c->full_account, c->system, c->list);
        else
            report_note(d, "%s on %s", c->full_account, c->system);
    }
}

static bool names_user(const struct pi_found *found, const char *section)
{
    for (size_t i = 0; i < found->named && i < ENTITLED_SECTIONS_MAX; i++)
        if (strcmp(found->section[i], section) == 0)
            return true;
    return false;
}

/* The users of the sections, or the hosts of those that name this user. */
static void offer(struct doctor *d, const struct pi_found *found, bool hosts, struct did_you_mean *near)
{
    for (size_t i = 0; i < d->conf->naccesses; i++) {
        const struct conf_access *a = &d->conf->accesses[i];
        const struct conf_list *list = hosts ? &a->hosts : &a->users;

        if (conf_access_vault(d->conf, a) != d->vault_conf || (hosts && !names_user(found, a->name)))
            continue;
        for (size_t k = 0; k < list->n; k++)
            did_you_mean_offer(near, list->item[k]);
    }
}

static void explain_user(struct doctor *d, const struct pi_found *found)
{
    struct did_you_mean near = DID_YOU_MEAN(d->args->user);
    char hint[200];

    report_failed(d, "none of the %zu section%s of the map names %s", found->by_user,
                  found->by_user == 1 ? "" : "s", d->args->user);
    offer(d, found, false, &near);
    report_cause(d, "the user is not in `users` or `users_file` of a section%s",
                 did_you_mean_hint(&near, hint, sizeof(hint)));
    report_remedy(
        d, "add the user to an [access] section; a bare name fits only a session without domain, after "
           "`default_domain` is applied");
}

static void explain_host(struct doctor *d, const struct pi_found *found)
{
    struct did_you_mean near = DID_YOU_MEAN(d->args->host);
    char hint[200];

    report_failed(d, "%zu section%s name %s, and none of them for %s", found->named,
                  found->named == 1 ? "" : "s", d->args->user, d->args->host);
    offer(d, found, true, &near);
    report_cause(d, "`hosts` of these sections fits none of the host's names that `match` selects%s",
                 did_you_mean_hint(&near, hint, sizeof(hint)));
    report_remedy(d, "add a pattern to `hosts`, or compare the names with those of the jump item in PRA");
    for (size_t i = 0; i < found->named && i < NOTED_MAX; i++)
        report_note(d, "[access %s] names the user", found->section[i]);
}

static int find(struct doctor *d, struct pi_found *found)
{
    struct host_names names;
    const struct host_name *selected[HOST_NAMES_MAX];
    const char *forms[HOST_NAMES_MAX];
    int err = host_names_make(&d->session, &names);

    if (err)
        return err;
    size_t n = host_names_select(&names, d->vault_conf, selected);
    for (size_t i = 0; i < n; i++)
        forms[i] = selected[i]->value;
    const struct pi_session session = {
        .username = d->username, .domain = d->domain, .forms = forms, .nforms = n};
    err = pi_access_find(d->pi->access, &session, found);
    host_names_free(&names);
    return err;
}

bool pi_doctor_list(struct doctor *d)
{
    struct pi_found found;

    if (find(d, &found)) {
        report_unknown(d, "out of memory");
        return false;
    }
    bool any = found.n > 0;
    if (any) {
        report_ok(d, "%zu credential%s on %s for %s, by the map", found.n, found.n == 1 ? "" : "s",
                  d->args->host, d->args->user);
        note_found(d, &found);
    } else if (found.named) {
        explain_host(d, &found);
    } else {
        explain_user(d, &found);
    }
    pi_found_free(&found);
    return any;
}
