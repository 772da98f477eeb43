/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints.c - the systems on which a user may request at least one account.
 *
 *   fan-out (the user's catalogue, or the recent accounts) --> rows --> answer
 *
 * The typed query does not go to a vault: the search runs over the user's catalogue of systems, made of the
 * user's own lists (catalogue_cache.c). Recent accounts are asked for, since the vault alone keeps them. With
 * several vaults, one that failed makes the answer truncated: it may have more systems.
 *
 * Invariants: the op owns itself and ends in finish_search(), leave or destroy. Its one wait is a read, which
 * may be dropped at any time.
 */
#include "broker/find/endpoint_rows.h"
#include "broker/find/explain.h"
#include "broker/operation.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct endpoints {
    struct op op; /* first */
    endpoints_done *done;
    void *arg;
    struct session *session;
    struct explain_record *record;
    char *query;
    bool rdp, shell;
    int64_t recent;
    struct fault refused; /* why no vault is asked */
    struct vault_fanout *fanout;
    struct endpoint_rows rows;
    uint64_t began_ms;
};

static void endpoints_free(struct endpoints *endpoints)
{
    endpoint_rows_free(&endpoints->rows);
    vault_fanout_free(endpoints->fanout);
    explain_end(endpoints->record, "client_gone", NULL, 0, 0); /* finish_search() has ended it otherwise */
    free(endpoints->query);
    free(endpoints->session);
    free(endpoints);
}

static void log_end(const struct endpoints *endpoints, const struct endpoints_answer *answer)
{
    log_info(
        "endpoints",
        "request_id=%s outcome=%s user=%s domain=%s session=%s endpoints=%zu truncated=%d age_ms=%" PRIu64
        " took_ms=%" PRIu64,
        endpoints->session->request_id, answer->fault ? fault_row(answer->fault->code)->code : "ok",
        endpoints->session->username, endpoints->session->domain, endpoints->session->id, answer->n,
        answer->truncated, answer->age_ms, clock_now(endpoints->op.broker->clock) - endpoints->began_ms);
}

static int make_rows(struct endpoints *endpoints)
{
    size_t limit = (size_t)endpoints->op.broker->conf->gateway.endpoint_limit;
    struct endpoint_filter filter = {
        .rdp = endpoints->rdp,
        .shell = endpoints->shell,
        .query = endpoints->query,
        .recent = endpoints->recent > 0,
        .limit = limit,
        .network = endpoints->session->network_id,
        .catalogue_cache = endpoints->op.broker->catalogue_cache,
    };

    if (endpoints->recent > 0 && (uint64_t)endpoints->recent < limit)
        filter.limit = (size_t)endpoints->recent;
    return endpoint_rows_make(endpoints->fanout, &filter, &endpoints->rows);
}

/* Notes the query, and how many of the listed systems it left. */
static void note_filters(const struct endpoints *endpoints)
{
    size_t listed = endpoints->rows.searched;

    explain_add(
        endpoints->record,
        &(struct explain_note){
            .kind = EXPLAIN_FILTER,
            .what = "query",
            .value = endpoints->query,
            .rows = listed > endpoints->rows.n ? listed - endpoints->rows.n : 0,
            .left = endpoints->rows.n,
            .detail = endpoints->rows.truncated
                          ? "systems that do not fit the query, the types or the network; cut at the limit"
                          : "systems that do not fit the query, the types or the network",
        });
}

