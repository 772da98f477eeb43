/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pi_call.c - one call to Privileged Identity, and what was seen of its answer; see pi.h.
 *
 * Names and types of members are shown, and the words of a failure as the gateway would quote them. A value
 * is never shown: it may be the password or the token.
 */
#include "commands/doctor/pi.h"

#include "backends/http_vault/http_vault.h"
#include "base/container_of.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX     32768
#define MEMBERS_MAX  24
#define SEEN_DEPTH   32
#define HEADER_LINES "Content-Type: application/json\r\nAccept: application/json\r\n"

struct waiting {
    struct call http;
    struct loop *loop;
    bool done;
};

static void on_done(struct call *http)
{
    struct waiting *w = CONTAINER_OF(http, struct waiting, http);

    w->done = true;
    loop_stop(w->loop);
}

static void wait_for(struct pi_doctor *p, struct waiting *w)
{
    w->loop = p->d->loop;
    w->http.done = on_done;
    w->http.timeout_ms = p->conf->call_timeout_ms;
    w->http.secret = true;
    int err = upstream_call(p->up, &w->http);

    if (err) {
        w->http.err = err;
        (void)snprintf(w->http.why, sizeof(w->http.why), "%s", strerror(-err));
        return;
    }
    while (!w->done)
        (void)loop_run(p->d->loop);
}

/* ---- what is seen ---- */

static void add_type(struct buf *out, const cJSON *value)
{
    if (cJSON_IsString(value))
        (void)buf_printf(out, "string of %zu", strlen(value->valuestring));
    else
        (void)buf_str(out, cJSON_IsBool(value)     ? "boolean"
                           : cJSON_IsNumber(value) ? "number"
                           : cJSON_IsNull(value)   ? "null"
                           : cJSON_IsArray(value)  ? "array"
                                                   : "object");
}

static void add_members(struct buf *out, const cJSON *tree)
{
    const cJSON *member;
    size_t n = 0;

    if (!cJSON_IsObject(tree)) {
        add_type(out, tree);
        return;
    }
    (void)buf_char(out, '{');
    cJSON_ArrayForEach(member, tree)
    {
        if (n++ == MEMBERS_MAX)
            break;
        (void)buf_printf(out, "%s%.64s: ", n > 1 ? ", " : "", member->string);
        add_type(out, member);
    }
    (void)buf_char(out, '}');
}

static void describe_body(const struct call *http, struct buf *out)
{
    struct json_outcome outcome;
    cJSON *tree = http->body_in.len
                      ? json_read(http->body_in.data, http->body_in.len, SEEN_DEPTH, JSON_SECRET, &outcome)
                      : NULL;

    if (tree)
        add_members(out, tree);
    else
        (void)buf_printf(out, http->body_in.len ? "%zu bytes that are no JSON" : "an empty body",
                         http->body_in.len);
    cJSON_Delete(tree);
}

static void describe(const struct call *http, struct pi_seen *seen)
{
    struct buf text = BUF_INIT(4096);

    if (http->err) {
        (void)buf_printf(&text, "no answer: %s", *http->why ? http->why : strerror(-http->err));
    } else {
        (void)buf_printf(&text, "%d %s, ", http->status, *seen->type ? seen->type : "without content type");
        describe_body(http, &text);
        if (fault_is_set(&seen->answer.fault))
            (void)buf_printf(&text, "; %s", seen->answer.fault.detail);
    }
    const char *whole = buf_cstr(&text);
    (void)snprintf(seen->text, sizeof(seen->text), "%s", whole ? whole : "");
    buf_free(&text);
}

static void note_date(struct pi_doctor *p, const struct call *http)
{
    int64_t now = clock_wall(loop_clock(p->d->loop)), at_ms;

    if (http->err || clock_parse_http_date(http->value[CALL_DATE], &at_ms))
        return;
    p->has_skew = true;
    p->skew_ms = at_ms - now;
    p->skew_error_ms = 1000 + (int64_t)(clock_now(loop_clock(p->d->loop)) - http->begun_ms);
}

static void take(struct pi_doctor *p, struct waiting *w, struct pi_seen *seen)
{
    seen->err = w->http.err;
    seen->sent = w->http.sent;
    seen->status = w->http.status;
    (void)snprintf(seen->type, sizeof(seen->type), "%.*s",
                   (int)strcspn(w->http.value[CALL_CONTENT_TYPE], ";"), w->http.value[CALL_CONTENT_TYPE]);
    note_date(p, &w->http);
}

