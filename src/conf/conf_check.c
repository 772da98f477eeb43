/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_check.c - missing keys and sections of a configuration, and keys that contradict each other.
 *
 * One function per rule, over all sections of its kind. A mistake is reported at the line of the key, or at
 * the section's header where the key is missing. A configuration that cannot work is an error; one that works
 * and is probably not intended is a warning.
 *
 * Not here: rules about one key alone (the table), checks that read a file (conf_files.c), the store's
 * section (conf_store.c).
 */
#include "base/address.h"
#include "base/person.h"
#include "conf/conf_checks.h"
#include "conf/table/conf_rules.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define TWENTY_MINUTES (20 * 60 * 1000ULL)

/* ---- required sections and keys ---- */

static void check_sections(struct conf_draft *d)
{
    static const struct {
        enum conf_section kind;
        const char *lacks;
    } needed[] = {
        {SECTION_LISTENER, "no [listener NAME] section: nobody could connect"},
        {SECTION_CLIENT, "no [client NAME] section: nobody would be let in"},
        {SECTION_VAULT, "no [vault NAME] section: there is nothing to broker"},
    };
    unsigned last = 1;
    struct conf_part *part;
    bool seen[SECTION_N] = {false};

    TAILQ_FOREACH(part, &d->parts, link)
    {
        seen[part->section] = true; /* a section with a mistake has its own message */
        if (part->line > last)
            last = part->line;
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!seen[needed[i].kind])
            conf_error(d, last, "%s", needed[i].lacks);
}

/* ---- listeners ---- */

static void check_unix_keys(struct conf_draft *d, const struct conf_part *part)
{
    static const char *const keys[] = {"unix_mode", "unix_owner", "unix_group"};
    const struct conf_listener *l = part->object;

    for (size_t i = 0; l->host && !l->is_unix && i < sizeof(keys) / sizeof(keys[0]); i++)
        if (conf_part_has(part, keys[i]))
            conf_warning(d, conf_part_line(part, keys[i]),
                         "`%s` has no effect: the address is no Unix socket", keys[i]);
}

static bool is_number(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

static void check_owner(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_listener *l = part->object;

    if (l->unix_owner && !is_number(l->unix_owner) && !getpwnam(l->unix_owner))
        conf_error(d, conf_part_line(part, "unix_owner"), "there is no user `%s` on this machine",
                   l->unix_owner);
    if (l->unix_group && !is_number(l->unix_group) && !getgrnam(l->unix_group))
        conf_error(d, conf_part_line(part, "unix_group"), "there is no group `%s` on this machine",
                   l->unix_group);
}

static void check_listener_tls(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_listener *l = part->object;
    bool tls = conf_part_has(part, "tls_certificate") || conf_part_has(part, "tls_key");

    conf_check_couple(d, part, "tls_certificate", "tls_key");
    if (conf_part_has(part, "client_ca") && !tls)
        conf_error(d, conf_part_line(part, "client_ca"),
                   "`client_ca` needs TLS: set `tls_certificate` and `tls_key` as well");
    if (conf_part_has(part, "client_crl") && !conf_part_has(part, "client_ca"))
        conf_error(d, conf_part_line(part, "client_crl"),
                   "`client_crl` needs `client_ca`: without it no client shows a certificate");
    if (l->host && !l->is_unix && !address_is_loopback(l->host) && !tls)
        conf_error(d, conf_part_line(part, "address"),
                   "%s can be reached by other machines and must have TLS: set `tls_certificate` and "
                   "`tls_key`, or listen on 127.0.0.1, [::1] or unix:",
                   l->address);
}

/* Two listeners on one address; port 0 is a different port for each listener. */
static bool listener_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    const struct conf_listener *l = part->object, *o = other->object;

    if (!l->host || (!l->is_unix && !l->port))
        return false;
    if (!o->host || o->is_unix != l->is_unix || o->port != l->port || strcmp(o->host, l->host) != 0)
        return false;
    conf_error(d, conf_part_line(part, "address"), "%s is already taken by [listener %s] in line %u",
               l->address, other->name, conf_part_line(other, "address"));
    return true;
}

/* ---- clients ---- */

