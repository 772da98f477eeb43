/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - one reading of a running gateway; see sample.h.
 *
 * The answers come from the gateway, and the names in them from a vault and from PRA users: each text is
 * made visible before it is kept. A member that is missing or of another kind counts as not given, so that a
 * command and a gateway of neighbouring versions understand each other.
 */
#include "top/sample.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/string_pool.h"
#include "base/text.h"
#include "base/utf8.h"
#include "top/exposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define READ_DEPTH 32
#define TEXT_MAX   4096 /* bytes of one text that are kept */

struct sample *sample_new(uint64_t at_ms, int64_t wall_ms)
{
    struct sample *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->at_ms = at_ms;
    s->wall_ms = wall_ms;
    s->version = s->started_at = "";
    return s;
}

void sample_free(struct sample *s)
{
    if (!s)
        return;
    free(s->reasons);
    free(s->vaults);
    free(s->operations);
    free(s->leases);
    free(s->errors);
    string_pool_free(s->texts);
    free(s);
}

/* ---- members ---- */

static const char *keep(struct sample *s, const char *text)
{
    struct buf visible = BUF_INIT(TEXT_MAX * 10);
    const char *kept;

    utf8_visible(&visible, text, utf8_fit(text, TEXT_MAX));
    kept = visible.len ? buf_cstr(&visible) : "";
    if (visible.failed || !kept || (*kept && string_pool_keep(&s->texts, &kept))) {
        s->failed = true;
        kept = "";
    }
    buf_free(&visible);
    return kept;
}

static const char *text_of(struct sample *s, const cJSON *object, const char *name)
{
    return keep(s, json_text(object, name));
}

static int64_t number_or(const cJSON *object, const char *name, int64_t otherwise)
{
    const cJSON *value = json_get(object, name);
    int64_t n;

    return value && json_int_exact(value, &n) ? n : otherwise;
}

