/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_call.c - GET /feed/DATASET: a page of the feed, for a reader with a token.
 */
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

static enum db_outcome ask(struct web_request *r, struct db *db)
{
    return feed_read(db, &r->feed.request, &r->body, &r->feed.answer, &r->feed.fault);
}

static void fail(struct web_request *r)
{
    const struct feed_fault *f = &r->feed.fault;
    struct problem p;

    problem_set(&p,
                strcmp(f->code, "invalid_cursor") == 0 ? PROBLEM_INVALID_CURSOR : PROBLEM_INVALID_REQUEST,
                "the parameter `%s` %s", f->parameter ? f->parameter : "", f->why ? f->why : "is not valid");
    web_fail(r, &p);
}

static void answer(struct web_request *r)
{
    (void)buf_printf(&r->headers, "X-Jumpgate-Next: %s\r\nX-Jumpgate-More: %d\r\n", r->feed.answer.next,
                     r->feed.answer.more);
    r->web->counts.feed_pages++;
    web_send(r, 200, feed_content_type(r->feed.request.format), "no-store");
}

static void asked(struct web_request *r)
{
    struct note n;

    took_add(&r->web->counts.statements[COUNT_FEED], r->job.took_us);
    if (r->job.outcome != DB_OK) {
        web_fail_database(r, r->job.outcome);
        return;
    }
    if (r->feed.fault.code) {
        fail(r);
        return;
    }
    note_begin(&n, r, "feed_read");
    note_text(&n, "dataset", r->segment[0]);
    note_number(&n, "records", (int64_t)r->feed.answer.records);
    note_number(&n, "first_seq", r->feed.answer.first_seq);
    note_number(&n, "last_seq", r->feed.answer.last_seq);
    note_await(&n, answer);
}

void feed_start(struct web_request *r)
{
    struct feed_request *f = &r->feed.request;
    enum feed_dataset dataset;
    char none[1] = "";

    if (!feed_dataset_named(r->segment[0], &dataset)) {
        web_fail_with(r, PROBLEM_NOT_FOUND, "there is no such feed");
        return;
    }
    if (!notes_possible(r->web)) {
        web_fail_with(r, PROBLEM_AUDIT_UNAVAILABLE,
                      "the audit trail cannot be written, and audit_policy is strict");
        return;
    }
    *f = feed_request(dataset);
    if (!feed_parse(f, r->query ? r->query : none, clock_wall(r->web->clock) / 1000, &r->feed.fault)) {
        fail(r);
        return;
    }
    r->view = view_new(r->web, r);
    if (!r->view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    f->sites = view_context(r->view)->hosts;
    f->nsites = view_context(r->view)->nhosts;
    f->all_sites = view_context(r->view)->all_hosts;
    r->ask = ask;
    r->asked = asked;
    web_ask(r, r->web->pages, r->web->conf->reports.query_timeout_ms);
}
