/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_table.c - which session holds which credential, and on which vault request.
 *
 * A lease belongs to (PRA user, PRA session, credential). User and domain are compared as base/person.h does,
 * in ASCII case and otherwise exactly; the session id exactly. So leases of one session id under two users
 * are different leases. A session_leases has what one session holds, since a session ends as a whole. Several
 * leases may hold one vault request.
 *
 * A check-out counts as a holder of its own vault request from the start, and of another one from the moment
 * it has read its name, so that the undo of one check-out cannot take the request from another to which the
 * vault's reuse gave the same.
 *
 * Invariants: `refs` of a session_leases is the number of leases that point to it, and it is freed with the
 * last one. A lease is freed when it is neither open nor an asker.
 *
 * Not here: what opens and ends leases (lease_life.c), the states of vault requests (request_states.c), who
 * may end a lease (release.c).
 */
#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"
#include "broker/leases/key_due.h"

#include "base/person.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Texts that follow each other. */
static const char *text_after(const char *text)
{
    return text + strlen(text) + 1;
}

static char *append_text(char *to, const char *text)
{
    size_t n = strlen(text) + 1;

    memcpy(to, text, n);
    return to + n;
}

/* ---- session_leases ---- */

struct session_leases *session_leases_probe(const struct session *s)
{
    const char *domain = s->domain ? s->domain : "", *id = s->id ? s->id : "";
    size_t user_size = strlen(s->username) + 1, domain_size = strlen(domain) + 1;
    size_t n = user_size + domain_size + strlen(id) + 1;
    struct session_leases *probe = malloc(sizeof *probe + n + user_size + domain_size);

    if (!probe)
        return NULL;
    *probe = (struct session_leases){.key_size = (uint32_t)n};
    memcpy(person_key(person_key(probe->key, s->username), domain), id, strlen(id) + 1);
    memcpy(probe->key + n, s->username, user_size);
    memcpy(probe->key + n + user_size, domain, domain_size);
    return probe;
}

struct session_leases *session_leases_find(const struct leases *ls, const struct session_leases *probe)
{
    struct session_leases *found;

    HASH_FIND(hh, ls->sessions, probe->key, probe->key_size, found);
    return found;
}

/* The session's own, made if there is none. */
static struct session_leases *session_leases_get(struct leases *ls, const struct session *session)
{
    struct session_leases *probe = session_leases_probe(session),
                          *found = probe ? session_leases_find(ls, probe) : NULL;

    if (probe && !found)
        HASH_ADD_KEYPTR(hh, ls->sessions, probe->key, probe->key_size, probe);
    if (probe && !found && probe->hh.tbl)
        return probe;
    free(probe);
    return found;
}

static void session_leases_unref(struct leases *ls, struct session_leases *s)
{
    if (--s->refs)
        return;
    HASH_DEL(ls->sessions, s);
    free(s);
}

const char *session_leases_user(const struct session_leases *s)
{
    return s->key + s->key_size;
}

const char *session_leases_domain(const struct session_leases *s)
{
    return text_after(session_leases_user(s));
}

const char *session_leases_session(const struct session_leases *s)
{
    return text_after(text_after(s->key));
}

void session_leases_spell(const struct leases *ls, struct session *session)
{
    struct session_leases *probe = session_leases_probe(session);
    const struct session_leases *s = probe ? session_leases_find(ls, probe) : NULL;

    free(probe);
    if (!s)
        return;
    session->username = session_leases_user(s);
    session->domain = session_leases_domain(s);
}

struct lease *session_leases_lease(const struct session_leases *s, const char *credential_id)
{
    struct lease *lease;

    SLIST_FOREACH(lease, &s->leases, of_session)
    if (strcmp(lease->credential_id, credential_id) == 0)
        return lease;
    return NULL;
}

/* ---- leases ---- */

struct lease *lease_find(struct leases *ls, const struct session *session, const char *credential_id)
{
    struct session_leases *probe = session_leases_probe(session),
                          *s = probe ? session_leases_find(ls, probe) : NULL;

    free(probe);
    return s ? session_leases_lease(s, credential_id) : NULL;
}

struct lease *lease_by_id(const struct leases *ls, const char *id)
{
    struct lease *lease;

    HASH_FIND(hh, ls->leases_by_id, id, strlen(id), lease);
    return lease;
}

bool lease_id_known(const struct leases *ls, const char id[ID_SIZE])
{
    return lease_tag_is_own(&ls->tag, id);
}

int lease_id_new(const struct leases *ls, char id[ID_SIZE])
{
    return *ls->tag.letters ? id_new_tagged(ls->tag.letters, id) : id_new(id);
}

static const char *known(const char *name)
{
    return name ? name : "";
}

