/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - a vault's configuration against its profile; see check.h.
 *
 * A row that is missing is missing for every section that needs it: it is said once, at the first of them.
 */
#include "backends/privileged_identity/check.h"

#include "backends/privileged_identity/access.h"
#include "backends/privileged_identity/credential_handle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checked {
    const struct conf *conf;
    const struct conf_vault *vault;
    const struct pi_profile *profile;
    const char *file;
    struct buf *lines;
    size_t mistakes;
};

__attribute__((format(printf, 4, 5))) static void mistake(struct checked *c, const char *section,
                                                          const char *key, const char *fmt, ...)
{
    va_list ap;

    c->mistakes++;
    (void)buf_printf(c->lines, "%s:%u: ", c->file, conf_line_of(c->file, section, key ? key : ""));
    va_start(ap, fmt);
    (void)buf_vprintf(c->lines, fmt, ap);
    va_end(ap);
    (void)buf_char(c->lines, '\n');
}

static bool is_allowed(const struct checked *c, enum pi_operation op)
{
    return pi_row_allowed(&c->profile->row[op], c->vault->provisional == PROVISIONAL_GUESSED);
}

static void row_mistake(struct checked *c, const char *section, const char *who, enum pi_operation op)
{
    const char *name = pi_operation_name(op);

    if (c->profile->row[op].certainty == PI_NONE)
        mistake(c, section, NULL,
                "%s: the row %s is none in profile %s: write it into `profile_file` of [vault %s]", who, name,
                c->profile->name, c->vault->name);
    else
        mistake(c, section, NULL,
                "%s: the row %s is guessed in profile %s: set provisional = guessed in [vault %s], or write "
                "the row that "
                "the site's service has into `profile_file`",
                who, name, c->profile->name, c->vault->name);
}

/* The sections of one kind. */
static void check_sections(struct checked *c, bool shared, enum pi_operation out, enum pi_operation in)
{
    char section[CONF_NAME_MAX + 16], who[CONF_NAME_MAX + 64];
    const struct conf_access *first = NULL;
    size_t n = 0;

    for (size_t i = 0; i < c->conf->naccesses; i++) {
        const struct conf_access *a = &c->conf->accesses[i];

        if ((a->shared_list != NULL) != shared || conf_access_vault(c->conf, a) != c->vault)
            continue;
        first = first ? first : a;
        n++;
    }
    if (!n)
        return;
    (void)snprintf(section, sizeof(section), "access %s", first->name);
    (void)snprintf(who, sizeof(who),
                   n > 2   ? "[%s] and %zu more sections"
                   : n > 1 ? "[%s] and one more"
                           : "[%s]",
                   section, n - 1);
    for (enum pi_operation op = out; op <= in; op++)
        if (!is_allowed(c, op))
            row_mistake(c, section, who, op);
}

static void check_vault(struct checked *c)
{
    char section[CONF_NAME_MAX + 16];
    const struct conf_vault *v = c->vault;

    (void)snprintf(section, sizeof(section), "vault %s", v->name);
    if (!is_allowed(c, PI_SIGN_IN))
        row_mistake(c, section, "sign-in", PI_SIGN_IN);
    else if (pi_row_has(&c->profile->row[PI_SIGN_IN], PI_PASSWORD) && !v->login_password_file)
        mistake(c, section, "login_name",
                "[%s] lacks `login_password_file`: the row sign_in sends the password", section);
    if ((v->spin == SPIN_STORED || v->spin == SPIN_ALL) && !is_allowed(c, PI_SPIN_STORED))
        row_mistake(c, section, "`spin`", PI_SPIN_STORED);
    if ((v->spin == SPIN_SHARED || v->spin == SPIN_ALL) && !is_allowed(c, PI_SPIN_SHARED))
        row_mistake(c, section, "`spin`", PI_SPIN_SHARED);
    check_sections(c, false, PI_CHECKOUT_STORED, PI_CHECKIN_STORED);
    check_sections(c, true, PI_CHECKOUT_SHARED, PI_CHECKIN_SHARED);
}

