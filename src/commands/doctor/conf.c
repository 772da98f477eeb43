/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.c - the stages without network: configuration, secrets, and the user's name at the vault.
 *
 * Only length and form of a secret are checked, and it is wiped at once. The mapping is shown template
 * by template, because "which rule made this name" is the question behind most empty lists.
 */
#include "commands/doctor/stages.h"

#include "base/person.h"
#include "commands/unit_command.h"
#include "conf/conf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ERRORS_MAX (256U * 1024)
#define KEY_NEW    128 /* length of a present API key */
#define KEY_OLD    36  /* a GUID, as made by old releases */

/* ---- configuration ---- */

static void note_lines(struct doctor *d, struct buf *lines)
{
    const char *text = buf_cstr(lines);

    while (text && *text) {
        int len = (int)strcspn(text, "\n");
        report_note(d, "%.*s", len, text);
        text += len + (text[len] == '\n');
    }
}

/* The line that gives this command the credentials of the systemd unit, where it lacks them. */
static void note_unit_command(struct doctor *d)
{
    struct buf words = BUF_INIT(ERRORS_MAX), line = BUF_INIT(ERRORS_MAX);

    (void)buf_str(&words, "doctor");
    if (d->args->user)
        (void)buf_printf(&words, " --user '%s'", d->args->user);
    if (d->args->host)
        (void)buf_printf(&words, " --host '%s'", d->args->host);
    if (d->args->vault)
        (void)buf_printf(&words, " --vault '%s'", d->args->vault);
    if (d->args->pra)
        (void)buf_str(&words, " --pra");
    if (d->args->probe)
        (void)buf_str(&words, " --probe");
    if (d->args->access)
        (void)buf_printf(&words, " --access '%s' --yes", d->args->access);
    (void)buf_printf(&words, " -c %s", d->args->conf);
    if (!words.failed && !unit_command_has_credentials())
        unit_command_write(&line, "", d->args->conf, buf_cstr(&words));
    if (line.len && !line.failed)
        report_note(d, "with the credentials of the systemd unit: %s", buf_cstr(&line));
    buf_free(&words);
    buf_free(&line);
}

static void note_vaults(struct doctor *d)
{
    for (size_t i = 0; i < d->conf->nvaults; i++)
        report_note(d, "--vault %s", d->conf->vaults[i].name);
}

static bool choose_vault(struct doctor *d)
{
    const char *name = d->args->vault;

    for (size_t i = 0; i < d->conf->nvaults && !d->vault_conf; i++)
        if (name ? !strcmp(name, d->conf->vaults[i].name) : d->conf->nvaults == 1)
            d->vault_conf = &d->conf->vaults[i];
    if (d->vault_conf)
        return true;
    report_failed(d, "%s", name ? "there is no vault of this name" : "there is not exactly one vault");
    report_cause(d, "%s",
                 name ? "--vault names no section [vault NAME]" : "it is not clear which vault is meant");
    report_remedy(d, "name one of the configured vaults with --vault");
    note_vaults(d);
    return false;
}

/* The vault or its proxy. The configuration check has accepted both URLs. */
static bool find_target(struct doctor *d)
{
    const struct conf_vault *conf = d->vault_conf;
    char why[ADDRESS_WHY_SIZE] = "";
    int err = address_split_url(conf->url, &d->url, why);

    d->proxied = conf->proxy && *conf->proxy;
    d->target = d->url;
    if (!err && d->proxied)
        err = address_split_url(conf->proxy, &d->target, why);
    d->target_port = doctor_url_port(&d->target);
    if (err)
        report_failed(d, "the address of the vault %s", why);
    return !err;
}

bool doctor_configuration(struct doctor *d)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    int err = conf_load_files(d->args->conf, CONF_FILES_BUT_SITE_SECRET, &d->conf, &errors);

    note_lines(d, &errors);
    buf_free(&errors);
    if (err) {
        report_failed(d, "%s cannot be used", d->args->conf);
        report_cause(d, "the mistakes listed above");
        report_remedy(d, "put them right; `jumpgate check -c %s` repeats this stage alone", d->args->conf);
        note_unit_command(d);
        return false;
    }
    if (!choose_vault(d) || !find_target(d))
        return false;
    d->report.vault = d->vault_conf->name;
    report_ok(d, "%s is well formed; vault %s at %s", d->args->conf, d->vault_conf->name, d->vault_conf->url);
    return true;
}

