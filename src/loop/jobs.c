/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.c - work that blocks, in libuv's thread pool; see jobs.h.
 */
#include "loop/jobs.h"

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

int job_start(struct loop *loop, struct job *job)
{
    job->req.data = job;
    return uv_queue_work(loop_uv(loop), &job->req, on_work, on_done);
}