static double double_of(const cJSON *object, const char *name)
{
    const cJSON *value = json_get(object, name);

    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

/* As many zeroed rows as the list has; NULL without one, or without memory. */
static void *rows_for(struct sample *s, const cJSON *list, size_t size, size_t *n)
{
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    void *rows = count > 0 ? calloc((size_t)count, size) : NULL;

    s->failed = s->failed || (count > 0 && !rows);
    *n = 0;
    return rows;
}

static cJSON *parse(const char *json, size_t len)
{
    const char *why;
    cJSON *object = json_parse(json, len, READ_DEPTH, JSON_EXACT, &why);

    if (cJSON_IsObject(object))
        return object;
    cJSON_Delete(object);
    return NULL;
}

/* ---- /readyz ---- */

bool sample_read_ready(struct sample *s, const char *json, size_t len)
{
    cJSON *page = parse(json, len);
    const cJSON *list = json_get(page, "reasons"), *reason;

    if (!page)
        return false;
    s->ready = cJSON_IsTrue(json_get(page, "ready"));
    free(s->reasons);
    s->reasons = rows_for(s, list, sizeof(*s->reasons), &s->nreasons);
    cJSON_ArrayForEach(reason, list) if (s->reasons && cJSON_IsString(reason)) s->reasons[s->nreasons++] =
        keep(s, reason->valuestring);
    cJSON_Delete(page);
    return !s->failed;
}

/* ---- /status ---- */

static void read_vault(struct sample *s, const cJSON *json)
{
    s->vaults[s->nvaults++] = (struct vault_sample){
        .name = text_of(s, json, "name"),
        .state = text_of(s, json, "state"),
        .detail = text_of(s, json, "detail"),
        .connections = number_or(json, "connections", 0),
        .in_flight = number_or(json, "calls_in_flight", 0),
        .queued = number_or(json, "calls_queued", 0),
        .wait_ms = number_or(json, "wait_ms", 0),
        .sessions = number_or(json, "sessions", 0),
    };
}

static void read_site(struct sample *s, const cJSON *json)
{
    const cJSON *jumpoint;

    s->site = (struct site_sample){
        .name = text_of(s, json, "name"),
        .state = text_of(s, json, "state"),
        .detail = text_of(s, json, "detail"),
        .success_age_ms = number_or(json, "last_success_age_ms", -1),
        .poll_age_ms = number_or(json, "last_poll_age_ms", -1),
        .skew_ms = number_or(json, "clock_skew_ms", 0),
    };
    cJSON_ArrayForEach(jumpoint, json_get(json, "jumpoints"))
    {
        s->site.jumpoints++;
        s->site.jumpoints_away += !cJSON_IsTrue(json_get(jumpoint, "connected"));
    }
}

/* Those without calls in flight are no vaults: the store, the audit trail, the site. */
static void read_dependencies(struct sample *s, const cJSON *list)
{
    const cJSON *one;

    free(s->vaults);
    s->vaults = rows_for(s, list, sizeof(*s->vaults), &s->nvaults);
    if (!s->vaults)
        return;
    cJSON_ArrayForEach(one, list)
    {
        if (strcmp(json_text(one, "type"), "pra") == 0)
            read_site(s, one);
        else if (json_get(one, "calls_in_flight"))
            read_vault(s, one);
    }
}

static void read_errors(struct sample *s, const cJSON *list)
{
    const cJSON *one;

    free(s->errors);
    s->errors = rows_for(s, list, sizeof(*s->errors), &s->nerrors);
    if (!s->errors)
        return;
    cJSON_ArrayForEach(one, list) s->errors[s->nerrors++] = (struct error_sample){
        .request_id = text_of(s, one, "request_id"),
        .operation = text_of(s, one, "operation"),
        .code = text_of(s, one, "code"),
        .client = text_of(s, one, "client"),
        .user = text_of(s, one, "user"),
        .endpoint = text_of(s, one, "endpoint"),
        .detail = text_of(s, one, "detail"),
        .wall_ms = clock_vault_date(json_text(one, "at")),
        .count = number_or(one, "count", 1),
    };
}

bool sample_read_status(struct sample *s, const char *json, size_t len)
{
    cJSON *page = parse(json, len);
    const cJSON *leases = json_get(page, "leases");

    if (!page)
        return false;
    s->version = text_of(s, page, "version");
    s->started_at = text_of(s, page, "started_at");
    s->uptime_s = number_or(page, "uptime_seconds", 0);
    s->draining = cJSON_IsTrue(json_get(page, "draining"));
    s->connections = number_or(page, "connections", 0);
    s->lag_ms = double_of(page, "loop_lag_ms");
    s->active = number_or(leases, "active", 0);
    s->releasing = number_or(leases, "releasing", 0);
    s->retrying = number_or(leases, "retrying", 0);
    s->lapsed = number_or(leases, "lapsed", 0);
    s->overdue_s = number_or(leases, "oldest_overdue_seconds", 0);
    s->in_flight = number_or(json_get(page, "operations"), "in_flight", 0);
    read_dependencies(s, json_get(page, "dependencies"));
    read_errors(s, json_get(page, "last_errors"));
    cJSON_Delete(page);
    return !s->failed;
}

/* ---- /metrics ---- */

/* Adds a bucket; those of one histogram come in the order of their bounds, and those of another one whose
 * bounds are equal are added to them. */
static void add_bucket(struct histogram *h, const char *le, double count)
{
    double bound = strcmp(le, "+Inf") == 0 ? (double)INFINITY : strtod(le, NULL);
    size_t i = 0;

    while (i < h->n && h->le[i] < bound)
        i++;
    if (i == HISTOGRAM_BUCKETS)
        return;
    if (i == h->n) {
        h->le[h->n] = bound;
        h->count[h->n++] = count;
    } else {
        h->count[i] += count;
    }
}

/* The row of this name, a new one if need be; NULL without memory. */
static struct operation_sample *operation_of(struct sample *s, const char *name)
{
    struct operation_sample *more;

    for (size_t i = 0; i < s->noperations; i++)
        if (strcmp(s->operations[i].name, name) == 0)
            return &s->operations[i];
    more = realloc(s->operations, (s->noperations + 1) * sizeof(*more));
    if (!more) {
        s->failed = true;
        return NULL;
    }
    s->operations = more;
    more += s->noperations++;
    *more = (struct operation_sample){.name = keep(s, name)};
    return more;
}

static struct vault_sample *vault_of(struct sample *s, const char *name)
{
    for (size_t i = 0; i < s->nvaults; i++)
        if (strcmp(s->vaults[i].name, name) == 0)
            return &s->vaults[i];
    return NULL;
}

static void read_operation(struct sample *s, const struct exposition_sample *e, bool duration)
{
    struct operation_sample *op = operation_of(s, exposition_label(e, "operation"));

    if (!op)
        return;
    if (duration)
        add_bucket(&op->duration, exposition_label(e, "le"), e->value);
    else if (strtol(exposition_label(e, "status"), NULL, 10) >= 400)
        op->failed += e->value;
}

bool sample_read_metrics(struct sample *s, const char *page)
{
    struct exposition_sample e;
    bool any = false;

    while (exposition_next(&page, &e)) {
        struct vault_sample *vault = vault_of(s, exposition_label(&e, "vault"));

        any = true;
        if (strcmp(e.name, "jumpgate_request_duration_seconds_bucket") == 0)
            read_operation(s, &e, true);
        else if (strcmp(e.name, "jumpgate_requests_total") == 0)
            read_operation(s, &e, false);
        else if (vault && strcmp(e.name, "jumpgate_vault_call_duration_seconds_bucket") == 0)
            add_bucket(&vault->duration, exposition_label(&e, "le"), e.value);
        else if (vault && strcmp(e.name, "jumpgate_vault_failures_total") == 0)
            vault->failed = e.value;
    }
    return any && !s->failed;
}

/* ---- /v1/leases ---- */

static void read_lease(struct sample *s, const cJSON *json)
{
    const cJSON *sessions = json_get(json, "sessions");
    const cJSON *own = cJSON_GetArrayItem(sessions, 0);

    s->leases[s->nleases++] = (struct lease_sample){
        .id = text_of(s, json, "id"),
        .user = text_of(s, json, "user"),
        .system = text_of(s, json, "system"),
        .account = text_of(s, json, "account"),
        .credential = text_of(s, json, "credential_id"),
        .state = text_of(s, json, "state"),
        .session = keep(s, cJSON_IsString(own) ? own->valuestring : ""),
        .last_error = text_of(s, json, "last_error"),
        .sessions = (size_t)cJSON_GetArraySize(sessions),
        .expires_wall_ms = clock_vault_date(json_text(json, "expires_at")),
        .created_wall_ms = clock_vault_date(json_text(json, "created_at")),
        .adopted = cJSON_IsTrue(json_get(json, "adopted")),
    };
}

static bool more_room(struct sample *s, const cJSON *list)
{
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    struct lease_sample *rows = realloc(s->leases, (s->nleases + (size_t)count + 1) * sizeof(*rows));

    if (rows)
        s->leases = rows;
    return rows;
}

bool sample_read_leases(struct sample *s, const char *json, size_t len, char *next, size_t size)
{
    cJSON *page = parse(json, len);
    const cJSON *list = json_get(page, "leases"), *one;

    if (!page || !more_room(s, list)) {
        cJSON_Delete(page);
        return false;
    }
    cJSON_ArrayForEach(one, list) if (s->nleases < LEASES_MAX) read_lease(s, one);
    bool good = text_copy(next, size, json_text(page, "next"));
    s->more_leases = s->nleases == LEASES_MAX && *next;
    if (s->more_leases)
        *next = '\0';
    cJSON_Delete(page);
    return good && !s->failed;
}
