/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - what a key does to the view; see keys.h.
 *
 * The view is in one of four modes, and each has its keys: a question, the filter, the help, the list. A
 * question keeps the id of the lease that it names, so that the answer is about that lease whatever the list
 * shows by then.
 */
#include "top/keys.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>

static const double intervals[] = {0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600};

#define NAME_MAX_BYTES 80 /* of a name in the question */
#define NINTERVALS     (sizeof(intervals) / sizeof(intervals[0]))

/* ---- a question ---- */

static enum action answer(struct view *v, uint32_t key)
{
    v->question[0] = '\0';
    if (key == 'y' || key == 'Y')
        return ACTION_RELEASE;
    (void)snprintf(v->message, sizeof(v->message), "not released");
    return ACTION_NONE;
}

static void ask(struct keys *k, struct view *v)
{
    const struct lease_sample *l = lease_list_selected(&v->leases);

    if (!l) {
        (void)snprintf(v->message, sizeof(v->message), "there is no lease to release");
        return;
    }
    (void)text_copy(k->release_id, sizeof(k->release_id), l->id);
    const char *account = *l->account ? l->account : l->credential;
    const char *system = *l->system ? l->system : "-";
    (void)snprintf(v->question, sizeof(v->question), "release %.*s on %.*s, held by %.*s? y/N",
                   (int)utf8_fit(account, NAME_MAX_BYTES), account, (int)utf8_fit(system, NAME_MAX_BYTES),
                   system, (int)utf8_fit(l->user, NAME_MAX_BYTES), l->user);
}

/* ---- the filter ---- */

static void filter_add(char *filter, uint32_t letter)
{
    char bytes[4];
    size_t n = utf8_encode(bytes, letter), len = strlen(filter);

    if (len + n >= FILTER_SIZE || letter_is_hidden(letter))
        return;
    memcpy(filter + len, bytes, n);
    filter[len + n] = '\0';
}

static void filter_back(char *filter)
{
    size_t len = strlen(filter);

    if (len)
        filter[utf8_fit(filter, len - 1)] = '\0';
}

static void filter_key(struct view *v, uint32_t key)
{
    char *filter = v->leases.filter;

    switch (key) {
    case KEY_ENTER_:
    case '\r': v->filtering = false; break;
    case KEY_ESCAPE_:
        v->filtering = false;
        filter[0] = '\0';
        break;
    case KEY_BACK_:
    case '\b': filter_back(filter); break;
    default:
        if (key >= ' ' && key < KEY_UP_)
            filter_add(filter, key);
    }
}

/* ---- the list ---- */

static bool move(struct view *v, uint32_t key)
{
    long page = v->page ? (long)v->page : 1, all = (long)v->leases.n;
    long rows = key == KEY_UP_          ? -1
                : key == KEY_DOWN_      ? 1
                : key == KEY_PAGE_UP_   ? -page
                : key == KEY_PAGE_DOWN_ ? page
                : key == KEY_HOME_      ? -all
                : key == KEY_END_       ? all
                                        : 0;

    lease_list_move(&v->leases, rows);
    return rows;
}

static void change_interval(struct view *v, bool shorter)
{
    size_t i = 0;

    if (shorter) {
        for (i = NINTERVALS; i-- > 1;)
            if (intervals[i - 1] < v->interval_s)
                break;
        v->interval_s = i ? intervals[i - 1] : intervals[0];
        return;
    }
    while (i + 1 < NINTERVALS && intervals[i] <= v->interval_s)
        i++;
    v->interval_s = intervals[i];
}

static enum action list_key(struct keys *k, struct view *v, uint32_t key)
{
    if (move(v, key))
        return ACTION_NONE;
    switch (key) {
    case 'q':
    case 'Q': return ACTION_QUIT;
    case '?':
    case 'h': v->help = true; break;
    case '/': v->filtering = true; break;
    case KEY_ESCAPE_: v->leases.filter[0] = '\0'; break;
    case 's': v->leases.order = (v->leases.order + 1) % NORDERS; break;
    case 'r': ask(k, v); break;
    case ' ':
    case 'p': v->paused = !v->paused; return ACTION_TIMING;
    case '+':
    case '-': change_interval(v, key == '-'); return ACTION_TIMING;
    default: break;
    }
    return ACTION_NONE;
}

enum action key_press(struct keys *k, struct view *v, uint32_t key)
{
    if (key == KEY_NONE_)
        return ACTION_NONE;
    v->message[0] = '\0';
    if (*v->question)
        return answer(v, key);
    if (v->filtering) {
        filter_key(v, key);
        return ACTION_NONE;
    }
    if (v->help) {
        v->help = false;
        return key == 'q' || key == 'Q' ? ACTION_QUIT : ACTION_NONE;
    }
    return list_key(k, v, key);
}
