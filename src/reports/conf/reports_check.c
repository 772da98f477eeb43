/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_check.c - missing keys of the configuration of session reports, and keys that contradict each
 * other.
 *
 * One function per rule, over all sections of its kind. A mistake is reported at the line of the key, or at
 * the section's header where the key is missing. A configuration that cannot work is an error; one that works
 * and is probably not intended is a warning.
 *
 * Not here: rules about one key alone (the table), checks that read a file (reports_files.c).
 */
#include "base/text.h"
#include "conf/table/conf_rules.h"
#include "reports/conf/reports_sections.h"

#include <string.h>
#include <strings.h>

static const struct conf_part *only_part(struct conf_draft *d, enum reports_section section)
{
    return conf_draft_next(d, section, NULL);
}

/* ---- [reports] ---- */

static void check_purpose(struct conf_draft *d)
{
    const struct conf_part *part = only_part(d, REPORTS_MAIN);
    const struct reports_main *m = part ? part->object : NULL;
    bool collects = !m || m->collect;

    if (!collects && !only_part(d, REPORTS_WEB))
        conf_warning(d, conf_part_line(part, "collect"),
                     "with `collect` no and without a [web] section there is nothing to do");
    if (collects && !only_part(d, REPORTS_PRA) && !only_part(d, REPORTS_GATEWAY))
        conf_warning(d, 1, "no [pra NAME] section: nothing is collected");
}

static void check_times(struct conf_draft *d)
{
    const struct conf_part *part = only_part(d, REPORTS_MAIN);
    const struct reports_main *m = part ? part->object : NULL;

    if (!m)
        return;
    if (m->backfill_ms > m->keep_ms)
        conf_warning(d, conf_part_line(part, conf_part_has(part, "backfill") ? "backfill" : "keep"),
                     "`backfill` is longer than `keep`: nothing older than that is fetched");
    if (m->overlap_ms > m->sweep_ms)
        conf_warning(d, conf_part_line(part, conf_part_has(part, "overlap") ? "overlap" : "sweep"),
                     "`overlap` is longer than `sweep`, which then adds nothing");
}

/* ---- sites ---- */

static void check_site(struct conf_draft *d, const struct conf_part *part)
{
    const struct reports_site *s = part->object;

    if (s->client_id && strchr(s->client_id, ':'))
        conf_error(d, conf_part_line(part, "client_id"), "`client_id` must not hold a colon");
    if (s->connect_timeout_ms > s->call_timeout_ms && conf_part_has(part, "connect_timeout"))
        conf_warning(d, conf_part_line(part, "connect_timeout"),
                     "`connect_timeout` is longer than `call_timeout`, which ends the wait first");
    if (s->max_session > s->max_answer)
        conf_warning(d,
                     conf_part_line(part, conf_part_has(part, "max_session") ? "max_session" : "max_answer"),
                     "`max_session` is larger than `max_answer`, which ends the answer first");
    conf_check_bare_url(d, part, s->url, s->insecure_http, "https://pra.example.com");
}

/* What stands in session.host_name; "" where the site has no usable `url`. */
static void host_name_of(const struct reports_site *s, char out[ADDRESS_HOST_SIZE])
{
    char why[ADDRESS_WHY_SIZE];
    struct address_url url;

    *out = '\0';
    if (s->host_name)
        (void)text_copy(out, ADDRESS_HOST_SIZE, s->host_name);
    else if (s->url && !address_split_url(s->url, &url, why))
        (void)text_copy(out, ADDRESS_HOST_SIZE, url.host);
}

/* Their sessions would be taken for those of one site. */
static bool site_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    char mine[ADDRESS_HOST_SIZE], its[ADDRESS_HOST_SIZE];

    host_name_of(part->object, mine);
    host_name_of(other->object, its);
    if (!*mine || strcasecmp(mine, its) != 0)
        return false;
    conf_error(
        d, conf_part_line(part, conf_part_has(part, "host_name") ? "host_name" : "url"),
        "[pra %s] has the host name `%s` of [pra %s] in line %u: give one of them a `host_name` of its "
        "own, or keep one",
        part->name, mine, other->name, other->line);
    return true;
}

