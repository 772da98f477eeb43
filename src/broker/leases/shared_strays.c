/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_strays.c - suspects, by vault and name; see shared_strays.h.
 *
 * A suspect that no list has shown for an hour is forgotten, and so are the oldest where there are too many:
 * the next lists show them again.
 */
#include "broker/leases/shared_strays.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/leases/internal.h"

#include <stdlib.h>
#include <string.h>

#define SUSPECTS_MAX 10000
#define SUSPECT_MS   60000   /* from the first list to the question */
#define FORGOTTEN_MS 3600000 /* after the last list */
#define ASKING_MS    10000

struct suspect {
    UT_hash_handle hh; /* leases.suspects, oldest first */
    struct leases *leases;
    struct vault *vault;
    uint64_t first_ms, last_ms;
    struct store_question question;
    struct active_request row; /* as the last list has shown it */
    shared_stray *stray;
    char mark[ID_SIZE];
    char *user;
    size_t key_size;
    char key[]; /* vault section, NUL, name */
};

static void suspect_free(struct suspect *s)
{
    struct leases *ls = s->leases;

    if (s->question.private)
        ls->shared->ops->forget(ls->shared, &s->question);
    HASH_DEL(ls->suspects, s);
    free(s->row.name);
    free(s->user);
    free(s);
}

void shared_strays_free(struct leases *ls)
{
    while (ls->suspects)
        suspect_free(ls->suspects);
}

/* The oldest are first. */
static void forget_old(struct leases *ls)
{
    uint64_t now = clock_now(ls->clock);

    while (ls->suspects && !ls->suspects->question.private &&
           (HASH_COUNT(ls->suspects) >= SUSPECTS_MAX || now - ls->suspects->last_ms > FORGOTTEN_MS))
        suspect_free(ls->suspects);
}

static struct suspect *suspect_new(struct leases *ls, struct vault *vault, const char *user, const char *name)
{
    size_t section = strlen(vault->conf->name) + 1, n = section + strlen(name) + 1;
    struct suspect *s = calloc(1, sizeof *s + n);

    if (!s)
        return NULL;
    s->leases = ls;
    s->vault = vault;
    s->user = strdup(user);
    s->first_ms = clock_now(ls->clock);
    s->key_size = n;
    memcpy(s->key, vault->conf->name, section);
    memcpy(s->key + section, name, n - section);
    return s;
}

/* The vault's, made if there is none. NULL = out of memory. */
static struct suspect *suspect_get(struct leases *ls, struct vault *vault, const char *user, const char *name)
{
    struct suspect *fresh = suspect_new(ls, vault, user, name), *found;

    if (!fresh)
        return NULL;
    HASH_FIND(hh, ls->suspects, fresh->key, fresh->key_size, found);
    if (!found && fresh->user)
        HASH_ADD_KEYPTR(hh, ls->suspects, fresh->key, fresh->key_size, fresh);
    if (!found && fresh->user && fresh->hh.tbl)
        return fresh;
    free(fresh->user);
    free(fresh);
    return found;
}

static bool is_in_table(const struct suspect *s)
{
    return vault_request_find(s->leases, s->vault, s->row.name) != NULL;
}

static void on_answer(struct store_question *q, enum store_answer answer)
{
    struct suspect *s = CONTAINER_OF(q, struct suspect, question);

    if (answer == STORE_OPEN && STAILQ_EMPTY(&q->found) && !is_in_table(s))
        s->stray(s->leases, s->vault, s->user, &s->row, s->mark);
    if (answer == STORE_OPEN)
        suspect_free(s);
}

static void ask(struct suspect *s)
{
    struct leases *ls = s->leases;

    s->question = (struct store_question){.kind = QUESTION_REQUEST,
                                          .until_ms = clock_now(ls->clock) + ASKING_MS,
                                          .mark = s->mark,
                                          .vault = s->vault->conf->name,
                                          .name = s->row.name,
                                          .done = on_answer};
    if (ls->shared->ops->ask(ls->shared, &s->question))
        log_debug("stray_not_asked", "mark=%s", s->mark); /* the next list tries again */
}

void shared_strays_note(struct leases *ls, struct vault *vault, const char *user,
                        const struct active_request *row, const char *mark, shared_stray *stray)
{
    forget_old(ls);
    struct suspect *s = suspect_get(ls, vault, user, row->name);

    if (!s || s->question.private)
        return;
    s->last_ms = clock_now(ls->clock);
    (void)text_copy(s->mark, sizeof(s->mark), mark);
    s->stray = stray;
    free(s->row.name);
    s->row = *row;
    s->row.name = s->row.account_key = s->row.reason = NULL;
    if (active_request_set(&s->row, row->name, row->account_key, row->reason))
        suspect_free(s);
    else if (s->last_ms - s->first_ms >= SUSPECT_MS)
        ask(s);
}
