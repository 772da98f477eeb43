/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_sessions.c - the answers of the Reporting API: AccessSessionListing and AccessSession.
 *
 * A row of a listing is 16 bytes. The rows are kept until the answer is complete: a row of an answer that
 * turns out to be invalid proves nothing.
 */
#include "backends/pra/answers.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- AccessSessionListing ---- */

static int add_row(struct pra_listing *list, const char digits[LSID_SIZE])
{
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct pra_lsid *rows = realloc(list->rows, room * sizeof(*rows));
        if (!rows)
            return -ENOMEM;
        list->rows = rows;
        list->room = room;
    }
    list->skipped += !text_unhex(list->rows[list->n].id, sizeof(list->rows->id), digits);
    list->n++;
    return 0;
}

static bool listing_root(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "session_summary_list");
}

static int listing_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    struct pra_listing *list = &((struct pra_answer *)ctx)->listing;
    char digits[LSID_SIZE];

    if (depth != 2 || strcmp(name, "session_summary") != 0)
        return 0;
    const char *lsid = pra_xml_attribute(attributes, "lsid");
    if (lsid && lsid_normal(lsid, digits))
        return add_row(list, digits);
    list->skipped++;
    return 0;
}

static int listing_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    (void)ctx;
    (void)depth;
    (void)name;
    (void)text;
    return 0;
}

const struct pra_xml_reader pra_listing_reader = {
    .root = listing_root, .begin = listing_begin, .end = listing_end, .row = "session_summary"};

/* ---- AccessSession ---- */

static bool session_root(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "session_list");
}

static void note_end(struct pra_session *s, const char *time)
{
    int64_t ms = 0;

    if (s->here && time && !pra_time_read(time, &ms) && ms > 0) {
        s->ended = true;
        s->ended_ms = ms;
    }
}

static int session_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    struct pra_answer *answer = ctx;
    char digits[LSID_SIZE];

    if (depth == 2) {
        const char *lsid = pra_xml_attribute(attributes, "lsid");
        answer->session.here =
            !strcmp(name, "session") && lsid && lsid_normal(lsid, digits) && !strcmp(digits, answer->lsid);
    }
    if (depth == 3 && !strcmp(name, "end_time")) {
        note_end(&answer->session, pra_xml_attribute(attributes, "ts"));
        note_end(&answer->session, pra_xml_attribute(attributes, "timestamp"));
    }
    return 0;
}

static int session_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    struct pra_answer *answer = ctx;

    if (depth == 3 && !strcmp(name, "end_time") && !answer->session.ended)
        note_end(&answer->session, text);
    return 0;
}

const struct pra_xml_reader pra_session_reader = {
    .root = session_root, .begin = session_begin, .end = session_end, .row = "session"};
