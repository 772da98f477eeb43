/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - what PRA tells about a session: start and started.
 *
 * `start` is for credential managers that open the session themselves; Password Safe does not, and
 * capabilities says so. `started` is only written down (told.c).
 *
 * Not here: `complete`, which gives back all of the session (release.c).
 */
#include "base/log.h"
#include "handlers/gateway.h"
#include "handlers/member.h"

#define URL_CHARS 8192

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

    return member_text(&top, "history_url", 0, URL_CHARS, &args->started.history_url) &&
           member_int(&top, "history_url_expiry_seconds", 0, MEMBER_SECONDS_MAX, 0, &args->started.expiry_s);
}

static void on_written(void *ask)
{
    if (ask_succeeded(ask, NULL))
        ask_empty(ask);
}

/* The history URL is not logged: whoever has it may be able to open it. */
void session_started_start(struct ask *ask, const union ask_args *args)
{
    const struct session *s = &args->started.session;

    log_info("session_started", "request_id=%s session=%s user=%s domain=%s client=%s", ask->request_id,
             s->id, s->username, s->domain, ask->client->conf->name);
    ask_wait(ask, broker_session_started(ask->gateway->broker, &args->started, on_written, ask));
}