static struct lease *lease_with_texts(const struct lease_args *args)
{
    const char *system = known(args->system), *domain = known(args->domain), *account = known(args->account);
    size_t n = strlen(args->credential_id) + strlen(system) + strlen(domain) + strlen(account) + 4;
    struct lease *lease = malloc(sizeof *lease + n);

    if (!lease)
        return NULL;
    *lease = (struct lease){.state = LEASE_ASKING, .end = args->end};
    (void)memccpy(lease->id, args->id, '\0', ID_SIZE - 1);
    char *at = append_text(append_text(lease->credential_id, args->credential_id), system);

    if (*domain) {
        at = append_text(at, domain);
        at[-1] = '\\';
    }
    (void)append_text(at, account);
    return lease;
}

static int add_to_table(struct leases *ls, struct lease *lease)
{
    lease->number = ++ls->last_number;
    HASH_ADD(hh, ls->leases_by_id, id, strlen(lease->id), lease);
    return lease->hh.tbl ? 0 : -ENOMEM;
}

struct lease *lease_new(struct leases *ls, const struct lease_args *args, int64_t created_wall_ms)
{
    struct session_leases *s = session_leases_get(ls, args->session);
    struct lease *lease = s ? lease_with_texts(args) : NULL;

    if (s)
        s->refs++;
    if (lease) {
        lease->session_leases = s;
        lease->created_s = created_wall_ms / 1000;
    }
    if (!lease || lease_set_lsid(ls, lease, session_lsid(args->session)) || add_to_table(ls, lease)) {
        if (lease)
            lsid_index_forget(ls, lease);
        if (s)
            session_leases_unref(ls, s);
        free(lease);
        return NULL;
    }
    return lease;
}

void lease_free(struct leases *ls, struct lease *lease)
{
    if (ls->next_lease == lease)
        ls->next_lease = lease->hh.next;
    HASH_DEL(ls->leases_by_id, lease);
    lsid_index_forget(ls, lease);
    session_leases_unref(ls, lease->session_leases);
    free(lease);
}

struct lease *lease_first(struct leases *ls, uint64_t after)
{
    ls->next_lease = ls->leases_by_id;
    while (ls->next_lease && ls->next_lease->number <= after)
        ls->next_lease = ls->next_lease->hh.next;
    return lease_next(ls);
}

struct lease *lease_next(struct leases *ls)
{
    struct lease *lease = ls->next_lease;

    if (lease)
        ls->next_lease = lease->hh.next;
    return lease;
}

const char *lease_system(const struct lease *lease)
{
    return text_after(lease->credential_id);
}

const char *lease_account(const struct lease *lease)
{
    return text_after(lease_system(lease));
}

void lease_link(struct lease *lease, struct vault_request *request)
{
    lease->request = request;
    lease->state = LEASE_OPEN;
    SLIST_INSERT_HEAD(&lease->session_leases->leases, lease, of_session);
    lsid_index_add(lease);
    SLIST_INSERT_HEAD(&request->leased, lease, of_request);
    request->vault_ref->leases->nleases++;
}

void lease_unlink(struct lease *lease)
{
    struct vault_request *request = lease->request;

    SLIST_REMOVE(&lease->session_leases->leases, lease, lease, of_session);
    lsid_index_remove(lease);
    SLIST_REMOVE(&request->leased, lease, lease, of_request);
    request->vault_ref->leases->nleases--;
    lease->state = LEASE_ENDED;
}

void lease_forget(struct lease *lease)
{
    lease->state = LEASE_ENDED;
    if (lease->request->asker != lease)
        lease_free(lease->request->vault_ref->leases, lease);
}

uint64_t lease_age_s(const struct leases *ls, const struct lease *lease)
{
    int64_t now_s = leases_wall(ls, vault_request_vault(lease->request)) / 1000;

    return now_s > lease->created_s ? (uint64_t)(now_s - lease->created_s) : 0;
}

int64_t lease_expires_wall(const struct lease *lease)
{
    return lease->expires_wall_ms ? lease->expires_wall_ms : lease->request->expires_wall_ms;
}

/* ---- vault requests ---- */

struct vault *vault_request_vault(const struct vault_request *request)
{
    return request->vault_ref->vault;
}

struct request_ref vault_request_ref(const struct vault_request *request)
{
    return (struct request_ref){.key = vault_request_name(request),
                                .handle = request->handle ? request->handle : "",
                                .checkins = keyed_due(request),
                                .lease_id = request->work && *request->work->last_holder
                                                ? request->work->last_holder
                                                : request->asker->id};
}

const char *vault_request_name(const struct vault_request *request)
{
    return request->name ? request->name : "";
}

struct vault_request *vault_request_new(struct leases *ls, struct vault *vault, const char *user,
                                        struct lease *asker)
{
    size_t n = strlen(user) + 1, size = offsetof(struct vault_request, user) + n;
    struct vault_request *request = malloc(size > sizeof *request ? size : sizeof *request);