/* ---- gateways ---- */

static void check_gateway(struct conf_draft *d, const struct conf_part *part)
{
    const struct reports_gateway *g = part->object;
    const char *slash = g->audit ? strrchr(g->audit, '/') : NULL, *wild = g->audit;

    if (!g->audit)
        return;
    wild += strcspn(wild, "*?[");
    if (*g->audit != '/')
        conf_error(d, conf_part_line(part, "audit"), "`audit` must be an absolute path");
    else if (wild < slash)
        conf_error(d, conf_part_line(part, "audit"), "`audit` may have * ? [ in the name of the file only");
}

static bool gateway_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    const struct reports_gateway *g = part->object, *o = other->object;

    if (!g->audit || !o->audit || strcmp(g->audit, o->audit) != 0)
        return false;
    conf_error(d, conf_part_line(part, "audit"), "[gateway %s] reads the trail of [gateway %s] in line %u",
               part->name, other->name, other->line);
    return true;
}

/* ---- the database ---- */

static const char *const server_keys[] = {"driver",  "server",        "port",
                                          "user",    "password_file", "ca_file",
                                          "options", "read_user",     "read_password_file"};

/* One `key=value;` of `options`: is it a password? */
static bool names_password(const char *option, size_t n)
{
    static const char *const keys[] = {"password", "pwd", "uid", "user", "username"};
    size_t key = 0;

    for (; n && strchr(" \t{", *option); n--)
        option++;
    while (key < n && option[key] != '=' && option[key] != ' ' && option[key] != '\t')
        key++;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (text_equal_nocase_n(option, key, keys[i], strlen(keys[i])))
            return true;
    return false;
}

static void check_options(struct conf_draft *d, const struct conf_part *part)
{
    const struct reports_database *b = part->object;

    for (const char *at = b->options; at && *at; at += strspn(at, ";")) {
        size_t n = strcspn(at, ";");

        if (names_password(at, n)) {
            conf_error(d, conf_part_line(part, "options"),
                       "`options` must not contain a password or a user: name them with `user` and "
                       "`password_file`");
            return;
        }
        at += n;
    }
}

static void check_server(struct conf_draft *d, const struct conf_part *part)
{
    const struct reports_database *b = part->object;

    if (conf_part_has(part, "path"))
        conf_warning(d, conf_part_line(part, "path"), "`path` has no effect: it is the file of SQLite");
    if (conf_part_has(part, "password_file") && !b->user)
        conf_error(d, conf_part_line(part, "password_file"), "`password_file` needs `user` beside it");
    if (conf_part_has(part, "read_password_file") && !b->read_user)
        conf_error(d, conf_part_line(part, "read_password_file"),
                   "`read_password_file` needs `read_user` beside it");
    if (!b->read_user && only_part(d, REPORTS_WEB))
        conf_warning(
            d, part->line,
            "without `read_user` the page reads with the login that writes: give it one that can only "
            "read");
}

static void check_database(struct conf_draft *d)
{
    const struct conf_part *part = only_part(d, REPORTS_DATABASE);
    const struct reports_database *b = part ? part->object : NULL;

    if (!b)
        return;
    check_options(d, part);
    if (b->type != REPORTS_SQLITE) {
        check_server(d, part);
        return;
    }
    for (size_t i = 0; i < sizeof(server_keys) / sizeof(server_keys[0]); i++)
        if (conf_part_has(part, server_keys[i]))
            conf_warning(d, conf_part_line(part, server_keys[i]), "`%s` has no effect with `type` sqlite",
                         server_keys[i]);
}

/* ---- the page ---- */

/* No browser has such an address as the origin of a page. */
static bool is_every_address(const struct conf_endpoint *address)
{
    return address->host && (strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0);
}

