/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_etcd_answers.c - what an etcd answers, and the values of its keys.
 *
 * First byte '1': the value of a lease; under '2': of a request; else the answer of a transaction for the
 * kind of step that the byte names. A row that is read has every text, and written again it is read as the
 * same row, with the members that this version does not know; a step has an outcome or an error, and shows a
 * request only where it is not applied, or has joined another's.
 */
#include "fuzz.h"

#include "base/json.h"
#include "stores/etcd_steps.h"

#include <errno.h>
#include <string.h>

static void check_holder(const struct holder *h)
{
    FUZZ_ASSERT(h->username && h->domain && h->session && h->lsid && h->credential);
    FUZZ_ASSERT(h->system && h->account);
}

static void check_row(const struct etcd_row *row)
{
    const struct request_row *r = &row->request;

    FUZZ_ASSERT(r->mark && r->vault && r->user && r->name && row->request.owner);
    if (row->is_lease) {
        FUZZ_ASSERT(*row->lease.id && row->lease.ended_site && row->lease.ended < SESSION_END_NSOURCES);
        check_holder(&row->lease.holder);
        return;
    }
    FUZZ_ASSERT(*r->mark && r->url && r->last_error && r->state < REQUEST_NSTATES);
    check_holder(&r->asker);
}

static void write_row(struct buf *to, const struct etcd_row *row, const char *more)
{
    if (row->is_lease)
        etcd_lease_value(to, &row->lease, &row->request, more);
    else
        etcd_request_value(to, &row->request, row->request.owner, more);
}

/* The members that this version does not know stay as they are. */
static void check_value(const char *text, size_t n, bool is_lease)
{
    const char *known = is_lease ? etcd_lease_members : etcd_request_members;
    struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
    struct buf more = BUF_INIT(1 << 20), kept = BUF_INIT(1 << 20);
    struct etcd_row row;

    if (etcd_row_read(&row, is_lease, text, n))
        return;
    check_row(&row);
    etcd_strange_members(&more, text + 1, n - 1, known);
    FUZZ_ASSERT(row.is_strange == (more.len > 0));
    write_row(&once, &row, more.len ? buf_cstr(&more) : "");
    etcd_row_free(&row);
    FUZZ_ASSERT(!once.failed && etcd_row_read(&row, is_lease, once.data, once.len) == 0);
    etcd_strange_members(&kept, once.data + 1, once.len - 1, known);
    FUZZ_ASSERT(kept.len == more.len && (!more.len || memcmp(kept.data, more.data, more.len) == 0));
    write_row(&twice, &row, more.len ? buf_cstr(&more) : "");
    etcd_row_free(&row);
    FUZZ_ASSERT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    buf_free(&once);
    buf_free(&twice);
    buf_free(&more);
    buf_free(&kept);
}

static void check_outcome(struct store_step *step, int err, struct etcd_shown *shown)
{
    FUZZ_ASSERT(err == 0 || err == -EPROTO || err == -EUCLEAN || err == -ENAMETOOLONG);
    FUZZ_ASSERT(shown->outcome == STORE_APPLIED || shown->outcome == STORE_OTHERWISE);
    FUZZ_ASSERT(!step->now || *step->now->mark);
    FUZZ_ASSERT(!step->lease_now || (shown->request_key && *step->lease_now->id));
    free(step->now);
    free(step->lease_now);
    free(shown->request_key);
    step->now = NULL;
    step->lease_now = NULL;
}

static void check_answer(const char *text, size_t n, enum store_step_kind kind)
{
    static const struct etcd_self self = {"g1", "g1@7", NULL};
    struct store_step step = {
        .kind = kind, .request = {.mark = "m", .name = "1"}, .lease = {.id = "l"}, .instead = ""};
    const char *why;
    cJSON *answer = json_parse(text, n, 64, JSON_EXACT, &why);
    struct etcd_shape shape = {.n = ETCD_ALTERNATIVES_MAX};
    struct etcd_shown shown;
    bool held;
    size_t n_held;

    if (!answer)
        return;
    const cJSON *found = etcd_chain_answer(answer, &held, &n_held);

    if (found && n_held < shape.n)
        shape.nops[n_held] = (size_t)etcd_responses(found); /* it fits */
    int err = etcd_step_read(&self, &step, &shape, answer, &shown);

    check_outcome(&step, err, &shown);
    err = etcd_step_judge(&self, &step, answer, 7, &shown);
    check_outcome(&step, err, &shown);
    cJSON_Delete(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned char kind = fuzz_byte(&in);
    size_t n;
    char *text = fuzz_text(&in, &n);

    if (kind < '2')
        check_value(text, n, kind == '1');
    else
        check_answer(text, n, (enum store_step_kind)(kind % STEP_NKINDS));
    free(text);
    return 0;
}
