/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_xml.c - what a PRA site reports as XML, or as a page of the Configuration API, read into
 * records.
 *
 * First byte: which report or page; second: how the body is cut into pieces. Then the body.
 *
 * Promises: the same body gives the same outcome and the same records whole and in pieces; every text of a
 * record is UTF-8; a session has an lsid in the one form, and no more memory than its limit.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/utf8.h"
#include "reports/pra/read_pages.h"
#include "reports/pra/xml_reading.h"

#include <string.h>

#define SESSION_MAX 100000

static const struct report_row {
    const struct xml_element *tree;
    enum report_kind kind;
} reports[] = {
    {&report_session_list, REPORT_SESSIONS}, {&report_listing, REPORT_LISTED},
    {&report_team_list, REPORT_TEAM},        {&report_vault_list, REPORT_VAULT_ACTIVITY},
    {&report_attributes, REPORT_SESSIONS},
};
#define NREPORTS (sizeof(reports) / sizeof(reports[0]))

struct seen {
    uint64_t records, refused, cut;
    uint64_t hash; /* of all texts and numbers */
};

static void note(struct seen *seen, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        seen->hash = (seen->hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
}

static void note_text(struct seen *seen, const char *text)
{
    FUZZ_ASSERT(!text || utf8_valid(text, strlen(text)));
    note(seen, text ? text : "", text ? strlen(text) + 1 : 0);
}

static void note_event(struct seen *seen, const struct record_event *e)
{
    note(seen, &e->timestamp, sizeof(e->timestamp));
    note_text(seen, e->type);
    note_text(seen, e->performed_by);
    note_text(seen, e->body);
    for (size_t i = 0; i < e->ndata; i++) {
        note_text(seen, e->data[i].name);
        note_text(seen, e->data[i].value);
    }
    for (size_t i = 0; i < e->ninfo; i++) {
        FUZZ_ASSERT(e->info[i].field && e->info[i].row >= -1);
        note_text(seen, e->info[i].category);
        note_text(seen, e->info[i].field);
        note_text(seen, e->info[i].value);
    }
}

static void note_session(struct seen *seen, const struct record_session *s)
{
    FUZZ_ASSERT(s->lsid && strlen(s->lsid) == 32);
    FUZZ_ASSERT(s->end == RECORD_NONE || s->end > 0);
    note_text(seen, s->lsid);
    note_text(seen, s->duration);
    note_text(seen, s->external_key);
    note_text(seen, s->chat_view_url);
    note(seen, &s->start, sizeof(s->start));
    for (size_t i = 0; i < s->nevents; i++)
        note_event(seen, &s->events[i]);
    for (size_t i = 0; i < s->nrepresentatives; i++)
        note_text(seen, s->representatives[i].username);
    for (size_t i = 0; i < s->nattributes; i++)
        note_text(seen, s->attributes[i].value);
}

static void give(void *ctx, struct report_batch *batch)
{
    struct seen *seen = ctx;

    FUZZ_ASSERT(batch->n > 0);
    seen->records += batch->n;
    for (size_t i = 0; i < batch->n; i++) {
        switch (batch->kind) {
        case REPORT_SESSIONS: note_session(seen, &batch->sessions[i]); break;
        case REPORT_LISTED: note_text(seen, batch->listed[i].lsid); break;
        case REPORT_TEAM: note_text(seen, batch->team[i].name); break;
        case REPORT_VAULT_ACTIVITY: note_text(seen, batch->vault_activity[i].data); break;
        case REPORT_VAULT_ACCOUNTS: note_text(seen, batch->vault_accounts[i].name); break;
        case REPORT_JUMP_ITEMS: note_text(seen, batch->jump_items[i].type); break;
        case REPORT_JUMPOINTS: note_text(seen, batch->jumpoints[i].name); break;
        default: note_text(seen, batch->jump_groups[i].name);
        }
    }
    FUZZ_ASSERT(batch->kind != REPORT_SESSIONS || batch->arena.used <= SESSION_MAX);
}

static enum pra_fault read_report(const struct report_row *row, const char *body, size_t len, size_t piece,
                                  struct seen *seen)
{
    char text[PRA_TEXT_SIZE] = "";
    struct batch_out out = {.give = give, .ctx = seen};
    struct xml_reading reading = {.tree = row->tree, .kind = row->kind, .out = &out};

    out.batch.arena.limit = row->kind == REPORT_SESSIONS ? SESSION_MAX : 0;
    struct pra_xml *x = pra_xml_new(&xml_reading_reader, &reading);
    FUZZ_ASSERT(x);
    for (size_t at = 0; at < len; at += piece)
        pra_xml_feed(x, body + at, len - at < piece ? len - at : piece);
    enum pra_fault fault = pra_xml_end(x, text);
    batch_flush(&out);
    seen->refused = reading.nrefused;
    seen->cut = reading.ncut;
    FUZZ_ASSERT(seen->records == out.rows && fault != PRA_NO_MEMORY);
    pra_xml_free(x);
    xml_reading_free(&reading);
    batch_free(&out);
    return fault;
}

static void fuzz_report(const struct report_row *row, const char *body, size_t len, unsigned char cut)
{
    struct seen whole = {0}, parts = {0};
    enum pra_fault fault = read_report(row, body, len, len + 1, &whole);

    FUZZ_ASSERT(read_report(row, body, len, (size_t)cut % 61 + 1, &parts) == fault);
    FUZZ_ASSERT(!memcmp(&whole, &parts, sizeof(whole)));
}

static void fuzz_page(enum report_page_kind kind, const char *body, size_t len)
{
    struct buf json = BUF_INIT(1U << 22);
    struct seen seen = {0};
    struct batch_out out = {.give = give, .ctx = &seen};
    struct page_outcome outcome;

    FUZZ_ASSERT(buf_append(&json, body, len) == 0);
    report_page_read(kind, &json, &out, &outcome);
    batch_flush(&out);
    FUZZ_ASSERT(outcome.err || seen.records + outcome.unusable == outcome.rows);
    FUZZ_ASSERT(!outcome.err || outcome.why);
    batch_free(&out);
    buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned char which = fuzz_byte(&in) % (NREPORTS + REPORT_NPAGES), cut = fuzz_byte(&in);

    if (which < NREPORTS)
        fuzz_report(&reports[which], in.at, in.left, cut);
    else
        fuzz_page((enum report_page_kind)(which - NREPORTS), in.at, in.left);
    return 0;
}
