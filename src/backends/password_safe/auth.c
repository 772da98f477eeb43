/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c - the gateway's identity at the vault: the Authorization header and the OAuth token.
 *
 * With an API key, one header names the key and the user to act as (and the user's password, where the
 * registration wants one): this text alone decides for which user the vault acts. So a user name is put into
 * it only when it cannot be read as another field: no `;`, no control character, no blank at either end. With
 * OAuth the identity is the application user itself; its token is kept until shortly before it expires.
 *
 * The texts are built in the caller's buffer, which wipes. Nothing here is logged.
 *
 * Not here: when to sign in (sessions.c), the exchange (signin.c).
 */
#include "backends/password_safe/internal.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define TOKEN_MARGIN_MS 30000 /* a token is not used in its last half minute, or last tenth */

bool ps_user_name_valid(const char *name)
{
    size_t n = name ? strlen(name) : 0;

    if (!n || n > PS_USER_NAME_MAX || name[0] == ' ' || name[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == ';')
            return false;
    return true;
}

static int key_header(struct ps *ps, const char *user, struct buf *out)
{
    (void)buf_str(out, "Authorization: PS-Auth key=");
    (void)buf_append(out, ps->secrets.api_key.p, ps->secrets.api_key.len);
    (void)buf_printf(out, "; runas=%s;", user);
    if (ps->secrets.password.p) {
        (void)buf_str(out, " pwd=[");
        (void)buf_append(out, ps->secrets.password.p, ps->secrets.password.len);
        (void)buf_str(out, "];");
    }
    return buf_str(out, "\r\n");
}

int ps_auth_header(struct ps *ps, const char *user, struct buf *out)
{
    int err;

    if (!ps->oauth_user) {
        err = key_header(ps, user, out);
    } else {
        (void)buf_str(out, "Authorization: Bearer ");
        (void)buf_append(out, ps->token.p ? ps->token.p : "", ps->token.len);
        err = buf_str(out, "\r\n");
    }
    return out->failed ? -ENOMEM : err;
}

bool ps_auth_wants_token(const struct ps *ps)
{
    return ps->oauth_user && (!ps->token.p || clock_now(ps->http.clock) >= ps->token_until_ms);
}

void ps_auth_token_forget(struct ps *ps)
{
    secret_clear(&ps->token);
    ps->token_until_ms = 0;
}

/* Percent-encodes into wiped memory of its own: the secret may be of any length. */
static int form_value(struct buf *out, const char *text, size_t len)
{
    size_t size = len * 3 + 1;
    char *encoded = secret_alloc(size);
    int err = -ENOMEM;

    if (encoded && text_url_encode(encoded, size, text))
        err = buf_str(out, encoded);
    secret_free(encoded);
    return err;
}

int ps_auth_token_form(const struct ps *ps, struct buf *out)
{
    const char *id = ps->http.vault.conf->oauth_client_id;
    int err = buf_str(out, "client_id=");

    if (!err)
        err = form_value(out, id, strlen(id));
    if (!err)
        err = buf_str(out, "&client_secret=");
    if (!err)
        err = form_value(out, ps->secrets.oauth_secret.p, ps->secrets.oauth_secret.len);
    return err ? err : buf_str(out, "&grant_type=client_credentials");
}

static bool token_clean(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
            return false;
    return n > 0 && n < PS_HEADERS_MAX / 2;
}

int ps_auth_token_keep(struct ps *ps, const struct call *http)
{
    const char *why;
    cJSON *tree =
        json_parse(http->body_in.data, http->body_in.len, 8, JSON_DUPLICATES_OK | JSON_SECRET, &why);
    const char *token = cJSON_GetStringValue(json_get_nocase(tree, "access_token"));
    int64_t seconds = 0;
    uint64_t life, margin;
    int err = -EPROTO;

    if (token && token_clean(token))
        err = secret_set(&ps->token, token, strlen(token));
    if (!err && (!json_int(json_get_nocase(tree, "expires_in"), &seconds) || seconds < 1))
        seconds = 60;
    if (seconds > 86400)
        seconds = 86400;
    cJSON_Delete(tree);
    life = (uint64_t)seconds * 1000;
    margin = life / 10 < TOKEN_MARGIN_MS ? life / 10 : TOKEN_MARGIN_MS;
    ps->token_until_ms = clock_now(ps->http.clock) + life - margin;
    return err;
}
