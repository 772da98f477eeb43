/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints.c - the systems on which a user may request at least one account.
 *
 *   fan-out (the user's catalogue, or the recent accounts) --> rows --> answer
 *
 * The typed query does not go to a vault: the search runs over the user's catalogue of systems, made of the
 * user's own lists (catalogue_cache.c). Recent accounts are asked for, since the vault alone keeps them. With
 * several vaults, one that is missing makes the answer truncated: it may have more systems.
 *
 * Invariants: the op owns itself and ends in finish_search(), leave or destroy. Its one wait is a read, which
 * may be dropped at any time.
 */
#include "broker/find/endpoint_rows.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct endpoints {
    struct vault_fanout fanout; /* first */
    endpoints_done *done;
    void *arg;
    char *query;
    bool rdp, shell;
    int64_t recent;
    struct endpoint_rows rows;
};

static void endpoints_free(struct endpoints *endpoints)
{
    endpoint_rows_free(&endpoints->rows);
    vault_fanout_free(&endpoints->fanout);
    free(endpoints->query);
    free(endpoints);
}

static int make_rows(struct endpoints *endpoints)
{
    size_t limit = (size_t)endpoints->fanout.op.broker->conf->gateway.endpoint_limit;
    struct endpoint_filter filter = {
        .rdp = endpoints->rdp,
        .shell = endpoints->shell,
        .query = endpoints->query,
        .recent = endpoints->recent > 0,
        .limit = limit,
        .network = endpoints->fanout.session->network_id,
        .catalogue_cache = endpoints->fanout.op.broker->catalogue_cache,
    };

    if (endpoints->recent > 0 && (uint64_t)endpoints->recent < limit)
        filter.limit = (size_t)endpoints->recent;
    return endpoint_rows_make(&endpoints->fanout, &filter, &endpoints->rows);
}

/* Notes the query, how many of the listed systems it removed, and how many endpoints are left. */
static void note_filters(const struct endpoints *endpoints)
{
    explain_add(
        endpoints->fanout.record,
        &(struct explain_note){
            .kind = EXPLAIN_FILTER,
            .what = "query",
            .value = endpoints->query,
            .rows = endpoints->rows.searched - endpoints->rows.systems,
            .left = endpoints->rows.n,
            .detail = endpoints->rows.truncated
                          ? "systems that do not fit the query, the types or the network; cut at the limit"
                          : "systems that do not fit the query, the types or the network",
        });
}

/* The end of every search whose client has not left. */
static void finish_search(struct vault_fanout *fanout)
{
    struct endpoints *endpoints = CONTAINER_OF(fanout, struct endpoints, fanout);
    const struct session *session = endpoints->fanout.session;
    struct endpoints_answer answer = {.fault = vault_fanout_fault(&endpoints->fanout)};
    const char *outcome;

    if (!answer.fault && make_rows(endpoints)) {
        fault_set(&endpoints->fanout.refused, FAULT_INTERNAL, "out of memory");
        answer.fault = &endpoints->fanout.refused;
    }
    if (!answer.fault) {
        note_filters(endpoints);
        answer.endpoints = endpoints->rows.row;
        answer.n = endpoints->rows.n;
        answer.truncated = endpoints->rows.truncated;
        answer.partial = vault_fanout_missing(&endpoints->fanout, &answer.npartial);
        answer.age_ms = vault_fanout_age(&endpoints->fanout);
    }
    outcome = vault_fanout_end(&endpoints->fanout, answer.fault, answer.n, answer.age_ms);
    log_info("endpoints",
             "request_id=%s outcome=%s user=%s domain=%s session=%s endpoints=%zu truncated=%d"
             " vaults_missing=%zu age_ms=%" PRIu64 " took_ms=%" PRIu64,
             session->request_id, outcome, session->username, session->domain, session->id, answer.n,
             answer.truncated, answer.npartial, answer.age_ms,
             clock_now(endpoints->fanout.op.broker->clock) - endpoints->fanout.began_ms);
    endpoints->done(endpoints->arg, &answer);
    endpoints_free(endpoints);
}

static void endpoints_leave(struct op *op)
{
    op_end(op);
    endpoints_free(CONTAINER_OF(op, struct endpoints, fanout.op));
}

static void endpoints_expired(struct op *op)
{
    struct vault_fanout *fanout = CONTAINER_OF(op, struct vault_fanout, op);

    vault_fanout_expire(fanout);
    finish_search(fanout);
}

static const struct op_class endpoints_class = {endpoints_leave, endpoints_expired, endpoints_leave};

static size_t write_endpoint_query(const struct vault_fanout *fanout, const struct conf_vault *conf,
                                   struct account_query out[FANOUT_QUERIES_MAX])
{
    const struct endpoints *endpoints = CONTAINER_OF(fanout, struct endpoints, fanout);

    (void)conf;
    if (fault_is_set(&endpoints->fanout.refused) || !(endpoints->rdp || endpoints->shell))
        return 0; /* neither type is served: an empty list */
    out[0] =
        (struct account_query){.kind = KIND_NKINDS, .recent = endpoints->recent > 0}; /* or the catalogue */
    return 1;
}

struct op *broker_endpoints(struct broker *broker, const struct endpoints_args *args, endpoints_done *done,
                            void *arg)
{
    struct endpoints *endpoints = calloc(1, sizeof(*endpoints));

    if (!endpoints)
        return NULL;
    endpoints->fanout.catalogue_cache = args->recent > 0 ? NULL : broker->catalogue_cache;
    endpoints->fanout.write_queries = write_endpoint_query;
    endpoints->fanout.done = finish_search;
    endpoints->done = done;
    endpoints->arg = arg;
    endpoints->rdp = args->rdp;
    endpoints->shell = args->shell;
    endpoints->recent = args->recent;
    endpoints->query = strdup(args->query ? args->query : "");
    if (!endpoints->query ||
        vault_fanout_begin(&endpoints->fanout, &endpoints_class, broker, &args->by, "endpoints/find")) {
        endpoints_free(endpoints);
        return NULL;
    }
    return &endpoints->fanout.op;
}
