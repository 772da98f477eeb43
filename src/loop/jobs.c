/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.c - work that blocks, in libuv's thread pool; see jobs.h.
 */
#include "loop/jobs.h"

#include <stdlib.h>

static void on_work(uv_work_t *req)
{
    struct job *job = req->data;

    job->work(job);
}

static void on_done(uv_work_t *req, int status)
{
    struct job *job = req->data;

    (void)status; /* only cancelled work has one, and nobody cancels */
    job->done(job);
}

/*
 * One thread is enough: the store is the only user and has one job at a time, and a thread that did the last
 * one finds its caches warm. libuv asks when the first work comes; who has set it for the process keeps their
 * way.
 */
static void size_pool(void)
{
    (void)setenv("UV_THREADPOOL_SIZE", "1", 0); /* fails without memory: then there are four */
}

int job_start(struct loop *loop, struct job *job)
{
    static uv_once_t once = UV_ONCE_INIT;

    uv_once(&once, size_pool);
    job->req.data = job;
    return uv_queue_work(loop_uv(loop), &job->req, on_work, on_done);
}
