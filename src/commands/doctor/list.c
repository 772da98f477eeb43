/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - the stages list and policy: the accounts a find shows for this host, the causes of an empty
 * list, and whether the accounts can be checked out.
 *
 * An empty list is a valid answer of the vault with several causes: the system has another name there, the
 * account is not enabled for API access, or the user has no role on it. Two observations narrow them down:
 * the names of the user's other systems that are similar, and, with a directory_user, whether the vault has a
 * system of this name at all.
 */
#include "commands/doctor/stages.h"

#include "base/text.h"
#include "broker/find/display_name.h"
#include "broker/find/find_queries.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE  128
#define NEAR_MAX   5
#define POLICY_MAX 8
#define MINUTE_MS  60000
#define FAR_AWAY   1000

#define NOTE_SIZE 400

/* ---- the list ---- */

static bool is_listed(const struct account_list *list, const struct account *account)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->rows[i].system_id == account->system_id && list->rows[i].account_id == account->account_id)
            return true;
    return false;
}

/* Those that find would show; returns how many rows that were. */
static size_t add_shown(struct doctor *d, const struct account_list *from)
{
    const struct conf_list *hide = &d->vault_conf->hide;
    size_t fit = 0;

    for (size_t i = 0; from && i < from->n; i++) {
        const struct account *account = &from->rows[i];
        if (account->kind == KIND_ALIAS && !find_queries_alias_fits(&d->session, account))
            continue;
        fit++;
        if (display_name_pattern(hide, account) < hide->n)
            d->hidden++;
        else if (!is_listed(d->on_host, account))
            (void)account_list_add(d->on_host, account);
    }
    return fit;
}

static bool list_failed(struct doctor *d, const struct fault *fault)
{
    report_failed(d, "the vault does not list: %s", fault->detail);
    doctor_explain_fault(d, fault);
    return false;
}

/* One question; what came is added to the note. */
static bool list_kind(struct doctor *d, const struct account_query *query, char *note)
{
    struct doctor_call asked;
    size_t used = strlen(note);

    doctor_ask_list(d, d->user, query, &asked);
    if (asked.call.result != VAULT_OK) {
        struct fault fault = asked.call.fault;
        vault_call_free(&asked.call);
        return list_failed(d, &fault);
    }
    (void)snprintf(note + used, NOTE_SIZE - used, " %zu %s", add_shown(d, asked.call.accounts),
                   account_kind_word(query->kind));
    vault_call_free(&asked.call);
    return true;
}

/* One name form, all kinds that find asks for; aliases are asked for once, for they have no name form. */
static bool list_name(struct doctor *d, const struct host_name *name, bool first)
{
    struct account_query queries[FANOUT_QUERIES_MAX];
    size_t n = find_queries_make(&d->session, d->vault_conf, &name, 1, queries);
    char note[NOTE_SIZE];

    (void)snprintf(note, sizeof(note), "%s \"%.256s\":", host_name_form_word(name->form), name->value);
    for (size_t i = 0; i < n; i++)
        if ((first || queries[i].kind != KIND_ALIAS) && !list_kind(d, &queries[i], note))
            return false;
    report_note(d, "%s", note);
    return true;
}

static bool list_names(struct doctor *d)
{
    const struct host_name *selected[HOST_NAMES_MAX];
    struct host_names names;
    bool well = host_names_make(&d->session, &names) == 0;
    size_t n = well ? host_names_select(&names, d->vault_conf, selected) : 0;

    for (size_t i = 0; i < n && well; i++)
        well = list_name(d, selected[i], i == 0);
    if (well && n == 0)
        report_note(d, "`match` leaves no form in which this host could be asked for");
    host_names_free(&names);
    return well;
}

/* ---- why it is empty ---- */

struct near {
    const char *name;
    unsigned distance;
};

static void lower_short(char out[NAME_SIZE], const char *text, bool whole)
{
    size_t n = 0;

    for (; text[n] && n < NAME_SIZE - 1 && (whole || text[n] != '.'); n++)
        out[n] = (char)tolower((unsigned char)text[n]);
    out[n] = '\0';
}

