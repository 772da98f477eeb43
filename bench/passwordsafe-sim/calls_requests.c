/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_requests.c - POST and GET Requests, check-in, approval, denial, termination.
 *
 * Order of checks of POST Requests: 400 for what can be seen in the body (and for a reason or ticket that the
 * policy wants, where a policy is known), 404 for unknown ids, 403/4031 for what the user may not do, 4035
 * for too few approvers, then the conflict table in requests.c.
 */
#include "passwordsafe-sim/calls.h"

#include "base/text.h"
#include "passwordsafe-sim/access.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/schedules.h"

#include <limits.h>
#include <string.h>

#define REASON_MAX  1000
#define MINUTES_MAX 525600

static const char gone_text[] = "Request has been released or is expired";

/* ---- POST Requests: reading ---- */

struct create {
    struct dispatch *d;
    int64_t system_id, account_id, application_id, minutes, schedule_id, ticket_system;
    bool rotate, rotate_given;
    struct request_wish wish;
    const struct model_schedule *schedule;
};

/* An optional integer; false when present and no integer. */
static bool optional_int(const struct create *c, const char *name, int64_t *out)
{
    return body_int(c->d->body, name, c->d->lenient, out) != BODY_BAD;
}

static bool required_int(const struct create *c, const char *name, int64_t *out)
{
    return body_int(c->d->body, name, c->d->lenient, out) == BODY_GOOD && *out >= 0 && *out <= INT_MAX;
}

static const char *read_access(struct create *c)
{
    const char *text = NULL;

    c->wish.access = ACCESS_VIEW;
    if (body_str(c->d->body, "AccessType", &text) == BODY_BAD)
        return "AccessType is invalid";
    if (text && *text)
        c->wish.access = model_access_of(text);
    if (c->wish.access == ACCESS_NTYPES)
        return "AccessType is invalid";
    if (c->wish.access == ACCESS_APP && c->application_id == 0)
        return "ApplicationID is required for AccessType App";
    return NULL;
}

static const char *read_conflict(struct create *c)
{
    const char *text = NULL;

    if (body_str(c->d->body, "ConflictOption", &text) == BODY_BAD)
        return "ConflictOption is invalid";
    if (!text || !*text)
        c->wish.conflict = CONFLICT_NONE;
    else if (text_equal_nocase(text, "reuse"))
        c->wish.conflict = CONFLICT_REUSE;
    else if (text_equal_nocase(text, "renew"))
        c->wish.conflict = CONFLICT_RENEW;
    else
        return "ConflictOption is invalid";
    return NULL;
}

/* Characters, not bytes, count. */
static size_t letters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80)
            n++;
    return n;
}

static const char *read_texts(struct create *c)
{
    if (body_str(c->d->body, "Reason", &c->wish.reason) == BODY_BAD ||
        (c->wish.reason && letters(c->wish.reason) > REASON_MAX))
        return "Reason is too long or no string";
    if (body_str(c->d->body, "TicketNumber", &c->wish.ticket) == BODY_BAD)
        return "TicketNumber is invalid";
    switch (body_bool(c->d->body, "RotateOnCheckin", c->d->lenient, &c->rotate)) {
    case BODY_BAD: return "RotateOnCheckin is invalid";
    case BODY_GOOD: c->rotate_given = true; break;
    case BODY_ABSENT: break;
    }
    return NULL;
}

static const char *read_create(struct create *c)
{
    const char *why;

    if (!required_int(c, "SystemID", &c->system_id))
        return "SystemID is required";
    if (!required_int(c, "AccountID", &c->account_id))
        return "AccountID is required";
    if (!required_int(c, "DurationMinutes", &c->minutes) || c->minutes < 1 || c->minutes > MINUTES_MAX)
        return "DurationMinutes must be between 1 and 525600";
    if (!optional_int(c, "ApplicationID", &c->application_id) ||
        !optional_int(c, "AccessPolicyScheduleID", &c->schedule_id) ||
        !optional_int(c, "TicketSystemID", &c->ticket_system))
        return "A number is invalid";
    c->wish.minutes = (int)c->minutes;
    c->wish.application_id = (int)c->application_id;
    why = read_access(c);
    if (!why)
        why = read_conflict(c);
    return why ? why : read_texts(c);
}

/* ---- POST Requests: judging ---- */

/* What the policy requires and the body lacks, where a policy is found; NULL = nothing. */
static const char *missing_for_policy(struct create *c, const struct model_policy *policy)
{
    const struct model_schedule *s;

    if (!policy)
        return NULL;
    s = schedule_choose(c->d->model, policy, (int)c->schedule_id, c->wish.access, c->minutes);
    if (!s)
        s = schedule_offering(policy, (int)c->schedule_id, c->wish.access);
    if (!s)
        return NULL;
    if (s->require_reason && (!c->wish.reason || !*c->wish.reason))
        return "A reason is required";
    if (s->require_ticket && (!c->wish.ticket || !*c->wish.ticket))
        return "A ticket number is required";
    if (c->ticket_system && s->ticket_system && c->ticket_system != s->ticket_system)
        return "TicketSystemID is invalid";
    return NULL;
}

