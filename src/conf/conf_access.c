/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_access.c - rules of the configuration of Privileged Identity: its keys in [vault NAME], and the map in
 * [access NAME].
 *
 * Not here: what needs the rows of the profile, and the contents of `users_file`
 * (backends/privileged_identity).
 */
#include "base/did_you_mean.h"
#include "base/person.h"
#include "base/text.h"
#include "base/utf8.h"
#include "conf/conf_checks.h"
#include "conf/table/conf_rules.h"

#include <stdlib.h>
#include <string.h>

#define NAME_LETTERS_MAX 256

bool conf_is_privileged_identity(const struct conf_vault *v)
{
    return v->type && strcmp(v->type, "privileged_identity") == 0;
}

/* ---- the keys of a type ---- */

static const char *const of_password_safe[] = {
    "api_key_file",
    "oauth_client_id",
    "oauth_client_secret_file",
    "oauth_shared_identity",
    "run_as_password_file",
    "run_as",
    "user_map",
    "domain_map",
    "directory_user",
    "ask_policy",
    "approval_wait",
    "sessions_per_user",
    "restrict_network",
    "platform_method",
};

static const char *const of_privileged_identity[] = {
    "provisional",   "base_path",     "profile",      "profile_file",  "login_name", "login_password_file",
    "authenticator", "token_max_age", "max_duration", "checkout_life", "settle",     "repeat_checkout",
    "checkin_calls", "spin",          "spin_delay",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Defaults that differ from those of the table. */
static const struct {
    const char *key, *fallback;
} own_defaults[] = {
    {"session_idle", "5m"},
    {"connections", "8"},
    {"max_answer", "64k"},
    {"reason", "PRA session {session} of {user}"},
};

static void set_default(struct conf_draft *d, struct conf_part *part, const char *key, const char *fallback)
{
    const struct conf_row *row = conf_row_find(d->table, part->section, key);
    char why[CONF_WHY_SIZE];

    if (!conf_part_has(part, key) && row->type->parse(row, fallback, part->object, why))
        d->nomem = true;
}

void conf_check_vault_keys(struct conf_draft *d, struct conf_part *part)
{
    const struct conf_vault *v = part->object;
    bool pi = conf_is_privileged_identity(v);
    const char *const *strange = pi ? of_password_safe : of_privileged_identity;
    size_t n = pi ? COUNT(of_password_safe) : COUNT(of_privileged_identity);

    for (size_t i = 0; i < n; i++)
        if (conf_part_has(part, strange[i]))
            conf_error(
                d, conf_part_line(part, strange[i]),
                pi ? "`%s` is a key of Password Safe, and [vault %s] is a Privileged Identity; leave it out"
                   : "`%s` is a key of Privileged Identity; [vault %s] needs type = privileged_identity for "
                     "it",
                strange[i], part->name);
    for (size_t i = 0; pi && i < COUNT(own_defaults); i++)
        set_default(d, part, own_defaults[i].key, own_defaults[i].fallback);
}

/* ---- a vault ---- */

static bool is_clean(const char *text)
{
    size_t n = strlen(text), len;

    for (size_t at = 0; at < n; at += len)
        if (letter_kind_at(text + at, n - at, &len) == LETTER_CONTROL)
            return false;
    return true;
}

/* A text that is sent to the vault, or that stands for something there. */
static void check_name(struct conf_draft *d, const struct conf_part *part, const char *key, const char *text)
{
    if (!text)
        return;
    if (!is_clean(text))
        conf_error(d, conf_part_line(part, key), "`%s` must not contain control characters", key);
    else if (utf8_count(text) > NAME_LETTERS_MAX)
        conf_error(d, conf_part_line(part, key), "`%s` must not be longer than %d letters", key,
                   NAME_LETTERS_MAX);
}

static void check_base_path(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;
    size_t n = strlen(v->base_path);

    if (*v->base_path != '/' || n < 2 || v->base_path[n - 1] == '/' || strstr(v->base_path, "..") ||
        !text_only(v->base_path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/-"))
        conf_error(d, conf_part_line(part, "base_path"),
                   "`base_path` needs a path such as /ERPMWebService, of A-Z a-z 0-9 . _ ~ / -");
}

static void check_etcd(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_part *store = conf_draft_next(d, SECTION_STORE, NULL);

    if (store && ((const struct conf_store *)store->object)->type == STORE_ETCD)
        conf_error(d, conf_part_line(part, "type"),
                   "a vault of type privileged_identity needs [store] type = sqlite: its check-outs have no "
                   "number by "
                   "which gateways could know each other's");
}

void conf_check_privileged_identity(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;
    bool settle = conf_part_has(part, "settle");

    if (v->provisional == PROVISIONAL_NO)
        conf_error(
            d, conf_part_line(part, conf_part_has(part, "provisional") ? "provisional" : "type"),
            "`type` = privileged_identity is provisional, since no server with a licence has been seen: read "
            "docs/privileged-identity.md, then set provisional = yes or guessed in [vault %s]",
            part->name);
    if (!v->login_name)
        conf_error(d, part->line, "[vault %s] lacks `login_name`, such as: login_name = svc-jumpgate",
                   part->name);
    if (v->username_form == USERNAME_UPN)
        conf_error(d, conf_part_line(part, "username_form"),
                   "`username_form` = upn is not possible: Privileged Identity has no user principal names");
    if (v->settle_ms < v->call_timeout_ms)
        conf_error(d, conf_part_line(part, settle ? "settle" : "call_timeout"),
                   "`settle` must not be shorter than `call_timeout`: a lost call may take effect as late");
    if (v->checkout_life_ms && v->checkout_life_ms < 2 * v->minute_ms)
        conf_error(
            d, conf_part_line(part, "checkout_life"),
            "`checkout_life` must not be shorter than two minutes (`minute`): leases end one before it");
    check_name(d, part, "login_name", v->login_name);
    check_name(d, part, "authenticator", v->authenticator);
    conf_check_couple(d, part, "client_certificate", "client_key");
    conf_check_bare_url(d, part, v->url, v->insecure_http,
                        "https://erpm.example.com; the path of the web service is `base_path`");
    check_base_path(d, part);
    check_etcd(d, part);
}

/* ---- the map ---- */

const char *conf_access_user_refusal(const char *text)
{
    char parts[2 * 1024 + 2];
    char *backslash, *name;
    const char *why;

    if (!text_copy(parts, sizeof(parts), text))
        return "is too long for a user";
    backslash = strchr(parts, '\\');
    name = backslash ? backslash + 1 : parts;
    if (backslash)
        *backslash = '\0';
    if (strcmp(text, "*") == 0)
        return "would be everybody; name domains, as DOMAIN\\*";
    if (backslash && (!*parts || strchr(parts, '*')))
        return "has no domain before the backslash";
    if (!*name)
        return "has no user behind the backslash";
    if (strchr(name, '*') && !(backslash && strcmp(name, "*") == 0))
        return "is no pattern: only DOMAIN\\* stands for several users";
    if (backslash && (why = person_refusal(PERSON_DOMAIN, parts)))
        return why;
    return person_refusal(PERSON_NAME, name);
}

static void check_credential(struct conf_draft *d, const struct conf_part *part)
{
    static const char *const stored[] = {"stored_system", "stored_account", "stored_type",
                                         "stored_custom_type"};
    static const char *const shared[] = {"shared_list", "shared_system", "shared_account"};
    const char *one_stored = NULL, *one_shared = NULL;

    for (size_t i = 0; i < COUNT(stored); i++)
        if (!one_stored && conf_part_has(part, stored[i]))
            one_stored = stored[i];
    for (size_t i = 0; i < COUNT(shared); i++)
        if (!one_shared && conf_part_has(part, shared[i]))
            one_shared = shared[i];
    if (one_stored && one_shared)
        conf_error(
            d, conf_part_line(part, one_shared),
            "`%s` beside `%s`: [access %s] is about a stored credential or an entry of a shared list; give "
            "each a section of its own",
            one_shared, one_stored, part->name);
    else if (!one_stored && !one_shared)
        conf_error(
            d, part->line,
            "[access %s] names no credential: set `stored_system` and `stored_account`, or `shared_list`, "
            "`shared_system` and `shared_account`",
            part->name);
    for (size_t i = 0; one_stored && !one_shared && i < 2; i++)
        if (!conf_part_has(part, stored[i]))
            conf_error(d, part->line, "[access %s] lacks `%s` beside `%s`", part->name, stored[i],
                       one_stored);
    for (size_t i = 0; one_shared && !one_stored && i < COUNT(shared); i++)
        if (!conf_part_has(part, shared[i]))
            conf_error(d, part->line, "[access %s] lacks `%s` beside `%s`", part->name, shared[i],
                       one_shared);
}

static void check_names(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_access *a = part->object;
    const struct {
        const char *key, *text;
    } names[] = {
        {"stored_system", a->stored_system},
        {"stored_account", a->stored_account},
        {"stored_custom_type", a->stored_custom_type},
        {"shared_list", a->shared_list},
        {"shared_system", a->shared_system},
        {"shared_account", a->shared_account},
        {"username", a->username},
        {"label", a->label},
    };

    for (size_t i = 0; i < COUNT(names); i++)
        check_name(d, part, names[i].key, names[i].text);
}

static void check_users(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_access *a = part->object;

    if (!conf_part_has(part, "users") && !conf_part_has(part, "users_file"))
        conf_error(d, part->line, "[access %s] lacks `users`, such as: users = CORP\\ann; or `users_file`",
                   part->name);
    for (size_t i = 0; i < a->users.n; i++) {
        const char *why = conf_access_user_refusal(a->users.item[i]);

        if (why)
            conf_error(d, conf_part_line(part, "users"), "`users`: `%.80s` %s", a->users.item[i], why);
    }
}

/* The vaults of the type, to be looked up by all sections. */
struct vaults {
    const struct conf_part *first;
    size_t n;
};

static void check_vault(struct conf_draft *d, const struct conf_part *part, const struct vaults *vaults)
{
    const struct conf_access *a = part->object;
    struct did_you_mean near = DID_YOU_MEAN(a->vault);
    char hint[128];

    if (!vaults->n) {
        conf_error(d, part->line, "[access %s] needs a [vault NAME] section with type = privileged_identity",
                   part->name);
        return;
    }
    if (!a->vault && vaults->n > 1)
        conf_error(d, part->line,
                   "[access %s] lacks `vault`, such as: vault = %s; there are %zu of type "
                   "privileged_identity",
                   part->name, vaults->first->name, vaults->n);
    if (!a->vault)
        return;
    CONF_FOR_EACH(d, SECTION_VAULT, vault)
    {
        bool pi = conf_is_privileged_identity(vault->object);

        if (pi)
            did_you_mean_offer(&near, vault->name);
        if (strcmp(vault->name, a->vault) != 0)
            continue;
        if (!pi)
            conf_error(
                d, conf_part_line(part, "vault"),
                "`vault`: [vault %s] is no Privileged Identity, and only such a vault has [access] sections",
                a->vault);
        return;
    }
    conf_error(d, conf_part_line(part, "vault"), "`vault`: there is no [vault %s]%s", a->vault,
               did_you_mean_hint(&near, hint, sizeof(hint)));
}

void conf_check_accesses(struct conf_draft *d)
{
    struct vaults vaults = {.n = 0};

    CONF_FOR_EACH(d, SECTION_VAULT, vault)
    if (conf_is_privileged_identity(vault->object)) {
        vaults.first = vaults.first ? vaults.first : vault;
        vaults.n++;
    }
    CONF_FOR_EACH(d, SECTION_ACCESS, part)
    {
        conf_check_required(d, part);
        check_vault(d, part, &vaults);
        check_credential(d, part);
        check_names(d, part);
        check_users(d, part);
    }
}

const struct conf_vault *conf_access_vault(const struct conf *conf, const struct conf_access *a)
{
    for (size_t i = 0; i < conf->nvaults; i++) {
        const struct conf_vault *v = &conf->vaults[i];

        if (conf_is_privileged_identity(v) && (!a->vault || strcmp(a->vault, v->name) == 0))
            return v;
    }
    return NULL;
}