/* The names of a credential are kept in the row of its request. */
static int check_names(struct checked *c, const struct pi_access *map)
{
    for (size_t i = 0; i < c->conf->naccesses; i++) {
        const struct conf_access *a = &c->conf->accesses[i];
        char section[CONF_NAME_MAX + 16], key[PI_KEY_SIZE], *handle;

        if (conf_access_vault(c->conf, a) != c->vault)
            continue;
        if (pi_access_key(a, key))
            return -ENOMEM;
        int err = pi_handle_write(pi_access_credential(map, key), &handle);
        free(handle);
        (void)snprintf(section, sizeof(section), "access %s", a->name);
        if (err == -EINVAL)
            mistake(
                c, section, a->shared_list ? "shared_account" : "stored_account",
                "[%s]: the names of the credential are longer together than a row of the store keeps (2 KiB)",
                section);
        else if (err)
            return err;
    }
    return 0;
}

/* The profile as the vault uses it. 0, or as pi_profile_load(). */
static int load_profile(const struct conf_vault *v, struct pi_profile **out, struct buf *lines)
{
    *out = pi_profile_new(v->profile);
    int err = *out ? 0 : -ENOMEM;

    return err || !v->profile_file ? err : pi_profile_load(*out, v->profile_file, lines);
}

/* 0, -EINVAL for mistakes, -ENOMEM. */
static int check_one(struct checked *c)
{
    struct pi_profile *profile = NULL;
    struct pi_access *map = NULL;
    int err = load_profile(c->vault, &profile, c->lines);

    c->profile = profile;
    if (!err)
        check_vault(c);
    int map_err = err == -ENOMEM ? err : pi_access_new(c->conf, c->vault, &map, c->lines);
    if (!map_err)
        map_err = check_names(c, map);
    pi_access_free(map);
    pi_profile_free(profile);
    if (err == -ENOMEM || map_err == -ENOMEM)
        return -ENOMEM;
    return err || map_err || c->mistakes ? -EINVAL : 0;
}

int pi_check(const struct conf *conf, const char *file, struct buf *lines)
{
    int result = 0;

    for (size_t i = 0; i < conf->nvaults && result != -ENOMEM; i++) {
        struct checked c = {.conf = conf, .vault = &conf->vaults[i], .file = file, .lines = lines};
        int err = conf_is_privileged_identity(c.vault) ? check_one(&c) : 0;

        result = err ? err : result;
    }
    return result;
}

/* ---- what is provisional ---- */

/* One word for two rows where they have one. */
static void print_pair(const struct pi_profile *p, const char *both, enum pi_operation stored,
                       enum pi_operation shared, struct buf *out)
{
    const char *a = pi_certainty_name(p->row[stored].certainty),
               *b = pi_certainty_name(p->row[shared].certainty);

    if (strcmp(a, b) == 0)
        (void)buf_printf(out, ", %s %s", both, a);
    else
        (void)buf_printf(out, ", %s %s, %s %s", pi_operation_name(stored), a, pi_operation_name(shared), b);
}

void pi_check_words(const struct conf_vault *v, const struct pi_profile *p, struct buf *out)
{
    static const enum pi_operation operations[] = {PI_SIGN_IN, PI_CHECKOUT_SHARED, PI_CHECKIN_SHARED,
                                                   PI_CHECKOUT_STORED, PI_CHECKIN_STORED};

    (void)buf_printf(out, "%s: provisional: profile %s", v->name, p->name);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        (void)buf_printf(out, ", %s %s", pi_operation_name(operations[i]),
                         pi_certainty_name(p->row[operations[i]].certainty));
    print_pair(p, "spin", PI_SPIN_STORED, PI_SPIN_SHARED, out);
    print_pair(p, "list", PI_LIST_STORED, PI_LIST_SHARED, out);
    (void)buf_str(out, ", impersonate none\n");
}

int pi_check_print(const struct conf *conf, struct buf *out)
{
    for (size_t i = 0; i < conf->nvaults; i++) {
        const struct conf_vault *v = &conf->vaults[i];
        struct buf lines = BUF_INIT(1U << 20);
        struct pi_profile *p = NULL;

        if (!conf_is_privileged_identity(v))
            continue;
        int err = load_profile(v, &p, &lines);
        if (!err)
            pi_check_words(v, p, out);
        if (!err && v->spin != SPIN_NO)
            (void)buf_printf(
                out,
                "%s: spin: where the identity ignores check-outs, a change of a password may end a "
                "person's check-out\n",
                v->name);
        pi_profile_free(p);
        buf_free(&lines);
        if (err)
            return err;
    }
    return out->failed ? -ENOMEM : 0;
}
