/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.c - what a vault takes from its configuration and the files it names, at the start and in a reload.
 *
 * The idea: everything that can fail is done in password_safe_prepare(), which changes nothing.
 * password_safe_reload() then only moves the prepared parts into their place. Vault sessions, calls and
 * connections go on. The next sign-in uses the new key, the next connection the new files, the next token the
 * new client secret. The kind of sign-in (key or OAuth) and the address of the vault change by a restart
 * only.
 *
 * A secret with a character that would break its header is refused.
 */
#include "backends/password_safe/internal.h"
#include "base/certificate.h"
#include "base/container_of.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct password_safe_next {
    struct ps_secrets secrets;
    struct upstream_next *up;
    int64_t certificate_end;
};

/* ---- secrets ---- */

static int read_secret(struct secret *secret, const char *path, const char *what, char why[256])
{
    char fault[80];
    int err = secret_read_line(secret, path, fault);

    if (err)
        (void)snprintf(why, 256, "%s: %s %s", what, path, fault);
    return err;
}

int ps_secrets_read(struct ps_secrets *s, const struct conf_vault *conf, char why[256])
{
    int err;

    if (conf->oauth_client_id)
        return read_secret(&s->oauth_secret, conf->oauth_client_secret_file, "oauth_client_secret_file", why);
    err = read_secret(&s->api_key, conf->api_key_file, "api_key_file", why);
    if (!err && conf->run_as_password_file)
        err = read_secret(&s->password, conf->run_as_password_file, "run_as_password_file", why);
    if (!err && strpbrk(s->api_key.p, "; ")) {
        (void)snprintf(why, 256, "api_key_file: %s holds a blank or a semicolon", conf->api_key_file);
        err = -EINVAL;
    }
    return err;
}

void ps_secrets_clear(struct ps_secrets *s)
{
    secret_clear(&s->api_key);
    secret_clear(&s->password);
    secret_clear(&s->oauth_secret);
}

/* ---- reload ---- */

struct password_safe_next *password_safe_prepare(const struct conf_vault *next, char why[256])
{
    struct password_safe_next *r = calloc(1, sizeof(*r));
    struct upstream_opts opts = http_vault_upstream_opts(next);

    (void)snprintf(why, 256, "out of memory");
    if (!r)
        return NULL;
    if (ps_secrets_read(&r->secrets, next, why) == 0 && (r->up = upstream_prepare(&opts))) {
        r->certificate_end = certificate_file_end(next->client_certificate);
        return r;
    }
    password_safe_discard(r);
    return NULL;
}

void password_safe_discard(struct password_safe_next *r)
{
    if (!r)
        return;
    ps_secrets_clear(&r->secrets);
    upstream_discard(r->up);
    free(r);
}

void password_safe_reload(struct vault *vault, struct password_safe_next *r)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, http.vault);
    const struct secret *old = &ps->secrets.oauth_secret, *next = &r->secrets.oauth_secret;

    if (old->p && next->p && !secret_equal(old, next->p, next->len))
        ps_auth_token_forget(ps);
    secret_move(&ps->secrets.api_key, &r->secrets.api_key);
    secret_move(&ps->secrets.password, &r->secrets.password);
    secret_move(&ps->secrets.oauth_secret, &r->secrets.oauth_secret);
    ps->http.certificate_end = r->certificate_end;
    upstream_reload(ps->http.up, r->up);
    r->up = NULL;
    password_safe_discard(r);
}
