/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_call.c - GET /feed/DATASET: a page of the feed, for a reader with a token.
 */
#include "reports/web/web_internal.h"

static enum db_outcome ask(struct web_request *r, struct db *db)
{
    return web_judge(
        r, db,
        feed_read(db, view_context(r->view), &r->feed.request, &r->body, &r->feed.answer, &r->feed.error));
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
    if (!web_asked_well(r))
        return;
    note_begin(&n, r, "feed_read");
    note_text(&n, "dataset", r->segment[0]);
    note_number(&n, "records", r->feed.answer.records);
    note_number(&n, "first_seq", r->feed.answer.first_seq);
    note_number(&n, "last_seq", r->feed.answer.last_seq);
    note_await(&n, answer);
}

void feed_start(struct web_request *r)
{
    if (!notes_possible(r->web)) {
        web_fail_with(r, PROBLEM_AUDIT_UNAVAILABLE,
                      "the audit trail cannot be written, and audit_policy is strict");
        return;
    }
    r->view = view_new(r->web, r);
    if (!r->view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    if (!web_query_parsed(
            r, feed_parse(r->segment[0], r->query, view_context(r->view), &r->feed.request, &r->feed.error),
            &r->feed.error))
        return;
    r->ask = ask;
    r->asked = asked;
    web_ask(r, r->web->pages, r->web->conf->reports.query_timeout_ms);
}