static void check_client_identity(struct conf_draft *d, const struct conf_part *part)
{
    if (!conf_part_has(part, "token_sha256") && !conf_part_has(part, "certificate_san") &&
        !conf_part_has(part, "peer_uid"))
        conf_error(
            d, part->line,
            "[client %s] has no identity: set `token_sha256`, `certificate_san` or `peer_uid`, or several",
            part->name);
}

static bool any_listener(struct conf_draft *d, bool (*is)(const struct conf_listener *))
{
    CONF_FOR_EACH(d, SECTION_LISTENER, part)
    if (is(part->object))
        return true;
    return false;
}

static bool asks_certificate(const struct conf_listener *l)
{
    return l->client_ca != NULL;
}

static bool is_unix(const struct conf_listener *l)
{
    return l->is_unix;
}

static void check_client_reach(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_client *c = part->object;

    if (c->certificate_san && !any_listener(d, asks_certificate))
        conf_warning(d, conf_part_line(part, "certificate_san"),
                     "[client %s] can never call: no listener has `client_ca`", part->name);
    if (c->peer_uid >= 0 && !any_listener(d, is_unix))
        conf_warning(d, conf_part_line(part, "peer_uid"),
                     "[client %s] can never call: no listener is a Unix socket", part->name);
    if (c->certificate_san && c->peer_uid >= 0)
        conf_warning(d, conf_part_line(part, "peer_uid"),
                     "[client %s] needs a certificate and a Unix socket at once: only a Unix listener with "
                     "TLS and `client_ca` gives both",
                     part->name);
}

static bool client_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    const struct conf_client *c = part->object, *o = other->object;
    bool token = c->has_token && o->has_token && memcmp(c->token_sha256, o->token_sha256, 32) == 0;
    bool none = !c->has_token && !o->has_token && (c->certificate_san || c->peer_uid >= 0);
    bool same = none && conf_same_text(c->certificate_san, o->certificate_san) && c->peer_uid == o->peer_uid;

    if (token)
        conf_error(d, conf_part_line(part, "token_sha256"), "same token as [client %s] in line %u",
                   other->name, conf_part_line(other, "token_sha256"));
    else if (same)
        conf_error(d, part->line, "[client %s] has the same identity as [client %s] in line %u", part->name,
                   other->name, other->line);
    return token || same;
}

/* ---- vaults ---- */

static void check_vault_login(struct conf_draft *d, const struct conf_part *part)
{
    bool key = conf_part_has(part, "api_key_file");
    bool oauth = conf_part_has(part, "oauth_client_id") || conf_part_has(part, "oauth_client_secret_file");

    conf_check_couple(d, part, "oauth_client_id", "oauth_client_secret_file");
    if (!key && !oauth)
        conf_error(d, part->line,
                   "[vault %s] has no way to sign in: set `api_key_file`, or `oauth_client_id` and "
                   "`oauth_client_secret_file`",
                   part->name);
    if (key && oauth)
        conf_error(
            d, conf_part_line(part, "api_key_file"),
            "`api_key_file` and OAuth exclude each other: keep the one that this API registration uses");
    if (oauth && !key && conf_part_has(part, "run_as"))
        conf_warning(d, conf_part_line(part, "run_as"),
                     "`run_as` has no effect: with OAuth all calls run as the application user");
    if (oauth && !key && conf_part_has(part, "run_as_password_file"))
        conf_warning(d, conf_part_line(part, "run_as_password_file"),
                     "`run_as_password_file` has no effect with OAuth");
    conf_check_couple(d, part, "client_certificate", "client_key");
}

/* With OAuth the vault sees the application user alone, whoever asks. */
static void check_vault_identity(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;

    if (v->oauth_client_id && !v->api_key_file && !v->oauth_shared_identity)
        conf_error(d, conf_part_line(part, "oauth_client_id"),
                   "with OAuth every PRA user acts as the one application user of this client: what that "
                   "user may request at the vault, every PRA user may request. Sign in with `api_key_file` "
                   "instead, which acts as the PRA user, or set `oauth_shared_identity = yes` in [vault %s] "
                   "if this is meant",
                   part->name);
    if (v->oauth_shared_identity && !v->oauth_client_id)
        conf_warning(d, conf_part_line(part, "oauth_shared_identity"),
                     "`oauth_shared_identity` has no effect without `oauth_client_id`");
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcasecmp(text + n - m, end) == 0;
}