/* ---- the site's ---- */

bool doctor_site_configuration(struct doctor *d)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    int err = conf_load_files(d->args->conf, CONF_FILES_OF_SITE, &d->site_conf, &errors);

    note_lines(d, &errors);
    buf_free(&errors);
    if (err) {
        report_failed(d, "%s cannot be used", d->args->conf);
        report_cause(d, "the mistakes listed above");
        report_remedy(d, "put them right; `jumpgate check -c %s` repeats this stage alone", d->args->conf);
    } else if (!d->site_conf->npras) {
        report_failed(d, "%s has no [pra NAME] section", d->args->conf);
        report_cause(d, "this gateway is not linked to a PRA site");
        report_remedy(d, "write a section [pra NAME] with `url`, `client_id` and `client_secret_file`");
    } else {
        report_ok(d, "%s is well formed; PRA site %s at %s", d->args->conf, d->site_conf->pras[0].name,
                  d->site_conf->pras[0].url);
    }
    return !err && d->site_conf->npras;
}

const struct conf_pra *doctor_site(struct doctor *d)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);

    if (!d->site_conf)
        (void)conf_load_files(d->args->conf, CONF_FILES_OF_SITE, &d->site_conf, &errors);
    buf_free(&errors);
    return d->site_conf && d->site_conf->npras ? &d->site_conf->pras[0] : NULL;
}

const struct conf *doctor_written(struct doctor *d)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);

    if (!d->written)
        (void)conf_load_files(d->args->conf, CONF_FILES_NONE, &d->written, &errors);
    buf_free(&errors);
    return d->written;
}

/* ---- secrets ---- */

/* Length and form of one secret. False = it cannot be used. */
static bool check_secret(struct doctor *d, const char *key, const char *path, const char *forbidden,
                         size_t *len)
{
    struct secret secret = {0};
    char why[80];
    bool read = secret_read_line(&secret, path, why) == 0, good = read && !strpbrk(secret.p, forbidden);

    *len = secret.len;
    secret_clear(&secret);
    if (good)
        return true;
    report_failed(d, "%s: %s %s", key, path, read ? "holds a blank or a semicolon" : why);
    report_cause(d, "the file is not the one that was meant, or it was edited: a secret is one line without "
                    "blanks around it");
    report_remedy(d, "write the secret into the file again, one line, readable by the gateway's user alone");
    return false;
}

static bool is_guid(const char *text)
{
    static const char form[] = "00000000-0000-0000-0000-000000000000";

    for (size_t i = 0; i < KEY_OLD; i++)
        if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

/* A longer key than today's is not ruled out. */
static bool has_key_form(const struct secret *key)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-";

    if (key->len == KEY_OLD)
        return is_guid(key->p);
    return key->len >= KEY_NEW && strspn(key->p, letters) == key->len;
}

static bool check_key_form(struct doctor *d, const char *path)
{
    struct secret key = {0};
    char why[80];
    bool good = secret_read_line(&key, path, why) == 0 && has_key_form(&key);
    size_t len = key.len;

    secret_clear(&key);
    if (good) {
        report_note(d, "api_key_file has the form of an API key (%zu characters)", len);
        return true;
    }
    report_failed(d, "api_key_file: %s holds %zu character%s, and no API key has this form", path, len,
                  len == 1 ? "" : "s");
    report_cause(d,
                 "the file holds something else than the key, or a part of it: an API key has %d letters and "
                 "digits, in old releases it is a GUID of %d characters",
                 KEY_NEW, KEY_OLD);
    report_remedy(
        d, "copy the whole key from Configuration > API Registrations into the file, and nothing else");
    return false;
}

static bool check_client_certificate(struct doctor *d)
{
    if (!d->vault_conf->client_certificate || doctor_own_pair(d->vault_conf))
        return true;
    report_failed(d, "client_certificate and client_key cannot be used together");
    report_cause(d, "one is not PEM, the key has a passphrase, or they do not belong together");
    report_remedy(d, "export certificate and key as PEM once more, the key without a passphrase");
    return false;
}

