/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usermap.c - the candidates for "who is this at the vault", expanded from the run_as templates.
 *
 * A template is literal text with {username} and {domain} in it. Braces around anything else are literal: the
 * configuration check has already complained about them. A template that needs a part the session lacks
 * yields nothing, and so does one fed with control characters: a user name is going into a header line.
 *
 * Before the templates comes the configuration's own word: `domain_map` gives a domain its other name, and a
 * person in `user_map` is that vault user and nobody else, so that the templates do not count for them.
 *
 * The candidates are made once, at the start of an operation, and walked with usermap_next(). Nothing here
 * knows whether the vault likes a candidate; the one who asks moves on, and only after a refused sign-in.
 *
 * Two results that differ in ASCII case only are the same user to the vault and count once; the first
 * spelling stays.
 */
#include "broker/usermap.h"

#include "base/text.h"
#include "broker/fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parts {
    const char *username, *domain; /* NULL = the session has none */
};

/* NULL for what cannot be used: absent, empty, or with control characters. */
static const char *usable(const char *text)
{
    if (!text || !*text)
        return NULL;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return NULL;
    return text;
}

/* What stands right of the pair whose left side is the text, or NULL. */
static const char *mapped(const struct conf_list *pairs, const char *text, size_t len)
{
    for (size_t i = 0; i < pairs->n; i++) {
        const char *pair = pairs->item[i], *colon = strrchr(pair, ':');
        if (colon && fold_equal_n(pair, (size_t)(colon - pair), text, len))
            return colon + 1;
    }
    return NULL;
}

static struct parts parts_of(const struct conf_vault *conf, const struct session *session)
{
    const char *domain = session->domain, *other;

    if (!domain || !*domain)
        domain = conf->default_domain;
    domain = usable(domain);
    other = domain ? mapped(&conf->domain_map, domain, strlen(domain)) : NULL;
    return (struct parts){.username = usable(session->username), .domain = other ? other : domain};
}

/*
 * The vault user the configuration names for this person: by the session's domain, by the domain's other
 * name, or by the bare user name where the session has no domain.
 */
static const char *mapped_user(const struct conf_vault *conf, const struct session *session,
                               const struct parts *parts)
{
    bool local = !session->domain || !*session->domain;
    const char *domains[] = {local ? conf->default_domain : session->domain, parts->domain};
    const char *user = NULL;
    char full[USERMAP_USER_SIZE];

    if (!conf->user_map.n || !parts->username)
        return NULL;
    for (size_t i = 0; i < 2 && !user; i++) {
        int n = usable(domains[i]) ? snprintf(full, sizeof(full), "%s\\%s", domains[i], parts->username) : -1;
        if (n > 0 && (size_t)n < sizeof(full))
            user = mapped(&conf->user_map, full, (size_t)n);
    }
    if (!user && local)
        user = mapped(&conf->user_map, parts->username, strlen(parts->username));
    return usable(user);
}

/*
 * The text that stands at *at, which moves behind it; *len is its length. NULL = a placeholder whose part is
 * missing.
 */
static const char *next_piece(const struct parts *parts, const char **at, size_t *len)
{
    static const char username[] = "{username}", domain[] = "{domain}";
    const char *piece = *at;

    if (strncmp(piece, username, sizeof(username) - 1) == 0) {
        *at += sizeof(username) - 1;
        piece = parts->username;
    } else if (strncmp(piece, domain, sizeof(domain) - 1) == 0) {
        *at += sizeof(domain) - 1;
        piece = parts->domain;
    } else {
        *at += 1;
        *len = 1;
        return piece;
    }
    *len = piece ? strlen(piece) : 0;
    return piece;
}

/* False = the template does not apply to this session. */
static bool expand_one(const char *template, const struct parts *parts, char out[USERMAP_USER_SIZE])
{
    size_t used = 0;

    for (const char *at = template; *at;) {
        size_t len;
        const char *piece = next_piece(parts, &at, &len);
        if (!piece || len >= USERMAP_USER_SIZE - used)
            return false;
        memcpy(out + used, piece, len);
        used += len;
    }
    out[used] = '\0';
    return used > 0;
}

static int add_candidate(struct usermap *map, const char *user)
{
    for (size_t i = 0; i < map->n; i++)
        if (text_equal_nocase(map->user[i], user))
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

int usermap_expand(const struct conf_vault *conf, const struct session *session, struct usermap *map)
{
    struct parts parts = parts_of(conf, session);
    const char *known = mapped_user(conf, session, &parts);
    char user[USERMAP_USER_SIZE];
    int err = 0;

    *map = (struct usermap){0};
    if (conf->oauth_client_id && *conf->oauth_client_id)
        err = add_application(conf, map);
    else if (known)
        err = add_candidate(map, known);
    else
        for (size_t i = 0; i < conf->run_as.n && !err; i++)
            if (expand_one(conf->run_as.item[i], &parts, user))
                err = add_candidate(map, user);
    if (err)
        usermap_free(map);
    return err;
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
static void append(char *out, size_t size, size_t *used, const char *text)
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
    if (map->n == 0) {
        append(out, size, &used, "no run_as rule applies to user ");
        append(out, size, &used, session->username ? session->username : "");
        append(out, size, &used, domain && *domain ? " of domain " : " without a domain");
        append(out, size, &used, domain && *domain ? domain : "");
        return;
    }
    append(out, size, &used, "tried ");
    for (size_t i = 0; i < map->n && i <= map->current; i++) {
        append(out, size, &used, i ? ", " : "");
        append(out, size, &used, map->user[i]);
    }
}