static void check_web(struct conf_draft *d, const struct conf_part *part)
{
    const struct reports_web *w = part->object;

    if (!w->public_url && is_every_address(&w->address) && only_part(d, REPORTS_USER))
        conf_warning(
            d, conf_part_line(part, "address"),
            "with this `address` no browser can sign in: set `public_url` to the address that people "
            "open, such as https://reports.example.com:8444");

    if (conf_part_has(part, "client_crl") && !conf_part_has(part, "client_ca"))
        conf_error(d, conf_part_line(part, "client_crl"),
                   "`client_crl` needs `client_ca`: without it no browser shows a certificate");
    if (w->session_idle_ms > w->session_max_ms)
        conf_warning(
            d, conf_part_line(part, conf_part_has(part, "session_idle") ? "session_idle" : "session_max"),
            "`session_idle` is longer than `session_max`, which ends the sign-in first");
    if (!only_part(d, REPORTS_USER) && !only_part(d, REPORTS_READER))
        conf_warning(d, part->line,
                     "no [user NAME] and no [reader NAME] section: the page lets no one in "
                     "(jumpgate-reports user add NAME)");
}

/* `sites` names sections that are there: a name that is misspelt would show nothing, or be forgotten. */
static void check_sites(struct conf_draft *d, const struct conf_part *part, const struct conf_list *sites)
{
    for (size_t i = 0; i < sites->n; i++) {
        bool there = false;

        CONF_FOR_EACH(d, REPORTS_PRA, site)
        there = there || strcmp(site->name, sites->item[i]) == 0;
        if (!there)
            conf_error(d, conf_part_line(part, "sites"), "`sites`: there is no section [pra %.64s]",
                       sites->item[i]);
    }
}

static void check_user(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_part *web = only_part(d, REPORTS_WEB);
    const struct reports_user *u = part->object;

    if (!conf_part_has(part, "password") && !conf_part_has(part, "certificate_san"))
        conf_error(d, part->line,
                   "[user %s] has no way to sign in: set `password` (jumpgate-reports user password %s), "
                   "`certificate_san`, or both",
                   part->name, part->name);
    if (u->certificate_san && web && !((const struct reports_web *)web->object)->client_ca)
        conf_warning(d, conf_part_line(part, "certificate_san"),
                     "[user %s] can never sign in: [web] has no `client_ca`", part->name);
    check_sites(d, part, &u->sites);
}

/* A certificate alone must say which user it is. */
static bool user_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    const struct reports_user *u = part->object, *o = other->object;

    if (u->password || o->password || !u->certificate_san ||
        !conf_same_text(u->certificate_san, o->certificate_san))
        return false;
    conf_error(d, conf_part_line(part, "certificate_san"), "same certificate as [user %s] in line %u",
               other->name, conf_part_line(other, "certificate_san"));
    return true;
}

static bool reader_twin(struct conf_draft *d, const struct conf_part *part, const struct conf_part *other)
{
    const struct reports_reader *r = part->object, *o = other->object;
    bool same = false;

    for (size_t i = 0; i < r->token.n; i++)
        for (size_t k = 0; k < o->token.n; k++)
            same = same || memcmp(r->token.sha256[i], o->token.sha256[k], sizeof(r->token.sha256[i])) == 0;
    if (same)
        conf_error(d, conf_part_line(part, "token_sha256"), "same token as [reader %s] in line %u",
                   other->name, conf_part_line(other, "token_sha256"));
    return same;
}

void reports_check(struct conf_draft *d)
{
    check_purpose(d);
    check_times(d);
    CONF_FOR_EACH(d, REPORTS_PRA, site)
    {
        conf_check_required(d, site);
        check_site(d, site);
        conf_check_twins(d, site, site_twin);
    }
    CONF_FOR_EACH(d, REPORTS_GATEWAY, gateway)
    {
        conf_check_required(d, gateway);
        check_gateway(d, gateway);
        conf_check_twins(d, gateway, gateway_twin);
    }
    check_database(d);
    CONF_FOR_EACH(d, REPORTS_WEB, web)
    {
        conf_check_required(d, web);
        check_web(d, web);
    }
    CONF_FOR_EACH(d, REPORTS_USER, user)
    {
        check_user(d, user);
        conf_check_twins(d, user, user_twin);
    }
    CONF_FOR_EACH(d, REPORTS_READER, reader)
    {
        conf_check_required(d, reader);
        check_sites(d, reader, &((const struct reports_reader *)reader->object)->sites);
        conf_check_twins(d, reader, reader_twin);
    }
}
