/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question.c - what a client asks, and whether the answer is right.
 *
 * Each answer is read as JSON and held against what was asked: a find must name a credential, a search must
 * contain the host that was searched for, a check-out must carry the credential asked for, a lease, and the
 * password that the vault holds for the host (where `truth` says it), a release must end one hold. A get asks
 * another server, of which only the length of the answer is known.
 */
#include "base/jsonw.h"
#include "base/text.h"
#include "load/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static unsigned user_of(const struct client *c)
{
    return (unsigned)(c->number % c->load->users);
}

/* With `keep` a user goes through all hosts, so that no two sessions share a request of the vault. */
static unsigned host_of(const struct client *c)
{
    const struct load *l = c->load;

    return (unsigned)((l->keep ? c->number / l->users : c->number) % l->hosts);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* main() has checked both formats */
static void name_user(const struct client *c, char out[96])
{
    (void)snprintf(out, 96, c->load->user_format, c->load->first + user_of(c));
}

static void name_host(const struct client *c, char out[96])
{
    (void)snprintf(out, 96, c->load->host_format, c->load->first + host_of(c));
}
#pragma GCC diagnostic pop

static void write_session(const struct client *c, struct jsonw *w)
{
    char text[96];

    jsonw_object(w, "session");
    (void)snprintf(text, sizeof(text), "load-%" PRIu64, c->number);
    jsonw_str(w, "id", text);
    jsonw_object(w, "user");
    name_user(c, text);
    jsonw_str(w, "username", text);
    if (*c->load->domain)
        jsonw_str(w, "domain", c->load->domain);
    jsonw_end(w);
    jsonw_object(w, "jump_item");
    jsonw_str(w, "method", "shell");
    name_host(c, text);
    jsonw_str(w, "hostname", text);
    jsonw_end(w);
    jsonw_end(w);
}

static void write_body(const struct client *c, struct buf *body)
{
    struct jsonw w = jsonw_start(body);
    char host[96];

    jsonw_object(&w, NULL);
    write_session(c, &w);
    if (c->step == STEP_SEARCH) {
        name_host(c, host);
        jsonw_str(&w, "query", host);
        jsonw_array(&w, "types");
        jsonw_str(&w, NULL, "shell");
        jsonw_end(&w);
    } else if (c->step != STEP_FIND) {
        jsonw_str(&w, "credential_id", c->credential_id);
    }
    jsonw_end(&w);
}

int question_write(struct client *c)
{
    static const char *const path[] = {
        [STEP_FIND] = "/v1/credentials/find",
        [STEP_SEARCH] = "/v1/endpoints/find",
        [STEP_CHECKOUT] = "/v1/credentials/checkout",
        [STEP_RELEASE] = "/v1/credentials/release",
    };
    struct buf body = BUF_INIT(4096);

    buf_clear(&c->out);
    if (c->step == STEP_GET)
        return buf_printf(&c->out, "GET %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n\r\n",
                          c->load->path, c->load->token.p);
    write_body(c, &body);
    (void)buf_printf(&c->out, "POST %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n",
                     path[c->step], c->load->token.p);
    if (c->load->timeout_ms)
        (void)buf_printf(&c->out, "X-Request-Timeout-Ms: %" PRIu64 "\r\n", c->load->timeout_ms);
    (void)buf_printf(&c->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.len);
    (void)buf_append(&c->out, body.data, body.len);
    bool failed = c->out.failed || body.failed;
    buf_free(&body);
    return failed ? -ENOMEM : 0;
}

/* ---- answers --------------------------------------------------------------------------------------------
 */

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = json_get(object, name);

    return cJSON_IsString(value) ? value->valuestring : "";
}

static bool take_find(struct client *c, const cJSON *answer)
{
    const cJSON *first = cJSON_GetArrayItem(json_get(answer, "credentials"), 0);

    return first && *text_of(first, "credential_id") &&
           text_copy_n(c->credential_id, sizeof(c->credential_id), text_of(first, "credential_id"),
                       strlen(text_of(first, "credential_id")));
}

static bool take_search(const struct client *c, const cJSON *answer)
{
    char host[96];
    const cJSON *row;

    name_host(c, host);
    cJSON_ArrayForEach(row, json_get(answer, "endpoints")) if (strcmp(text_of(row, "hostname"), host) ==
                                                               0) return true;
    return false;
}

static bool take_checkout(const struct client *c, const cJSON *answer)
{
    const char *password = text_of(answer, "password");

    if (strcmp(text_of(answer, "credential_id"), c->credential_id) != 0 || !json_get(answer, "lease"))
        return false;
    if (!c->load->truth)
        return *password || *text_of(answer, "private_key");
    if (strcmp(password, c->load->truth[host_of(c)]) != 0)
        return false;
    c->load->verified++;
    return true;
}

static bool take_release(const cJSON *answer)
{
    int64_t released = 0;

    return json_int(json_get(answer, "released"), &released) && released == 1;
}

static bool is_right(struct client *c, const cJSON *answer)
{
    switch (c->step) {
    case STEP_FIND: return take_find(c, answer);
    case STEP_SEARCH: return take_search(c, answer);
    case STEP_CHECKOUT: return take_checkout(c, answer);
    case STEP_RELEASE: return take_release(answer);
    case STEP_GET:
    case STEP_NSTEPS: break;
    }
    return false;
}

/* Nothing is known of another server's answers but that they do not change in length. */
static bool same_as_before(struct client *c)
{
    if (!c->got)
        c->got = c->body.len;
    return c->body.len == c->got;
}

bool question_verify(struct client *c)
{
    const char *why;

    if (c->step == STEP_GET)
        return same_as_before(c);
    cJSON *answer = json_parse(c->body.data, c->body.len, 32, 0, &why);
    bool good = answer && is_right(c, answer);

    cJSON_Delete(answer);
    return good;
}