static void answer_no_schedule(struct dispatch *d)
{
    switch (d->model->settings.settings.value[SETTING_NO_SCHEDULE]) {
    case 1: answer_text(d, 400, "No access policy schedule is available"); break;
    case 2: answer_code(d, 4091); break;
    default: answer_code(d, 4031); break;
    }
}

static void answer_over_maximum(struct dispatch *d)
{
    if (d->model->settings.settings.value[SETTING_OVER_MAXIMUM])
        answer_text(d, 400, "DurationMinutes exceeds the maximum release duration");
    else
        answer_code(d, 4031);
}

/* May this user request this pair at all? Answers and returns false if not. */
static bool permitted(struct create *c, const struct model_policy *policy)
{
    struct dispatch *d = c->d;
    struct request_wish *w = &c->wish;

    if (!policy || !w->pair || !access_flags_ok(d->user, w->pair)) {
        answer_code(d, 4031);
        return false;
    }
    c->schedule = schedule_choose(d->model, policy, (int)c->schedule_id, w->access, c->minutes);
    if (!c->schedule) {
        answer_no_schedule(d);
        return false;
    }
    if (w->minutes > w->pair->account->max_minutes) {
        answer_over_maximum(d);
        return false;
    }
    w->approvals = c->schedule->offer[w->access].min_approvers;
    w->max_concurrent = c->schedule->offer[w->access].max_concurrent;
    if (w->approvals > 0 && access_approvers(d->model, w->pair->account) < w->approvals) {
        answer_code(d, 4035);
        return false;
    }
    w->rotate = c->rotate_given && policy->rotation_override ? c->rotate : true;
    return true;
}

static void create(struct create *c)
{
    struct dispatch *d = c->d;
    int id = 0, status = requests_create(d->model, &c->wish, &id);

    if (status == 409)
        answer_code(d, 4091);
    else if (status > 0)
        answer_number(d, status, id);
    else
        answer_message(d, 500, "An error has occurred.");
}

void calls_request_create(struct dispatch *d)
{
    struct create c = {.d = d, .wish = {.user = d->user}};
    const char *why = read_create(&c);
    struct model_system *s = why ? NULL : model_system(d->model, (int)c.system_id);
    struct model_account *a = why ? NULL : model_account(d->model, (int)c.account_id);
    struct model_policy *policy = a ? access_policy(d->model, d->user, a) : NULL;

    if (s && a)
        c.wish.pair = model_pair(s, a->id);
    if (!why && c.wish.pair)
        why = missing_for_policy(&c, policy);
    if (why)
        answer_text(d, 400, why);
    else if (!s)
        answer_text(d, 404, "Managed System not found");
    else if (!a)
        answer_text(d, 404, "Managed Account not found");
    else if (permitted(&c, policy))
        create(&c);
}

/* ---- GET Requests ---- */

static void put_request(struct jsonw *w, const struct request *r)
{
    const struct model_account *a = r->pair->account;

    jsonw_object(w, NULL);
    jsonw_int(w, "RequestID", r->id);
    jsonw_int(w, "SystemID", r->pair->system->id);
    jsonw_str(w, "SystemName", r->pair->system->name);
    jsonw_int(w, "AccountID", a->id);
    jsonw_str(w, "AccountName", a->name);
    jsonw_str(w, "DomainName", a->domain);
    jsonw_null(w, "AliasID");
    wire_put_id(w, "ApplicationID", r->application_id);
    wire_put_date(w, "RequestReleaseDate", r->start);
    wire_put_date(w, "ApprovedDate", r->approved);
    jsonw_null(w, "CanceledDate");
    wire_put_date(w, "ExpiresDate", r->expires);
    jsonw_str(w, "Status", r->state == REQUEST_PENDING ? "Pending" : "Active");
    jsonw_str(w, "AccessType", model_access_names[r->access]);
    jsonw_str(w, "Reason", r->reason);
    jsonw_str(w, "RequestorName", r->user->name);
    jsonw_end(w);
}

static bool status_wanted(const char *status, const struct request *r)
{
    if (!status || text_equal_nocase(status, "all"))
        return true;
    return text_equal_nocase(status, r->state == REQUEST_PENDING ? "pending" : "active");
}

static bool status_known(const char *status)
{
    return !status || text_equal_nocase(status, "all") || text_equal_nocase(status, "active") ||
           text_equal_nocase(status, "pending");
}