/* How far a system's name is from the host asked for: as they are, or by their first labels. */
static unsigned distance_of(const char *host, const char *system)
{
    char a[NAME_SIZE], b[NAME_SIZE];
    unsigned whole, label;

    lower_short(a, host, true);
    lower_short(b, system, true);
    whole = text_distance(a, b);
    if (text_is_ip(host) || text_is_ip(system))
        return whole;
    if (strlen(a) >= 3 && strlen(b) >= 3 && (strstr(a, b) || strstr(b, a)))
        return 1;
    lower_short(a, host, false);
    lower_short(b, system, false);
    label = text_distance(a, b) + 1;
    return label < whole ? label : whole;
}

static bool is_offered(const struct near near[NEAR_MAX], const char *name)
{
    for (size_t i = 0; i < NEAR_MAX && near[i].name; i++)
        if (text_equal_nocase(near[i].name, name))
            return true;
    return false;
}

static void offer_near(struct near near[NEAR_MAX], const char *name, unsigned distance)
{
    size_t at = NEAR_MAX;

    if (!name || !*name || is_offered(near, name))
        return;
    while (at > 0 && distance < near[at - 1].distance)
        at--;
    if (at == NEAR_MAX)
        return;
    memmove(&near[at + 1], &near[at], (NEAR_MAX - 1 - at) * sizeof(near[0]));
    near[at] = (struct near){name, distance};
}

/* The nearest of the systems the user may see. */
static void find_near(struct doctor *d, struct near near[NEAR_MAX])
{
    for (size_t i = 0; i < NEAR_MAX; i++)
        near[i] = (struct near){NULL, FAR_AWAY};
    for (size_t i = 0; i < d->all->n; i++)
        offer_near(near, d->all->rows[i].system, distance_of(d->args->host, d->all->rows[i].system));
    for (size_t i = 0; i < NEAR_MAX && near[i].name; i++)
        report_note(d, "nearest system of this user: %s", near[i].name);
}

static bool is_near(const char *host, const struct near *near)
{
    unsigned letters = (unsigned)strlen(host), limit = letters / 4 > 2 ? letters / 4 : 2;

    return near->name && near->distance <= limit && near->distance < letters;
}

enum exists { NOT_KNOWN, IT_EXISTS, IT_DOES_NOT };

static bool row_named(const struct directory_row *row, const char *host)
{
    return (row->name && text_equal_nocase(row->name, host)) ||
           (row->host && text_equal_nocase(row->host, host)) ||
           (row->dns && text_equal_nocase(row->dns, host)) || (row->ip && text_equal_nocase(row->ip, host));
}

/* Has the vault a system of this name at all? Only a directory_user sees every system. */
static enum exists ask_directory(struct doctor *d, char name[NAME_SIZE])
{
    const char *user = d->vault_conf->directory_user;
    enum exists found = IT_DOES_NOT;

    if (!d->directory)
        return NOT_KNOWN;
    for (size_t i = 0; found == IT_DOES_NOT && i < d->directory->n; i++)
        if (row_named(&d->directory->rows[i], d->args->host)) {
            found = IT_EXISTS;
            (void)text_copy(name, NAME_SIZE, d->directory->rows[i].name);
        }
    report_note(d, "directory_user %s: %s", user,
                found == IT_EXISTS ? "the vault has this system" : "the vault has no system of this name");
    return found;
}

static void explain_exists(struct doctor *d, const char *name)
{
    if (!text_equal_nocase(name, d->args->host)) {
        report_cause(d, "the vault has this machine as system %s: the name differs", name);
        report_remedy(d, "give the jump item that name, or its IP address, in one of its fields");
        return;
    }
    report_cause(d, "the vault has the system, but no account on it for this user: the account is not "
                    "enabled for API access, or the user has no Requestor role on its Smart Rule");
    report_remedy(d, "tick \"API enabled\" on the account; if it is, give a group of the user the Requestor "
                     "role on a Smart Rule that holds the account");
}

static void explain_near(struct doctor *d, const struct near *near)
{
    report_cause(d, "the name differs: the user may use %s in the vault, which is nearly %s", near->name,
                 d->args->host);
    report_remedy(d, "give the jump item the name of the system in the vault (or its IP address), or rename "
                     "one of the two; `match` says which fields are asked for");
}

