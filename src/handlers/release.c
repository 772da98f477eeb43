/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release.c - giving back: a session one credential or all it has, an operator one lease by its id.
 *
 * However it is named, it is one operation of the broker with one answer: how many leases ended, and whether
 * the vault has yet to confirm. Who gives back one credential also hears who else still holds it.
 */
#include "base/id.h"
#include "handlers/gateway.h"
#include "handlers/member.h"
#include "handlers/target.h"

#include <string.h>

static void answer(struct ask *ask, const struct release_answer *released, bool holders)
{
    struct buf buf = BUF_INIT(ANSWER_MAX);
    struct jsonw w = jsonw_start(&buf);

    if (!ask_succeeded(ask, released->fault))
        return;
    jsonw_object(&w, NULL);
    jsonw_int(&w, "released", released->released);
    if (holders)
        jsonw_int(&w, "remaining_holders", released->remaining_holders);
    if (released->pending)
        jsonw_bool(&w, "pending", true);
    jsonw_end(&w);
    ask_json(ask, 200, &buf, 0);
}

static void on_credential_released(void *ask, const struct release_answer *released)
{
    answer(ask, released, true);
}

static void on_released(void *ask, const struct release_answer *released)
{
    answer(ask, released, false);
}

bool release_read(const cJSON *body, union ask_args *args, struct fault *f)
{
    struct member top = {.object = body, .path = "", .fault = f};
    int64_t ended_at; /* the lease ends now, whenever the session has ended */

    return member_text(&top, "credential_id", MEMBER_REQUIRED | MEMBER_NOT_EMPTY, CREDENTIAL_ID_SIZE - 1,
                       &args->release.credential_id) &&
           member_int(&top, "session_ended_at", 0, MEMBER_SECONDS_MAX, 0, &ended_at);
}

void release_start(struct ask *ask, const union ask_args *args)
{
    ask_wait(ask, broker_release(ask->gateway->broker, &args->release, on_credential_released, ask));
}

void session_complete_start(struct ask *ask, const union ask_args *args)
{
    ask_wait(ask, broker_release(ask->gateway->broker, &args->release, on_released, ask));
}

bool lease_release_look(struct ask *ask, union ask_args *args, struct fault *f)
{
    ask->target = target_segment(ask->route->path, ask->req->path, f);
    args->lease_id = ask->target;
    return ask->target;
}

void lease_release_start(struct ask *ask, const union ask_args *args)
{
    struct session by = {0};
    struct audit_note note;
    struct fault f;

    ask_origin(ask, &by);
    audit_note(&note, ask->gateway->audit, "operator_release");
    audit_session(&note, &by);
    audit_text(&note, "lease_id", args->lease_id);
    audit_write(&note);
    if (strlen(args->lease_id) < ID_SIZE) {
        ask_wait(ask, broker_release_lease(ask->gateway->broker, args->lease_id, ask->timeout_ms, on_released,
                                           ask));
        return;
    }
    fault_set(&f, FAULT_NOT_FOUND, "there is no such lease");
    ask_fail(ask, &f);
}
