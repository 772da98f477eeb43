/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_export.c - the feed written to a file or pipe; see feed_export.h.
 */
#include "reports/query/feed_export.h"

#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct output {
    const struct feed_export *export;
    struct feed_request request; /* of the next page */
    struct feed_answer answer;
    struct buf page;
    char *cursor, *why;
};

static int failed(struct output *o, const char *what, const char *why)
{
    size_t n;

    (void)text_copy(o->why, DB_TEXT_SIZE, what);
    n = strlen(o->why);
    if (n && n + 1 < DB_TEXT_SIZE)
        o->why[n++] = ' ';
    (void)text_copy(o->why + n, DB_TEXT_SIZE - n, why); /* what does not fit is left out */
    return -1;
}

/* Bytes up to the end of the record that the byte at n is in; n itself where it is between records. */
static size_t record_end(const struct output *o, size_t n)
{
    for (int64_t i = 0; i < o->answer.records; i++)
        if (o->request.marks[i].end >= n)
            return o->request.marks[i].end;
    return o->page.len;
}

/* Puts the cursor behind the last record that ends within the first n bytes. */
static int note_written(struct output *o, size_t n)
{
    int64_t whole = 0;

    while (whole < o->answer.records && o->request.marks[whole].end <= n)
        whole++;
    if (whole && feed_mark_cursor(&o->request, &o->answer, &o->request.marks[whole - 1], o->cursor))
        return failed(o, "", "out of memory");
    return 0;
}

/* Writes the page. 0: all of it; 1: told to stop, and between records; -1: failed. */
static int write_page(struct output *o)
{
    size_t n = 0, end = o->page.len;
    bool stopped = false;

    while (n < end) {
        if (*o->export->stop && !stopped) {
            stopped = true;
            end = n ? record_end(o, n) : 0;
            continue;
        }
        ssize_t written = write(o->export->fd, o->page.data + n, end - n);
        if (written < 0 && errno == EAGAIN) {
            (void)poll(&(struct pollfd){.fd = o->export->fd, .events = POLLOUT}, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            int err = errno;
            (void)note_written(o, n);
            return failed(o, "cannot write:", strerror(err));
        } else if (written > 0) {
            n += (size_t)written;
        }
    }
    if (note_written(o, n))
        return -1;
    if (!stopped)
        (void)text_copy(o->cursor, FEED_CURSOR_SIZE, o->answer.next);
    return stopped;
}

/* Reads the next page. 0; 1: another one holds the database, and it is to be tried again; -1: failed. */
static int read_page(struct output *o)
{
    struct query_error error;

    buf_clear(&o->page);
    switch (feed_read(o->export->db, o->export->ctx, &o->request, &o->page, &o->answer, &error)) {
    case QUERY_OK: return 0;
    case QUERY_DATABASE:
        if (o->export->follow && o->export->db->error.outcome == DB_BUSY)
            return 1;
        return failed(o, "the database:", o->export->db->error.text);
    case QUERY_NO_MEMORY: return failed(o, "", "out of memory");
    default: return failed(o, error.parameter, error.why);
    }
}

static void wait_interval(const struct output *o)
{
    if (!*o->export->stop)
        (void)poll(NULL, 0, (int)o->export->interval_ms);
}

static int write_pages(struct output *o)
{
    while (!*o->export->stop) {
        int outcome = read_page(o);

        if (outcome < 0)
            return -1;
        if (outcome == 0) {
            outcome = write_page(o);
            if (outcome)
                return outcome < 0 ? -1 : 0;
            (void)text_copy(o->request.cursor, sizeof(o->request.cursor), o->answer.next);
            o->request.no_header = true;
        }
        if (outcome || !o->answer.more) {
            if (!o->export->follow)
                return 0;
            wait_interval(o);
        }
    }
    return 0;
}

int feed_export(const struct feed_export *export, char cursor[FEED_CURSOR_SIZE], char why[DB_TEXT_SIZE])
{
    struct output o = {.export = export,
                       .request = export->request,
                       .page = BUF_INIT(2 * FEED_PAGE_MAX),
                       .cursor = cursor,
                       .why = why};
    int outcome;

    (void)text_copy(cursor, FEED_CURSOR_SIZE, export->request.cursor);
    why[0] = '\0';
    o.request.marks = calloc(o.request.limit, sizeof(*o.request.marks));
    outcome = o.request.marks ? write_pages(&o) : failed(&o, "", "out of memory");
    free(o.request.marks);
    buf_free(&o.page);
    return outcome;
}
