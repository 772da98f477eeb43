/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_rows.c - the kinds of step, and copies of rows and steps; see store_rows.h.
 */
#include "stores/store_rows.h"

#include <stdlib.h>
#include <string.h>

#define IN(state) (1U << REQUEST_##state)

const char *const request_state_words[REQUEST_NSTATES] = {
    [REQUEST_ASKED] = "asked",   [REQUEST_HELD] = "held",       [REQUEST_RETURNING] = "returning",
    [REQUEST_LAPSED] = "lapsed", [REQUEST_PENDING] = "pending", [REQUEST_SPINNING] = "spinning",
};

/* clang-format off */
const struct store_step_rule store_step_rules[STEP_NKINDS] = {
    [STEP_ASK]    = {"ask",    ROW_INSERTED, ROW_AS_IS,    0, false},
    [STEP_OPEN]   = {"open",   ROW_UPDATED,  ROW_INSERTED, IN(ASKED) | IN(HELD) | IN(PENDING), false},
    [STEP_PEND]   = {"pend",   ROW_UPDATED,  ROW_DELETED,  IN(HELD), true},
    [STEP_EDIT]   = {"edit",   ROW_UPDATED,  ROW_AS_IS,    0, false},
    [STEP_AMEND]  = {"amend",  ROW_AS_IS,    ROW_UPDATED,  0, false},
    [STEP_LEAVE]  = {"leave",  ROW_AS_IS,    ROW_DELETED,  0, false},
    [STEP_RETURN] = {"return", ROW_UPDATED,  ROW_DELETED,
                     IN(ASKED) | IN(HELD) | IN(PENDING) | IN(RETURNING) | IN(SPINNING), true},
    [STEP_LAPSE]  = {"lapse",  ROW_UPDATED,  ROW_AS_IS,    IN(RETURNING), true},
    [STEP_CLOSE]  = {"close",  ROW_DELETED,  ROW_DELETED,  0, true},
    [STEP_CURSOR] = {"cursor", ROW_AS_IS,    ROW_AS_IS,    0, false},
    [STEP_SPIN]   = {"spin",   ROW_UPDATED,  ROW_AS_IS,    IN(ASKED) | IN(RETURNING) | IN(SPINNING), true},
    [STEP_AGAIN]  = {"again",  ROW_UPDATED,  ROW_AS_IS,    IN(SPINNING), true},
    [STEP_RELEASE] = {"release", ROW_UPDATED, ROW_DELETED,  IN(HELD), false},
    [STEP_END]     = {"end",     ROW_UPDATED, ROW_AS_IS,    IN(HELD), false},
    [STEP_CANCEL]  = {"cancel",  ROW_UPDATED, ROW_AS_IS,    IN(ASKED), false},
    [STEP_CLEAR]   = {"clear",   ROW_AS_IS,   ROW_DELETED,  IN(RETURNING) | IN(LAPSED), false},
    [STEP_REPEAT]  = {"repeat",  ROW_AS_IS,   ROW_UPDATED,  IN(HELD), false},
    [STEP_FINISH]  = {"finish",  ROW_AS_IS,   ROW_AS_IS,    0, false},
};
/* clang-format on */

const unsigned store_trip_bounds_ms[STORE_TRIP_BUCKETS - 1] = {1,   2,   5,    10,   20,   50,   100,
                                                               200, 500, 1000, 2000, 5000, 10000};

static void add(struct row_texts *t, const char **text)
{
    t->at[t->n++] = text;
}

static void add_holder(struct row_texts *t, struct holder *h)
{
    add(t, &h->username);
    add(t, &h->domain);
    add(t, &h->session);
    add(t, &h->lsid);
    add(t, &h->credential);
    add(t, &h->system);
    add(t, &h->account);
}

static void add_request(struct row_texts *t, struct request_row *r)
{
    add(t, &r->mark);
    add(t, &r->owner);
    add(t, &r->vault);
    add(t, &r->url);
    add(t, &r->name);
    add(t, &r->last_error);
    add(t, &r->user);
    add(t, &r->handle);
    add_holder(t, &r->asker);
}

static void add_lease(struct row_texts *t, struct lease_row *l)
{
    add(t, &l->request);
    add(t, &l->id);
    add(t, &l->ended_site);
    add_holder(t, &l->holder);
}

void store_step_texts(struct store_step *s, struct row_texts *t)
{
    t->n = 0;
    if (s->kind == STEP_CURSOR) {
        add(t, &s->cursor.site);
        return;
    }
    add_request(t, &s->request);
    if (store_step_rules[s->kind].lease != ROW_AS_IS)
        add_lease(t, &s->lease);
    else
        s->lease.id = ""; /* none is meant */
    if (store_step_rules[s->kind].lease == ROW_DELETED)
        add(t, &s->record);
    if (s->kind == STEP_OPEN)
        add(t, &s->instead);
}

size_t row_texts_size(const struct row_texts *t)
{
    size_t size = 0;

    for (size_t i = 0; i < t->n; i++)
        size += (*t->at[i] ? strlen(*t->at[i]) : 0) + 1;
    return size;
}

void row_texts_move(const struct row_texts *t, char *to)
{
    for (size_t i = 0; i < t->n; i++) {
        const char *from = *t->at[i] ? *t->at[i] : "";
        size_t n = strlen(from) + 1;

        *t->at[i] = memcpy(to, from, n);
        to += n;
    }
}

/* `row` is a copy on the stack, whose texts `t` has. */
static void *copy_row(void *row, size_t size, const struct row_texts *t)
{
    char *copy = malloc(size + row_texts_size(t));

    if (!copy)
        return NULL;
    row_texts_move(t, copy + size);
    return memcpy(copy, row, size);
}

struct request_row *request_row_copy(const struct request_row *row)
{
    struct request_row r = *row;
    struct row_texts t = {.n = 0};

    add_request(&t, &r);
    return copy_row(&r, sizeof r, &t);
}

struct lease_row *lease_row_copy(const struct lease_row *row)
{
    struct lease_row l = *row;
    struct row_texts t = {.n = 0};

    add_lease(&t, &l);
    return copy_row(&l, sizeof l, &t);
}
