/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.c - what a vault takes from its configuration and the files it names, at the start and in a reload:
 * password, profile, map, files of the connections.
 *
 * Everything that can fail is done in prepare(), which changes nothing; at the start the same parts are
 * prepared and taken. The token and the calls go on: the next sign-in uses the new password, the next call
 * the new rows. A reload ends the pause after refused sign-ins, and leases whose right it takes away stay.
 */
#include "backends/privileged_identity/internal.h"
#include "base/certificate.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERRORS_MAX (1U << 20)

struct privileged_identity_next {
    struct secret password;
    struct pi_profile *profile;
    struct pi_access *access;
    struct upstream_next *up;
    int64_t certificate_end;
};

static int read_password(struct privileged_identity_next *r, const struct conf_vault *conf, char why[256])
{
    char fault[80];

    if (!conf->login_password_file)
        return 0;
    int err = secret_read_line(&r->password, conf->login_password_file, fault);
    if (err)
        (void)snprintf(why, 256, "login_password_file: %.150s %s", conf->login_password_file, fault);
    return err;
}

/* The first line of mistakes; `check` names all of them. */
static void explain(const struct buf *errors, char why[256])
{
    size_t n = 0;

    while (n < errors->len && errors->data[n] != '\n')
        n++;
    if (n)
        (void)snprintf(why, 256, "%.*s", (int)n, errors->data);
}

static int read_files(struct privileged_identity_next *r, const struct conf *conf,
                      const struct conf_vault *vault, char why[256])
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    int err = 0;

    r->profile = pi_profile_new(vault->profile);
    if (!r->profile)
        return -ENOMEM;
    if (vault->profile_file)
        err = pi_profile_load(r->profile, vault->profile_file, &errors);
    if (!err)
        err = pi_access_new(conf, vault, &r->access, &errors);
    if (err)
        explain(&errors, why);
    buf_free(&errors);
    return err;
}

struct privileged_identity_next *privileged_identity_prepare(const struct conf *next,
                                                             const struct conf_vault *vault, char why[256])
{
    struct privileged_identity_next *r = calloc(1, sizeof(*r));
    struct upstream_opts opts = http_vault_upstream_opts(vault);

    (void)snprintf(why, 256, "out of memory");
    if (!r)
        return NULL;
    if (read_password(r, vault, why) == 0 && read_files(r, next, vault, why) == 0 &&
        (r->up = upstream_prepare(&opts))) {
        r->certificate_end = certificate_file_end(vault->client_certificate);
        return r;
    }
    privileged_identity_discard(r);
    return NULL;
}

void privileged_identity_discard(struct privileged_identity_next *r)
{
    if (!r)
        return;
    secret_clear(&r->password);
    pi_profile_free(r->profile);
    pi_access_free(r->access);
    upstream_discard(r->up);
    free(r);
}

void pi_take(struct pi *pi, struct privileged_identity_next *r)
{
    const struct conf_vault *conf = pi->http.vault.conf;
    struct pi_profile *profile = pi->profile;
    struct pi_access *access = pi->access;

    secret_move(&pi->password, &r->password);
    pi->profile = r->profile;
    pi->access = r->access;
    r->profile = profile;
    r->access = access;
    pi->http.certificate_end = r->certificate_end;
    pi->http.vault.can = (struct vault_can){.secret_with_checkout = true,
                                            .checkins_each = conf->checkin_each,
                                            .has_end = conf->checkout_life_ms > 0,
                                            .repeatable = conf->repeat_checkout};
    pi->http.vault.life_ms = conf->checkout_life_ms;
}

void privileged_identity_reload(struct vault *vault, struct privileged_identity_next *r)
{
    struct pi *pi = pi_of(vault);

    pi_take(pi, r);
    pi_listings_forget(pi);
    pi_token_pause_over(pi);
    upstream_reload(pi->http.up, r->up);
    r->up = NULL;
    privileged_identity_discard(r);
}
