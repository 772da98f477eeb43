/*
 * writer.h - how work reaches the one thread that writes the database: the seam between the collector and
 * the store.
 *
 *   submit() --> run(), on the writer's thread, in a transaction --> done(), on the loop, after its commit
 *
 * Tasks are carried out in the order of their submission. One transaction holds as many of them as wait, up
 * to 500 sessions or 250 ms. A failed transaction is rolled back as a whole: where the database is away or
 * full, its tasks stay and are tried again until they succeed (state().outcome says so meanwhile); where a
 * task is at fault, the others are carried out without it, and done() of that task has the outcome. So run()
 * may be called several times, and must give the same result each time.
 *
 * A struct writer_task is part of its owner's object. From submit() to done() it belongs to the writer, and
 * done() may free it or submit it again; done() never comes before submit() has returned.
 *
 * Not here: the thread (collecting/writer_thread.h).
 */
#ifndef JG_REPORTS_COLLECT_WRITER_H
#define JG_REPORTS_COLLECT_WRITER_H

#include "reports/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define WRITER_TEXT_SIZE DB_TEXT_SIZE

#define WRITER_TRANSACTION_SESSIONS 500
#define WRITER_TRANSACTION_MS       250

struct writer;

struct writer_task {
    /* the owner's */
    /* Ends the transaction's part of it with DB_OK, or the outcome of the call that failed. */
    enum db_outcome (*run)(struct writer_task *, struct report_store *);
    /* DB_OK: it is committed; DB_INTERRUPTED: the writer was stopped before. `why` is NULL with DB_OK. */
    void (*done)(struct writer_task *, enum db_outcome, const char *why);
    size_t sessions; /* that it stores, for the size of a transaction */
    size_t bytes;    /* of records that wait in it */
    bool alone;      /* run() makes its own transactions */
    /* the writer's */
    enum db_outcome outcome;
    char *why;
    STAILQ_ENTRY(writer_task) link;
};

struct writer_state {
    enum db_outcome outcome; /* DB_OK, or why nothing can be written now */
    const char *why;         /* NULL = it can */
    size_t tasks, bytes;     /* submitted and not done */
    struct store_counts counts;
    uint64_t busy_us; /* of the thread, in transactions */
};

struct writer_ops {
    void (*submit)(struct writer *, struct writer_task *);
    void (*state)(const struct writer *, struct writer_state *);
};

struct writer {
    const struct writer_ops *ops;
    /* The owner's, on the loop: state().outcome is another, or bytes are fewer. */
    void (*changed)(struct writer *, void *arg);
    void *arg;
};

/* ---- carrying out (writer.c): what the thread does, and what a test does in its place ---- */

STAILQ_HEAD(writer_queue, writer_task);

/*
 * Carries out one transaction's worth of `queue`, from its head; what is done goes to `over` with its
 * outcome. DB_OK; else the database is away (why[] says how), and its tasks are still in the queue.
 */
enum db_outcome writer_carry_out(struct report_store *, struct writer_queue *queue, struct writer_queue *over,
                                 char why[WRITER_TEXT_SIZE]);

#endif
