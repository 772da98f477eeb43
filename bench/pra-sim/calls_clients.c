/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_clients.c - the Command API's lists of what is connected: users, endpoints, Jumpoints.
 *
 * Users and endpoints come from the running sessions, a `push_agent` is a Jumpoint. The id of a client is its
 * kind's number followed by its position, and is good only while the client is connected.
 */
#include "pra-sim/dispatch.h"
#include "pra-sim/month_items.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum client_kind { CLIENT_USER, CLIENT_ENDPOINT, CLIENT_ATTENDEE, CLIENT_JUMPOINT, CLIENT_NKINDS };

static const char *const kinds[CLIENT_NKINDS] = {"representative", "support_customer",
                                                 "presentation_attendee", "push_agent"};
static const char *const elements[CLIENT_NKINDS] = {"connected_representative", "connected_support_customer",
                                                    "connected_presentation_attendee",
                                                    "connected_push_agent"};

struct client {
    enum client_kind kind;
    int64_t id, since_ms;
    const char *name, *hostname;
};

typedef void client_fn(void *arg, const struct client *);

/* ---- connected clients ---- */

static void each_jumpoint(const struct site *s, client_fn *fn, void *arg)
{
    for (size_t i = 0; i < s->jumpoints.n; i++) {
        const struct jumpoint *j = s->jumpoints.item[i];
        struct client c = {CLIENT_JUMPOINT, 30000000 + j->id, j->connect_ms, j->name, j->hostname};
        if (j->connected)
            fn(arg, &c);
    }
}

/* Those that ran at the start or began later: no other runs. */
static void each_made_up(const struct site *s, client_fn *fn, void *arg)
{
    int64_t now_s = site_now(s) / 1000;

    for (uint64_t i = s->month->opts.sessions; i < month_count(s->month, now_s); i++) {
        struct month_times t = month_times(s->month, i);
        struct month_session one;
        struct month_user user;
        struct month_item item;
        if (month_state(&t, now_s) != SESSION_RUNNING)
            continue;
        month_session(s->month, i, now_s, &one);
        month_user(s->month, one.user[0], &user);
        month_item(s->month, one.item, &item);
        fn(arg, &(struct client){CLIENT_USER, 40000000 + (int64_t)i, t.start_s * 1000, user.display,
                                 user.hostname});
        fn(arg, &(struct client){CLIENT_ENDPOINT, 60000000 + (int64_t)i, t.start_s * 1000, item.name,
                                 item.hostname});
    }
}

static void each_client(const struct site *s, client_fn *fn, void *arg)
{
    for (size_t i = 0; i < s->sessions.all.n; i++) {
        const struct session *one = s->sessions.all.item[i];
        struct client user = {CLIENT_USER, 10000000 + one->lseq, one->start_ms,
                              session_text(one, SESSION_USER), "workstation.acme.test"};
        struct client endpoint = {CLIENT_ENDPOINT, 20000000 + one->lseq, one->start_ms,
                                  session_text(one, SESSION_ENDPOINT), session_text(one, SESSION_HOSTNAME)};
        if (one->state != SESSION_RUNNING)
            continue;
        fn(arg, &user);
        fn(arg, &endpoint);
    }
    if (s->month)
        each_made_up(s, fn, arg);
    each_jumpoint(s, fn, arg);
}

/* ---- parameters ---- */

/* A comma list of kinds as a set; false = one of them is unknown. */
static bool read_kinds(const char *text, unsigned *set)
{
    *set = 0;
    while (text && *text) {
        size_t n = strcspn(text, ",");
        unsigned found = text_equal_nocase_n(text, n, "all", 3) ? (1u << CLIENT_NKINDS) - 1 : 0;
        for (int k = 0; k < CLIENT_NKINDS; k++)
            if (text_equal_nocase_n(text, n, kinds[k], strlen(kinds[k])))
                found |= 1u << k;
        if (!found)
            return false;
        *set |= found;
        text += n;
        text += *text == ',';
    }
    if (!*set)
        *set = (1u << CLIENT_NKINDS) - 1;
    return true;
}

/* Is the id in the comma list? */
static bool id_listed(const char *list, int64_t id)
{
    char text[24];

    if (!list || !*list)
        return true;
    *text_digits(text, (uint64_t)id, 0) = '\0';
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (text_equal_nocase_n(list, strcspn(list, ","), text, strlen(text)))
            return true;
    return false;
}

/* ---- get_logged_in_reps ---- */

