/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.c - derived secrets and the change agent; see credentials.h.
 */
#include "passwordsafe-sim/credentials.h"

#include "base/container_of.h"
#include "sim/passwords.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static uint64_t start_of(const struct model *m, const struct model_account *a, unsigned type)
{
    return sim_password_seed(m->settings.seed, (uint64_t)(unsigned)a->id, ((uint64_t)a->version << 8) ^ type);
}

static int derive_password(uint64_t state, size_t length, struct buf *out)
{
    int rc = sim_password(state, length, out);

    return rc ? rc : 1;
}

static int derive_key(uint64_t state, bool encrypted, struct buf *out)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)buf_str(out, "-----BEGIN RSA PRIVATE KEY-----\r\n");
    if (encrypted)
        (void)buf_str(out, "Proc-Type: 4,ENCRYPTED\r\n"
                           "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\r\n\r\n");
    for (int line = 0; line < 8; line++) {
        for (int i = 0; i < 64; i++)
            (void)buf_char(out, base64[sim_mix(&state) % 64]);
        (void)buf_str(out, "\r\n");
    }
    (void)buf_str(out, "-----END RSA PRIVATE KEY-----\r\n");
    return out->failed ? -ENOMEM : 1;
}

static int write_secret(const struct secret *s, struct buf *out)
{
    int rc = buf_append(out, s->p, s->len);

    return rc ? rc : 1;
}

int credentials_get(const struct model *m, const struct model_account *a, enum credential_type type,
                    struct buf *out)
{
    uint64_t state = start_of(m, a, type);

    switch (type) {
    case CREDENTIAL_PASSWORD:
        if (!a->has_password)
            return 0;
        return a->password.p ? write_secret(&a->password, out) : derive_password(state, 20, out);
    case CREDENTIAL_KEY:
        if (!a->has_key)
            return 0;
        return a->key.p ? write_secret(&a->key, out) : derive_key(state, a->has_passphrase, out);
    case CREDENTIAL_PASSPHRASE:
        if (!a->has_passphrase)
            return 0;
        return a->passphrase.p ? write_secret(&a->passphrase, out) : derive_password(state, 12, out);
    case CREDENTIAL_TOTP: break;
    }
    return 0;
}

int credentials_set(struct model_account *a, enum credential_type type, const char *value)
{
    struct secret *s = type == CREDENTIAL_KEY          ? &a->key
                       : type == CREDENTIAL_PASSPHRASE ? &a->passphrase
                                                       : &a->password;
    bool *has = type == CREDENTIAL_KEY          ? &a->has_key
                : type == CREDENTIAL_PASSPHRASE ? &a->has_passphrase
                                                : &a->has_password;

    *has = value != NULL;
    if (!value) {
        secret_clear(s);
        return 0;
    }
    return secret_set(s, value, strlen(value));
}

/* ---- the change agent ---- */

static void on_changed(struct deadline *d)
{
    struct model_account *a = CONTAINER_OF(d, struct model_account, change);

    secret_clear(&a->password);
    secret_clear(&a->key);
    secret_clear(&a->passphrase);
    a->version++;
    a->change_state = 0;
    a->last_change = model_wall(a->model);
    model_account_changed(a);
}

static void on_changing(struct deadline *d)
{
    struct model_account *a = CONTAINER_OF(d, struct model_account, change);
    uint64_t rest = a->model->settings.rotation_delay_ms / 2;

    a->change_state = 1;
    model_account_changed(a);
    if (timer_start(a->model->timers, d, rest, on_changed))
        on_changed(d);
}

void credentials_rotate(struct model *m, struct model_account *a)
{
    uint64_t delay = m->settings.rotation_delay_ms;

    if (!a->rotates || a->change_state == 2)
        return;
    a->change_state = 2;
    model_account_changed(a);
    if (timer_start(m->timers, &a->change, delay - delay / 2, on_changing))
        on_changing(&a->change);
}
