/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - what PRA tells about a session: start, started, complete.
 *
 * `start` is for credential managers that open the session themselves; Password Safe does not, and
 * capabilities says so. `started` is only written down. `complete` ends all leases of the session.
 */
#include "base/log.h"
#include "handlers/gateway.h"
#include "handlers/member.h"
#include "handlers/session_json.h"

#define URL_CHARS   8192
#define SECONDS_MAX 253402300799

void session_start_start(struct ask *ask, const union ask_args *args)
{
    struct fault f;
    (void)args;
    fault_set(&f, FAULT_UNSUPPORTED,
              "the gateway does not start sessions; capabilities says start_session: false");
    ask_fail(ask, &f);
}

bool session_started_read(const cJSON *body, union ask_args *args, struct fault *f)
{
    struct member top = {.object = body, .path = "", .fault = f};

    return session_read(body, SESSION_ID, &args->started.session, f) &&
           member_text(&top, "history_url", 0, URL_CHARS, &args->started.history_url) &&
           member_int(&top, "history_url_expiry_seconds", 0, SECONDS_MAX, 0, &args->started.expiry_s);
}

/* The history URL is not logged, and audited only in part: whoever has it may be able to open it. */
void session_started_start(struct ask *ask, const union ask_args *args)
{
    struct session session = args->started.session;
    const struct session *s = &session;
    struct audit_note note;

    ask_origin(ask, &session);
    audit_note(&note, ask->gateway->audit, "session_started");
    audit_session(&note, s);
    audit_url(&note, "history_url", args->started.history_url);
    audit_number(&note, "history_url_expiry_seconds", args->started.expiry_s);
    audit_write(&note);
    log_info("session_started", "request_id=%s session=%s user=%s domain=%s client=%s", ask->request_id,
             s->id, s->username, s->domain, ask->client->conf->name);
    ask_empty(ask);
}

bool session_complete_read(const cJSON *body, union ask_args *args, struct fault *f)
{
    return session_read(body, SESSION_ID, &args->release.session, f);
}

static void on_completed(void *arg, const struct release_answer *answer)
{
    struct ask *ask = arg;
    struct buf buf = BUF_INIT(ANSWER_MAX);
    struct jsonw w = jsonw_start(&buf);

    ask->op = NULL;
    if (answer->fault) {
        ask_fail(ask, answer->fault);
        return;
    }
    jsonw_object(&w, NULL);
    jsonw_int(&w, "released", answer->released);
    if (answer->pending)
        jsonw_bool(&w, "pending", true);
    jsonw_end(&w);
    ask_json(ask, 200, &buf, 0);
}

void session_complete_start(struct ask *ask, const union ask_args *args)
{
    struct release_args release = args->release;
    release.credential_id = NULL;
    release.timeout_ms = ask->timeout_ms;
    ask_origin(ask, &release.session);
    ask_wait(ask, broker_release(ask->gateway->broker, &release, on_completed, ask));
}