static void put_rep(void *arg, const struct client *c)
{
    struct xml *x = arg;
    char iso[TIME_ISO];

    if (c->kind != CLIENT_USER)
        return;
    time_iso(c->since_ms, iso);
    xml_open(x, "rep");
    xml_attribute_int(x, "id", c->id);
    xml_leaf(x, "display_name", c->name);
    xml_leaf(x, "public_display_name", c->name);
    xml_leaf(x, "private_display_name", c->name);
    xml_leaf(x, "type", "Normal");
    xml_leaf(x, "logged_in_since", iso);
    xml_leaf(x, "support_session_count", "1");
    xml_leaf(x, "showing_on_rep_list", "1");
    xml_close(x);
}

static void logged_in_reps(struct dispatch *d)
{
    struct xml x = answer_xml(d);

    xml_open(&x, "logged_in_reps");
    each_client(d->site, put_rep, &x);
    xml_close(&x);
}

/* ---- get_connected_client_list ---- */

struct listing {
    struct xml *x;
    unsigned set;
    const char *ids;
    bool connections;
    uint64_t n[CLIENT_NKINDS];
};

static void count_client(void *arg, const struct client *c)
{
    ((struct listing *)arg)->n[c->kind]++;
}

static void put_reference(void *arg, const struct client *c)
{
    struct listing *l = arg;

    if (!(l->set & 1u << c->kind))
        return;
    xml_open(l->x, "connected_client");
    xml_attribute(l->x, "type", kinds[c->kind]);
    xml_attribute_int(l->x, "id", c->id);
    xml_close(l->x);
}

static void put_summary(struct dispatch *d, struct listing *l)
{
    char digits[24];

    each_client(d->site, count_client, l);
    xml_open(l->x, "connected_client_summary");
    xml_open(l->x, "appliance_summary");
    xml_attribute(l->x, "id", d->site->appliance_id);
    for (int k = 0; k < CLIENT_NKINDS; k++) {
        if (!(l->set & 1u << k))
            continue;
        xml_open(l->x, "count");
        xml_attribute(l->x, "type", kinds[k]);
        *text_digits(digits, l->n[k], 0) = '\0';
        xml_text(l->x, digits);
        xml_close(l->x);
    }
    xml_close(l->x);
    xml_close(l->x);
}

static void client_list(struct dispatch *d, unsigned set)
{
    struct xml x = answer_xml(d);
    struct listing l = {.x = &x, .set = set};
    const char *only = dispatch_param(d, "summary_only");

    xml_open(&x, "connected_client_list");
    put_summary(d, &l);
    if (!only || strcmp(only, "1") != 0)
        each_client(d->site, put_reference, &l);
    xml_close(&x);
}

/* ---- get_connected_clients ---- */

static void put_client(void *arg, const struct client *c)
{
    struct listing *l = arg;
    char iso[TIME_ISO];

    if (!(l->set & 1u << c->kind) || !id_listed(l->ids, c->id))
        return;
    time_iso(c->since_ms, iso);
    xml_open(l->x, elements[c->kind]);
    xml_attribute_int(l->x, "id", c->id);
    xml_leaf(l->x, c->kind == CLIENT_JUMPOINT ? "name" : "display_name", c->name);
    xml_leaf(l->x, "hostname", c->hostname);
    xml_open(l->x, "platform");
    xml_attribute(l->x, "id", "linux");
    xml_text(l->x, "Linux");
    xml_close(l->x);
    xml_leaf(l->x, "timezone_offset", "0");
    xml_open(l->x, "connected_since");
    xml_attribute_int(l->x, "ts", c->since_ms / 1000);
    xml_text(l->x, iso);
    xml_close(l->x);
    if (l->connections) {
        xml_leaf(l->x, "connections", "");
        xml_leaf(l->x, "event_log", "");
    }
    xml_close(l->x);
}

static void connected_clients(struct dispatch *d, unsigned set)
{
    struct xml x = answer_xml(d);
    const char *connections = dispatch_param(d, "include_connections");
    struct listing l = {.x = &x, .set = set, .ids = dispatch_param(d, "id")};

    l.connections = connections && strcmp(connections, "1") == 0;
    xml_open(&x, "connected_clients");
    each_client(d->site, put_client, &l);
    xml_close(&x);
}

void calls_clients(struct dispatch *d, const char *action)
{
    unsigned set;

    if (!read_kinds(dispatch_param(d, "type"), &set))
        answer_violation(d, VIOLATION_BAD_PARAMETER, "Unknown client type.");
    else if (strcmp(action, "get_logged_in_reps") == 0)
        logged_in_reps(d);
    else if (strcmp(action, "get_connected_client_list") == 0)
        client_list(d, set);
    else
        connected_clients(d, set);
}
