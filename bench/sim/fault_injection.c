/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_injection.c - reading, matching and reporting fault rules; see fault_injection.h.
 */
#include "sim/fault_injection.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "sim/fields.h"
#include "sim/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char html_error[] =
    "<!DOCTYPE html><html><head><title>500 - Internal server error.</title></head>"
    "<body><h2>500 - Internal server error.</h2></body></html>";

static const char proxy_page[] = "<!DOCTYPE html>\r\n<html><head><title>Notice</title></head>"
                                 "<body><h1>Your request was handled by the proxy</h1></body></html>";

/* The presets are answers by status with everything filled in. */
static const struct fault_action actions[] = {
    {"latency", INJECT_NONE, 0, NULL, NULL, NULL},
    {"status", INJECT_STATUS, 500, NULL, NULL, NULL},
    {"drop_before", INJECT_DROP_BEFORE, 0, NULL, NULL, NULL},
    {"drop_after", INJECT_DROP_AFTER, 0, NULL, NULL, NULL},
    {"truncate", INJECT_TRUNCATE, 0, NULL, NULL, NULL},
    {"garbage", INJECT_GARBAGE, 0, NULL, NULL, NULL},
    {"hang", INJECT_HANG, 0, NULL, NULL, NULL},
    {"reset", INJECT_RESET, 0, NULL, NULL, NULL},
    {"close", INJECT_CLOSE, 0, NULL, NULL, NULL},
    {"extra", INJECT_EXTRA, 0, NULL, NULL, NULL},
    {"chunked", INJECT_CHUNKED, 0, NULL, NULL, NULL},
    {"no_length", INJECT_NO_LENGTH, 0, NULL, NULL, NULL},
    {"informational", INJECT_INFORMATIONAL, 0, NULL, NULL, NULL},
    {"html500", INJECT_STATUS, 500, "text/html", html_error, NULL},
    {"status_after", INJECT_STATUS_AFTER, 500, NULL, NULL, NULL},
    {"page", INJECT_STATUS, 403, "text/html; charset=utf-8", proxy_page, NULL},
    {"page_after", INJECT_STATUS_AFTER, 403, "text/html; charset=utf-8", proxy_page, NULL},
    {"unavailable", INJECT_STATUS, 503, "text/html", "Service Unavailable", NULL},
    {"throttle", INJECT_STATUS, 429, "application/json", "\"Too many requests\"", "Retry-After: 1\r\n"},
};
#define NACTIONS (sizeof(actions) / sizeof(actions[0]))

void fault_injection_init(struct fault_injection *all, uint64_t seed, const struct fault_action *own,
                          size_t nown)
{
    *all = (struct fault_injection){.random = seed, .own = own, .nown = nown};
    TAILQ_INIT(&all->rules);
}

static void free_rule(struct fault_injection_rule *r)
{
    free(r->call);
    free(r->path);
    free(r->query);
    free(r->user);
    free(r->body);
    free(r->content_type);
    free(r->headers);
    free(r);
}

void fault_injection_release(struct fault_injection_rule *r)
{
    if (r && --r->refs == 0)
        free_rule(r);
}

void fault_injection_clear(struct fault_injection *all)
{
    struct fault_injection_rule *r;

    while ((r = TAILQ_FIRST(&all->rules))) {
        TAILQ_REMOVE(&all->rules, r, link);
        fault_injection_release(r);
    }
}

