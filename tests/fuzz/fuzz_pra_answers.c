/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pra_answers.c - what a PRA site says, through the readers of its answers.
 *
 * First byte: the kind of call; second: how the body is cut into pieces. Then the body. XML goes through the
 * reader of its kind, everything else through the readers of JSON.
 *
 * Promises: the same body has the same outcome whole and in pieces; only a good answer, or none with rows, is
 * no failure, and a failure has clean words of at most 200 letters; the rows of a listing are
 * not more than its body has room for; an lsid that is read is 32 lower-case digits; a time is within the
 * years that can be written.
 */
#include "fuzz.h"

#include "backends/pra/answers.h"
#include "base/json.h"
#include "base/utf8.h"

#include <ctype.h>
#include <string.h>

static const enum pra_call_kind kinds[] = {PRA_CALL_INFO, PRA_CALL_HEALTH, PRA_CALL_LISTING, PRA_CALL_SESSION,
                                           PRA_CALL_TERMINATE};
#define NKINDS  (sizeof(kinds) / sizeof(kinds[0]))
#define NREADER (NKINDS + 3)

static void check_words(const char *text)
{
    FUZZ_ASSERT(utf8_valid(text, strlen(text)) && utf8_count(text) <= PRA_TEXT_LETTERS);
    for (const char *p = text; *p; p++)
        FUZZ_ASSERT((unsigned char)*p >= 0x20);
}

static enum pra_fault read_xml(enum pra_call_kind kind, const char *body, size_t len, size_t piece,
                               struct pra_answer *answer)
{
    char text[PRA_TEXT_SIZE] = "";
    struct pra_xml *x = pra_xml_new(pra_reader(kind), answer);

    FUZZ_ASSERT(x);
    for (size_t at = 0; at < len; at += piece)
        pra_xml_feed(x, body + at, len - at < piece ? len - at : piece);
    enum pra_fault fault = pra_xml_end(x, text);
    pra_xml_free(x);
    check_words(text);
    FUZZ_ASSERT(fault == PRA_OK || fault == PRA_NO_ROWS || fault == PRA_SITE_ERROR || fault == PRA_WEB_PAGE ||
                fault == PRA_NONSENSE);
    return fault;
}

static void check_answer(enum pra_call_kind kind, const struct pra_answer *a, size_t len)
{
    FUZZ_ASSERT(a->listing.n * 40 <= len);
    FUZZ_ASSERT(kind != PRA_CALL_HEALTH || a->health.has_success);
    FUZZ_ASSERT(kind != PRA_CALL_TERMINATE || a->terminated);
    FUZZ_ASSERT(!a->session.ended || a->session.ended_ms > 0);
    FUZZ_ASSERT(a->info.npermissions <= PRA_PERMISSIONS_MAX);
    for (size_t i = 0; i < a->info.npermissions; i++)
        FUZZ_ASSERT(!strncmp(a->info.permissions[i].name, "perm_", 5) && *a->info.permissions[i].value);
    check_words(a->health.error_message);
}

static void fuzz_xml(enum pra_call_kind kind, const char *body, size_t len, unsigned char cut)
{
    static const char lsid[] = "da4b510ba1b04bd3b9e1fa6bd9ad4f3c";
    struct pra_answer whole = {.lsid = lsid}, parts = {.lsid = lsid};
    enum pra_fault fault = read_xml(kind, body, len, len + 1, &whole);

    FUZZ_ASSERT(read_xml(kind, body, len, (size_t)cut % 61 + 1, &parts) == fault);
    if (fault == PRA_OK) {
        check_answer(kind, &whole, len);
        FUZZ_ASSERT(whole.listing.n == parts.listing.n && whole.session.ended_ms == parts.session.ended_ms &&
                    whole.listing.skipped == parts.listing.skipped &&
                    whole.info.npermissions == parts.info.npermissions);
        FUZZ_ASSERT(!whole.listing.n ||
                    !memcmp(whole.listing.rows, parts.listing.rows, whole.listing.n * 16));
    }
    pra_answer_free(&whole);
    pra_answer_free(&parts);
}

static void fuzz_json(const char *body, size_t len, unsigned char page)
{
    struct buf json = BUF_INIT(1U << 22);
    struct pra_answer answer = {0};
    char error[PRA_WORD_SIZE], message[PRA_TEXT_SIZE];

    FUZZ_ASSERT(buf_append(&json, body, len) == 0);
    if (pra_read_jumpoints(&answer, &json, page, page & 1 ? "3" : "") == PRA_OK)
        for (size_t i = 0; i < answer.jumpoints.n; i++)
            check_words(answer.jumpoints.rows[i].name);
    pra_answer_free(&answer);
    if (pra_read_json_error(&json, error, message))
        check_words(message);
    (void)pra_is_probe_line(&json);
    buf_free(&json);
}

static void fuzz_texts(const char *text)
{
    char lsid[LSID_SIZE];
    int64_t ms = 0;

    if (lsid_normal(text, lsid)) {
        FUZZ_ASSERT(strlen(lsid) == 32);
        for (const char *p = lsid; *p; p++)
            FUZZ_ASSERT(isdigit((unsigned char)*p) || (*p >= 'a' && *p <= 'f'));
    }
    if (!pra_time_read(text, &ms))
        FUZZ_ASSERT(ms > INT64_C(-70000000000000) && ms < INT64_C(400000000000000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned char which = fuzz_byte(&in) % NREADER, cut = fuzz_byte(&in);
    char *body;

    if (which < NKINDS) {
        fuzz_xml(kinds[which], in.at, in.left, cut);
        return 0;
    }
    if (which == NKINDS) {
        fuzz_json(in.at, in.left, cut);
        return 0;
    }
    body = fuzz_string(&in);
    fuzz_texts(body);
    free(body);
    return 0;
}
