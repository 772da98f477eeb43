/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usermap.c - the candidates of a session at a vault, expanded from the run_as templates.
 *
 * A template is literal text with {username} and {domain} in it. Braces around anything else are literal: the
 * configuration check has reported them. A template that needs a part the session lacks is skipped. A part
 * that is given and cannot be written (base/person.h; a name that is too long as well) ends the expansion:
 * the templates behind it are for sessions without that part.
 *
 * The configuration's own names go before the templates: `domain_map` gives a domain its other name, and a
 * person in `user_map` is that vault user, whatever the templates say. Names are compared with
 * person_same_n() alone.
 *
 * The candidates are made once, at the start of an operation, and taken with usermap_next(). Two results that
 * differ in ASCII case only are the same user to the vault and count once; the first spelling stays.
 *
 * Not here: whether the vault accepts a candidate (find/vault_fanout.c, checkout/).
 */
#include "broker/identity/usermap.h"

#include "base/person.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parts {
    const char *username, *domain; /* NULL = the session has none */
};

static const char *given(const char *text)
{
    return text && *text ? text : NULL;
}

/* The right side of the pair whose left side is the name (with a domain: DOMAIN\name), or NULL. */
static const char *find_pair(const struct conf_list *pairs, const char *domain, const char *name)
{
    size_t before = domain ? strlen(domain) + 1 : 0;

    for (size_t i = 0; i < pairs->n; i++) {
        const char *pair = pairs->item[i], *colon = strrchr(pair, ':');
        size_t n = colon ? (size_t)(colon - pair) : 0;
        bool same_domain = !domain || (n > before && pair[before - 1] == '\\' &&
                                       person_same_n(pair, before - 1, domain, before - 1));

        if (n && same_domain && person_same_n(pair + before, n - before, name, strlen(name)))
            return colon + 1;
    }
    return NULL;
}

static struct parts parts_of(const struct conf_vault *conf, const struct session *session)
{
    const char *domain = given(session->domain), *other;

    if (!domain)
        domain = given(conf->default_domain);
    other = domain ? find_pair(&conf->domain_map, NULL, domain) : NULL;
    return (struct parts){.username = given(session->username), .domain = other ? other : domain};
}

/*
 * The vault user the configuration names for this person: by the session's domain, by the domain's other
 * name, or by the bare user name where the session has no domain.
 */
static const char *mapped_user(const struct conf_vault *conf, const struct session *session,
                               const struct parts *parts)
{
    bool local = !given(session->domain);
    const char *domains[] = {given(local ? conf->default_domain : session->domain), parts->domain};
    const char *user = NULL;

    if (!parts->username || !conf->user_map.n || person_refusal(PERSON_NAME, parts->username))
        return NULL; /* a name with a backslash would pass for a person of that domain */
    for (size_t i = 0; i < 2 && !user; i++)
        if (domains[i])
            user = find_pair(&conf->user_map, domains[i], parts->username);
    return user || !local ? user : find_pair(&conf->user_map, NULL, parts->username);
}

/* ---- templates ---- */

enum expansion { APPLIES, LACKS_PART, CANNOT_BE_WRITTEN };

/* Ends the candidates at a rule: `why` is what keeps its part from being written. */
static void end_candidates(struct usermap *map, const char *rule, const char *part, const char *why)
{
    (void)snprintf(map->ended, sizeof(map->ended), "run_as rule %.100s: the %s %s (no further rule is tried)",
                   rule, part, why);
}

/*
 * The piece of text at *at, which moves behind it; *len is its length. Where it is a placeholder whose part
 * cannot be written, *why says what keeps it.
 */
static enum expansion next_piece(const struct parts *parts, const char **at, const char **piece, size_t *len,
                                 const char **part, const char **why)
{
    static const struct {
        char text[12];
        size_t len;
        const char *word;
        enum person_part is;
    } places[] = {{"{username}", 10, "user name", PERSON_NAME}, {"{domain}", 8, "domain", PERSON_DOMAIN}};

    for (size_t i = 0; i < 2; i++) {
        if (strncmp(*at, places[i].text, places[i].len) != 0)
            continue;
        *at += places[i].len;
        *piece = places[i].is == PERSON_NAME ? parts->username : parts->domain;
        *part = places[i].word;
        if (!*piece)
            return LACKS_PART;
        *len = strlen(*piece);
        *why = person_unwritable(places[i].is, *piece);
        return *why ? CANNOT_BE_WRITTEN : APPLIES;
    }
    *piece = (*at)++;
    *len = 1;
    return APPLIES;
}

/* The part that makes the name too long. */
static const char *longest_part(const struct parts *parts, const char *part)
{
    bool both = parts->username && parts->domain && part;

    return both && strlen(parts->domain) > strlen(parts->username) ? "domain" : "user name";
}

