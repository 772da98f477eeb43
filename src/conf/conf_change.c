/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_change.c - compares two configurations, and exchanges their values.
 *
 * The idea: two values of a key are compared by their canonical texts, and a flag of the key's row says
 * whether a reload may change it. The rule for sections is here: clients may be added and removed, listeners,
 * vaults and the site may not.
 *
 * The exchange swaps the structs of listeners, vaults and the site in place, and the array of clients.
 *
 * Not here: the contents of files that keys name. Their users read them again at each reload.
 */
#include "conf/conf_change.h"

#include "conf/conf_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX (1U << 20)

/* `client pra.rate`, or `client pra (new)`. */
static void add_name(struct conf_change *c, const char *title, const char *key, const char *what)
{
    c->changed++;
    if (c->names.len)
        (void)buf_str(&c->names, ", ");
    if (key)
        (void)buf_printf(&c->names, "%s.%s", title, key);
    if (what)
        (void)buf_printf(&c->names, "%s (%s)", title, what);
    c->names.failed = false; /* a cut list is accepted: it is for the log */
}

static void refuse_change(struct conf_change *c, const char *title, const char *what)
{
    c->refused++;
    (void)buf_printf(&c->reasons, "[%s] %s\n", title, what);
    c->reasons.failed = false;
}

static void refuse_key(struct conf_change *c, const char *title, const struct conf_row *row)
{
    char what[160];

    (void)snprintf(what, sizeof(what), "`%s` %s", row->name,
                   row->flags & CONF_STATIC
                       ? "cannot change while the gateway runs; restart it"
                       : "cannot be added or removed while the gateway runs; restart it");
    refuse_change(c, title, what);
}

/* 0 equal, 1 different, 2 only one of them is set; -ENOMEM. */
static int compare_value(const struct conf_row *row, const void *now, const void *next)
{
    struct buf a = BUF_INIT(VALUE_MAX), b = BUF_INIT(VALUE_MAX);
    int result = -ENOMEM;

    row->type->print(row, now, &a);
    row->type->print(row, next, &b);
    if (!a.failed && !b.failed) {
        result = a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0) ? 0 : 1;
        if (result && (!a.len || !b.len))
            result = 2;
    }
    buf_free(&a);
    buf_free(&b);
    return result;
}

static int compare_section(struct conf_change *c, enum conf_section section, const char *title,
                           const void *now, const void *next)
{
    for (size_t i = 0; i < conf_nrows; i++) {
        const struct conf_row *row = &conf_rows[i];
        int differs;

        if (row->section != section)
            continue;
        differs = compare_value(row, now, next);
        if (differs < 0)
            return differs;
        if (differs && (row->flags & CONF_STATIC || (differs == 2 && row->flags & CONF_STAYS)))
            refuse_key(c, title, row);
        else if (differs)
            add_name(c, title, row->name, NULL);
    }
    return 0;
}

static const char *title_of(enum conf_section section, const char *name, char out[CONF_NAME_MAX + 16])
{
    (void)snprintf(out, CONF_NAME_MAX + 16, "%s %s", conf_sections[section].name, name);
    return out;
}

/* The name is the first member of every named section. */
static const char *section_at(const void *array, enum conf_section section, size_t i)
{
    return (const char *)array + i * conf_sections[section].size;
}

/* Same names in the same order, or the whole kind is refused. */
static int compare_fixed(struct conf_change *c, enum conf_section section, const void *now, size_t nnow,
                         const void *next, size_t nnext)
{
    char title[CONF_NAME_MAX + 16];
    bool same = nnow == nnext;
    int err = 0;

    for (size_t i = 0; same && i < nnow; i++)
        same = strcmp(section_at(now, section, i), section_at(next, section, i)) == 0;
    if (!same) {
        refuse_change(
            c, conf_sections[section].name,
            "sections cannot be added, removed or put in another order while the gateway runs; restart it");
        return 0;
    }
    for (size_t i = 0; !err && i < nnow; i++)
        err = compare_section(c, section, title_of(section, section_at(now, section, i), title),
                              section_at(now, section, i), section_at(next, section, i));
    return err;
}

static const struct conf_client *client_named(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->nclients; i++)
        if (strcmp(conf->clients[i].name, name) == 0)
            return &conf->clients[i];
    return NULL;
}

static int compare_clients(struct conf_change *c, const struct conf *now, const struct conf *next)
{
    char title[CONF_NAME_MAX + 16];
    bool moved = false;
    int err = 0;

    for (size_t i = 0; i < now->nclients; i++)
        if (!client_named(next, now->clients[i].name))
            add_name(c, title_of(SECTION_CLIENT, now->clients[i].name, title), NULL, "removed");
    for (size_t i = 0; !err && i < next->nclients; i++) {
        const struct conf_client *old = client_named(now, next->clients[i].name);

        (void)title_of(SECTION_CLIENT, next->clients[i].name, title);
        if (old)
            err = compare_section(c, SECTION_CLIENT, title, old, &next->clients[i]);
        else
            add_name(c, title, NULL, "new");
        moved = moved || (i < now->nclients && strcmp(now->clients[i].name, next->clients[i].name) != 0);
    }
    if (!err && moved && now->nclients == next->nclients)
        add_name(c, "clients", NULL, "order");
    return err;
}

int conf_compare(const struct conf *now, const struct conf *next, struct conf_change *c)
{
    int err;

    *c = (struct conf_change){.names = BUF_INIT(CONF_CHANGE_MAX), .reasons = BUF_INIT(CONF_CHANGE_MAX)};
    err = compare_section(c, SECTION_GATEWAY, "gateway", &now->gateway, &next->gateway);
    if (!err)
        err = compare_fixed(c, SECTION_LISTENER, now->listeners, now->nlisteners, next->listeners,
                            next->nlisteners);
    if (!err)
        err = compare_clients(c, now, next);
    if (!err)
        err = compare_fixed(c, SECTION_VAULT, now->vaults, now->nvaults, next->vaults, next->nvaults);
    if (!err)
        err = compare_fixed(c, SECTION_PRA, now->pras, now->npras, next->pras, next->npras);
    return err;
}

void conf_change_free(struct conf_change *c)
{
    buf_free(&c->names);
    buf_free(&c->reasons);
}

/* ---- the exchange ---- */

#define EXCHANGE(type, a, b)                                                                                 \
    do {                                                                                                     \
        type between = (a);                                                                                  \
        (a) = (b);                                                                                           \
        (b) = between;                                                                                       \
    } while (0)

void conf_exchange(struct conf *now, struct conf *next)
{
    EXCHANGE(struct conf_gateway, now->gateway, next->gateway);
    for (size_t i = 0; i < now->nlisteners; i++)
        EXCHANGE(struct conf_listener, now->listeners[i], next->listeners[i]);
    for (size_t i = 0; i < now->nvaults; i++)
        EXCHANGE(struct conf_vault, now->vaults[i], next->vaults[i]);
    for (size_t i = 0; i < now->npras; i++)
        EXCHANGE(struct conf_pra, now->pras[i], next->pras[i]);
    EXCHANGE(struct conf_client *, now->clients, next->clients);
    EXCHANGE(size_t, now->nclients, next->nclients);
    memcpy(now->digest, next->digest, sizeof(now->digest));
}
