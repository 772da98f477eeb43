/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_cursor.c - positions in a grid as texts.
 *
 * First byte: the order. Second byte: how far and how the written cursor is changed. Then two texts: the
 * value of the sorted column and a text that is taken for a cursor.
 *
 * Promises: a cursor that was written is read as the same position; one with another digit, and every text
 * that was not written, is refused; what is read has as many keys as the order.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "reports/query/query_internal.h"

#include <string.h>

static const char *const orders[] = {"sort=user", "sort=-start_time", "sort=-duration&f.user=ne:x"};

static struct query *query_of_order(const char *text, const struct query_context *ctx)
{
    struct query *q;
    struct query_error error;

    FUZZ_ASSERT(query_parse(QUERY_RECORDS, "sessions", text, ctx, &q, &error) == QUERY_OK);
    return q;
}

static void make(const struct query *q, const char *text, struct cursor *at)
{
    struct dataset_key keys[KEYS_MAX];

    *at = (struct cursor){.n = scan_keys(q, keys)};
    for (size_t i = 0; i < at->n; i++)
        at->keys[i] = (struct cursor_key){.is_text = keys[i].text,
                                          .text = keys[i].text ? text : NULL,
                                          .number = (int64_t)strlen(text) * (i % 2 ? -7 : 1234567890123)};
    at->keys[0].null = !(q->sort->flags & COL_FULL) && !*text;
}

static void same(const struct cursor *a, const struct cursor *b)
{
    FUZZ_ASSERT(a->n == b->n);
    for (size_t i = 0; i < a->n; i++) {
        FUZZ_ASSERT(a->keys[i].null == b->keys[i].null && a->keys[i].is_text == b->keys[i].is_text);
        if (a->keys[i].null)
            continue;
        /* A text may be cut. */
        FUZZ_ASSERT(a->keys[i].is_text
                        ? strncmp(a->keys[i].text, b->keys[i].text, strlen(b->keys[i].text)) == 0
                        : a->keys[i].number == b->keys[i].number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct query_context ctx = {.now = 1801785600, .time_zone = "UTC", .all_hosts = true};
    struct fuzz_input in = fuzz_input(data, size);
    struct query *q = query_of_order(orders[fuzz_byte(&in) % 3], &ctx);
    unsigned change = fuzz_byte(&in);
    char *value = fuzz_string(&in), *other = fuzz_string(&in);
    struct buf text = BUF_INIT(65536);
    struct cursor at, back;

    if (utf8_valid(value, strlen(value))) {
        make(q, value, &at);
        FUZZ_ASSERT(cursor_write(q, &at, &text) == 0);
        char *written = strdup(buf_cstr(&text));
        FUZZ_ASSERT(written && cursor_read(q, written, &back));
        same(&at, &back);
        size_t place = change % strlen(written);
        written[place] = written[place] == '0' ? '1' : '0';
        FUZZ_ASSERT(!cursor_read(q, written, &back));
        free(written);
    }
    if (cursor_read(q, other, &back)) {
        struct dataset_key keys[KEYS_MAX];
        FUZZ_ASSERT(back.n == scan_keys(q, keys));
    }
    buf_free(&text);
    query_free(q);
    free(value);
    free(other);
    return 0;
}