/* The end of every search whose client has not left. */
static void finish_search(struct endpoints *endpoints)
{
    struct endpoints_answer answer = {0};

    answer.fault =
        fault_is_set(&endpoints->refused) ? &endpoints->refused : vault_fanout_fault(endpoints->fanout);
    if (!answer.fault && make_rows(endpoints)) {
        fault_set(&endpoints->refused, FAULT_INTERNAL, "out of memory");
        answer.fault = &endpoints->refused;
    }
    if (!answer.fault) {
        note_filters(endpoints);
        answer.endpoints = endpoints->rows.row;
        answer.n = endpoints->rows.n;
        answer.truncated = endpoints->rows.truncated;
        answer.age_ms = vault_fanout_age(endpoints->fanout);
    }
    op_end(&endpoints->op);
    log_end(endpoints, &answer);
    explain_end(endpoints->record, answer.fault ? fault_row(answer.fault->code)->code : "ok",
                answer.fault ? answer.fault->detail : NULL, answer.n, answer.age_ms);
    endpoints->record = NULL;
    endpoints->done(endpoints->arg, &answer);
    endpoints_free(endpoints);
}

static void on_fanout_done(void *arg)
{
    finish_search(arg);
}

static void endpoints_leave(struct op *op)
{
    op_end(op);
    endpoints_free(CONTAINER_OF(op, struct endpoints, op));
}

static void endpoints_expired(struct op *op)
{
    struct endpoints *endpoints = CONTAINER_OF(op, struct endpoints, op);

    vault_fanout_expire(endpoints->fanout);
    finish_search(endpoints);
}

static const struct op_class endpoints_class = {
    .name = "endpoints",
    .leave = endpoints_leave,
    .expired = endpoints_expired,
    .destroy = endpoints_leave,
};

static size_t write_endpoint_query(void *arg, const struct conf_vault *conf,
                                   struct account_query out[FANOUT_QUERIES_MAX])
{
    const struct endpoints *endpoints = arg;

    (void)conf;
    if (fault_is_set(&endpoints->refused) || !(endpoints->rdp || endpoints->shell))
        return 0; /* neither type is served: an empty list */
    if (endpoints->recent > 0)
        out[0] = (struct account_query){.kind = KIND_NKINDS, .recent = true};
    else
        out[0] = (struct account_query){.kind = KIND_NKINDS}; /* the catalogue */
    return 1;
}

/* 0 or -ENOMEM; in either case endpoints_free() frees what was made. */
static int endpoints_begin(struct endpoints *endpoints, struct broker *broker,
                           const struct endpoints_args *args)
{
    struct vault_fanout_opts opts = {
        .lists = broker->lists,
        .timers = broker->timers,
        .vaults = broker->vaults,
        .nvaults = broker->nvaults,
        .timeout_ms = args->timeout_ms,
        .catalogue_cache = args->recent > 0 ? NULL : broker->catalogue_cache,
        .write_queries = write_endpoint_query,
        .done = on_fanout_done,
        .arg = endpoints,
    };

    if (broker->draining)
        fault_set(&endpoints->refused, FAULT_DRAINING, "the gateway is stopping; ask another one");
    endpoints->rdp = args->rdp;
    endpoints->shell = args->shell;
    endpoints->recent = args->recent;
    endpoints->query = strdup(args->query ? args->query : "");
    endpoints->session = session_copy(&args->session);
    if (!endpoints->query || !endpoints->session)
        return -ENOMEM;
    endpoints->record =
        explain_begin(broker->explain, endpoints->session->request_id, "endpoints/find", endpoints->session);
    opts.record = endpoints->record;
    opts.session = endpoints->session;
    endpoints->fanout = vault_fanout_new(&opts);
    return endpoints->fanout ? 0 : -ENOMEM;
}

struct op *broker_endpoints(struct broker *broker, const struct endpoints_args *args, endpoints_done *done,
                            void *arg)
{
    struct endpoints *endpoints = calloc(1, sizeof(*endpoints));

    if (!endpoints)
        return NULL;
    if (op_begin(&endpoints->op, &endpoints_class, broker, args->timeout_ms)) {
        free(endpoints);
        return NULL;
    }
    endpoints->done = done;
    endpoints->arg = arg;
    endpoints->began_ms = clock_now(broker->clock);
    if (endpoints_begin(endpoints, broker, args)) {
        endpoints_leave(&endpoints->op);
        return NULL;
    }
    return &endpoints->op;
}
