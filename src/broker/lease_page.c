/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_page.c - one page of the leases of all gateways, from a shared store.
 *
 * The store is asked for a page of requests with their leases. A request that no lease holds is shown as the
 * lease for which it was asked, as in the table of one gateway (lease_listing.c). The page may have more rows
 * than requests were asked for, and fewer after the filter; the cursor is the store's.
 */
#include "base/container_of.h"
#include "base/person.h"
#include "base/text.h"
#include "broker/leases/shared.h"
#include "broker/operation.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 100

struct lease_page {
    struct op op;
    struct lease_filter filter; /* its texts are the caller's until done */
    struct store_question question;
    lease_page_done *done;
    void *arg;
};

static struct store *store_of(const struct lease_page *p)
{
    return leases_shared(p->op.broker->leases);
}

static void page_leave(struct op *op)
{
    struct lease_page *p = CONTAINER_OF(op, struct lease_page, op);

    if (p->question.private)
        store_of(p)->ops->forget(store_of(p), &p->question);
    op_end(op);
    free(p);
}

static void answer(struct lease_page *p, const struct lease_page_answer *a)
{
    p->done(p->arg, a);
    page_leave(&p->op);
}

static void answer_away(struct lease_page *p)
{
    struct fault fault = {0};

    fault_set(&fault, FAULT_STORE_UNAVAILABLE,
              "the lease store does not answer; the log and /readyz say why");
    answer(p, &(struct lease_page_answer){.fault = &fault, .next = ""});
}

static void page_expired(struct op *op)
{
    answer_away(CONTAINER_OF(op, struct lease_page, op));
}

static const struct op_class page_class = {page_leave, page_expired, page_leave};

/* ---- rows ---- */

static const char *const words[REQUEST_NSTATES] = {"intent", "open",    "releasing",
                                                   "lapsed", "pending", "spinning"};

/* What is found, but for a lease whose request has gone, and for what is shown through its leases. */
static bool is_shown(const struct store_found *f)
{
    return f->request && (f->lease || f->request->state != REQUEST_HELD);
}

static const struct holder *holder_of(const struct store_found *f)
{
    return f->lease ? &f->lease->holder : &f->request->asker;
}

/* The store has found those of the node that is wanted. */
static bool is_wanted(const struct lease_filter *filter, const struct store_found *f)
{
    return is_shown(f) && (!filter->user || person_same(filter->user, f->request->user)) &&
           (!filter->state || strcmp(filter->state, words[f->request->state]) == 0) &&
           (!filter->session || strcmp(filter->session, holder_of(f)->session) == 0);
}

/* A row with what it points to. */
struct page_row {
    struct lease_view view;
    char node[128];
    const char *sessions[SESSIONS_MAX];
};

static const char *known(const char *text)
{
    return *text ? text : NULL;
}

/* The sessions that hold the same request, this one's first: they are found next to each other. */
static size_t list_sessions(const struct store_found_list *found, const struct store_found *of,
                            const char **sessions)
{
    const struct store_found *f;
    size_t n = 0;

    sessions[n++] = holder_of(of)->session;
    STAILQ_FOREACH(f, found, link)
    if (f != of && f->lease && f->request && n < SESSIONS_MAX &&
        strcmp(f->request->mark, of->request->mark) == 0)
        sessions[n++] = f->lease->holder.session;
    return n;
}

static void fill_row(struct page_row *row, const struct store_found_list *found, const struct store_found *f)
{
    const struct request_row *r = f->request;
    const struct holder *h = holder_of(f);
    bool is_asked = r->state == REQUEST_ASKED;

    (void)text_copy_n(row->node, sizeof(row->node), r->owner, strcspn(r->owner, "@"));
    row->view = (struct lease_view){.id = f->lease ? f->lease->id : r->mark,
                                    .request_id = is_asked ? 0 : request_key_number(r->name),
                                    .request_key = is_asked ? NULL : r->name,
                                    .user = r->user,
                                    .sessions = row->sessions,
                                    .nsessions = list_sessions(found, f, row->sessions),
                                    .lsid = known(h->lsid),
                                    .credential_id = h->credential,
                                    .system = known(h->system),
                                    .account = known(h->account),
                                    .state = words[r->state],
                                    .adopted = r->adopted,
                                    .created_wall_ms = h->created_wall_ms,
                                    .expires_wall_ms = r->expires_wall_ms,
                                    .attempts = is_asked ? 0 : r->attempts,
                                    .last_error = known(r->last_error),
                                    .node = row->node};
}

static void on_answer(struct store_question *q, enum store_answer said)
{
    struct lease_page *p = CONTAINER_OF(q, struct lease_page, question);
    const struct store_found *f;

    if (said != STORE_OPEN) {
        answer_away(p);
        return;
    }
    struct lease_page_answer a = {.found = &q->found, .next = q->cursor};

    STAILQ_FOREACH(f, &q->found, link)
    a.n += is_wanted(&p->filter, f);
    a.filter = &p->filter;
    answer(p, &a);
}

void lease_page_rows(const struct lease_page_answer *a, void (*row)(void *arg, const struct lease_view *),
                     void *arg)
{
    const struct store_found *f;
    struct page_row one;

    STAILQ_FOREACH(f, a->found, link)
    {
        if (!is_wanted(a->filter, f))
            continue;
        fill_row(&one, a->found, f);
        row(arg, &one.view);
    }
}

/* ---- begin ---- */

bool broker_is_shared(const struct broker *b)
{
    return leases_shared(b->leases) != NULL;
}

static bool ask(struct lease_page *p, const struct lease_filter *filter, const char *cursor)
{
    size_t limit = filter->limit;

    p->question = (struct store_question){.kind = QUESTION_LIST,
                                          .until_ms = p->op.ends_ms,
                                          .node = filter->node ? filter->node : "",
                                          .limit = limit < STORE_LIST_MAX ? (unsigned)limit : STORE_LIST_MAX,
                                          .done = on_answer};
    return text_copy(p->question.cursor, sizeof(p->question.cursor), cursor) &&
           store_of(p)->ops->ask(store_of(p), &p->question) == 0;
}

struct op *broker_lease_page(struct broker *b, const struct lease_filter *filter, const char *cursor,
                             uint64_t timeout_ms, lease_page_done *done, void *arg)
{
    struct lease_page *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->filter = *filter;
    p->done = done;
    p->arg = arg;
    if (op_begin(&p->op, &page_class, b, timeout_ms)) {
        free(p);
        return NULL;
    }
    if (!ask(p, filter, cursor))
        op_expire_soon(&p->op);
    return &p->op;
}
