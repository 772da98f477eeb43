/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_policies.c - AccessPolicies/Test, the pre-flight of a request, and the list of policies.
 *
 * The test answers what the request would meet: reason, ticket and approvals per access type, for schedules
 * that are open and wide enough. Nothing open: an empty array.
 */
#include "passwordsafe-sim/calls.h"

#include "passwordsafe-sim/access.h"
#include "passwordsafe-sim/schedules.h"

#include <limits.h>

static void put_schedule(struct jsonw *w, const struct model_schedule *s)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "ScheduleID", s->id);
    jsonw_bool(w, "RequireReason", s->require_reason);
    jsonw_bool(w, "RequireTicketSystem", s->require_ticket);
    wire_put_id(w, "TicketSystemID", s->ticket_system);
    jsonw_array(w, "AccessTypes");
    for (int i = 0; i < ACCESS_NTYPES; i++) {
        const struct model_offer *o = &s->offer[i];
        if (!o->offered)
            continue;
        jsonw_object(w, NULL);
        jsonw_str(w, "AccessType", model_access_names[i]);
        jsonw_bool(w, "IsSession", i != ACCESS_VIEW);
        jsonw_bool(w, "RecordSession", o->record);
        jsonw_int(w, "MinApprovers", o->min_approvers);
        jsonw_int(w, "MaxConcurrent", o->max_concurrent);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
}

/* minutes < 0 = all schedules, whether open or not. */
static void put_policy(struct dispatch *d, struct jsonw *w, const struct model_policy *p, int64_t minutes)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "AccessPolicyID", p->id);
    jsonw_str(w, "Name", p->name);
    jsonw_str(w, "Description", p->description);
    jsonw_array(w, "Schedules");
    for (size_t i = 0; i < p->nschedules; i++)
        if (minutes < 0 || schedule_open(d->model, &p->schedules[i], minutes))
            put_schedule(w, &p->schedules[i]);
    jsonw_end(w);
    jsonw_end(w);
}

static bool any_open(const struct dispatch *d, const struct model_policy *p, int64_t minutes)
{
    for (size_t i = 0; i < p->nschedules; i++)
        if (schedule_open(d->model, &p->schedules[i], minutes))
            return true;
    return false;
}

static void test(struct dispatch *d, const struct model_policy *p, int64_t minutes)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_array(&w, NULL);
    if (any_open(d, p, minutes))
        put_policy(d, &w, p, minutes);
    jsonw_end(&w);
}

static bool read_test(const struct dispatch *d, int64_t *system, int64_t *account, int64_t *minutes)
{
    return body_int(d->body, "SystemId", d->lenient, system) == BODY_GOOD &&
           body_int(d->body, "AccountId", d->lenient, account) == BODY_GOOD &&
           body_int(d->body, "DurationMinutes", d->lenient, minutes) == BODY_GOOD && *minutes >= 1 &&
           *minutes <= 525600 && *system >= 0 && *system <= INT_MAX && *account >= 0 && *account <= INT_MAX;
}

void calls_policy_test(struct dispatch *d)
{
    int64_t system_id = 0, account_id = 0, minutes = 0;
    const struct model_system *s;
    const struct model_account *a;
    const struct model_policy *p;
    const struct model_pair *pair;

    if (!read_test(d, &system_id, &account_id, &minutes)) {
        answer_text(d, 400, "SystemId, AccountId or DurationMinutes is invalid");
        return;
    }
    s = model_system(d->model, (int)system_id);
    a = model_account(d->model, (int)account_id);
    if (!s || !a) {
        answer_text(d, 404, s ? "Managed Account not found" : "Managed System not found");
        return;
    }
    p = access_policy(d->model, d->user, a);
    pair = model_pair(s, a->id);
    if (!p || !pair || !access_flags_ok(d->user, pair))
        answer_code(d, 4031);
    else
        test(d, p, minutes);
}

void calls_policies(struct dispatch *d)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < d->model->policies.n; i++)
        put_policy(d, &w, d->model->policies.item[i], -1);
    jsonw_end(&w);
}
