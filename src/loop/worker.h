/*
 * worker.h - a thread of its own for one owner's work that blocks, one piece at a time.
 *
 *   worker_go() --> work(), on the thread --> done(), on the loop
 *
 * A struct worker is part of its owner's object. Between worker_go() and `done` the thread owns the data
 * that `work` uses: the work cannot be cancelled, and the object must not be freed. `done` never comes before
 * worker_go() has returned, and may call worker_go() or worker_close().
 *
 * Life: worker_open -> (worker_go -> done)* -> worker_close -> closed. The thread is created with the first
 * piece of work: by then the sandbox of the start holds (base/sandbox.h), and an owner without work has no
 * thread.
 */
#ifndef JG_LOOP_WORKER_H
#define JG_LOOP_WORKER_H

#include "loop/loop.h"

#include <stdbool.h>

struct worker {
    /* set by the owner */
    void (*work)(struct worker *); /* on the thread */
    void (*done)(struct worker *); /* on the loop */
    /* private */
    void (*closed)(struct worker *);
    uv_thread_t thread;
    uv_sem_t wanted;
    uv_async_t async;
    bool started, ending;
};

/* Once `work` and `done` are set. 0 or -errno. */
int worker_open(struct loop *, struct worker *);
/* Not while it is at work. Without a thread `done` is called without `work`: the owner sets its result to a
 * failure first, and `work` overwrites it. */
void worker_go(struct worker *);
/* Not while it is at work. `closed` comes later, and may free the worker. */
void worker_close(struct worker *, void (*closed)(struct worker *));

#endif
