/* SPDX-License-Identifier: Apache-2.0 */
/*
 * move.c - all rows of a store in memory; see move.h.
 *
 * The digest is that of the digests of all rows, sorted: the order in which a store gives its rows does not
 * matter. It has neither the owner of a request, which is new in the other store, nor whether one that is
 * asked for was cancelled, which a file does not keep: whoever has it looks for the request at the vault.
 */
#include "stores/move.h"

#include "base/buf.h"
#include "base/digest.h"
#include "base/text.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX (1U << 20)

/* ---- reading ---- */

/* Room for one more element behind `n`, which doubles. */
static int grow(void **all, size_t n, size_t size)
{
    if (n && (n & (n - 1)))
        return 0;
    void *more = realloc(*all, (n ? 2 * n : 1) * size);

    if (!more)
        return -ENOMEM;
    *all = more;
    return 0;
}

static int on_request(void *arg, const struct request_row *row)
{
    struct move_rows *m = arg;
    struct request_row *copy = request_row_copy(row);

    if (!copy || grow((void **)&m->requests, m->nrequests, sizeof(*m->requests))) {
        free(copy);
        return -ENOMEM;
    }
    m->requests[m->nrequests++] = copy;
    return 0;
}

static int on_lease(void *arg, const struct lease_row *row)
{
    struct move_rows *m = arg;
    struct lease_row *copy = lease_row_copy(row);

    if (!copy || grow((void **)&m->leases, m->nleases, sizeof(*m->leases))) {
        free(copy);
        return -ENOMEM;
    }
    m->leases[m->nleases++] = copy;
    return 0;
}

static int on_cursor(void *arg, const struct cursor_row *row)
{
    struct move_rows *m = arg;
    char *site = strdup(row->site);

    if (!site || grow((void **)&m->cursors, m->ncursors, sizeof(*m->cursors))) {
        free(site);
        return -ENOMEM;
    }
    m->cursors[m->ncursors++] = (struct cursor_row){site, row->cursor_ms};
    return 0;
}

const struct store_reader move_reader = {.request = on_request, .lease = on_lease, .cursor = on_cursor};

void move_rows_free(struct move_rows *m)
{
    for (size_t i = 0; i < m->nrequests; i++)
        free(m->requests[i]);
    for (size_t i = 0; i < m->nleases; i++)
        free(m->leases[i]);
    for (size_t i = 0; i < m->ncursors; i++)
        free((void *)m->cursors[i].site);
    free(m->requests);
    free(m->leases);
    free(m->cursors);
    *m = (struct move_rows){.nrequests = 0};
}

/* ---- in order ---- */

static int by_mark(const void *left, const void *right)
{
    const struct request_row *a = *(const struct request_row *const *)left;
    const struct request_row *b = *(const struct request_row *const *)right;

    return strcmp(a->mark, b->mark);
}

/* Leases of one session and credential beside each other, the newest first. */
static int by_holder(const void *left, const void *right)
{
    const struct lease_row *a = *(const struct lease_row *const *)left;
    const struct lease_row *b = *(const struct lease_row *const *)right;
    int order = strcmp(a->holder.username, b->holder.username);

    order = order ? order : strcmp(a->holder.domain, b->holder.domain);
    order = order ? order : strcmp(a->holder.session, b->holder.session);
    order = order ? order : strcmp(a->holder.credential, b->holder.credential);
    if (order)
        return order;
    if (a->holder.created_wall_ms != b->holder.created_wall_ms)
        return a->holder.created_wall_ms > b->holder.created_wall_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

static bool is_same_holder(const struct lease_row *a, const struct lease_row *b)
{
    return strcmp(a->holder.username, b->holder.username) == 0 &&
           strcmp(a->holder.domain, b->holder.domain) == 0 &&
           strcmp(a->holder.session, b->holder.session) == 0 &&
           strcmp(a->holder.credential, b->holder.credential) == 0;
}

const struct request_row *move_rows_request(const struct move_rows *m, const char *mark)
{
    const struct request_row *key = &(struct request_row){.mark = mark};
    struct request_row **found =
        m->nrequests ? bsearch(&key, m->requests, m->nrequests, sizeof(*m->requests), by_mark) : NULL;

    return found ? *found : NULL;
}

void move_rows_end(struct move_rows *m, size_t *odd)
{
    size_t n = 0;

    if (m->nrequests)
        qsort(m->requests, m->nrequests, sizeof(*m->requests), by_mark);
    if (m->nleases)
        qsort(m->leases, m->nleases, sizeof(*m->leases), by_holder);
    for (size_t i = 0; i < m->nleases; i++) {
        const struct request_row *r = move_rows_request(m, m->leases[i]->request);

        if (!r || r->state != REQUEST_HELD || (n && is_same_holder(m->leases[n - 1], m->leases[i])))
            free(m->leases[i]);
        else
            m->leases[n++] = m->leases[i];
    }
    *odd = m->nleases - n;
    m->nleases = n;
}

/* ---- the digest ---- */

static void add_text(struct buf *out, const char *text)
{
    (void)buf_append(out, text, strlen(text) + 1);
}

static void add_number(struct buf *out, int64_t number)
{
    (void)buf_printf(out, "%" PRId64 ";", number);
}

static void add_holder(struct buf *out, const struct holder *h)
{
    const char *const texts[] = {h->username,   h->domain, h->session, h->lsid,
                                 h->credential, h->system, h->account};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        add_text(out, texts[i]);
    add_number(out, h->created_wall_ms);
}

static void add_request(struct buf *out, const struct request_row *r)
{
    const char *const texts[] = {r->mark, r->vault, r->url, r->user, r->name, r->last_error};
    const int64_t numbers[] = {(int64_t)r->state, r->adopted, r->expires_wall_ms, r->attempts,
                               r->next_wall_ms};

    add_text(out, "request");
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        add_text(out, texts[i]);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        add_number(out, numbers[i]);
    add_holder(out, &r->asker);
}

static void add_lease(struct buf *out, const struct lease_row *l)
{
    add_text(out, "lease");
    add_text(out, l->request);
    add_text(out, l->id);
    add_text(out, l->ended_site);
    add_number(out, (int64_t)l->ended);
    add_holder(out, &l->holder);
}

static int by_bytes(const void *left, const void *right)
{
    return memcmp(left, right, DIGEST_SIZE);
}

static int digest_rows(const struct move_rows *m, unsigned char (*sums)[DIGEST_SIZE])
{
    struct buf text = BUF_INIT(ROW_MAX);
    int err = 0;

    for (size_t i = 0; !err && i < m->nrequests + m->nleases; i++) {
        buf_clear(&text);
        if (i < m->nrequests)
            add_request(&text, m->requests[i]);
        else
            add_lease(&text, m->leases[i - m->nrequests]);
        err = text.failed ? -ENOMEM : digest_sha256(text.data, text.len, sums[i]);
    }
    buf_free(&text);
    return err;
}

int move_rows_digest(const struct move_rows *m, char hex[MOVE_DIGEST_SIZE])
{
    size_t n = m->nrequests + m->nleases;
    unsigned char(*sums)[DIGEST_SIZE] = calloc(n + 1, sizeof(*sums)), sum[DIGEST_SIZE];
    int err = sums ? digest_rows(m, sums) : -ENOMEM;

    if (!err) {
        qsort(sums, n, sizeof(*sums), by_bytes);
        err = digest_sha256(sums, n * sizeof(*sums), sum);
    }
    if (!err)
        text_hex(hex, sum, sizeof(sum));
    free(sums);
    return err;
}
