/*
 * jobs.h - work that blocks, in libuv's thread pool.
 *
 * A struct job lives inside its owner's object. job_start() hands `work` to the pool; `done` comes later on
 * the loop's thread, never before job_start() has returned. Between the two the job belongs to the pool: it
 * cannot be cancelled, and the object must stay. `work` may touch only what nobody else touches meanwhile.
 */
#ifndef JG_LOOP_JOBS_H
#define JG_LOOP_JOBS_H

#include "loop/loop.h"

struct job {
    void (*work)(struct job *); /* in the pool */
    void (*done)(struct job *); /* on the loop */
    uv_work_t req;
};

int job_start(struct loop *, struct job *); /* 0 or -errno; then `done` does not come */

#endif