static void put_own(struct dispatch *d, struct jsonw *w, const char *status)
{
    const struct request *r;

    TAILQ_FOREACH(r, &d->user->live, in_user)
    {
        if (status_wanted(status, r))
            put_request(w, r);
    }
}

/* The approver's view: what I approved, or may still approve. */
static void put_queue(struct dispatch *d, struct jsonw *w, const char *status)
{
    const struct request *r;

    TAILQ_FOREACH(r, &d->model->requests->live, in_all)
    {
        bool may = r->state == REQUEST_PENDING &&
                   (access_roles(d->model, d->user, r->pair->account) & ROLE_APPROVER);
        if ((may || vec_has(&r->approvers, d->user)) && status_wanted(status, r))
            put_request(w, r);
    }
}

void calls_requests(struct dispatch *d)
{
    const char *status = params_get(&d->query, "status"), *queue = params_get(&d->query, "queue");
    bool approver = queue && text_equal_nocase(queue, "app");
    struct jsonw w;

    if (!status_known(status) || (queue && !approver && !text_equal_nocase(queue, "req"))) {
        answer_text(d, 400, "Invalid value for status or queue");
        return;
    }
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    if (approver)
        put_queue(d, &w, status);
    else
        put_own(d, &w, status);
    jsonw_end(&w);
}

/* ---- PUT Requests/{id}/… ---- */

static bool reason_ok(struct dispatch *d)
{
    const char *reason = NULL;

    if (!d->body ||
        (body_str(d->body, "Reason", &reason) != BODY_BAD && (!reason || letters(reason) <= REASON_MAX)))
        return true;
    answer_text(d, 400, "Reason is too long or no string");
    return false;
}

static struct request *live_request(struct dispatch *d)
{
    struct request *r = requests_find(d->model, d->ids[0]);

    if (r && request_live(r))
        return r;
    answer_text(d, 404, gone_text);
    return NULL;
}

static struct request *own_request(struct dispatch *d)
{
    struct request *r = reason_ok(d) ? live_request(d) : NULL;

    if (!r || r->user == d->user)
        return r;
    answer_code(d, 4031);
    return NULL;
}

void calls_checkin(struct dispatch *d)
{
    struct request *r = own_request(d);

    if (!r)
        return;
    if (r->state == REQUEST_PENDING && d->model->settings.settings.value[SETTING_PENDING_CHECKIN]) {
        answer_code(d, 4034);
        return;
    }
    requests_end(d->model, r, REQUEST_CHECKED_IN);
    answer_empty(d, 204);
}

void calls_rotate_on_checkin(struct dispatch *d)
{
    struct request *r = own_request(d);

    if (!r)
        return;
    r->rotate = true;
    answer_empty(d, 204);
}

static struct request *approvable(struct dispatch *d)
{
    struct request *r = reason_ok(d) ? live_request(d) : NULL;

    if (!r || (access_roles(d->model, d->user, r->pair->account) & ROLE_APPROVER))
        return r;
    answer_code(d, 4033);
    return NULL;
}

void calls_approve(struct dispatch *d)
{
    struct request *r = approvable(d);

    if (!r)
        return;
    if (requests_approve(d->model, r, d->user))
        answer_message(d, 500, "An error has occurred.");
    else
        answer_empty(d, 204);
}

void calls_deny(struct dispatch *d)
{
    struct request *r = approvable(d);

    if (!r)
        return;
    requests_end(d->model, r, REQUEST_DENIED);
    answer_empty(d, 204);
}

/* ---- mass termination ---- */

enum by { BY_ACCOUNT, BY_SYSTEM, BY_USER };

static bool concerns(const struct request *r, enum by by, int id)
{
    switch (by) {
    case BY_ACCOUNT: return r->pair->account->id == id;
    case BY_SYSTEM: return r->pair->system->id == id;
    case BY_USER: break;
    }
    return r->user->id == id;
}

static void terminate(struct dispatch *d, enum by by, bool known)
{
    struct request *r, *next;

    if (!known) {
        answer_text(d, 404, "Object not found");
        return;
    }
    for (r = TAILQ_FIRST(&d->model->requests->live); r; r = next) {
        next = TAILQ_NEXT(r, in_all);
        if (concerns(r, by, d->ids[0]))
            requests_end(d->model, r, REQUEST_TERMINATED);
    }
    answer_empty(d, 204);
}

void calls_terminate_account(struct dispatch *d)
{
    terminate(d, BY_ACCOUNT, model_account(d->model, d->ids[0]) != NULL);
}

void calls_terminate_system(struct dispatch *d)
{
    terminate(d, BY_SYSTEM, model_system(d->model, d->ids[0]) != NULL);
}

void calls_terminate_user(struct dispatch *d)
{
    terminate(d, BY_USER, model_user(d->model, d->ids[0]) != NULL);
}
