/*
 * batch.h - records on their way out of a reader: collected into batches, and given away when a batch is
 * full.
 *
 *   batch_add (fill the record) -> batch_keep or batch_drop --> give(), now and then and by batch_flush
 *
 * Sessions go one by one: one may be large, and is freed alone. The memory of a record that is dropped is
 * free when its batch is.
 */
#ifndef JG_REPORTS_PRA_BATCH_H
#define JG_REPORTS_PRA_BATCH_H

#include "reports/pra/pra_site.h"

#define BATCH_BYTES 65536 /* a batch of so many bytes is full */
#define BATCH_ROWS  256

struct batch_out {
    void (*give)(void *ctx, struct report_batch *); /* the batch is freed afterwards, unless it was moved */
    void *ctx;
    struct report_batch batch; /* n = records that are kept */
    size_t room;
    bool open;     /* one more is being filled */
    uint64_t rows; /* kept so far */
};

/* A new record, zeroed; NULL when out of memory, or over batch.arena.limit. All of one out are of one kind.
 */
void *batch_add(struct batch_out *, enum report_kind);
void batch_keep(struct batch_out *);
void batch_drop(struct batch_out *); /* the record at hand, if any */
bool batch_is_full(const struct batch_out *);
void batch_flush(struct batch_out *);
void batch_free(struct batch_out *); /* gives nothing away */

#endif
