/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.c - tasks become transactions; see writer.h.
 *
 * A task at fault is found by carrying out the tasks of its transaction one by one. Which outcomes are the
 * database's own, and pass, is in one table.
 */
#include "reports/collect/writer.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Outcomes that are no task's fault: it is tried again. */
static const bool passes[DB_NOUTCOMES] = {
    [DB_BUSY] = true,    [DB_AWAY] = true,        [DB_FULL] = true,      [DB_DAMAGED] = true,
    [DB_REFUSED] = true, [DB_INTERRUPTED] = true, [DB_NO_MEMORY] = true,
};

static void finish(struct writer_queue *queue, struct writer_queue *over, enum db_outcome outcome,
                   const char *why)
{
    struct writer_task *task = STAILQ_FIRST(queue);

    STAILQ_REMOVE_HEAD(queue, link);
    task->outcome = outcome;
    task->why = outcome == DB_OK ? NULL : strdup(why);
    STAILQ_INSERT_TAIL(over, task, link);
}

/* The first task of the queue, in a transaction of its own. */
static enum db_outcome carry_out_one(struct report_store *store, struct writer_queue *queue,
                                     struct writer_queue *over, char why[WRITER_TEXT_SIZE])
{
    struct writer_task *task = STAILQ_FIRST(queue);
    enum db_outcome outcome = task->alone ? DB_OK : store_begin(store);

    if (outcome == DB_OK)
        outcome = task->run(task, store);
    if (outcome == DB_OK && !task->alone)
        outcome = store_commit(store);
    if (outcome != DB_OK) {
        text_copy(why, WRITER_TEXT_SIZE, store_error(store)->text);
        store_rollback(store);
        if (passes[outcome])
            return outcome;
    }
    finish(queue, over, outcome, why);
    return DB_OK;
}

/* How many of the queue's tasks were run, with the outcome of the last one. */
static enum db_outcome run_many(struct report_store *store, const struct writer_queue *queue, size_t *n)
{
    uint64_t began = clock_measure_us();
    enum db_outcome outcome = DB_OK;
    struct writer_task *task;
    size_t sessions = 0;

    *n = 0;
    STAILQ_FOREACH(task, queue, link)
    {
        if (task->alone || (*n && (sessions + task->sessions > WRITER_TRANSACTION_SESSIONS ||
                                   clock_measure_us() - began > WRITER_TRANSACTION_MS * 1000u)))
            break;
        outcome = task->run(task, store);
        ++*n;
        sessions += task->sessions;
        if (outcome != DB_OK)
            break;
    }
    return outcome;
}

enum db_outcome writer_carry_out(struct report_store *store, struct writer_queue *queue,
                                 struct writer_queue *over, char why[WRITER_TEXT_SIZE])
{
    enum db_outcome outcome;
    size_t n = 0;

    why[0] = '\0';
    if (STAILQ_EMPTY(queue))
        return DB_OK;
    if (STAILQ_FIRST(queue)->alone)
        return carry_out_one(store, queue, over, why);
    outcome = store_begin(store);
    if (outcome == DB_OK)
        outcome = run_many(store, queue, &n);
    if (outcome == DB_OK)
        outcome = store_commit(store);
    if (outcome == DB_OK) {
        while (n--)
            finish(queue, over, DB_OK, NULL);
        return DB_OK;
    }
    text_copy(why, WRITER_TEXT_SIZE, store_error(store)->text);
    store_rollback(store);
    if (passes[outcome])
        return outcome;
    outcome = DB_OK;
    for (size_t i = 0; outcome == DB_OK && i < (n ? n : 1); i++)
        outcome = carry_out_one(store, queue, over, why);
    return outcome;
}
