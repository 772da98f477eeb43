/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_share.c - the share of a gateway, and the requests of others in it; see list_share.h.
 *
 * A request of another gateway that two lists lack has ended at the vault: its leases end, and it is given
 * back here, as one of this gateway's own would be. So does one that waits for its approver while leases hold
 * it: no caller was answered with them.
 *
 * The scan shows this gateway's own requests as well. One that the table holds, and the scan does not show or
 * shows without a lease, has lost its rows to other hands: it is looked for by itself (shared_news.c).
 */
#include "broker/leases/list_share.h"

#include "base/container_of.h"
#include "base/fnv.h"
#include "base/log.h"
#include "broker/leases/internal.h"
#include "broker/leases/shared_steps.h"
#include "stores/store_rows.h"

#include <stdlib.h>
#include <string.h>

#define ASKING_MS 10000
#define PAGE      100 /* requests that are read and compared in one turn of the loop */

struct other_request {
    UT_hash_handle hh; /* leases.share.others */
    struct leases *leases;
    struct shared_wait ended;
    struct request_row *row;
    bool missed;  /* one list did not have it */
    bool is_seen; /* by the scan */
    size_t key_size;
    char key[]; /* vault section, NUL, name */
};

/* ---- the share ---- */

static uint64_t hash_text(uint64_t h, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        h = fnv_byte(h, c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return fnv_byte(h, 0xff);
}

/* Mixed, so that names which differ in their last letter alone do not go together. */
static uint64_t weight_of(const char *node, const char *vault, const char *user)
{
    uint64_t h = hash_text(hash_text(hash_text(FNV_START, vault), user), node);

    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

static bool counts(const struct store_cluster *c, const struct store_member *m)
{
    return (m->state == MEMBER_ALIVE || m->state == MEMBER_SILENT) && c->config_digest &&
           strcmp(m->config_digest, c->config_digest) == 0;
}

bool list_share_is_mine(const struct leases *ls, const char *vault, const char *user)
{
    struct store_state state;

    if (!ls->shared)
        return true;
    ls->shared->ops->state(ls->shared, &state);
    const struct store_cluster *c = state.cluster;
    uint64_t own = weight_of(c->node, vault, user);

    for (size_t i = 0; i < c->nmembers; i++) {
        uint64_t weight = counts(c, &c->members[i]) ? weight_of(c->members[i].node, vault, user) : 0;

        if (weight > own || (weight == own && strcmp(c->members[i].node, c->node) > 0))
            return false;
    }
    return true;
}

/* ---- requests of others ---- */

static void other_free(struct other_request *o)
{
    shared_unwait(&o->ended);
    HASH_DEL(o->leases->share.others, o);
    free(o->row);
    free(o);
}

/* Those that the scan has not shown; one whose end is on its way stays until then. */
static void forget_unseen(struct leases *ls)
{
    struct other_request *o, *next;

    HASH_ITER(hh, ls->share.others, o, next)
    if (!o->is_seen && !o->ended.step)
        other_free(o);
    else
        o->is_seen = false;
}

static struct other_request *other_find(const struct leases *ls, const char *vault, const char *name)
{
    char key[CONF_NAME_MAX + REQUEST_KEY_SIZE];
    size_t section = strlen(vault) + 1, n = section + strlen(name) + 1;
    struct other_request *o = NULL;

    if (n > sizeof key)
        return NULL;
    memcpy(key, vault, section);
    memcpy(key + section, name, n - section);
    HASH_FIND(hh, ls->share.others, key, n, o);
    return o;
}

/* NULL = out of memory. */
static struct other_request *other_new(struct leases *ls, const struct request_row *row)
{
    size_t section = strlen(row->vault) + 1, n = section + strlen(row->name) + 1;
    struct other_request *o = calloc(1, sizeof *o + n);

    if (!o)
        return NULL;
    o->leases = ls;
    o->key_size = n;
    memcpy(o->key, row->vault, section);
    memcpy(o->key + section, row->name, n - section);
    o->row = request_row_copy(row);
    if (o->row)
        HASH_ADD_KEYPTR(hh, ls->share.others, o->key, n, o);
    if (o->row && o->hh.tbl)
        return o;
    free(o->row);
    free(o);
    return NULL;
}

/* ---- the scan ---- */

static struct vault *vault_of(const struct leases *ls, const struct request_row *row)
{
    for (size_t i = 0; i < ls->vaults.n; i++) {
        const struct vault_ref *ref = ls->vaults.refs[i];

        if (!ref->absent && strcmp(ref->vault->conf->name, row->vault) == 0 &&
            strcmp(ref->url, row->url) == 0)
            return ref->vault;
    }
    return NULL;
}

/* As it is now; NULL = out of memory. */
static struct other_request *other_get(struct leases *ls, const struct request_row *row)
{
    struct other_request *o = other_find(ls, row->vault, row->name);
    struct request_row *copy = o ? request_row_copy(row) : NULL;

    if (!o)
        return other_new(ls, row);
    if (!copy)
        return NULL;
    free(o->row);
    o->row = copy;
    return o;
}

/* If it is meant, and its end is not on its way. A second look at its user's list may be due already. */
static void take_request(struct leases *ls, const struct request_row *row)
{
    struct vault *vault = vault_of(ls, row);
    bool is_meant = row->state == REQUEST_HELD && !row->mine && *row->name && vault &&
                    strlen(row->name) < REQUEST_KEY_SIZE && list_share_is_mine(ls, row->vault, row->user);

    struct other_request *o = is_meant ? other_find(ls, row->vault, row->name) : NULL;

    o = !is_meant || (o && o->ended.step) ? NULL : other_get(ls, row);
    if (!o)
        return;
    o->is_seen = true;
    if (active_requests_expect(ls->reader, vault, row->user, row->name))
        o->missed = false;
}

/* ---- this gateway's own ---- */

static bool is_held_here(const struct vault_request *r)
{
    return r->state == VR_HELD && r->has_row && !r->opening && !r->undecided && !r->returned;
}

static void expect_own(struct leases *ls)
{
    struct vault_request *r, *next;

    HASH_ITER(hh, ls->requests, r, next)
    r->unseen = is_held_here(r);
}

/* A lease that holds the request, and whose own row other hands have deleted, no session can end. */
static void take_own(struct leases *ls, const struct store_found *f)
{
    struct vault_request *r = f->request->mine ? shared_record(ls, f->request->mark) : NULL;
    struct lease *lease = f->lease && f->is_orphan ? lease_by_id(ls, f->lease->id) : NULL;

    if (!r)
        return;
    r->unseen = false;
    if (!f->lease && f->request->state == REQUEST_HELD && is_held_here(r))
        ls->damaged(r, NULL);
    else if (lease && lease->state == LEASE_OPEN && lease->request == r && is_held_here(r))
        (void)shared_release_lease(lease, "gone", NULL); /* without memory the next scan does */
}

static void look_for_unseen(struct leases *ls)
{
    struct vault_request *r, *next;

    HASH_ITER(hh, ls->requests, r, next)
    {
        if (r->unseen && is_held_here(r))
            ls->damaged(r, NULL);
        r->unseen = false;
    }
}

/* The site is asked for the sessions of all leases: whose gateway has ended has no other that asks. */
static void take_lease(struct leases *ls, const struct store_found *f)
{
    const struct lease *own = f->lease ? lease_by_id(ls, f->lease->id) : NULL;
    struct vault *vault = f->lease ? vault_of(ls, f->request) : NULL;

    if (vault && (!own || own->state != LEASE_OPEN))
        lsid_index_note_row(ls, vault, f->request, f->lease);
}

/* The leases of one request follow each other. */
static void take_page(struct leases *ls, const struct store_found_list *page)
{
    const struct store_found *f;
    const char *mark = "";

    STAILQ_FOREACH(f, page, link)
    {
        if (!f->request)
            continue;
        take_own(ls, f);
        if (strcmp(f->request->mark, mark) != 0)
            take_request(ls, f->request);
        mark = f->request->mark;
        take_lease(ls, f);
    }
}

static void ask(struct leases *);

static void on_page(struct store_question *q, enum store_answer answer)
{
    struct leases *ls = CONTAINER_OF(q, struct leases, share.question);

    if (answer == STORE_OPEN)
        take_page(ls, &q->found);
    ls->share.is_unread = answer != STORE_OPEN;
    if (answer == STORE_OPEN && *q->cursor) {
        ask(ls);
        return;
    }
    forget_unseen(ls);
    if (!ls->share.is_unread)
        look_for_unseen(ls);
    ls->share.done(ls);
}

static void ask(struct leases *ls)
{
    struct store_question *q = &ls->share.question;

    q->kind = QUESTION_LIST;
    q->until_ms = clock_now(ls->clock) + ASKING_MS;
    q->node = "";
    q->limit = PAGE;
    q->done = on_page;
    if (ls->shared->ops->ask(ls->shared, q) == 0)
        return;
    ls->share.is_unread = true;
    ls->share.done(ls);
}

void list_share_scan(struct leases *ls, void (*done)(struct leases *))
{
    if (ls->share.question.private)
        return;
    ls->share.question.cursor[0] = '\0';
    ls->share.done = done;
    expect_own(ls);
    ask(ls);
}

void list_share_free(struct leases *ls)
{
    struct other_request *o, *next;

    if (ls->share.question.private)
        ls->shared->ops->forget(ls->shared, &ls->share.question);
    HASH_ITER(hh, ls->share.others, o, next)
    other_free(o);
}

/* ---- a list ---- */

static void on_ended(struct shared_wait *wait, const struct shared_outcome *outcome)
{
    (void)outcome; /* one that lives still the next round finds */
    other_free(CONTAINER_OF(wait, struct other_request, ended));
}

static void end_other(struct other_request *o)
{
    log_warn("request_gone", "user=%s request=%s owner=%s", o->row->user, o->row->mark, o->row->owner);
    o->ended.done = on_ended;
    if (!shared_end_row(o->leases, o->row, &o->ended))
        other_free(o); /* the next round finds it */
}

bool list_share_judge(struct leases *ls, const struct vault *vault, const char *name,
                      const struct active_request *row)
{
    struct other_request *o = other_find(ls, vault->conf->name, name);
    bool is_listed =
        o && row && vault_account_fits(row_account(vault, row), o->row->asker.credential) && !row->waits;

    if (!o || o->ended.step || is_listed) {
        if (o)
            o->missed = false;
        return false;
    }
    if (!o->missed) {
        o->missed = true;
        return true;
    }
    end_other(o);
    return false;
}

bool list_share_has(const struct leases *ls, const struct vault *vault, const char *name)
{
    return ls->shared && other_find(ls, vault->conf->name, name);
}
