/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases.c - GET /v1/leases: the operators' list of leases, page by page.
 *
 * A page is read from the broker's table in one go, oldest first. The cursor in its `next` is opaque to the
 * caller; leases that begin or end between two pages neither shift the others nor appear twice. A page over
 * the limit of a response is made shorter, and `next` continues where it ended.
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

    if (!text_unhex(bytes, sizeof(bytes), value))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        after = after << 8 | bytes[i];
    ((struct lease_filter *)filter)->after = after;
    return after != 0;
}

static const struct url_target_parameter parameters[] = {
    {"user", take_user, "must not be empty"},
    {"session", take_session, "must not be empty"},
    {"state", take_state, "must be one of intent, pending, open, releasing, lapsed"},
    {"node", take_node, "must not be empty"},
    {"limit", take_limit, "must be a number from 1 to 1000"},
    {"cursor", take_cursor, "must be the `next` of an earlier page, taken over as it is"},
    {NULL, NULL, NULL},
};

bool leases_read_target(struct request_context *ctx, union route_args *args, struct fault *f)
{
    args->leases.limit = PAGE_USUAL;
    if (!ctx->req->query)
        return true;
    ctx->target = strdup(ctx->req->query);
    if (ctx->target)
        return url_target_query(ctx->target, parameters, &args->leases, f);
    fault_set(f, FAULT_INTERNAL, "out of memory");
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

void leases_start(struct request_context *ctx, const union route_args *args)
{
    struct lease_filter filter = args->leases;

    write_page(ctx, &filter);
    while (ctx->body.failed && filter.limit > 1) {
        filter.limit /= 2;
        write_page(ctx, &filter);
    }
    ctx_json(ctx, 200);
}
