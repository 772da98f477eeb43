/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_writer.c - tasks become transactions: in order, many in one, one at fault without the others,
 * none lost while the database is away; and the thread that does it.
 */
#include "check.h"
#include "reports/collecting/writer_thread.h"
#include "reports_rig.h"

#include "base/container_of.h"

#include <stdlib.h>
#include <string.h>

static struct reports_rig rig;

static int setup(void **state)
{
    (void)state;
    rig_make(&rig);
    assert_true(rig_open(&rig, false));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

struct note {
    struct writer_task task;
    char lsid[33];
    enum db_outcome fails; /* DB_OK: it does not */
    int times;             /* how often it fails; -1 = always */
    int ran, done;
    enum db_outcome outcome;
    bool has_why;
};

static int order[64], norder;

static enum db_outcome run(struct writer_task *task, struct report_store *store)
{
    struct note *n = CONTAINER_OF(task, struct note, task);
    enum db_outcome outcome = store_todo_add(store, RIG_HOST, n->lsid, "listed", 1, NULL);

    n->ran++;
    if (outcome == DB_OK && n->times) {
        n->times -= n->times > 0;
        return n->fails;
    }
    return outcome;
}

static void done(struct writer_task *task, enum db_outcome outcome, const char *why)
{
    struct note *n = CONTAINER_OF(task, struct note, task);

    n->done++;
    n->outcome = outcome;
    n->has_why = why != NULL;
    order[norder++ % 64] = atoi(n->lsid);
}

static void make(struct note *notes, int n)
{
    memset(notes, 0, (size_t)n * sizeof(*notes));
    norder = 0;
    for (int i = 0; i < n; i++) {
        (void)snprintf(notes[i].lsid, sizeof(notes[i].lsid), "%032d", i);
        notes[i].task.run = run;
        notes[i].task.done = done;
        notes[i].task.sessions = 1;
    }
}

static int64_t rows(void)
{
    return rig_int(&rig, "SELECT count(*) FROM \"jg_todo\"");
}

/* ---- carrying out ---- */

static size_t carry_out(struct writer_queue *queue, enum db_outcome *outcome)
{
    struct writer_queue over = STAILQ_HEAD_INITIALIZER(over);
    char why[WRITER_TEXT_SIZE];
    struct writer_task *task;
    size_t n = 0;

    *outcome = writer_carry_out(rig.store, queue, &over, why);
    while ((task = STAILQ_FIRST(&over))) {
        STAILQ_REMOVE_HEAD(&over, link);
        task->done(task, task->outcome, task->why);
        free(task->why);
        n++;
    }
    return n;
}

static void enqueue(struct writer_queue *queue, struct note *notes, int n)
{
    STAILQ_INIT(queue);
    for (int i = 0; i < n; i++)
        STAILQ_INSERT_TAIL(queue, &notes[i].task, link);
}

TEST(a_transaction_has_many_tasks_but_not_too_many_sessions)
{
    struct writer_queue queue;
    enum db_outcome outcome;
    struct note notes[5];

    make(notes, 5);
    enqueue(&queue, notes, 5);
    notes[0].task.sessions = notes[1].task.sessions = 250;
    assert_int_equal(carry_out(&queue, &outcome), 2);
    assert_int_equal(rows(), 2);
    notes[4].task.alone = true;
    assert_int_equal(carry_out(&queue, &outcome), 2);
    assert_int_equal(rows(), 4);
    assert_int_equal(outcome, DB_OK);
}

TEST(a_task_at_fault_goes_alone_and_the_others_are_carried_out)
{
    struct writer_queue queue;
    enum db_outcome outcome;
    struct note notes[6];

    make(notes, 6);
    notes[3].fails = DB_CONSTRAINT;
    notes[3].times = -1;
    enqueue(&queue, notes, 6);
    while (!STAILQ_EMPTY(&queue)) {
        (void)carry_out(&queue, &outcome);
        assert_int_equal(outcome, DB_OK);
    }
    assert_int_equal(rows(), 5);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(notes[i].done, 1);
        assert_int_equal(notes[i].outcome, i == 3 ? DB_CONSTRAINT : DB_OK);
        assert_int_equal(order[i], i);
    }
    assert_true(notes[3].has_why);
}