uint64_t fault_injection_random(struct fault_injection *all)
{
    uint64_t x = (all->random += 0x9e3779b97f4a7c15u);

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- reading ---- */

static const struct fault_action *action_named(const struct fault_action *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static int read_action(const struct fault_injection *all, struct fields *f, struct fault_injection_rule *r)
{
    const char *name = "";
    const struct fault_action *a;

    fields_text(f, "action", &name);
    a = action_named(all->own, all->nown, name);
    if (!a)
        a = action_named(actions, NACTIONS, name);
    if (!a)
        return fields_missing(f, "action");
    r->action = a->name;
    r->kind = a->kind;
    r->status = a->status;
    if (strings_replace(&r->content_type, a->content_type) || strings_replace(&r->body, a->body) ||
        strings_replace(&r->headers, a->headers))
        return -ENOMEM;
    return 0;
}

static bool header_clean(const char *text)
{
    return text && !strpbrk(text, "\r\n");
}

static int read_headers(struct fields *f, struct fault_injection_rule *r)
{
    const cJSON *list = json_get(f->entry, "headers"), *h;
    struct buf lines = BUF_INIT(8192);
    const char *text;
    int rc = 0;

    if (!list)
        return 0;
    cJSON_ArrayForEach(h, list)
    {
        if (!cJSON_IsString(h) || !header_clean(h->string) || !header_clean(h->valuestring))
            rc = fields_missing(f, "headers");
        else
            (void)buf_printf(&lines, "%s: %s\r\n", h->string, h->valuestring);
    }
    text = buf_cstr(&lines);
    if (!rc && (!text || lines.failed || strings_replace(&r->headers, text)))
        rc = -ENOMEM;
    buf_free(&lines);
    return rc;
}

static int read_texts(struct fields *f, struct fault_injection_rule *r)
{
    const struct {
        const char *name;
        char **place;
    } texts[] = {{"call", &r->call}, {"path", &r->path}, {"query", &r->query},
                 {"user", &r->user}, {"body", &r->body}, {"content_type", &r->content_type}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *value = NULL;
        fields_text(f, texts[i].name, &value);
        if (value && strings_replace(texts[i].place, value))
            return -ENOMEM;
    }
    return header_clean(r->content_type ? r->content_type : "") ? 0 : fields_missing(f, "content_type");
}

static int read_rule(const struct fault_injection *all, struct fields *f, struct fault_injection_rule *r)
{
    const cJSON *p = json_get(f->entry, "probability");
    int rc = read_action(all, f, r);

    r->probability = 1;
    if (cJSON_IsNumber(p))
        r->probability = p->valuedouble;
    fields_u64(f, "nth", &r->nth);
    fields_u64(f, "every", &r->every);
    fields_u64(f, "after", &r->after);
    fields_u64(f, "count", &r->count);
    fields_u64(f, "latency_ms", &r->latency_ms);
    fields_u64(f, "size", &r->size);
    fields_int(f, "status", &r->status);
    if (!rc)
        rc = read_texts(f, r);
    if (!rc)
        rc = read_headers(f, r);
    if (!rc && (r->kind == INJECT_STATUS || r->kind == INJECT_STATUS_AFTER) &&
        (r->status < 200 || r->status > 599))
        rc = fields_missing(f, "status");
    return rc ? rc : f->rc;
}

static int add_one(struct fault_injection *all, const cJSON *entry, struct buf *why)
{
    struct fields f = {.entry = entry, .why = why};
    struct fault_injection_rule *r;
    int rc;

    if (!cJSON_IsObject(entry))
        return fields_missing(&f, "rule");
    r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->refs = 1;
    rc = read_rule(all, &f, r);
    if (rc)
        free_rule(r);
    else
        TAILQ_INSERT_TAIL(&all->rules, r, link);
    return rc;
}

int fault_injection_add(struct fault_injection *all, const cJSON *rules, struct buf *why)
{
    const cJSON *e;
    int rc = 0;

    if (!cJSON_IsArray(rules))
        return add_one(all, rules, why);
    cJSON_ArrayForEach(e, rules)
    {
        if (!rc)
            rc = add_one(all, e, why);
    }
    return rc;
}

int fault_injection_add_text(struct fault_injection *all, const char *json, struct buf *why)
{
    const char *reason = NULL;
    cJSON *tree = json_parse(json, strlen(json), 16, 0, &reason);
    int rc = -EINVAL;

    if (tree)
        rc = fault_injection_add(all, tree, why);
    else
        (void)buf_str(why, reason ? reason : "not JSON");
    cJSON_Delete(tree);
    return rc;
}

/* ---- matching ---- */

static bool concerns(const struct fault_injection_rule *r, const struct fault_injection_call *call)
{
    if (r->call && !text_equal_nocase(r->call, call->name))
        return false;
    if (r->path && !strcasestr(call->path, r->path))
        return false;
    if (r->query && !(call->query && strcasestr(call->query, r->query)))
        return false;
    return !r->user || (call->user && text_equal_nocase(r->user, call->user));
}

static bool fires(struct fault_injection *all, struct fault_injection_rule *r)
{
    uint64_t turn = ++r->seen;

    if (turn <= r->after || (r->count && r->fired >= r->count))
        return false;
    turn -= r->after;
    if ((r->nth && turn != r->nth) || (r->every && turn % r->every != 0))
        return false;
    if (r->probability < 1 &&
        (double)(fault_injection_random(all) >> 11) / 9007199254740992.0 >= r->probability)
        return false;
    r->fired++;
    return true;
}

struct fault_injection_rule *fault_injection_pick(struct fault_injection *all,
                                                  const struct fault_injection_call *call)
{
    struct fault_injection_rule *r;

    TAILQ_FOREACH(r, &all->rules, link)
    {
        if (!concerns(r, call) || !fires(all, r))
            continue;
        r->refs++;
        return r;
    }
    return NULL;
}

void fault_injection_report(const struct fault_injection *all, struct buf *out)
{
    const struct fault_injection_rule *r;
    struct jsonw w = jsonw_start(out);

    jsonw_array(&w, NULL);
    TAILQ_FOREACH(r, &all->rules, link)
    {
        jsonw_object(&w, NULL);
        jsonw_str(&w, "call", r->call);
        jsonw_str(&w, "path", r->path);
        jsonw_str(&w, "query", r->query);
        jsonw_str(&w, "user", r->user);
        jsonw_str(&w, "action", r->action);
        jsonw_int(&w, "status", r->status);
        jsonw_int(&w, "seen", (int64_t)r->seen);
        jsonw_int(&w, "fired", (int64_t)r->fired);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}

void fault_injection_answer(const struct fault_injection_rule *r, const char *usual_type,
                            struct sim_answer *a)
{
    *a = SIM_ANSWER_INIT;
    a->status = r->status;
    if (r->body) {
        a->content_type = r->content_type ? r->content_type : usual_type;
        (void)buf_str(&a->body, r->body);
    }
    if (r->headers)
        (void)buf_str(&a->headers, r->headers);
}