static void check_vault_url(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;
    unsigned line = conf_part_line(part, "url");
    char why[ADDRESS_WHY_SIZE];
    struct address_url url;

    if (!v->url || address_split_url(v->url, &url, why))
        return;
    conf_check_https(d, line, &url, v->insecure_http);
    if (!ends_with(url.path, "/public/v3"))
        conf_warning(d, line, "`url` usually ends in /BeyondTrust/api/public/v3");
}

bool conf_same_vault_url(const struct conf_vault *a, const struct conf_vault *b)
{
    char mine[ADDRESS_IDENTITY_SIZE], its[ADDRESS_IDENTITY_SIZE];

    address_url_identity(a->url, mine);
    address_url_identity(b->url, its);
    return *mine && strcmp(mine, its) == 0;
}

/* One API registration. Its other keys (the run-as password, the certificate) make no other one of it. */
static bool same_sign_in(const struct conf_vault *a, const struct conf_vault *b)
{
    return (a->api_key_file && conf_same_text(a->api_key_file, b->api_key_file)) ||
           (a->oauth_client_id && b->oauth_client_id &&
            strcasecmp(a->oauth_client_id, b->oauth_client_id) == 0) ||
           (a->login_name && b->login_name && strcasecmp(a->login_name, b->login_name) == 0);
}

void conf_vault_twin_error(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    conf_error(d, conf_part_line(part, "url"),
               "[vault %s] is [vault %s] in line %u again: same `url` and same sign-in. Keep one of them, or "
               "give each a sign-in of its own",
               part->name, other->name, conf_part_line(other, "url"));
}

/* One vault in two sections: each of its requests would belong to both. Two files with one key: conf_files.c.
 */
static bool vault_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    if (!conf_same_vault_url(part->object, other->object) || !same_sign_in(part->object, other->object))
        return false;
    conf_vault_twin_error(d, part, other);
    return true;
}

static void check_vault_times(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;

    if (v->session_idle_ms >= TWENTY_MINUTES)
        conf_error(d, conf_part_line(part, "session_idle"),
                   "`session_idle` must stay below 20m, when the vault ends an unused session itself");
    if (v->connect_timeout_ms > v->call_timeout_ms && conf_part_has(part, "connect_timeout"))
        conf_warning(d, conf_part_line(part, "connect_timeout"),
                     "`connect_timeout` is longer than `call_timeout`, which ends the wait first");
    if (conf_part_has(part, "minute") && v->minute_ms != 60000)
        conf_warning(d, conf_part_line(part, "minute"),
                     "`minute` is for simulators: a real vault would end requests at other times than the "
                     "gateway expects");
}

/* A name that a session is compared with, or (`written`) that is sent to the vault. */
static void check_name(struct conf_draft *d, const struct conf_part *part, const char *key, const char *text,
                       size_t n, enum person_part is, bool written)
{
    char *name = n ? strndup(text, n) : NULL;
    const char *why = !name ? NULL : written ? person_unwritable(is, name) : person_refusal(is, name);

    if (why)
        conf_error(d, conf_part_line(part, key), "`%s`: `%.80s` %s", key, name, why);
    free(name);
}

static void check_vault_users(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;

    for (size_t i = 0; i < v->run_as.n; i++)
        check_name(d, part, "run_as", v->run_as.item[i], strlen(v->run_as.item[i]), PERSON_FULL, true);
    for (size_t i = 0; i < v->run_as.n; i++)
        if (!strstr(v->run_as.item[i], "{username}"))
            conf_warning(d, conf_part_line(part, "run_as"),
                         "`run_as` template `%.80s` has no {username}: it lets every PRA user act as the "
                         "same vault user",
                         v->run_as.item[i]);
}