static void explain_open(struct doctor *d, bool is_absent)
{
    if (is_absent)
        report_cause(
            d,
            "the vault has no managed system under this name: it is not managed, or has another name there");
    else
        report_cause(d, "the account on this host is not enabled for API access, or the user has no "
                        "Requestor role on it, or the vault has no system of this name");
    report_remedy(d,
                  "look the system up in Password Safe by the names above: if it is not there, add it or "
                  "correct the jump item; if it is, tick \"API enabled\" on its account; then look at the "
                  "user's roles on the Smart Rule%s",
                  is_absent || d->vault_conf->directory_user
                      ? ""
                      : ". A directory_user would let doctor tell these apart");
}

static void explain_empty(struct doctor *d)
{
    char name[NAME_SIZE] = "";
    struct near near[NEAR_MAX];
    enum exists exists;

    report_failed(
        d,
        "the vault answers with an empty list: %s may request nothing on %s (a valid answer, not an error)",
        doctor_acting(d), d->args->host);
    find_near(d, near);
    exists = ask_directory(d, name);
    if (exists == IT_EXISTS)
        explain_exists(d, name);
    else if (is_near(d->args->host, &near[0]))
        explain_near(d, &near[0]);
    else
        explain_open(d, exists == IT_DOES_NOT);
}

/* ---- kinds ---- */

#define ALL_KINDS ((1U << KIND_NKINDS) - 1)

struct left_out { /* rows on the host of the kinds that `kinds` leaves out */
    size_t rows[KIND_NKINDS], n;
};

static void count_left_out(struct doctor *d, const struct account_query *query, struct left_out *left)
{
    struct doctor_call asked;

    doctor_ask_list(d, d->user, query, &asked);
    for (size_t i = 0; asked.call.accounts && i < asked.call.accounts->n; i++)
        if (query->kind != KIND_ALIAS ||
            find_queries_alias_fits(&d->session, &asked.call.accounts->rows[i])) {
            left->rows[query->kind]++;
            left->n++;
        }
    vault_call_free(&asked.call);
}

/* The queries of a find with every kind, less those that have been made. */
static void ask_left_out(struct doctor *d, struct left_out *left)
{
    const struct host_name *selected[HOST_NAMES_MAX];
    struct account_query queries[FANOUT_QUERIES_MAX];
    struct conf_vault all = *d->vault_conf;
    struct host_names names;

    all.kinds = ALL_KINDS;
    if (host_names_make(&d->session, &names) == 0) {
        size_t n = find_queries_make(&d->session, &all, selected,
                                     host_names_select(&names, d->vault_conf, selected), queries);
        for (size_t i = 0; i < n; i++)
            if (!find_queries_has_kind(d->vault_conf, queries[i].kind))
                count_left_out(d, &queries[i], left);
    }
    host_names_free(&names);
}

/* False = the kinds are not the cause. */
static bool explain_kinds(struct doctor *d)
{
    struct left_out left = {.n = 0};
    char words[160] = "";

    ask_left_out(d, &left);
    for (size_t kind = 0; kind < KIND_NKINDS; kind++)
        if (left.rows[kind]) {
            size_t used = strlen(words);
            (void)snprintf(words + used, sizeof(words) - used, "%s%s", used ? " " : "",
                           account_kind_word((enum account_kind)kind));
            report_note(d, "left out by `kinds`: %zu %s", left.rows[kind],
                        account_kind_word((enum account_kind)kind));
        }
    if (!left.n)
        return false;
    report_failed(d, "no account on %s is of a kind that is asked for; the vault lists %zu of others for %s",
                  d->args->host, left.n, doctor_acting(d));
    report_cause(d, "`kinds` in [vault %s] leaves out: %s", d->vault_conf->name, words);
    report_remedy(d, "add to `kinds`: %s", words);
    return true;
}

static void explain_hidden(struct doctor *d)
{
    report_failed(d, "the vault lists %zu row%s on %s for %s, but none is shown", d->hidden,
                  d->hidden == 1 ? "" : "s", d->args->host, doctor_acting(d));
    report_cause(d, "all of them fit a pattern of `hide` in [vault %s]", d->vault_conf->name);
    report_remedy(d, "take the pattern out, or make it narrower");
}

