/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - a request's work on the database: handed to a reader, and what came of it as an answer.
 *
 * The request stays until its reader is done, also when its client has left, for which the query is
 * interrupted, and when it was answered because the database does not come back.
 */
#include "base/container_of.h"
#include "base/log.h"
#include "reports/web/web_internal.h"

enum db_outcome web_judge(struct web_request *r, const struct db *db, enum query_outcome outcome)
{
    r->outcome = outcome;
    if (outcome != QUERY_DATABASE)
        return DB_OK;
    return db->error.outcome == DB_OK ? DB_FAILED : db->error.outcome;
}

static enum db_outcome on_run(struct reader_job *job, struct db *db)
{
    struct web_request *r = CONTAINER_OF(job, struct web_request, job);

    return r->ask(r, db);
}

static void on_done(struct reader_job *job)
{
    struct web_request *r = CONTAINER_OF(job, struct web_request, job);

    r->working = false;
    r->left = NULL;
    if (r->req)
        r->asked(r);
    else
        web_request_rest(r);
}

/* The request is answered; on_done() ends it when the thread comes back. */
static void on_overdue(struct reader_job *job)
{
    struct web_request *r = CONTAINER_OF(job, struct web_request, job);

    if (r->req)
        web_fail_database(r, DB_INTERRUPTED);
}

static void on_left(struct web_request *r)
{
    reader_cancel(&r->job);
}

void web_ask(struct web_request *r, struct readers *pool, uint64_t timeout_ms)
{
    r->job.run = on_run;
    r->job.done = on_done;
    r->job.overdue = on_overdue;
    r->working = true;
    r->left = on_left;
    if (reader_submit(pool, &r->job, timeout_ms))
        return;
    r->working = false;
    r->left = NULL;
    web_fail_with(r, PROBLEM_OVERLOADED, "too many queries wait for the database; try again");
}

/* A query that takes too long may be asked for less; a change that does cannot, and waits for a lock. */
void web_fail_database(struct web_request *r, enum db_outcome outcome)
{
    bool late = outcome == DB_INTERRUPTED || (r->job.expired && outcome != DB_BUSY);
    struct problem p;

    if (late && r->route->method == HTTP_GET_) {
        problem_set(&p, PROBLEM_DEADLINE_EXCEEDED, "the query was ended after %s; %s",
                    r->export ? "export_timeout" : "query_timeout",
                    r->has_range ? "a shorter range or fewer filters are faster" : "try again");
    } else if (late || outcome == DB_BUSY) {
        log_warn("query_failed", "request_id=%s operation=%s outcome=%s why=%s", r->id, r->route->operation,
                 db_outcome_name(outcome), late ? "query_timeout is over" : r->job.why);
        problem_set(&p, PROBLEM_DATABASE_UNAVAILABLE,
                    "the database takes no change: another program holds its lock, or it is slow; try again");
    } else if (outcome == DB_NO_MEMORY) {
        problem_set(&p, PROBLEM_INTERNAL, "out of memory, or the answer is too long");
    } else {
        log_warn("query_failed", "request_id=%s operation=%s outcome=%s why=%s", r->id, r->route->operation,
                 db_outcome_name(outcome), r->job.why);
        problem_set(&p, PROBLEM_DATABASE_UNAVAILABLE, "the database does not answer (%s); the log says why",
                    db_outcome_name(outcome));
    }
    web_fail(r, &p);
}

bool web_asked_well(struct web_request *r)
{
    if (r->job.outcome == DB_OK && r->outcome == QUERY_OK)
        return true;
    if (r->job.outcome == DB_OK && r->outcome == QUERY_NOT_FOUND)
        web_fail_with(r, PROBLEM_NOT_FOUND, "there is nothing of that name, or it may not be seen");
    else if (r->job.outcome == DB_OK && r->outcome == QUERY_INVALID_CURSOR)
        web_fail_with(r, PROBLEM_INVALID_CURSOR, "the cursor is not valid here");
    else
        web_fail_database(r, r->job.outcome != DB_OK ? r->job.outcome : DB_NO_MEMORY);
    return false;
}

bool web_query_parsed(struct web_request *r, enum query_outcome outcome, const struct query_error *error)
{
    struct problem p;

    switch (outcome) {
    case QUERY_OK: return true;
    case QUERY_NOT_FOUND: problem_set(&p, PROBLEM_NOT_FOUND, "there is nothing of that name"); break;
    case QUERY_INVALID:
    case QUERY_INVALID_CURSOR:
        problem_set(&p, outcome == QUERY_INVALID ? PROBLEM_INVALID_REQUEST : PROBLEM_INVALID_CURSOR,
                    error->parameter[0] ? "the parameter `%s` %s" : "the query%s %s", error->parameter,
                    error->why);
        break;
    default: problem_set(&p, PROBLEM_INTERNAL, "out of memory"); break;
    }
    web_fail(r, &p);
    return false;
}