static void check_name_pairs(struct conf_draft *d, const struct conf_part *part, const char *key,
                             const struct conf_list *pairs, enum person_part is)
{
    for (size_t i = 0; i < pairs->n; i++) {
        const char *pair = pairs->item[i], *colon = strrchr(pair, ':');

        if (!colon)
            continue;
        check_name(d, part, key, pair, (size_t)(colon - pair), is, false);
        check_name(d, part, key, colon + 1, strlen(colon + 1), is, true);
    }
}

static void check_vault_names(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;
    const char *domain = v->default_domain, *user = v->directory_user;

    if (domain)
        check_name(d, part, "default_domain", domain, strlen(domain), PERSON_DOMAIN, true);
    if (user)
        check_name(d, part, "directory_user", user, strlen(user), PERSON_FULL, true);
    check_name_pairs(d, part, "domain_map", &v->domain_map, PERSON_DOMAIN);
    check_name_pairs(d, part, "user_map", &v->user_map, PERSON_FULL);
}

static void check_vault_directory(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_vault *v = part->object;

    if (v->restrict_network && !(v->directory_user && *v->directory_user))
        conf_warning(d, conf_part_line(part, "restrict_network"),
                     "`restrict_network` finds no endpoints for a session with a network_id unless "
                     "`directory_user` is set: nobody else tells the workgroup of a system");
}

/* ---- the site ---- */

static void check_site_times(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_pra *p = part->object;

    if (p->poll_interval_ms && p->poll_interval_ms < 1000)
        conf_error(d, conf_part_line(part, "poll_interval"), "`poll_interval` must be 0s, or 1s and more");
    if (p->poll_overlap_ms > p->catch_up_ms)
        conf_error(d, conf_part_line(part, conf_part_has(part, "poll_overlap") ? "poll_overlap" : "catch_up"),
                   "`poll_overlap` must not be longer than `catch_up`");
    if (p->connect_timeout_ms > p->call_timeout_ms && conf_part_has(part, "connect_timeout"))
        conf_warning(d, conf_part_line(part, "connect_timeout"),
                     "`connect_timeout` is longer than `call_timeout`, which ends the wait first");
}

static bool takes_events(const struct conf_listener *l)
{
    return !l->client_ca;
}

static bool events_only(const struct conf_listener *l)
{
    return l->routes == ROUTES_EVENTS;
}

static void check_site_ends(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_pra *p = part->object;

    if (!p->poll_interval_ms)
        conf_warning(d, conf_part_line(part, "poll_interval"),
                     p->events_token.n
                         ? "with `poll_interval` 0s a lost event is made good by the lease's expiry only"
                         : "with `poll_interval` 0s and without `events_token_sha256` no lease ends early");
    if (p->events_from.n && !p->events_token.n)
        conf_warning(d, conf_part_line(part, "events_from"),
                     "`events_from` has no effect without `events_token_sha256`");
    if (p->events_token.n && !any_listener(d, takes_events))
        conf_warning(d, conf_part_line(part, "events_token_sha256"),
                     "every listener has `client_ca`, and the site has no client certificate: events need a "
                     "[listener NAME] of their own, with routes = events");
}

static void check_site(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_part *first = conf_draft_next(d, SECTION_PRA, NULL);
    const struct conf_pra *p = part->object;

    if (part != first)
        conf_error(d, part->line,
                   "a second [pra] section after [pra %s] in line %u: a gateway serves one site; give each "
                   "further site a gateway of its own",
                   first->name, first->line);
    if (p->client_id && strchr(p->client_id, ':'))
        conf_error(d, conf_part_line(part, "client_id"), "`client_id` must not hold a colon");
    conf_check_bare_url(d, part, p->url, p->insecure_http, "https://site.example.com");
    check_site_times(d, part);
    check_site_ends(d, part);
}

/* What the listeners serve, all of them together. */
static void check_routes(struct conf_draft *d)
{
    const struct conf_part *first = conf_draft_next(d, SECTION_LISTENER, NULL);
    const struct conf_part *site = conf_draft_next(d, SECTION_PRA, NULL);
    const struct conf_pra *p = site ? site->object : NULL;
    bool serves = false;

    CONF_FOR_EACH(d, SECTION_LISTENER, part)
    {
        serves = serves || !events_only(part->object);
        if (events_only(part->object) && (!p || !p->events_token.n))
            conf_warning(d, conf_part_line(part, "routes"),
                         "[listener %s] serves only /livez: events need a [pra NAME] section with "
                         "`events_token_sha256`",
                         part->name);
    }
    if (first && !serves)
        conf_error(d, conf_part_line(first, "routes"),
                   "every listener has routes = events: no client could make a request");
}