    if (!request)
        return NULL;
    *request = (struct vault_request){.vault_ref = vault_ref_find(&ls->vaults, vault),
                                      .asker = asker,
                                      .state = VR_ASKED,
                                      .origin = ORIGIN_UNKNOWN,
                                      .ends_ms = UINT64_MAX,
                                      .is_keyed = !vault->can.keys_are_unique,
                                      .due = vault->can.checkins_each && !ls->shared,
                                      .checkouts = 1};
    if (timer_reserve(ls->timers, &request->deadline)) {
        free(request);
        return NULL;
    }
    memcpy(request->user, user, n);
    asker->request = request;
    ls->in_state[VR_ASKED]++;
    known_users_note(ls, vault, user);
    return request;
}

void vault_request_hide(struct vault_request *request)
{
    if (request->hh.tbl)
        HASH_DEL(request->vault_ref->leases->requests, request);
    request->hh.tbl = NULL;
}

static void free_name(struct vault_request *request)
{
    if (request->name != request->short_name)
        free(request->name);
    request->name = NULL;
}

void vault_request_clear_name(struct vault_request *request)
{
    vault_request_hide(request);
    free_name(request);
}

int vault_request_set_name(struct vault_request *request, const char *name)
{
    size_t n = strlen(name);
    char *copy = n < sizeof request->short_name ? request->short_name : malloc(n + 1);

    if (!copy)
        return -ENOMEM;
    vault_request_clear_name(request);
    memcpy(copy, name, n + 1);
    request->name = copy;
    HASH_ADD_KEYPTR(hh, request->vault_ref->leases->requests, request->name, n, request);
    if (request->hh.tbl)
        return 0;
    vault_request_clear_name(request);
    return -ENOMEM;
}

int keyed_name(struct vault_request *r, const char *key, char *handle)
{
    r->handle = handle;
    return vault_request_set_name(r, key);
}

struct request_work *request_work_get(struct vault_request *request)
{
    if (!request->work)
        request->work = calloc(1, sizeof *request->work);
    if (request->work)
        request->work->request = request;
    return request->work;
}

void vault_request_free(struct vault_request *request)
{
    struct leases *ls = request->vault_ref->leases;

    vault_request_hide(request);
    key_waits_notify(request);
    timer_unreserve(ls->timers, &request->deadline);
    ls->in_state[request->state]--;
    if (request->asker && request->asker->state != LEASE_OPEN)
        lease_free(ls, request->asker);
    if (request->work) {
        journal_unwait(&request->work->returning);
        free(request->work->found);
        free(request->work->elsewhere);
    }
    free(request->work);
    free(request->handle);
    free_name(request);
    free(request);
}

size_t vault_request_holders(const struct vault_request *request)
{
    size_t n = request->checkouts;
    const struct lease *lease;

    SLIST_FOREACH(lease, &request->leased, of_request)
    n++;
    return n;
}

void vault_request_hold(struct vault_request *request)
{
    request->checkouts++;
}

/* ---- those that wait for the turn of a key ---- */

int key_wait_join(struct vault_request *r, struct key_wait *w)
{
    struct request_work *work = request_work_get(r);

    if (!work)
        return -ENOMEM;
    w->request = r;
    LIST_INSERT_HEAD(&work->key_waits, w, link);
    return 0;
}

void key_wait_leave(struct key_wait *w)
{
    if (!w->request)
        return;
    LIST_REMOVE(w, link);
    w->request = NULL;
}

void key_waits_notify(struct vault_request *r)
{
    struct key_wait *w;

    while (r->work && (w = LIST_FIRST(&r->work->key_waits))) {
        key_wait_leave(w);
        w->changed(w);
    }
}

/* ---- those that wait for the outcome of a check-in ---- */

bool vault_request_watch(struct vault_request *r, struct vault_request_watch *w)
{
    if (!r->work)
        return false;
    w->request = r;
    LIST_INSERT_HEAD(&r->work->watches, w, link);
    return true;
}

void vault_request_unwatch(struct vault_request_watch *w)
{
    if (!w->request)
        return;
    LIST_REMOVE(w, link);
    w->request = NULL;
}

void vault_request_move_watches(struct vault_request *r, struct watch_list *to)
{
    struct vault_request_watch *w;

    LIST_INIT(to);
    while (r->work && (w = LIST_FIRST(&r->work->watches))) {
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(to, w, link);
    }
}

void watch_list_notify(struct watch_list *watches, bool ended)
{
    struct vault_request_watch *w;

    while ((w = LIST_FIRST(watches))) {
        vault_request_unwatch(w);
        w->on_ended(w, ended);
    }
}