bool doctor_secrets(struct doctor *d)
{
    const struct conf_vault *conf = d->vault_conf;
    char why[256];
    size_t len;

    if (secret_open(d->conf->gateway.secret_memory, why)) {
        report_unknown(d, "out of memory");
        return false;
    }
    if (conf->oauth_client_id) {
        if (!check_secret(d, "oauth_client_secret_file", conf->oauth_client_secret_file, "", &len))
            return false;
    } else {
        if (!check_secret(d, "api_key_file", conf->api_key_file, "; ", &len))
            return false;
        if (!check_key_form(d, conf->api_key_file))
            return false;
    }
    if (conf->run_as_password_file &&
        !check_secret(d, "run_as_password_file", conf->run_as_password_file, "", &len))
        return false;
    if (!check_client_certificate(d))
        return false;
    report_ok(d, "readable: %s%s%s", conf->oauth_client_id ? "the OAuth client's secret" : "the API key",
              conf->run_as_password_file ? ", the user's password" : "",
              conf->client_certificate ? ", the client certificate and its key" : "");
    return true;
}

/* ---- mapping ---- */

/* A user in user_map has the name given there, and no template is used. */
static bool note_user_map(struct doctor *d)
{
    struct conf_vault none = *d->vault_conf;
    struct usermap map;

    none.run_as.n = 0;
    if (usermap_expand(&none, &d->session, &map))
        return false;
    if (usermap_user(&map))
        report_note(d, "user_map makes %s", usermap_user(&map));
    bool mapped = usermap_user(&map) || *map.ended; /* then user_map's own name cannot be written */
    usermap_free(&map);
    return mapped;
}

/* The name that each template alone makes of this user. */
static void note_templates(struct doctor *d)
{
    bool ended = false;

    for (size_t i = 0; i < d->vault_conf->run_as.n && !ended; i++) {
        struct conf_vault one = *d->vault_conf;
        struct usermap map;
        one.run_as.item += i;
        one.run_as.n = 1;
        if (usermap_expand(&one, &d->session, &map))
            continue;
        ended = *map.ended != '\0';
        if (ended)
            report_note(d, "%s", map.ended);
        else if (usermap_user(&map))
            report_note(d, "%s makes %s", one.run_as.item[0], usermap_user(&map));
        else
            report_note(d, "%s does not apply: the user brings no %s", one.run_as.item[0],
                        d->domain ? "part it needs" : "domain, and there is no default_domain");
        usermap_free(&map);
    }
}

/* The gateway answers such a name with 400 before any mapping. */
static bool refused_by_gateway(struct doctor *d)
{
    const char *name = person_refusal(PERSON_NAME, d->username);
    const char *domain = d->domain ? person_refusal(PERSON_DOMAIN, d->domain) : NULL;

    if (!name && !domain)
        return false;
    report_failed(d, "the gateway refuses this user: the %s %s", name ? "user name" : "domain",
                  name ? name : domain);
    report_cause(d,
                 "such a name could be read as somebody else's, so it is answered with 400 invalid_request");
    report_remedy(d, "write the user as PRA knows it: DOMAIN\\user, or the bare user; see docs/find.md");
    return true;
}

bool doctor_mapping(struct doctor *d)
{
    if (refused_by_gateway(d))
        return false;
    if (usermap_expand(d->vault_conf, &d->session, &d->users)) {
        report_unknown(d, "out of memory");
        return false;
    }
    if (d->vault_conf->oauth_client_id)
        report_note(d, "oauth_shared_identity: every PRA user acts as the application user of the OAuth "
                       "client, and may request what that user may");
    else if (!note_user_map(d))
        note_templates(d);
    if (d->users.n && d->vault_conf->oauth_client_id) {
        d->report.shared_identity = true;
        report_ok(d,
                  "OAuth: the application's identity is used for all users; no user of the vault is looked "
                  "for by the name %s",
                  d->args->user);
        return true;
    }
    if (d->users.n) {
        report_ok(d, "%zu name%s to try at the vault, %s first", d->users.n, d->users.n == 1 ? "" : "s",
                  usermap_user(&d->users));
        return true;
    }
    if (*d->users.ended) {
        report_failed(d, "%s", d->users.ended);
        report_cause(d, "the sign-in has no form for this name");
        report_remedy(d, "give this user another name at the vault with `user_map`");
        return false;
    }
    report_failed(d, "no run_as rule applies to user %s %s%s", d->username,
                  d->domain ? "of domain " : "without a domain", d->domain ? d->domain : "");
    report_cause(
        d, "the user comes without the domain that the rules need, as local and RADIUS users of PRA do");
    report_remedy(d,
                  "set `default_domain` in [vault %s], or add a template to `run_as` that fits how this user "
                  "is known in the vault",
                  d->vault_conf->name);
    return false;
}
