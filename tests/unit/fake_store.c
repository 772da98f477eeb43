/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_store.c - see the header.
 */
#include "fake_store.h"

#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget(struct fake_row *r)
{
    free((void *)(uintptr_t)r->row.id);
    r->row = (struct lease_row){0};
}

static struct fake_row *find(const struct fake_store *fs, const char *id)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->rows[i].row.id && strcmp(fs->rows[i].row.id, id) == 0)
            return (struct fake_row *)(uintptr_t)&fs->rows[i];
    return NULL;
}

static struct fake_row *find_free(struct fake_store *fs)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (!fs->rows[i].row.id)
            return &fs->rows[i];
    abort(); /* a runaway test */
}

void fake_store_put(struct fake_store *fs, const struct lease_row *row)
{
    struct lease_row copy = *row;
    const char **texts[LEASE_ROW_TEXTS];
    size_t size = 0;
    struct fake_row *old = find(fs, row->id);

    lease_row_texts(&copy, texts);
    for (size_t i = 0; i < LEASE_ROW_TEXTS; i++)
        size += strlen(*texts[i] ? *texts[i] : "") + 1;
    char *to = malloc(size);

    if (!to)
        abort();
    for (size_t i = 0; i < LEASE_ROW_TEXTS; i++) {
        const char *from = *texts[i] ? *texts[i] : ""; /* a test's row needs no url */
        size_t n = strlen(from) + 1;

        memcpy(to, from, n);
        *texts[i] = to;
        to += n;
    }
    if (old)
        forget(old);
    else
        old = find_free(fs);
    old->row = copy;
}

static void put_cursor(struct fake_store *fs, const struct cursor_row *row)
{
    size_t i = 0;

    while (i < fs->ncursors && strcmp(fs->cursors[i].site, row->site) != 0)
        i++;
    if (i == FAKE_STORE_CURSORS || strlen(row->site) >= sizeof fs->cursors[i].site)
        abort();
    fs->ncursors += i == fs->ncursors;
    (void)strcpy(fs->cursors[i].site, row->site);
    fs->cursors[i].ms = row->cursor_ms;
}

static void carry_out(struct fake_store *fs, const struct store_write *w)
{
    struct fake_row *r = w->cursor.site ? NULL : find(fs, w->row.id);

    if (w->cursor.site)
        put_cursor(fs, &w->cursor);
    else if (!w->remove)
        fake_store_put(fs, &w->row);
    else if (r)
        forget(r);
}

/* ---- the store's own ---- */

static bool is_writable(const struct fake_store *fs)
{
    return !fs->broken && clock_now(fs->clock) >= fs->writable_ms;
}

static int fake_load(struct store *s, int (*row)(void *arg, const struct lease_row *), void *arg)
{
    struct fake_store *fs = (struct fake_store *)s;
    int err = fs->load_err;

    for (size_t i = 0; i < FAKE_STORE_ROWS && !err; i++)
        if (fs->rows[i].row.id)
            err = row(arg, &fs->rows[i].row);
    if (fs->npending)
        abort(); /* nothing may be written before all is read */
    return err;
}

static int fake_load_cursors(struct store *s, int (*row)(void *arg, const struct cursor_row *), void *arg)
{
    struct fake_store *fs = (struct fake_store *)s;
    int err = 0;

    for (size_t i = 0; i < fs->ncursors && !err; i++)
        err = row(arg, &(struct cursor_row){fs->cursors[i].site, fs->cursors[i].ms});
    return err;
}

static const char *fake_tag(const struct store *s)
{
    return ((const struct fake_store *)s)->tag;
}

static int fake_set_tag(struct store *s, const char tag[ID_TAG_SIZE])
{
    struct fake_store *fs = (struct fake_store *)s;

    if (fs->npending || fs->commits)
        abort(); /* nothing may be written before */
    memcpy(fs->tag, tag, ID_TAG_SIZE);
    return 0;
}

static int fake_write(struct store *s, struct store_writes *writes)
{
    struct fake_store *fs = (struct fake_store *)s;
    const struct store_write *w;
    size_t n = 0;

    STAILQ_FOREACH(w, writes, link)
    {
        if (!w->remove && !w->cursor.site && (!*w->row.id || !w->row.credential || !w->row.last_error))
            abort();
        n++;
    }
    if (fs->nlists == FAKE_STORE_LISTS)
        abort();
    fs->lists[fs->nlists++] = n;
    fs->npending += n;
    fs->writes += (unsigned)n;
    STAILQ_CONCAT(&fs->queue, writes);
    return 0;
}

static void fake_state(const struct store *s, struct store_state *state)
{
    const struct fake_store *fs = (const struct fake_store *)s;

    *state = (struct store_state){.writable = is_writable(fs), .queued = fs->npending};
}

static const struct store_ops fake_ops = {.name = "fake",
                                          .load = fake_load,
                                          .load_cursors = fake_load_cursors,
                                          .tag = fake_tag,
                                          .set_tag = fake_set_tag,
                                          .write = fake_write,
                                          .state = fake_state};

/* ---- the test's ---- */

void fake_store_init(struct fake_store *fs, const struct clock *clock)
{
    memset(fs, 0, sizeof *fs);
    fs->store.ops = &fake_ops;
    fs->clock = clock;
    STAILQ_INIT(&fs->queue);
}

void fake_store_free(struct fake_store *fs)
{
    fake_store_crash(fs, 0);
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->rows[i].row.id)
            forget(&fs->rows[i]);
}

bool fake_store_commit(struct fake_store *fs)
{
    struct store_writes batch = STAILQ_HEAD_INITIALIZER(batch);
    struct store_write *w;
    bool fails = fs->broken || (fs->fails && fs->fails(fs->fails_arg, fs->commits));

    if (STAILQ_EMPTY(&fs->queue))
        return false;
    fs->commits++;
    STAILQ_CONCAT(&batch, &fs->queue);
    fs->npending = fs->nlists = 0;
    if (fails)
        fs->writable_ms = clock_now(fs->clock) + SECONDS(1);
    else
        STAILQ_FOREACH(w, &batch, link)
    carry_out(fs, w);
    while ((w = STAILQ_FIRST(&batch))) {
        STAILQ_REMOVE_HEAD(&batch, link);
        w->done(w, fails ? -ENOSPC : 0);
    }
    return true;
}

void fake_store_crash(struct fake_store *fs, size_t durable)
{
    struct store_write *w;
    size_t whole = 0;

    for (size_t i = 0; i < fs->nlists && i < durable; i++)
        whole += fs->lists[i];
    while ((w = STAILQ_FIRST(&fs->queue))) {
        STAILQ_REMOVE_HEAD(&fs->queue, link);
        if (whole)
            carry_out(fs, w);
        whole -= whole != 0;
        w->done(w, -EIO); /* its caller is gone */
    }
    fs->npending = fs->nlists = 0;
}

const struct lease_row *fake_store_row(const struct fake_store *fs, const char *id)
{
    struct fake_row *r = find(fs, id);

    return r ? &r->row : NULL;
}

size_t fake_store_count(const struct fake_store *fs)
{
    size_t n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        n += fs->rows[i].row.id != NULL;
    return n;
}

const struct lease_row *fake_store_only(const struct fake_store *fs)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->rows[i].row.id)
            return &fs->rows[i].row;
    return NULL;
}
