/* SPDX-License-Identifier: Apache-2.0 */
/*
 * last_errors.c - the requests that failed last; see last_errors.h.
 *
 * The entries are one array in a list: the newest is first, and the last one is taken for a new failure.
 * Not here: which requests are told (request_context.c), who may read names (status.c).
 */
#include "handlers/last_errors.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ID_SIZE_MAX 129

struct entry {
    TAILQ_ENTRY(entry) link;
    int64_t wall_ms;
    uint64_t count; /* 0 = unused */
    enum fault_code code;
    int status;
    const char *operation; /* a literal of the table of routes */
    bool known;            /* `client` is one */
    char client[CONF_NAME_MAX + 1];
    char request_id[ID_SIZE_MAX];
    char user[LAST_ERROR_NAME], endpoint[LAST_ERROR_NAME];
    char detail[FAULT_DETAIL_SIZE];
};

struct last_errors {
    TAILQ_HEAD(, entry) entries;
    struct entry rows[];
};

struct last_errors *last_errors_new(size_t max)
{
    struct last_errors *l = calloc(1, sizeof(*l) + max * sizeof(l->rows[0]));

    if (!l)
        return NULL;
    TAILQ_INIT(&l->entries);
    for (size_t i = 0; i < max; i++)
        TAILQ_INSERT_TAIL(&l->entries, &l->rows[i], link);
    return l;
}

void last_errors_free(struct last_errors *l)
{
    free(l);
}

/* As much as fits, of whole letters. */
static void copy(char *to, size_t size, const char *from)
{
    size_t n = utf8_fit(from, size - 1);

    if (n)
        memcpy(to, from, n);
    to[n] = '\0';
}

/* Is `kept` the text that copy() has made of `text`? */
static bool same_text(const char *kept, size_t size, const char *text)
{
    size_t n = utf8_fit(text, size - 1);

    return strlen(kept) == n && (!n || memcmp(kept, text, n) == 0);
}

static bool same(const struct entry *e, const struct failed_request *r)
{
    if (!e->count || e->code != r->fault->code || e->known != (r->client != NULL))
        return false;
    return !e->known ||
           (strcmp(e->operation, r->operation) == 0 && same_text(e->client, sizeof(e->client), r->client) &&
            same_text(e->user, sizeof(e->user), r->user) &&
            same_text(e->endpoint, sizeof(e->endpoint), r->endpoint));
}

static void fill(struct entry *e, const struct failed_request *r)
{
    e->wall_ms = r->wall_ms;
    e->code = r->fault->code;
    e->status = fault_status(r->fault);
    e->operation = r->operation;
    e->known = r->client != NULL;
    copy(e->client, sizeof(e->client), r->client);
    copy(e->request_id, sizeof(e->request_id), r->request_id);
    copy(e->user, sizeof(e->user), r->user);
    copy(e->endpoint, sizeof(e->endpoint), r->endpoint);
    copy(e->detail, sizeof(e->detail), r->fault->detail);
}

void last_errors_add(struct last_errors *l, const struct failed_request *r)
{
    struct entry *e = TAILQ_FIRST(&l->entries);

    if (!e)
        return;
    while (!same(e, r) && TAILQ_NEXT(e, link))
        e = TAILQ_NEXT(e, link);
    e->count = same(e, r) ? e->count + 1 : 1;
    fill(e, r);
    TAILQ_REMOVE(&l->entries, e, link);
    TAILQ_INSERT_HEAD(&l->entries, e, link);
}

static void write_text(struct jsonw *w, const char *name, const char *text, bool given)
{
    jsonw_str(w, name, given && *text ? text : NULL);
}

void last_errors_write(const struct last_errors *l, struct jsonw *w, bool names)
{
    const struct entry *e;
    char at[CLOCK_RFC3339_SIZE];

    jsonw_array(w, "last_errors");
    TAILQ_FOREACH(e, &l->entries, link)
    {
        if (!e->count)
            break;
        jsonw_object(w, NULL);
        jsonw_str(w, "at", clock_rfc3339_ms(e->wall_ms, at));
        jsonw_str(w, "request_id", e->request_id);
        jsonw_str(w, "operation", e->operation);
        jsonw_str(w, "client", e->known ? e->client : NULL);
        jsonw_int(w, "status", e->status);
        jsonw_str(w, "code", fault_row(e->code)->code);
        jsonw_int(w, "count", (int64_t)e->count);
        write_text(w, "user", e->user, names);
        write_text(w, "endpoint", e->endpoint, names);
        write_text(w, "detail", e->detail, names);
        jsonw_end(w);
    }
    jsonw_end(w);
}