TEST(what_fails_for_the_database_stays_and_is_tried_again)
{
    static const enum db_outcome all[] = {DB_BUSY,    DB_AWAY,        DB_FULL,     DB_DAMAGED,
                                          DB_REFUSED, DB_INTERRUPTED, DB_NO_MEMORY};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        struct writer_queue queue;
        enum db_outcome outcome;
        struct note notes[3];

        case_label("%s", db_outcome_name(all[i]));
        rig_exec(&rig, "DELETE FROM \"jg_todo\"");
        make(notes, 3);
        notes[1].fails = all[i];
        notes[1].times = 1;
        enqueue(&queue, notes, 3);
        assert_int_equal(carry_out(&queue, &outcome), 0);
        assert_int_equal(outcome, all[i]);
        assert_int_equal(rows(), 0);
        assert_int_equal(carry_out(&queue, &outcome), 3);
        assert_int_equal(rows(), 3);
    }
}

/* ---- the thread ---- */

static bool stopped;

static void on_stopped(void *arg)
{
    (void)arg;
    stopped = true;
}

static void stop(struct loop *loop, struct writer_thread *thread)
{
    stopped = false;
    writer_thread_stop(thread, 5000, on_stopped, NULL);
    while (!stopped)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
    writer_thread_free(thread);
    assert_int_equal(loop_free(loop), 0);
}

TEST(the_thread_carries_out_what_was_submitted_before_it_stops)
{
    struct loop *loop = loop_new();
    struct writer_thread *thread = writer_thread_new(loop, rig.store);
    struct writer *writer = writer_thread_writer(thread);
    struct writer_state now;
    struct note notes[60];

    make(notes, 60);
    for (int i = 0; i < 60; i++) {
        notes[i].task.bytes = 10;
        writer->ops->submit(writer, &notes[i].task);
        assert_int_equal(notes[i].done, 0);
    }
    writer->ops->state(writer, &now);
    assert_int_equal(now.bytes, 600);
    stop(loop, thread);
    assert_int_equal(rows(), 60);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(notes[i].done, 1);
        assert_int_equal(notes[i].outcome, DB_OK);
        assert_int_equal(order[i], i);
    }
}

TEST(the_thread_waits_for_a_database_that_is_away_and_does_not_when_it_stops)
{
    for (int forever = 0; forever < 2; forever++) {
        struct loop *loop = loop_new();
        struct writer_thread *thread = writer_thread_new(loop, rig.store);
        struct writer *writer = writer_thread_writer(thread);
        struct writer_state now;
        struct note notes[2];

        make(notes, 2);
        notes[0].fails = DB_FULL;
        notes[0].times = forever ? -1 : 1;
        for (int i = 0; i < 2; i++)
            writer->ops->submit(writer, &notes[i].task);
        do {
            (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
            writer->ops->state(writer, &now);
        } while (now.outcome == DB_OK);
        assert_int_equal(now.outcome, DB_FULL);
        assert_non_null(now.why);
        assert_int_equal(notes[0].done, 0);
        while (!forever && !notes[1].done)
            (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
        stop(loop, thread);
        assert_int_equal(notes[0].outcome, forever ? DB_INTERRUPTED : DB_OK);
        assert_int_equal(notes[1].done, 1);
    }
    assert_int_equal(rows(), 2);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_transaction_has_many_tasks_but_not_too_many_sessions),
        WITH_STORE(a_task_at_fault_goes_alone_and_the_others_are_carried_out),
        WITH_STORE(what_fails_for_the_database_stays_and_is_tried_again),
        WITH_STORE(the_thread_carries_out_what_was_submitted_before_it_stops),
        WITH_STORE(the_thread_waits_for_a_database_that_is_away_and_does_not_when_it_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
