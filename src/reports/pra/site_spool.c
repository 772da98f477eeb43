/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_spool.c - the archive of a site's log: written to a file without a name as it comes, then read on a
 * thread, one batch at a time.
 *
 *   bytes --> file, digest --whole--> (step on the thread --> batch on the loop)... --> end
 *
 * The next step begins when the batch of the last one has been given away and the call is not paused, so not
 * more than one batch waits. While a step runs the call's memory is the thread's: it is neither freed nor
 * looked at.
 */
#include "reports/pra/site_internal.h"

#include "base/container_of.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the file ---- */

/* Without a name, so that nothing of it is left whatever happens. */
static int make_file(struct site_call *c)
{
    char path[4096];

    c->spool.fd = open(c->site->spool_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (c->spool.fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return -errno;
    if (snprintf(path, sizeof(path), "%s/syslog-XXXXXX", c->site->spool_dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    c->spool.fd = mkostemp(path, O_CLOEXEC);
    if (c->spool.fd < 0)
        return -errno;
    return unlink(path) ? -errno : 0;
}

static int begin_spool(struct site_call *c)
{
    struct site_spool *s = &c->spool;

    s->digest = EVP_MD_CTX_new();
    if (!s->digest || !EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL))
        return -ENOMEM;
    return make_file(c);
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno != EINTR)
            return -errno;
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

static int on_bytes(struct pra_call *http, const char *bytes, size_t n)
{
    struct site_call *c = CONTAINER_OF(http, struct site_call, http);
    struct site_spool *s = &c->spool;

    if (s->fd < 0)
        s->err = begin_spool(c);
    if (!s->err)
        s->err = write_all(s->fd, bytes, n);
    if (!s->err && !EVP_DigestUpdate(s->digest, bytes, n))
        s->err = -ENOMEM;
    return s->err;
}

static void free_spool(struct site_call *c)
{
    struct site_spool *s = &c->spool;

    if (c->site->archive == c)
        c->site->archive = NULL;
    syslog_archive_free(s->archive);
    EVP_MD_CTX_free(s->digest);
    if (s->fd >= 0)
        (void)close(s->fd);
}

/* ---- reading ---- */

static void work(struct worker *worker)
{
    struct site_call *c = CONTAINER_OF(worker, struct site, worker)->archive;

    c->spool.state = syslog_archive_step(c->spool.archive, &c->out);
}

static void step(struct site_call *c)
{
    c->spool.state = -ENOMEM; /* of a thread that cannot be had */
    c->site->working = true;
    worker_go(&c->site->worker);
}

static void end_reading(struct site_call *c)
{
    static const struct {
        int err;
        enum report_end end;
    } ends[] = {{-EINVAL, REPORT_FORMAT}, {-EMSGSIZE, REPORT_TOO_LARGE}, {-EIO, REPORT_NO_SPOOL}};

    c->outcome.refused += syslog_archive_left_out(c->spool.archive);
    if (c->spool.state) {
        c->outcome.end = REPORT_NO_MEMORY;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
            if (c->spool.state == ends[i].err)
                c->outcome.end = ends[i].end;
        text_copy(c->outcome.text, sizeof(c->outcome.text), syslog_archive_why(c->spool.archive));
    }
    site_call_end(c);
}

static void worked(struct worker *worker)
{
    struct site *site = CONTAINER_OF(worker, struct site, worker);
    struct site_call *c = site->archive;

    site->working = false;
    if (!c->call) {
        site_call_free(c);
        if (site->worker_closed)
            worker_close(&site->worker, site->worker_closed);
        return;
    }
    batch_flush(&c->out);
    if (c->spool.state != 1)
        end_reading(c);
    else if (!c->paused)
        step(c);
}

void site_spool_go_on(struct site_call *c)
{
    if (c->site->archive == c && c->spool.archive && !c->site->working)
        step(c);
}

static int finish_digest(struct site_call *c)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!EVP_DigestFinal_ex(c->spool.digest, digest, &len) || len != 32)
        return -ENOMEM;
    text_hex(c->outcome.digest, digest, len);
    return 0;
}

static void read_archive(struct site_call *c)
{
    int64_t now_ms = c->outcome.has_date ? c->outcome.date_ms : clock_wall(loop_clock(c->site->loop));

    if (finish_digest(c)) {
        c->outcome.end = REPORT_NO_MEMORY;
        site_call_end(c);
        return;
    }
    if (!strcmp(c->outcome.digest, c->spool.known)) {
        site_call_end(c);
        return;
    }
    c->spool.archive = syslog_archive_new(c->spool.fd, now_ms / 1000, &syslog_archive_limits);
    if (!c->spool.archive) {
        c->outcome.end = REPORT_NO_MEMORY;
        site_call_end(c);
    } else if (!c->paused) {
        step(c);
    }
}

/* ---- life ---- */

int site_spool_begin(struct site_call *c)
{
    struct site *site = c->site;
    int err = 0;

    c->http.own.bytes = on_bytes;
    c->whole = read_archive;
    c->release = free_spool;
    if (site->open)
        return 0;
    site->worker.work = work;
    site->worker.done = worked;
    err = worker_open(site->loop, &site->worker);
    site->open = !err;
    return err;
}

void site_spool_close(struct site *site, void (*closed)(struct worker *))
{
    site->worker_closed = closed;
    if (!site->working)
        worker_close(&site->worker, closed);
}
