/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsid_rows.h - the lsid of a session, given to its leases that other gateways of a shared store have made.
 *
 *   lsid_rows_begin(): the store is asked for the session's leases --> each without an lsid is amended -->
 * done
 *
 * A gateway that is fenced, and a store that has no answer, are asked again until lsid_rows_end(). A lease
 * that has an lsid keeps it.
 *
 * Not here: leases of this gateway's table (session_started.c), and check-outs in flight at other gateways.
 */
#ifndef JG_BROKER_LSID_ROWS_H
#define JG_BROKER_LSID_ROWS_H

#include "broker/operation.h"
#include "stores/store.h"

struct lsid_step;

struct lsid_rows {
    struct broker *broker; /* NULL = not begun, or ended */
    void (*done)(struct lsid_rows *);
    struct session *session;
    struct store_question question;
    bool is_asking, is_incomplete;
    struct deadline again;
    STAILQ_HEAD(, lsid_step) steps;
};

/* 0 or -ENOMEM. `done` comes once, never before this has returned. The session has id and lsid; copied. */
int lsid_rows_begin(struct lsid_rows *, struct broker *, const struct session *,
                    void (*done)(struct lsid_rows *));
void lsid_rows_end(struct lsid_rows *); /* any number of times; steps that were given are seen through */

#endif
