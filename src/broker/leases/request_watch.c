/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_watch.c - those that wait for the outcome of a check-in; see checkin.h.
 */
#include "broker/leases/checkin.h"

#include "broker/leases/internal.h"

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