/* ---- the gateway ---- */

static void check_gateway(struct conf_draft *d)
{
    struct conf_part *part = conf_draft_next(d, SECTION_GATEWAY, NULL);
    const struct conf_gateway *g = part ? part->object : NULL;

    if (!g)
        return;
    if (g->user && !getpwnam(g->user))
        conf_error(d, conf_part_line(part, "user"), "there is no user `%s` on this machine", g->user);
    if (g->audit_group && !is_number(g->audit_group) && !getgrnam(g->audit_group))
        conf_error(d, conf_part_line(part, "audit_group"), "there is no group `%s` on this machine",
                   g->audit_group);
    if (g->release_duration_ms % 60000)
        conf_warning(d, conf_part_line(part, "release_duration"),
                     "`release_duration` counts in whole minutes, as the vault does, and is rounded up");
    if (g->catalogue_max_age_ms < g->catalogue_cache_ms)
        conf_error(d,
                   conf_part_line(part, conf_part_has(part, "catalogue_max_age") ? "catalogue_max_age"
                                                                                 : "catalogue_cache"),
                   "`catalogue_max_age` must not be shorter than `catalogue_cache`");
}

static void check_syslog(struct conf_draft *d)
{
    struct conf_part *part = conf_draft_next(d, SECTION_GATEWAY, NULL);
    const struct conf_gateway *g = part ? part->object : NULL;
    const char *to = g ? g->audit_syslog : NULL;
    char host[ADDRESS_HOST_SIZE], why[ADDRESS_WHY_SIZE] = "";
    uint16_t port = 0;

    if (!to)
        return;
    const char *path = strncmp(to, "unix:", 5) == 0 ? to + 5 : to;
    unsigned line = conf_part_line(part, "audit_syslog");
    if (strncmp(to, "udp:", 4) != 0) {
        if (*path != '/' || strlen(path) >= sizeof((struct sockaddr_un){0}.sun_path))
            conf_error(d, line,
                       "`audit_syslog` must be unix:/PATH (%zu letters of path at most) or udp:ADDRESS:PORT",
                       sizeof((struct sockaddr_un){0}.sun_path) - 1);
    } else if (address_split(to + 4, host, &port, why)) {
        conf_error(d, line, "`audit_syslog` %s", why);
    } else if (!port) {
        conf_error(d, line, "`audit_syslog` needs a port from 1 to 65535");
    }
}

void conf_check(struct conf_draft *d)
{
    check_sections(d);
    check_gateway(d);
    check_syslog(d);
    CONF_FOR_EACH(d, SECTION_LISTENER, listener)
    {
        conf_check_required(d, listener);
        check_listener_tls(d, listener);
        check_unix_keys(d, listener);
        check_owner(d, listener);
        conf_check_twins(d, listener, listener_twin);
    }
    CONF_FOR_EACH(d, SECTION_CLIENT, client)
    {
        conf_check_required(d, client);
        check_client_identity(d, client);
        check_client_reach(d, client);
        conf_check_twins(d, client, client_twin);
    }
    CONF_FOR_EACH(d, SECTION_VAULT, vault)
    {
        conf_check_required(d, vault);
        conf_check_vault_keys(d, vault);
        if (conf_is_privileged_identity(vault->object)) {
            conf_check_privileged_identity(d, vault);
        } else {
            check_vault_login(d, vault);
            check_vault_identity(d, vault);
            check_vault_url(d, vault);
            check_vault_users(d, vault);
        }
        conf_check_twins(d, vault, vault_twin);
        check_vault_times(d, vault);
        check_vault_names(d, vault);
        check_vault_directory(d, vault);
    }
    conf_check_accesses(d);
    CONF_FOR_EACH(d, SECTION_PRA, site)
    {
        conf_check_required(d, site);
        check_site(d, site);
    }
    check_routes(d);
    conf_check_store(d);
}
