/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_command.c - `jumpgate status`: the state of the running gateway on one page; see commands.h.
 *
 * The page is GET /readyz and GET /status of the control socket. A member that an older or newer gateway does
 * not have is left out. With --json it is the object of /status with `ready` and `reasons` before its own
 * members.
 */
#include "commands/commands.h"

#include "commands/control_command.h"
#include "commands/print_table.h"
#include "commands/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXIT_NOT_READY 3

#define NOT_READY_STATUS 503
#define SOON_DAYS        30 /* days before its end from which a certificate is worth a warning, */
#define VERY_SOON_DAYS   7  /* and an error */
#define LAG_MS           100
#define SKEW_S           30
#define COLUMNS          3

static double get_double(const cJSON *object, const char *name)
{
    const cJSON *value = json_get(object, name);

    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

/* " NAME" behind a title, where there is one. */
static void name_cell(struct print_table *t, const char *title, const char *name)
{
    print_table_cellf(t, STYLE_PLAIN, "%s%s%s", title, *name ? " " : "", name);
}

static enum terminal_style style_of(const char *state)
{
    static const char *const good[] = {"ready", "reachable", "writable", "up"};
    static const char *const middling[] = {"unknown", "standby", "limited"};

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (strcmp(state, good[i]) == 0)
            return STYLE_GOOD;
    for (size_t i = 0; i < sizeof(middling) / sizeof(*middling); i++)
        if (strcmp(state, middling[i]) == 0)
            return STYLE_WARN;
    return STYLE_BAD;
}

/* ---- rows ---- */

static void gateway_row(struct print_table *t, const cJSON *status, bool ready)
{
    char up[SPAN_SIZE];
    bool draining = cJSON_IsTrue(json_get(status, "draining"));

    print_table_cell(t, STYLE_PLAIN, "gateway");
    print_table_cell(t, ready ? STYLE_GOOD : STYLE_BAD,
                     draining ? "shutting down"
                     : ready  ? "ready"
                              : "not ready");
    print_table_cellf(t, STYLE_PLAIN, "version %s, up %s, since %s", json_text(status, "version"),
                      span_text(json_number(status, "uptime_seconds"), up), json_text(status, "started_at"));
}

/* "answered 3s ago; " or "not answered yet; " */
static void add_age(struct buf *text, const cJSON *one)
{
    char age[SPAN_SIZE];

    if (cJSON_IsNumber(json_get(one, "last_success_age_ms")))
        (void)buf_printf(text, "answered %s ago",
                         span_text(json_number(one, "last_success_age_ms") / 1000, age));
    else
        (void)buf_str(text, "has not answered yet");
}

/* A clock that differs makes sign-ins fail and leases end at the wrong time. */
static void add_skew(struct buf *text, const cJSON *one)
{
    int64_t skew = json_number(one, "clock_skew_ms") / 1000;
    char span[SPAN_SIZE];

    if (skew >= SKEW_S || skew <= -SKEW_S)
        (void)buf_printf(text, ", its clock is %s %s", span_text(skew < 0 ? -skew : skew, span),
                         skew < 0 ? "behind" : "ahead");
}

/* "1 call", "2 calls" */
static void add_count(struct buf *text, const char *before, int64_t n, const char *noun)
{
    (void)buf_printf(text, "%s%" PRId64 " %s%s", before, n, noun, n == 1 ? "" : "s");
}

static void vault_detail(struct buf *text, const cJSON *one)
{
    add_age(text, one);
    add_skew(text, one);
    add_count(text, ", ", json_number(one, "connections"), "connection");
    add_count(text, ", ", json_number(one, "sessions"), "session");
    add_count(text, ", ", json_number(one, "calls_queued"), "call");
    (void)buf_str(text, " waiting");
}

static void site_detail(struct buf *text, const cJSON *one)
{
    add_age(text, one);
    add_skew(text, one);
    if (*json_text(one, "version"))
        (void)buf_printf(text, ", version %s", json_text(one, "version"));
    if (*json_text(one, "failover_role") && strcmp(json_text(one, "failover_role"), "none") != 0)
        (void)buf_printf(text, ", %s", json_text(one, "failover_role"));
    int missing = cJSON_GetArraySize(json_get(one, "missing"));
    if (missing) {
        add_count(text, ", ", missing, "permission");
        (void)buf_str(text, missing == 1 ? " is missing" : " are missing");
    }
}

static void audit_detail(struct buf *text, const cJSON *one)
{
    (void)buf_printf(text, "%s, ", json_text(one, "type"));
    add_count(text, "", json_number(one, "records"), "record");
    if (json_number(one, "lost"))
        (void)buf_printf(text, ", %" PRId64 " lost", json_number(one, "lost"));
}

/* `detail` and `why` say what is wrong, where something is. */
static void add_why(struct buf *text, const cJSON *one)
{
    const char *why = *json_text(one, "detail") ? json_text(one, "detail") : json_text(one, "why");

    if (*why)
        (void)buf_printf(text, "; %s", why);
}

static void dependency_row(struct print_table *t, const cJSON *one)
{
    const char *name = json_text(one, "name"), *type = json_text(one, "type"),
               *state = json_text(one, "state");
    bool store = strcmp(name, "store") == 0 && json_get(one, "writable");
    bool audit = strcmp(name, "audit") == 0 && json_get(one, "writable"), site = strcmp(type, "pra") == 0;
    struct buf text = BUF_INIT(1U << 16);
    enum terminal_style style = style_of(state);

    if (store) {
        (void)buf_printf(&text, "%s, ", type);
        add_count(&text, "", json_number(one, "commits"), "commit");
    } else if (audit)
        audit_detail(&text, one);
    else if (site)
        site_detail(&text, one);
    else
        vault_detail(&text, one);
    if (style != STYLE_GOOD)
        add_why(&text, one);
    name_cell(t,
              store   ? "lease store"
              : audit ? "audit trail"
              : site  ? "site"
                      : "vault",
              store || audit ? "" : name);
    print_table_cell(t, style, strcmp(state, "not_writable") == 0 ? "not writable" : state);
    print_table_cell(t, STYLE_PLAIN, buf_cstr(&text));
    buf_free(&text);
}

static void leases_row(struct print_table *t, const cJSON *leases)
{
    int64_t overdue = json_number(leases, "oldest_overdue_seconds");
    char span[SPAN_SIZE];

    print_table_cell(t, STYLE_PLAIN, "leases");
    print_table_cellf(t, STYLE_PLAIN, "%" PRId64 " open", json_number(leases, "active"));
    print_table_cellf(t, overdue ? STYLE_WARN : STYLE_PLAIN,
                      "%" PRId64 " intent, %" PRId64 " pending, %" PRId64 " releasing, %" PRId64
                      " retrying, %" PRId64 " lapsed since the start%s%s",
                      json_number(leases, "intent"), json_number(leases, "pending"),
                      json_number(leases, "releasing"), json_number(leases, "retrying"),
                      json_number(leases, "lapsed"), overdue ? "; the oldest is overdue by " : "",
                      overdue ? span_text(overdue, span) : "");
}

/* Only where the store is shared. */
static void cluster_row(struct print_table *t, const cJSON *cluster)
{
    const cJSON *members = json_get(cluster, "members"), *one;
    bool certain = cJSON_IsTrue(json_get(cluster, "certain")), all = true;
    struct buf text = BUF_INIT(1U << 16);

    if (!cJSON_IsObject(cluster))
        return;
    cJSON_ArrayForEach(one, members)
    {
        bool alive = strcmp(json_text(one, "state"), "alive") == 0;

        all = all && alive;
        (void)buf_printf(&text, "%s%s%s%s", text.len ? ", " : "", json_text(one, "node"), alive ? "" : " ",
                         alive ? "" : json_text(one, "state"));
    }
    print_table_cell(t, STYLE_PLAIN, "cluster");
    print_table_cell(t,
                     !certain ? STYLE_BAD
                     : all    ? STYLE_GOOD
                              : STYLE_WARN,
                     certain ? "certain" : "uncertain");
    print_table_cell(t, STYLE_PLAIN, buf_cstr(&text));
    buf_free(&text);
}

static void load_rows(struct print_table *t, const cJSON *status)
{
    const cJSON *operations = json_get(status, "operations");
    double lag = get_double(status, "loop_lag_ms");
    struct buf text = BUF_INIT(1U << 10);

    print_table_cell(t, STYLE_PLAIN, "operations");
    print_table_cellf(t, STYLE_PLAIN, "%" PRId64 " in flight", json_number(operations, "in_flight"));
    add_count(&text, "", json_number(status, "connections"), "client connection");
    add_count(&text, "; ", json_number(operations, "checkouts"), "check-out");
    add_count(&text, " and ", json_number(operations, "releases"), "release");
    (void)buf_str(&text, " since the start");
    print_table_cell(t, STYLE_PLAIN, buf_cstr(&text));
    buf_free(&text);
    print_table_cell(t, STYLE_PLAIN, "event loop");
    print_table_cellf(t, lag < LAG_MS ? STYLE_PLAIN : STYLE_WARN, "%.1f ms late", lag);
    print_table_cell(t, STYLE_PLAIN,
                     lag < LAG_MS ? "as it should be" : "the gateway is short of processor time");
}

/* The request that failed last, where one did. */
static void error_row(struct print_table *t, const cJSON *errors)
{
    const cJSON *last = cJSON_GetArrayItem(errors, 0);
    const char *user = json_text(last, "user");

    if (!last)
        return;
    print_table_cell(t, STYLE_PLAIN, "last error");
    print_table_cell(t, STYLE_WARN, json_text(last, "code"));
    print_table_cellf(t, STYLE_PLAIN, "%s, at %s%s%s, request id %s", json_text(last, "operation"),
                      json_text(last, "at"), *user ? ", user " : "", user, json_text(last, "request_id"));
}

static void certificate_row(struct print_table *t, const cJSON *one)
{
    int64_t days = json_number(one, "days_left");

    print_table_cellf(t, STYLE_PLAIN, "certificate %s", json_text(one, "name"));
    print_table_cellf(t,
                      days <= VERY_SOON_DAYS ? STYLE_BAD
                      : days <= SOON_DAYS    ? STYLE_WARN
                                             : STYLE_GOOD,
                      "%" PRId64 " day%s left", days, days == 1 ? "" : "s");
    print_table_cellf(t, STYLE_PLAIN, "%s, until %s", json_text(one, "kind"), json_text(one, "not_after"));
}

/* ---- the page ---- */

static void print_reasons(const cJSON *ready)
{
    const cJSON *reasons = json_get(ready, "reasons"), *one;
    bool is_ready = cJSON_IsTrue(json_get(ready, "ready"));

    if (!cJSON_GetArraySize(reasons))
        return;
    puts(is_ready ? "\nready, but:" : "\nnot ready:");
    cJSON_ArrayForEach(one, reasons)
    {
        fputs("  ", stdout);
        terminal_styled(stdout, is_ready ? STYLE_WARN : STYLE_BAD,
                        cJSON_IsString(one) ? one->valuestring : "");
        fputc('\n', stdout);
    }
}

static int print_page(const cJSON *ready, const cJSON *status)
{
    struct print_table t = print_table_start(NULL, COLUMNS);
    const cJSON *one;

    gateway_row(&t, status, cJSON_IsTrue(json_get(ready, "ready")));
    cJSON_ArrayForEach(one, json_get(status, "dependencies")) dependency_row(&t, one);
    cluster_row(&t, json_get(status, "cluster"));
    leases_row(&t, json_get(status, "leases"));
    load_rows(&t, status);
    error_row(&t, json_get(status, "last_errors"));
    cJSON_ArrayForEach(one, json_get(status, "certificates")) certificate_row(&t, one);
    if (print_table_end(&t, stdout))
        return command_failed("out of memory");
    print_reasons(ready);
    return EXIT_DONE;
}

/* The members of both, those of `ready` first. */
static int print_json(cJSON *ready, cJSON *status)
{
    while (status->child) {
        cJSON *member = cJSON_DetachItemViaPointer(status, status->child);

        if (!cJSON_AddItemToObject(ready, member->string, member)) {
            cJSON_Delete(member);
            return command_failed("out of memory");
        }
    }
    char *text = cJSON_PrintUnformatted(ready);
    if (!text)
        return command_failed("out of memory");
    puts(text);
    cJSON_free(text);
    return EXIT_DONE;
}

static int show_status(struct control_command *c)
{
    cJSON *ready = NULL, *status = NULL;
    int code = control_ask_json(c, "GET", "/readyz", NOT_READY_STATUS, &ready);

    if (!code)
        code = control_ask_json(c, "GET", "/status", 0, &status);
    bool is_ready = cJSON_IsTrue(json_get(ready, "ready"));
    if (!code)
        code = args_given(c->args, "--json") ? print_json(ready, status) : print_page(ready, status);
    cJSON_Delete(ready);
    cJSON_Delete(status);
    return code ? code : is_ready ? EXIT_DONE : EXIT_NOT_READY;
}

int command_status(const struct command_args *args)
{
    return control_command(args, show_status);
}
