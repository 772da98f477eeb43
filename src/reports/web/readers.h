/*
 * readers.h - threads that work on the database: a connection each, jobs in the order of their coming.
 *
 *   reader_submit() -> (waits) -> run(), on a thread -> done(), on the loop -> [reader_again() -> run() …]
 *
 * A job that is `kept` keeps its reader after done(), whatever the outcome, with the connection and a
 * transaction that may be open there, until reader_release(): an export is one job, run once for each piece.
 * Where its time is over between two runs, done() is called without one.
 *
 * A job that takes longer than its time, from reader_submit() on, is interrupted in the engine; one that
 * waits longer is not begun. Both end with DB_INTERRUPTED and `expired`. A connection is opened by its thread
 * before the first job, and again when it was lost.
 *
 * A server that has stopped answers no cancellation either. So a job that is still on its thread a second
 * after its time was over is `overdue`: its owner answers without it, and done() comes whenever it comes.
 *
 * A struct reader_job is part of its owner's object. From reader_submit() to done() it belongs to the pool,
 * and run() alone uses what it points to.
 */
#ifndef JG_REPORTS_WEB_READERS_H
#define JG_REPORTS_WEB_READERS_H

#include "loop/worker.h"
#include "reports/db/db.h"

#include <sys/queue.h>

#define READERS_WAITING 256 /* jobs that may wait; beyond it reader_submit() refuses */

struct readers;

struct reader_job {
    /* the owner's */
    enum db_outcome (*run)(struct reader_job *, struct db *); /* of a failure db->error says more */
    void (*done)(struct reader_job *);
    void (*overdue)(struct reader_job *); /* NULL = the owner waits for done() */
    bool kept;
    /* the result, in done() */
    enum db_outcome outcome;
    char why[DB_TEXT_SIZE]; /* of a failure, for the log */
    bool expired;           /* its time was over */
    bool cancelled;         /* by reader_cancel(), or the pool ends */
    uint64_t took_us;       /* of run() */
    /* private */
    struct readers *pool;
    struct reader *reader; /* NULL = it waits */
    uint64_t due_ms;
    struct deadline late;
    TAILQ_ENTRY(reader_job) link;
};

/* Connections are made later, by the threads. The params, and the texts in them, are copied. NULL = out of
 * memory. */
struct readers *readers_new(struct loop *, const struct db_ops *, const struct db_params *, size_t n);
/* Interrupts what runs, and ends all jobs; done() is called for each of them, before `closed` is. */
void readers_close(struct readers *, void (*closed)(void *arg), void *arg);

/* False = too many wait: done() is not called. timeout_ms: of this job as a whole. */
bool reader_submit(struct readers *, struct reader_job *, uint64_t timeout_ms);
/* Has it no reader yet? Of a submitted job. */
bool reader_waits(const struct reader_job *);
/* Runs a kept job once more on its reader. */
void reader_again(struct reader_job *);
/* A kept job gives its reader back; not between reader_again() and done(). */
void reader_release(struct reader_job *);
/* Ends it early: done() comes, at once only where it waits. Fine after done(). */
void reader_cancel(struct reader_job *);

size_t readers_waiting(const struct readers *);
/* The outcome of the last job that used the database: is it there? */
enum db_outcome readers_outcome(const struct readers *);

#endif
