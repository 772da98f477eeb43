/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_oauth.c - POST /oauth2/token, and GET /check_health, which needs no token.
 */
#include "pra-sim/dispatch.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/memory/secret.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define BASIC_MAX 1000

void calls_probe(struct dispatch *d)
{
    bool healthy = d->site->healthy;

    d->answer->status = healthy ? 200 : 500;
    d->answer->content_type = "text/plain";
    (void)buf_str(&d->answer->body, healthy ? "The site is healthy.\n" : "The site is not healthy.\n");
}

/* ---- the grant ---- */

static bool is_type(const char *content_type, const char *type)
{
    size_t n = content_type ? strcspn(content_type, "; ") : 0;

    return text_equal_nocase_n(content_type ? content_type : "", n, type, strlen(type));
}

static bool grant_is(const struct dispatch *d, const char *grant)
{
    (void)d;
    return grant && strcmp(grant, "client_credentials") == 0;
}

/* The shape {"grant_type":"client_credentials"}, which one client in the field sends. */
static bool json_grant(const struct dispatch *d)
{
    const char *why;
    cJSON *tree = json_parse(d->call->body, d->call->body_len, 4, 0, &why);
    const cJSON *grant = tree ? json_get(tree, "grant_type") : NULL;
    bool is = cJSON_IsString(grant) && grant_is(d, grant->valuestring);

    cJSON_Delete(tree);
    return is;
}

static bool read_grant(struct dispatch *d)
{
    static const char *const known[] = {"grant_type", NULL};
    const char *type = d->call->content_type;
    bool json = d->site->knob[KNOB_TOKEN_JSON] && is_type(type, "application/json");

    if (type && strncasecmp(type, "multipart/", 10) == 0) {
        answer_violation(d, VIOLATION_MULTIPART, "Multipart bodies are not accepted.");
        return false;
    }
    if (!json && !is_type(type, "application/x-www-form-urlencoded")) {
        answer_violation(d, VIOLATION_CONTENT_TYPE, "The body must be application/x-www-form-urlencoded.");
        return false;
    }
    if (!dispatch_params_known(d, known))
        return false;
    if (json ? json_grant(d) : grant_is(d, dispatch_param(d, "grant_type")))
        return true;
    answer_oauth_error(d, 400, "unsupported_grant_type", "The grant type is not supported.");
    return false;
}

/* ---- the client ---- */

static void client_refused(struct dispatch *d)
{
    static const int statuses[] = {401, 400, 403, 200};
    static const char *const errors[] = {"invalid_client", "invalid_credentials", "unauthorized_client",
                                         "invalid_grant",  "access_denied",       NULL};

    answer_oauth_error(d, statuses[d->site->knob[KNOB_CLIENT_REFUSED]],
                       errors[d->site->knob[KNOB_CLIENT_REFUSED_ERROR]], "Client authentication failed.");
}

/* Splits the decoded text at its colon; NULL = no such client or secret. */
static struct account *account_of(struct dispatch *d, char *plain)
{
    struct accounts *all = &d->site->accounts;
    char *colon = strchr(plain, ':');
    struct account *a;

    if (!colon)
        return NULL;
    *colon = '\0';
    a = accounts_find(all, plain);
    if (!a || !account_signs_in(all, a, colon + 1, !d->site->knob[KNOB_LOCK_OUT]))
        return NULL;
    if (d->site->knob[KNOB_ADDRESS_CHECK] != ADDRESS_CALLS && !account_allows(a, d->call->peer))
        return NULL;
    return a;
}

static void read_client(struct dispatch *d)
{
    unsigned char plain[BASIC_MAX];
    const char *text = d->call->authorization;
    size_t len = text ? strlen(text) : 0;
    int n;

    if (len <= 6 || len > BASIC_MAX || strncasecmp(text, "Basic ", 6) != 0) {
        d->site->violations[VIOLATION_NO_BASIC]++;
        d->violation = VIOLATION_NO_BASIC;
        client_refused(d);
        return;
    }
    n = EVP_DecodeBlock(plain, (const unsigned char *)text + 6, (int)(len - 6));
    if (n > 0) {
        while (n && text[len - 1] == '=') { /* each pad letter is one NUL too many */
            len--;
            n--;
        }
        plain[n] = '\0';
        d->account = account_of(d, (char *)plain);
    }
    wipe(plain, sizeof(plain));
    if (!d->account)
        client_refused(d);
}

static void put_expiry(const struct dispatch *d, struct jsonw *w)
{
    int64_t seconds = (int64_t)d->site->accounts.limits.token_s;
    char text[24];

    switch (d->site->knob[KNOB_EXPIRES_IN]) {
    case EXPIRES_NUMBER: jsonw_int(w, "expires_in", seconds); break;
    case EXPIRES_TEXT:
        *text_digits(text, (uint64_t)seconds, 0) = '\0';
        jsonw_str(w, "expires_in", text);
        break;
    case EXPIRES_ZERO: jsonw_int(w, "expires_in", 0); break;
    case EXPIRES_HUGE: jsonw_int(w, "expires_in", INT64_C(4000000000)); break;
    default: break;
    }
}

void calls_token(struct dispatch *d)
{
    const struct token *t;
    struct jsonw w;

    if (!read_grant(d))
        return;
    read_client(d);
    if (!d->account || !dispatch_within_rate(d))
        return;
    t = account_issue(&d->site->accounts, d->account);
    if (!t) {
        answer_oauth_error(d, 500, "server_error", "No token could be made.");
        return;
    }
    w = answer_json(d, 200);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "access_token", t->text);
    jsonw_str(&w, "token_type", d->site->knob[KNOB_TOKEN_TYPE] ? "bearer" : "Bearer");
    put_expiry(d, &w);
    jsonw_end(&w);
    (void)buf_str(&d->answer->headers, "Cache-Control: no-store\r\n");
}
