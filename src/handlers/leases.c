/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases.c - GET /v1/leases: the operators' list of leases, page by page.
 *
 * A page is read from the broker's table in one go, oldest first. The cursor in its `next` is opaque to the
 * caller; leases that begin or end between two pages neither shift the others nor appear twice. A page over
 * the limit of a response is made shorter, and `next` continues where it ended. Where several gateways share
 * the store the page has the leases of all of them, and comes from the store.
 *
 * Not here: the permission (routes.c), the end of a lease by its id (release.c).
 */
#include "base/text.h"
#include "handlers/gateway.h"
#include "handlers/lease_json.h"
#include "handlers/url_target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX       1000
#define PAGE_USUAL     100
#define CURSOR_LETTERS 16

static bool take_text(const char *value, const char **out)
{
    *out = value;
    return *value;
}

static bool take_user(const char *value, void *filter)
{
    return take_text(value, &((struct lease_filter *)filter)->user);
}

static bool take_session(const char *value, void *filter)
{
    return take_text(value, &((struct lease_filter *)filter)->session);
}

static bool take_state(const char *value, void *filter)
{
    return lease_state_known(value) && take_text(value, &((struct lease_filter *)filter)->state);
}

static bool take_node(const char *value, void *filter)
{
    return take_text(value, &((struct lease_filter *)filter)->node);
}

static bool take_limit(const char *value, void *filter)
{
    int64_t n;

    if (!text_int(value, 1, PAGE_MAX, &n))
        return false;
    ((struct lease_filter *)filter)->limit = (size_t)n;
    return true;
}

/* Eight bytes in hexadecimal, most significant first; never 0, which means the first page. */
static bool take_cursor(const char *value, void *filter)
{
    uint8_t bytes[CURSOR_LETTERS / 2];
    uint64_t after = 0;

    ((struct lease_filter *)filter)->cursor = value;
    if (!text_unhex(bytes, sizeof(bytes), value))
        return *value; /* of a shared store: read_shared_cursor() */
    for (size_t i = 0; i < sizeof(bytes); i++)
        after = after << 8 | bytes[i];
    ((struct lease_filter *)filter)->after = after;
    return true;
}

static const struct url_target_parameter parameters[] = {
    {"user", take_user, "must not be empty"},
    {"session", take_session, "must not be empty"},
    {"state", take_state, "must be one of intent, pending, open, releasing, lapsed, spinning"},
    {"node", take_node, "must not be empty"},
    {"limit", take_limit, "must be a number from 1 to 1000"},
    {"cursor", take_cursor, "must be the `next` of an earlier page, taken over as it is"},
    {NULL, NULL, NULL},
};

/* The cursor of a shared store is a text, in hexadecimal digits. */
static bool read_shared_cursor(const char *given, char cursor[STORE_CURSOR_SIZE])
{
    size_t n = given ? strlen(given) / 2 : 0;

    memset(cursor, 0, STORE_CURSOR_SIZE);
    return n < STORE_CURSOR_SIZE && (!n || text_unhex(cursor, n, given)) && strlen(cursor) == n;
}

static bool is_cursor(const struct request_context *ctx, const struct lease_filter *filter)
{
    char cursor[STORE_CURSOR_SIZE];

    if (!filter->cursor)
        return true;
    return broker_is_shared(ctx->gateway->broker) ? read_shared_cursor(filter->cursor, cursor)
                                                  : filter->after != 0;
}

bool leases_read_target(struct request_context *ctx, union route_args *args, struct fault *f)
{
    args->leases.limit = PAGE_USUAL;
    if (!ctx->req->query)
        return true;
    ctx->target = strdup(ctx->req->query);
    if (!ctx->target) {
        fault_set(f, FAULT_INTERNAL, "out of memory");
        return false;
    }
    if (!url_target_query(ctx->target, parameters, &args->leases, f))
        return false;
    if (is_cursor(ctx, &args->leases))
        return true;
    fault_set(f, FAULT_INVALID_REQUEST,
              "query: the parameter `cursor` must be the `next` of an earlier page, taken over as it is");
    return false;
}

static void on_row(void *arg, const struct lease_view *view)
{
    lease_json(arg, view);
}

static void write_page(struct request_context *ctx, const struct lease_filter *filter)
{
    struct jsonw *w = ctx_object(ctx);
    char cursor[CURSOR_LETTERS + 1];

    jsonw_array(w, "leases");
    uint64_t next = broker_leases(ctx->gateway->broker, filter, on_row, w);
    jsonw_end(w);
    snprintf(cursor, sizeof(cursor), "%016" PRIx64, next);
    jsonw_str(w, "next", next ? cursor : NULL);
    jsonw_end(w);
}

/* ---- of all gateways ---- */

static void on_page(void *arg, const struct lease_page_answer *page)
{
    struct request_context *ctx = arg;
    char next[2 * STORE_CURSOR_SIZE] = "";

    if (!ctx_succeeded(ctx, page->fault))
        return;
    struct jsonw *w = ctx_object(ctx);

    text_hex(next, page->next, strlen(page->next));
    jsonw_array(w, "leases");
    lease_page_rows(page, on_row, w);
    jsonw_end(w);
    jsonw_str(w, "next", *next ? next : NULL);
    jsonw_end(w);
    ctx_json(ctx, 200);
}

static void start_shared(struct request_context *ctx, const struct lease_filter *filter)
{
    char cursor[STORE_CURSOR_SIZE];

    (void)read_shared_cursor(filter->cursor, cursor);
    ctx_wait(ctx, broker_lease_page(ctx->gateway->broker, filter, cursor, ctx->timeout_ms, on_page, ctx));
}

void leases_start(struct request_context *ctx, const union route_args *args)
{
    struct lease_filter filter = args->leases;

    if (broker_is_shared(ctx->gateway->broker)) {
        start_shared(ctx, &filter);
        return;
    }

    write_page(ctx, &filter);
    while (ctx->body.failed && filter.limit > 1) {
        filter.limit /= 2;
        write_page(ctx, &filter);
    }
    ctx_json(ctx, 200);
}