/* A part that is missing counts before one that cannot be written. */
static enum expansion expand_template(const char *template, const struct parts *parts,
                                      char out[USERMAP_USER_SIZE], const char **part, const char **why)
{
    enum expansion result = APPLIES;
    size_t used = 0;

    for (const char *at = template; *at;) {
        const char *piece, *name = NULL, *bad = NULL;
        size_t len = 0;
        enum expansion one = next_piece(parts, &at, &piece, &len, &name, &bad);

        if (one == LACKS_PART)
            return LACKS_PART;
        if (one == APPLIES && len >= USERMAP_USER_SIZE - used) {
            one = CANNOT_BE_WRITTEN;
            name = longest_part(parts, name);
            bad = "is too long";
        }
        if (one == CANNOT_BE_WRITTEN && result == APPLIES) {
            result = one;
            *part = name;
            *why = bad;
        }
        if (result != APPLIES)
            continue;
        memcpy(out + used, piece, len);
        used += len;
    }
    out[used] = '\0';
    if (result != APPLIES)
        return result;
    *part = "name it makes";
    *why = *out ? person_unwritable(PERSON_FULL, out) : "is empty";
    return *why ? CANNOT_BE_WRITTEN : APPLIES;
}

static int add_candidate(struct usermap *map, const char *user)
{
    for (size_t i = 0; i < map->n; i++)
        if (person_same(map->user[i], user))
            return 0;
    if (map->n == USERMAP_MAX)
        return 0;
    map->user[map->n] = strdup(user);
    if (!map->user[map->n])
        return -ENOMEM;
    map->n++;
    return 0;
}

static int add_application(const struct conf_vault *conf, struct usermap *map)
{
    char user[USERMAP_USER_SIZE];
    int n = snprintf(user, sizeof(user), "application:%s", conf->oauth_client_id);

    if (n < 0 || (size_t)n >= sizeof(user))
        return -ENOMEM;
    return add_candidate(map, user);
}

/* Adds a candidate for each rule, up to the first rule that cannot be written. */
static int add_templates(const struct conf_vault *conf, const struct parts *parts, struct usermap *map)
{
    char user[USERMAP_USER_SIZE];
    int err = 0;

    for (size_t i = 0; i < conf->run_as.n && !err && !*map->ended; i++) {
        const char *rule = conf->run_as.item[i], *part = NULL, *why = NULL;

        switch (expand_template(rule, parts, user, &part, &why)) {
        case APPLIES: err = add_candidate(map, user); break;
        case LACKS_PART: break;
        case CANNOT_BE_WRITTEN: end_candidates(map, rule, part, why); break;
        }
    }
    return err;
}

int usermap_expand(const struct conf_vault *conf, const struct session *session, struct usermap *map)
{
    struct parts parts = parts_of(conf, session);
    const char *known = mapped_user(conf, session, &parts), *why;
    int err = 0;

    *map = (struct usermap){0};
    if (conf->oauth_client_id && *conf->oauth_client_id) {
        err = add_application(conf, map);
    } else if (!known) {
        err = add_templates(conf, &parts, map);
    } else {
        why = strlen(known) < USERMAP_USER_SIZE ? person_unwritable(PERSON_FULL, known) : "is too long";
        if (why)
            (void)snprintf(map->ended, sizeof(map->ended),
                           "the name that user_map gives this user cannot be written: it %s", why);
        else
            err = add_candidate(map, known);
    }
    if (err)
        usermap_free(map);
    return err;
}

int usermap_at(const struct vault *vault, const struct session *session, struct usermap *map)
{
    if (vault->can.per_user)
        return usermap_expand(vault->conf, session, map);
    *map = (struct usermap){0};
    return add_candidate(map, vault->principal);
}

void usermap_free(struct usermap *map)
{
    for (size_t i = 0; i < map->n; i++)
        free(map->user[i]);
    *map = (struct usermap){0};
}

const char *usermap_user(const struct usermap *map)
{
    return map->current < map->n ? map->user[map->current] : NULL;
}

bool usermap_next(struct usermap *map)
{
    if (map->current < map->n)
        map->current++;
    return map->current < map->n;
}

/* Appends what fits; *used never passes size - 1. */
static void append_text(char *out, size_t size, size_t *used, const char *text)
{
    size_t len = strlen(text);

    if (len > size - 1 - *used)
        len = size - 1 - *used;
    memcpy(out + *used, text, len);
    *used += len;
    out[*used] = '\0';
}

void usermap_explain(const struct usermap *map, const struct session *session, char *out, size_t size)
{
    const char *domain = session->domain;
    size_t used = 0;

    if (size == 0)
        return;
    out[0] = '\0';
    if (map->n == 0 && *map->ended) {
        append_text(out, size, &used, map->ended);
        return;
    }
    if (map->n == 0) {
        append_text(out, size, &used, "no run_as rule applies to user ");
        append_text(out, size, &used, session->username ? session->username : "");
        append_text(out, size, &used, domain && *domain ? " of domain " : " without a domain");
        append_text(out, size, &used, domain && *domain ? domain : "");
        return;
    }
    append_text(out, size, &used, "tried ");
    for (size_t i = 0; i < map->n && i <= map->current; i++) {
        append_text(out, size, &used, i ? ", " : "");
        append_text(out, size, &used, map->user[i]);
    }
    if (map->current < map->n || !*map->ended)
        return;
    append_text(out, size, &used, "; ");
    append_text(out, size, &used, map->ended);
}