bool doctor_list(struct doctor *d)
{
    d->on_host = account_list_new();
    if (!d->on_host || !list_names(d))
        return false;
    if (d->on_host->n) {
        report_ok(d, "%zu account%s on %s for %s", d->on_host->n, d->on_host->n == 1 ? "" : "s",
                  d->args->host, doctor_acting(d));
        return true;
    }
    if (d->hidden)
        explain_hidden(d);
    else if (!explain_kinds(d))
        explain_empty(d);
    return false;
}

/* ---- the policy ---- */

struct wanted { /* how many of the accounts asked about */
    size_t asked, usable, closed, reason, ticket, approval;
    struct fault fault; /* of the last one that was not answered */
};

static int64_t minutes_for(const struct doctor *d, const struct account *account)
{
    int64_t minutes = (int64_t)(d->conf->gateway.release_duration_ms / MINUTE_MS);

    if (minutes < 1)
        minutes = 1;
    return account->max_minutes > 0 && account->max_minutes < minutes ? account->max_minutes : minutes;
}

static bool has_reason(const struct doctor *d)
{
    return d->vault_conf->reason && *d->vault_conf->reason;
}

static void count_policy(const struct doctor *d, const struct vault_policy *policy, struct wanted *wanted)
{
    bool reason = policy->reason && !has_reason(d);

    wanted->asked++;
    wanted->closed += !policy->available;
    wanted->reason += policy->available && reason;
    wanted->ticket += policy->available && policy->ticket;
    wanted->approval += policy->available && policy->approval;
    wanted->usable += policy->available && !reason && !policy->ticket && !policy->approval;
}

static void ask_policy(struct doctor *d, const struct account *account, struct wanted *wanted)
{
    struct doctor_call asked;
    const struct vault_policy *policy = &asked.call.policy;

    doctor_ask_policy(d, account, minutes_for(d, account), &asked);
    if (asked.call.result == VAULT_OK) {
        count_policy(d, policy, wanted);
        report_note(d, "%s on %s: %s%s%s%s", account->account, account->system,
                    policy->available ? "open now" : "closed now", policy->reason ? ", wants a reason" : "",
                    policy->ticket ? ", wants a ticket" : "", policy->approval ? ", wants an approval" : "");
    } else {
        report_note(d, "%s on %s: %s", account->account, account->system, asked.call.fault.detail);
        wanted->fault = asked.call.fault;
    }
    vault_call_free(&asked.call);
}

static void explain_policy(struct doctor *d, const struct wanted *w)
{
    report_failed(d, "none of the %zu account%s asked about could be checked out just like that", w->asked,
                  w->asked == 1 ? "" : "s");
    if (w->approval) {
        report_cause(d,
                     "the access policy wants an approval, and no approver is asked while a session starts");
        report_remedy(d, "give the requesters of the gateway a policy with automatic approval for View");
    } else if (w->ticket) {
        report_cause(d, "the access policy wants a ticket");
        report_remedy(
            d,
            "let the caller send ticket_system_id and ticket_number, or take the ticket out of the policy");
    } else if (w->reason) {
        report_cause(d, "the access policy wants a reason, and `reason` is not configured");
        report_remedy(d, "set `reason` in [vault %s], for example: reason = PRA session {session} of {user}",
                      d->vault_conf->name);
    } else {
        report_cause(d, "no schedule of the access policy is open now for this user");
        report_remedy(d, "look at the times and locations in the schedules of the policy: they count in the "
                         "vault's time zone");
    }
}

bool doctor_policy(struct doctor *d)
{
    struct wanted wanted = {0};

    for (size_t i = 0; i < d->on_host->n && i < POLICY_MAX; i++)
        ask_policy(d, &d->on_host->rows[i], &wanted);
    if (!wanted.asked && wanted.fault.foreign) {
        report_failed(d, "%s", wanted.fault.detail);
        doctor_explain_fault(d, &wanted.fault);
        return false;
    }
    if (!wanted.asked) {
        report_unknown(d, "the vault does not answer AccessPolicies/Test for these accounts");
        return true;
    }
    if (!wanted.usable) {
        explain_policy(d, &wanted);
        return false;
    }
    report_ok(d, "%zu of %zu account%s asked about can be checked out now", wanted.usable, wanted.asked,
              wanted.asked == 1 ? "" : "s");
    return true;
}
