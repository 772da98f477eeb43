/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_syslog.c - the appliance's log, line by line, and base64 of a report.
 *
 * First byte: how the log is cut into pieces. Then the log.
 *
 * Promises: the same log gives the same records whole and in pieces; every text is UTF-8 without NUL; a
 * record has a time not over a day ahead unless it says so itself, a line and at least one pair; text that is
 * read from base64 is UTF-8.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "reports/pra/base64.h"
#include "reports/pra/syslog_lines.h"

#include <string.h>

#define NOW INT64_C(1700000000)

struct seen {
    uint64_t records, left_out, hash;
};

static void note_text(struct seen *seen, const char *text)
{
    FUZZ_ASSERT(!text || utf8_valid(text, strlen(text)));
    for (const char *p = text ? text : ""; *p; p++)
        seen->hash = (seen->hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
}

static void check_time(const struct record_syslog *r)
{
    bool own = false;

    for (size_t i = 0; i < r->ndata; i++)
        own |= !strcmp(r->data[i].name, "when");
    FUZZ_ASSERT(r->timestamp != RECORD_NONE);
    FUZZ_ASSERT(own || r->line[0] < 'A' || r->timestamp <= NOW + 86400);
}

static void give(void *ctx, struct report_batch *batch)
{
    struct seen *seen = ctx;

    for (size_t i = 0; i < batch->n; i++) {
        const struct record_syslog *r = &batch->syslog[i];
        FUZZ_ASSERT(r->line && *r->line && r->appliance && r->ndata > 0);
        check_time(r);
        note_text(seen, r->line);
        note_text(seen, r->appliance);
        seen->hash += r->ordinal + (uint64_t)r->timestamp;
        for (size_t k = 0; k < r->ndata; k++) {
            note_text(seen, r->data[k].name);
            note_text(seen, r->data[k].value);
        }
    }
    seen->records += batch->n;
}

static void read_log(const char *text, size_t len, size_t piece, struct seen *seen)
{
    struct batch_out out = {.give = give, .ctx = seen};
    struct syslog_lines *l = syslog_lines_new(NOW);

    FUZZ_ASSERT(l);
    for (size_t at = 0; at < len; at += piece)
        FUZZ_ASSERT(!syslog_lines_feed(l, text + at, len - at < piece ? len - at : piece, &out));
    FUZZ_ASSERT(!syslog_lines_end_file(l, &out));
    batch_flush(&out);
    batch_free(&out);
    seen->left_out = syslog_lines_left_out(l);
    syslog_lines_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    struct seen whole = {0}, parts = {0};
    size_t piece = fuzz_byte(&in) % 61 + 1;
    struct buf decoded = BUF_INIT(1 << 20);

    read_log(in.at, in.left, in.left + 1, &whole);
    read_log(in.at, in.left, piece, &parts);
    FUZZ_ASSERT(!memcmp(&whole, &parts, sizeof(whole)));
    char *text = fuzz_string(&in);
    if (!base64_text(&decoded, text))
        FUZZ_ASSERT(utf8_valid(decoded.data ? decoded.data : "", decoded.len) &&
                    !memchr(decoded.data ? decoded.data : "x", 0, decoded.len));
    buf_free(&decoded);
    free(text);
    return 0;
}