void pi_seen_free(struct pi_seen *seen)
{
    pi_answer_free(&seen->answer);
}

/* ---- calls ---- */

void pi_doctor_page(struct pi_doctor *p, struct pi_seen *seen)
{
    char target[600];
    struct waiting w = {.http = {.method = "GET", .target = target, .safe = true}};

    *seen = (struct pi_seen){0};
    (void)snprintf(target, sizeof(target), "%s/AuthService.svc", p->conf->base_path);
    wait_for(p, &w);
    take(p, &w, seen);
    if (seen->err)
        (void)snprintf(seen->text, sizeof(seen->text), "no answer: %s",
                       *w.http.why ? w.http.why : strerror(-seen->err));
    else
        (void)snprintf(seen->text, sizeof(seen->text), "%d %s", seen->status,
                       *seen->type ? seen->type : "without content type");
    call_free_answer(&w.http);
}

static int write_body(const struct pi_doctor *p, const struct pi_row *row, const struct pi_credential *c,
                      struct buf *body)
{
    char type[24];
    const char *const value[PI_NPLACES] = {
        [PI_TOKEN] = p->token.p,
        [PI_COMMENT] = "[jumpgate doctor]",
        [PI_SYSTEM] = c ? c->system : NULL,
        [PI_ACCOUNT] = c ? c->full_account : NULL,
        [PI_LIST] = c ? c->list : NULL,
        [PI_CUSTOM_TYPE] = c && !c->shared ? c->custom_type : NULL,
        [PI_USER] = p->conf->login_name,
        [PI_PASSWORD] = p->password.p,
        [PI_AUTHENTICATOR] = p->conf->authenticator,
        [PI_TYPE] = c ? type : NULL,
        [PI_LOGIN_TYPE] = p->conf->authenticator ? "2" : "1",
    };

    (void)snprintf(type, sizeof(type), "%" PRIu64, c ? c->type : 0);
    return row->post ? pi_row_body(row, value, body) : 0;
}

static int write_headers(const struct pi_doctor *p, const struct pi_row *row, struct buf *headers)
{
    (void)buf_str(headers, HEADER_LINES);
    if (row->header && p->token.p) {
        (void)buf_str(headers, "AuthenticationToken: ");
        (void)buf_append(headers, p->token.p, p->token.len);
        (void)buf_str(headers, "\r\n");
    }
    return headers->failed ? -ENOMEM : 0;
}

static void read_answer(struct pi_doctor *p, enum pi_operation op, const struct call *http,
                        struct pi_seen *seen)
{
    const struct pi_http answer = {.status = http->status,
                                   .type = http->value[CALL_CONTENT_TYPE],
                                   .body = http->body_in.data,
                                   .len = http->body_in.len,
                                   .sent = op == PI_SIGN_IN ? p->password.p : p->token.p,
                                   .login_name = p->conf->login_name,
                                   .authenticator = p->conf->authenticator};

    if (!http->err)
        pi_answer_read(p->profile, op, &answer, &seen->answer);
}

void pi_doctor_call(struct pi_doctor *p, enum pi_operation op, const struct pi_credential *c,
                    struct pi_seen *seen)
{
    const struct pi_row *row = &p->profile->row[op];
    struct buf body = BUF_SECRET(BODY_MAX), headers = BUF_SECRET(BODY_MAX);
    char target[1024];
    int err = write_body(p, row, c, &body);

    *seen = (struct pi_seen){0};
    if (!err)
        err = write_headers(p, row, &headers);
    (void)snprintf(target, sizeof(target), "%s%s%s", p->conf->base_path, p->profile->base, row->path);
    struct waiting w = {.http = {.method = row->post ? "POST" : "GET",
                                 .target = target,
                                 .headers = buf_cstr(&headers),
                                 .body = row->post ? buf_cstr(&body) : NULL,
                                 .body_len = row->post ? body.len : 0}};
    if (err)
        w.http.err = err;
    else
        wait_for(p, &w);
    take(p, &w, seen);
    read_answer(p, op, &w.http, seen);
    describe(&w.http, seen);
    call_free_answer(&w.http);
    buf_free(&body);
    buf_free(&headers);
}
