/*
 * rows.h - what the lease table tells the journal: the steps of its vault requests and leases.
 *
 * A row is put together from the object and what it points to; no field is kept for the store alone.
 *
 * A step for which there is no memory is logged; the store keeps what it has.
 */
#ifndef JG_BROKER_LEASES_ROWS_H
#define JG_BROKER_LEASES_ROWS_H

#include "broker/leases/journal.h"
#include "broker/leases/lease_table.h"

/* Stands for the last error of a request of which another sending may arrive (recovery.h): after a restart
 * that holds again. */
#define ROW_IN_DOUBT "repeat_may_arrive"

/* By which the store has it. */
const char *row_mark(const struct vault_request *);
/* The rows, as they are or are to be. Their texts are those of the objects. */
struct request_row row_of_request(const struct vault_request *, enum request_state);
struct lease_row row_of_lease(const struct lease *);

/* The vault is about to be asked, or may have been. As journal_put(). */
int row_ask(struct vault_request *, struct journal_wait *, void (*done)(struct journal_wait *, int err));
/* The same, unless its session has ended after this moment (stores/store.h, `since`). As journal_put(). */
int row_ask_since(struct vault_request *, int64_t since, struct journal_wait *,
                  void (*done)(struct journal_wait *, int err));
/* The same as row_ask() for one that was given back, whose spin was due. As journal_put(). */
int row_again(struct vault_request *, struct journal_wait *, void (*done)(struct journal_wait *, int err));
/* The lease holds its request; `instead` is its own, which it has not become. As journal_put(). */
int row_open(struct lease *, const struct vault_request *instead, struct journal_wait *,
             void (*done)(struct journal_wait *, int err));
/* Vault, url, name, origin or the asker's lsid have changed. 0 or -ENOMEM. */
/* A further check-out of a keyed request is about to be sent (key_due.h). As row_ask(). */
int row_count(struct vault_request *, struct journal_wait *, void (*done)(struct journal_wait *, int err));
int row_edit(struct vault_request *);
/* Lsid or end of the session have changed, of a lease in any state. 0 or -ENOMEM. */
int row_amend(struct lease *);
/* The lease, which was never handed over, ends with it. */
void row_pend(struct vault_request *, const struct lease *);
/* `lease` NULL = none ends with the step. */
void row_leave(struct vault_request *, const struct lease *);
/* A row that has become no lease goes. 0 or -ENOMEM. */
int row_remove_lease(struct leases *, const struct lease_row *);
void row_return(struct vault_request *, const struct lease *);
void row_lapse(struct vault_request *);
void row_spin(struct vault_request *);
void row_close(struct vault_request *, const struct lease *);

#endif
