/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_answers.c - what the answers of a PRA site are worth, one row for each form and each bad answer,
 * given in pieces of every size.
 */
#include "backends/pra/pra.h"
#include "base/text.h"
#include "base/utf8.h"
#include "test_pra_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a call that is asked and answered ---- */

static struct rig_ask asked;

static void answer(enum pra_call_kind kind, const struct rig_answer *a)
{
    pra_call_free(&asked.call);
    ask(&asked, kind);
    if (rig_find("/oauth2/token"))
        rig_grant();
    rig_run(1000);
    assert_int_equal(rig_waiting(), 1);
    rig_reply(rig_call(0), a);
    assert_int_equal(asked.done, 1);
}

static int setup(void **state)
{
    memset(&asked, 0, sizeof(asked));
    if (rig_start(state))
        return -1;
    rig_open();
    return 0;
}

static int teardown(void **state)
{
    pra_call_free(&asked.call);
    return rig_stop(state);
}

/* ---- bad answers ---- */

#define XML  "text/xml"
#define ROW  "<session_summary lsid=\"" RIG_LSID "\" has_recording=\"0\"/>"
#define LIST "<session_summary_list>" ROW "</session_summary_list>"

static const struct bad {
    enum pra_call_kind kind;
    int status;
    const char *type, *body;
    enum pra_fault fault;
    const char *text; /* part of the result's text; NULL = any */
} bads[] = {
    /* errors of the site, as root and as child, with any status and any namespace */
    {PRA_CALL_LISTING, 200, XML, "<error>Invalid lsid.</error>", PRA_SITE_ERROR, "Invalid lsid."},
    {PRA_CALL_LISTING, 200, XML, "<error xmlns=\"https://x\" code=\"7\">a <b>bad</b> one</error>",
     PRA_SITE_ERROR, "a bad one"},
    {PRA_CALL_LISTING, 200, XML, "<x:error xmlns:x=\"y\">bad</x:error>", PRA_SITE_ERROR, "bad"},
    {PRA_CALL_LISTING, 200, XML, "<session_summary_list><error>bad</error></session_summary_list>",
     PRA_SITE_ERROR, "bad"},
    {PRA_CALL_LISTING, 200, XML,
     "<session_summary_list>" ROW "<n:error>bad</n:error>" ROW "</session_summary_list>", PRA_SITE_ERROR,
     "bad"},
    {PRA_CALL_LISTING, 200, XML, "<error/>", PRA_SITE_ERROR, ""},
    {PRA_CALL_LISTING, 500, XML, "<error>bad</error>", PRA_SITE_ERROR, "bad"},
    {PRA_CALL_LISTING, 500, XML, "<error>No sessions were found.</error>", PRA_SITE_ERROR, "No sessions"},
    {PRA_CALL_LISTING, 403, XML, "<error>denied</error>", PRA_DENIED, "denied"},
    {PRA_CALL_LISTING, 403, "text/html", "<html>no</html>", PRA_DENIED, NULL},
    {PRA_CALL_INFO, 200, XML, "<get_api_info><error>bad</error></get_api_info>", PRA_SITE_ERROR, "bad"},
    {PRA_CALL_HEALTH, 200, XML, "<error>bad</error>", PRA_SITE_ERROR, "bad"},
    {PRA_CALL_TERMINATE, 200, XML, "<error>Session not found</error>", PRA_SITE_ERROR, "Session not found"},
    {PRA_CALL_TERMINATE, 200, XML, "<r><success>ok</success><error>bad</error></r>", PRA_SITE_ERROR, "bad"},
    {PRA_CALL_INFO, 200, XML, "<error>No API info available</error>", PRA_SITE_ERROR, "No API"},
    /* no rows, and what only looks like it */
    {PRA_CALL_LISTING, 200, XML, "<error>No sessions were found.</error>", PRA_NO_ROWS, NULL},
    {PRA_CALL_LISTING, 200, XML,
     "<session_summary_list><error>\n No session matching your criteria is available "
     "</error></session_summary_list>",
     PRA_NO_ROWS, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>No rows match</error>", PRA_NO_ROWS, NULL},
    {PRA_CALL_SESSION, 200, XML, "<error>No session found</error>", PRA_NO_ROWS, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>No permission was found</error>", PRA_SITE_ERROR, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>No report available: access DENIED</error>", PRA_SITE_ERROR, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>No Licence found</error>", PRA_SITE_ERROR, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>No matching token</error>", PRA_SITE_ERROR, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>None found</error>", PRA_SITE_ERROR, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>Sorry. No sessions found</error>", PRA_SITE_ERROR, NULL},
    {PRA_CALL_LISTING, 200, XML, "<error>No such report</error>", PRA_SITE_ERROR, NULL},
    /* JSON in the answer's place */
    {PRA_CALL_LISTING, 200, "application/json", "{\"error\":\"server_error\",\"message\":\"broken\"}",
     PRA_SITE_ERROR, "broken"},
    {PRA_CALL_LISTING, 200, "application/json", "{\"rows\":[]}", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 404, "application/json", "{\"message\":\"none\"}", PRA_STATUS, "none"},
    /* documents that cannot be read */
    {PRA_CALL_LISTING, 200, XML, "", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, "<session_summary_list>", PRA_NONSENSE, "not well-formed"},
    {PRA_CALL_LISTING, 200, XML, "<session_summary_list>" ROW "</session_summary_li", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, LIST "x", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, LIST LIST, PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, "<session_summary_list><a></b></session_summary_list>", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, "<session_summary_list>&nbsp;</session_summary_list>", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, "<session_summary_list>\xff</session_summary_list>", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, "<!DOCTYPE session_summary_list><session_summary_list/>", PRA_NONSENSE,
     "document type"},
    {PRA_CALL_LISTING, 200, XML,
     "<!DOCTYPE r [<!ENTITY a \"aaaa\">]><session_summary_list>&a;</session_summary_list>", PRA_NONSENSE,
     NULL},
    {PRA_CALL_LISTING, 200, XML, "just words", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, XML, "<session_list/>", PRA_NONSENSE, "another kind: <session_list>"},
    {PRA_CALL_SESSION, 200, XML, LIST, PRA_NONSENSE, NULL},
    {PRA_CALL_INFO, 200, XML, "<permissions/>", PRA_NONSENSE, NULL},
    {PRA_CALL_HEALTH, 200, XML, "<check_health/>", PRA_NONSENSE, "lacks"},
    {PRA_CALL_HEALTH, 200, XML, "<check_health><success>yes</success></check_health>", PRA_NONSENSE, NULL},
    {PRA_CALL_TERMINATE, 200, XML, "<done/>", PRA_NONSENSE, NULL},
    {PRA_CALL_TERMINATE, 200, XML, "<r><success>0</success></r>", PRA_NONSENSE, NULL},
    {PRA_CALL_TERMINATE, 200, XML, "<r><s><success>ok</success></s></r>", PRA_NONSENSE, NULL},
    /* other content types, pages, statuses */
    {PRA_CALL_LISTING, 200, "application/zip", LIST, PRA_NONSENSE, "content type"},
    {PRA_CALL_LISTING, 200, "text/html", LIST, PRA_WEB_PAGE, NULL},
    {PRA_CALL_LISTING, 200, NULL, "<html><body>hello</body></html>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_LISTING, 200, NULL, "<HTML><br></HTML>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_LISTING, 200, NULL, "<!doctype html><html></html>", PRA_NONSENSE, NULL},
    {PRA_CALL_LISTING, 200, NULL, "<!DOCTYPE html><html></html>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_LISTING, 200, "text/html; charset=utf-8", "<p>hello", PRA_WEB_PAGE, NULL},
    {PRA_CALL_INFO, 404, "text/html", "<html>none</html>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_INFO, 403, "text/html", "<html>no</html>", PRA_DENIED, NULL},
    {PRA_CALL_LISTING, 404, XML, LIST, PRA_STATUS, NULL},
    {PRA_CALL_LISTING, 201, XML, LIST, PRA_STATUS, NULL},
    {PRA_CALL_LISTING, 204, XML, "", PRA_STATUS, NULL},
    {PRA_CALL_LISTING, 206, XML, LIST, PRA_STATUS, NULL},
    {PRA_CALL_LISTING, 301, NULL, "", PRA_REDIRECT, NULL},
    {PRA_CALL_LISTING, 307, XML, LIST, PRA_REDIRECT, NULL},
    {PRA_CALL_LISTING, 500, XML, LIST, PRA_STATUS, NULL},
    {PRA_CALL_LISTING, 503, XML, LIST, PRA_UNAVAILABLE, NULL},
    {PRA_CALL_LISTING, 429, XML, LIST, PRA_RATE_LIMITED, NULL},
    /* Jumpoints */
    {PRA_CALL_JUMPOINTS, 200, "application/json", "{}", PRA_NONSENSE, NULL},
    {PRA_CALL_JUMPOINTS, 200, "application/json", "[1]", PRA_NONSENSE, NULL},
    {PRA_CALL_JUMPOINTS, 200, "application/json", "[{\"id\":1}]", PRA_NONSENSE, NULL},
    {PRA_CALL_JUMPOINTS, 200, "application/json", "[", PRA_NONSENSE, NULL},
    {PRA_CALL_JUMPOINTS, 200, "text/plain", "[]", PRA_NONSENSE, NULL},
    {PRA_CALL_JUMPOINTS, 200, "text/html", "[]", PRA_WEB_PAGE, NULL},
    {PRA_CALL_JUMPOINTS, 200, NULL, "<html></html>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_JUMPOINTS, 403, "application/json", "{\"message\":\"no\"}", PRA_DENIED, "no"},
    /* probes */
    {PRA_CALL_PROBE, 200, NULL, "<html>welcome</html>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_PROBE, 500, NULL, " \n<html>gateway</html>", PRA_WEB_PAGE, NULL},
    {PRA_CALL_PROBE, 302, NULL, "", PRA_REDIRECT, NULL},
    {PRA_CALL_PROBE, 401, NULL, "", PRA_STATUS, NULL},
    {PRA_CALL_PROBE, 403, NULL, "", PRA_STATUS, NULL},
    {PRA_CALL_PROBE, 404, NULL, "", PRA_STATUS, NULL},
    {PRA_CALL_PROBE, 429, NULL, "", PRA_STATUS, NULL},
    {PRA_CALL_PROBE, 204, NULL, "", PRA_STATUS, NULL},
};

TEST(each_bad_answer_is_known)
{
    static const size_t pieces[] = {1, 11, 4096};

    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        const struct bad *bad = &bads[i];
        for (size_t p = 0; p < 3; p++) {
            rig.piece = pieces[p];
            answer(bad->kind,
                   &(struct rig_answer){.status = bad->status, .type = bad->type, .body = bad->body});
            if (asked.call.result.fault != bad->fault)
                print_error("row %zu: %s\n%s\n", i, bad->body, asked.call.result.text);
            assert_int_equal(asked.call.result.fault, bad->fault);
            if (bad->text && *bad->text)
                assert_non_null(strstr(asked.call.result.text, bad->text));
            assert_int_equal(asked.call.result.status, bad->status);
            assert_int_equal(asked.call.result.page,
                             bad->fault == PRA_WEB_PAGE || (bad->type && strstr(bad->type, "html")));
            assert_int_equal(asked.call.answer.listing.n, 0); /* nothing of it is kept */
            rig_run(40000);                                   /* a pause is over */
        }
    }
}

static void listing_of(struct buf *out, const char *inside)
{
    buf_clear(out);
    (void)buf_printf(out, "<session_summary_list>%s</session_summary_list>", inside);
}

TEST(nesting_and_long_tags_have_limits)
{
    struct buf deep = BUF_INIT(1 << 22), all = BUF_INIT(1 << 22);

    for (int depth = 63; depth <= 64; depth++) {
        buf_clear(&deep);
        for (int i = 0; i < depth; i++)
            (void)buf_str(&deep, "<a>");
        for (int i = 0; i < depth; i++)
            (void)buf_str(&deep, "</a>");
        listing_of(&all, buf_cstr(&deep));
        rig.piece = 32768;
        answer(PRA_CALL_LISTING, &(struct rig_answer){.type = XML, .body = buf_cstr(&all)});
        assert_int_equal(asked.call.result.fault, depth == 63 ? PRA_OK : PRA_NONSENSE);
    }
    buf_clear(&deep);
    (void)buf_str(&deep, "<a b=\"");
    for (int i = 0; i < 200000; i++)
        (void)buf_char(&deep, 'x');
    (void)buf_str(&deep, "\"/>");
    listing_of(&all, buf_cstr(&deep));
    answer(PRA_CALL_LISTING, &(struct rig_answer){.type = XML, .body = buf_cstr(&all)});
    assert_int_equal(asked.call.result.fault, PRA_NONSENSE);
    assert_string_equal(asked.call.result.text, "a tag is too long");
    buf_free(&deep);
    buf_free(&all);
}

TEST(the_sites_words_are_cut_and_clean)
{
    struct buf words = BUF_INIT(1 << 16);

    (void)buf_str(&words, "<error>\n a\tb\xe2\x80\xae\x63 ");
    for (int i = 0; i < 300; i++)
        (void)buf_str(&words, "\xc3\xa9");
    (void)buf_str(&words, "</error>");
    answer(PRA_CALL_LISTING, &(struct rig_answer){.type = XML, .body = buf_cstr(&words)});
    assert_int_equal(asked.call.result.fault, PRA_SITE_ERROR);
    assert_memory_equal(asked.call.result.text,
                        "a\xef\xbf\xbd"
                        "b\xef\xbf\xbd"
                        "c \xc3\xa9",
                        12);
    assert_int_equal(utf8_count(asked.call.result.text), 200);
    buf_free(&words);
    /* Whether it says "no rows" is asked of the whole text. */
    words = BUF_INIT(1 << 16);
    (void)buf_str(&words, "<error>No rows found");
    for (int i = 0; i < 300; i++)
        (void)buf_str(&words, " and");
    (void)buf_str(&words, " permission</error>");
    answer(PRA_CALL_LISTING, &(struct rig_answer){.type = XML, .body = buf_cstr(&words)});
    assert_int_equal(asked.call.result.fault, PRA_SITE_ERROR);
    buf_free(&words);
    /* A text that is too long to be looked at as a whole is none. */
    words = BUF_INIT(1 << 16);
    (void)buf_str(&words, "<error>No rows found");
    for (int i = 0; i < 3000; i++)
        (void)buf_str(&words, " and");
    (void)buf_str(&words, "</error>");
    answer(PRA_CALL_LISTING, &(struct rig_answer){.type = XML, .body = buf_cstr(&words)});
    assert_int_equal(asked.call.result.fault, PRA_SITE_ERROR);
    buf_free(&words);
}

/* ---- good answers ---- */

static void good(enum pra_call_kind kind, const char *body)
{
    static const size_t pieces[] = {1, 11, 4096};

    for (size_t p = 0; p < 3; p++) { /* the last one stays for the test */
        rig.piece = pieces[p];
        answer(kind, &(struct rig_answer){.type = XML, .body = body});
        if (asked.call.result.fault)
            print_error("%s\n%s\n", body, asked.call.result.text);
        assert_int_equal(asked.call.result.fault, PRA_OK);
    }
}

static void check_row(size_t i, const char *lsid)
{
    char digits[LSID_SIZE];

    text_hex(digits, asked.call.answer.listing.rows[i].id, 16);
    assert_string_equal(digits, lsid);
}

TEST(listings_are_read_in_every_form)
{
    static const char *const forms[] = {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<session_summary_list xmlns=\"http://www.beyondtrust.com/sra/namespaces/API/reporting\">" ROW
        "</session_summary_list>",
        "<session_summary_list xmlns=\"https://www.beyondtrust.com/namespaces/API/reporting\">" ROW
        "</session_summary_list>",
        "<session_summary_list>" ROW "</session_summary_list>",
        "<r:session_summary_list xmlns:r=\"x\"><r:session_summary has_recording=\"1\" r:lsid=\"" RIG_LSID
        "\"><r:lsid>0</r:lsid></r:session_summary></r:session_summary_list>",
        "<u:session_summary_list><u:session_summary lsid='{DA4B510B-A1B0-4BD3-B9E1-FA6BD9AD4F3C}'/>"
        "</u:session_summary_list>",
        "<session_summary_list><!-- - --><?x y?><other lsid=\"" RIG_LSID2 "\"/>" ROW
        "<x><session_summary lsid=\"" RIG_LSID2 "\"/></x></session_summary_list>",
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        good(PRA_CALL_LISTING, forms[i]);
        assert_int_equal(asked.call.answer.listing.n, 1);
        assert_int_equal(asked.call.answer.listing.skipped, 0);
        check_row(0, RIG_LSID);
    }
    good(PRA_CALL_LISTING, "<session_summary_list/>");
    assert_int_equal(asked.call.answer.listing.n, 0);
    answer(PRA_CALL_LISTING, &(struct rig_answer){.body = LIST}); /* no content type */
    assert_int_equal(asked.call.answer.listing.n, 1);
}

TEST(a_row_without_an_lsid_form_is_skipped_and_counted)
{
    good(PRA_CALL_LISTING,
         "<session_summary_list><session_summary/><session_summary lsid=\"\"/><session_summary lsid=\"123\"/>"
         "<session_summary lsid=\"" RIG_LSID "0\"/><session_summary lsid=\"" RIG_LSID2 "\"/>"
         "<session_summary lsid=\"g" RIG_LSID "\"/></session_summary_list>");
    assert_int_equal(asked.call.answer.listing.n, 1);
    assert_int_equal(asked.call.answer.listing.skipped, 5);
    check_row(0, RIG_LSID2);
}

TEST(other_encodings_are_read)
{
    static const char text[] = "<session_summary_list a=\"\xe9\"/>";
    char body[256];

    (void)snprintf(body, sizeof(body), "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>%s", text);
    good(PRA_CALL_LISTING, body);
}

#define SESSION(inside) "<session_list><session lsid=\"" RIG_LSID "\">" inside "</session></session_list>"

static const struct end_row {
    const char *body;
    bool ended;
    int64_t ms;
} ends[] = {
    {SESSION("<end_time timestamp=\"1733140000\">2024-12-02T11:46:40+00:00</end_time>"), true, 1733140000000},
    {SESSION("<end_time ts=\"1733140000\"/>"), true, 1733140000000},
    {SESSION("<end_time>2024-12-02T11:46:40+00:00</end_time>"), true, 1733140000000},
    {SESSION("<end_time>2024-12-02T12:46:40.25+01:00</end_time>"), true, 1733140000250},
    {SESSION("<end_time> 1733140000 </end_time>"), true, 1733140000000},
    {SESSION("<end_time timestamp=\"\">2024-12-02T11:46:40Z</end_time>"), true, 1733140000000},
    {SESSION("<s:end_time s:timestamp=\"1733140000\"/>"), true, 1733140000000},
    {SESSION("<start_time timestamp=\"1733140000\"/>"), false, 0},
    {SESSION("<end_time/>"), false, 0},
    {SESSION("<end_time></end_time>"), false, 0},
    {SESSION("<end_time timestamp=\"\"></end_time>"), false, 0},
    {SESSION("<end_time timestamp=\"0\"></end_time>"), false, 0},
    {SESSION("<end_time>soon</end_time>"), false, 0},
    {SESSION("<x><end_time timestamp=\"1733140000\"/></x>"), false, 0},
    {"<session_list><session lsid=\"" RIG_LSID2
     "\"><end_time timestamp=\"1733140000\"/></session></session_list>",
     false, 0},
    {"<session_list><session><end_time timestamp=\"1733140000\"/></session></session_list>", false, 0},
    {"<session_list/>", false, 0},
    {"<session_list><session lsid=\"" RIG_LSID2
     "\"/><session lsid=\"{DA4B510B-A1B0-4BD3-B9E1-FA6BD9AD4F3C}\">"
     "<end_time timestamp=\"1733140000\"/></session><session lsid=\"" RIG_LSID2 "\"/></session_list>",
     true, 1733140000000},
};

TEST(only_the_end_time_of_the_session_itself_counts)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        good(PRA_CALL_SESSION, ends[i].body);
        if (asked.call.answer.session.ended != ends[i].ended)
            print_error("%s\n", ends[i].body);
        assert_int_equal(asked.call.answer.session.ended, ends[i].ended);
        assert_int_equal(asked.call.answer.session.ended_ms, ends[i].ms);
    }
}

static const char *const permissions[] = {
    "<permission name=\"perm_command\">read_only</permission><permission name=\"perm_ecm\">1</permission>"
    "<permission name=\"perm_configuration_vault_acount\">0</permission>",
    "<perm_command>read_only</perm_command><perm_ecm> 1 </perm_ecm>"
    "<perm_configuration_vault_account>0</perm_configuration_vault_account>",
    "<permission perm_command=\"read_only\"/><permission perm_ecm=\"1\" "
    "perm_configuration_vault_acount=\"0\"/>",
    "<n:permission n:name=\"perm_command\">read_only</n:permission><permission "
    "name=\"perm_command\">deny</permission>"
    "<permission "
    "name=\"perm_ecm\">1</permission><perm_configuration_vault_acount>0</perm_configuration_vault_acount>"
    "<permission name=\"other\">1</permission><permission>1</permission><perm_BAD>1</perm_BAD><perm_empty/>",
};

TEST(permissions_are_read_in_three_forms)
{
    static const char *const want[][2] = {
        {"perm_command", "read_only"}, {"perm_ecm", "1"}, {"perm_configuration_vault_account", "0"}};
    char body[1024];

    for (size_t i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++) {
        (void)snprintf(body, sizeof(body),
                       "<get_api_info xmlns=\"http://www.beyondtrust.com/sra/namespaces/API/command\">"
                       "<api_version>1.24.1</api_version><timestamp>1773135001</timestamp>"
                       "<permissions>%s</permissions></get_api_info>",
                       permissions[i]);
        good(PRA_CALL_INFO, body);
        const struct pra_info *got = &asked.call.answer.info;
        assert_string_equal(got->api_version, "1.24.1");
        assert_true(got->has_time);
        assert_int_equal(got->time_ms, 1773135001000);
        assert_int_equal(got->npermissions, 3);
        for (size_t k = 0; k < 3; k++) {
            assert_string_equal(got->permissions[k].name, want[k][0]);
            assert_string_equal(got->permissions[k].value, want[k][1]);
        }
    }
}

TEST(more_permissions_than_there_is_room_for_are_left_out)
{
    struct buf body = BUF_INIT(1 << 16);

    (void)buf_str(&body, "<get_api_info><permissions>");
    for (int i = 0; i < 100; i++)
        (void)buf_printf(&body, "<permission name=\"perm_%d\">1</permission><perm_x%d>1</perm_x%d>", i, i, i);
    (void)buf_str(&body, "</permissions></get_api_info>");
    good(PRA_CALL_INFO, buf_cstr(&body));
    assert_int_equal(asked.call.answer.info.npermissions, PRA_PERMISSIONS_MAX);
    buf_free(&body);
}

TEST(the_sites_time_is_read_in_every_form)
{
    static const char *const forms[] = {
        "<timestamp>1773135001</timestamp>",          "<timestamp>2026-03-10T09:30:01+00:00</timestamp>",
        "<timestamp ts=\"1773135001\">x</timestamp>", "<timestamp timestamp=\"1773135001\"/>",
        "<timestamp>2026-03-10 09:30:01</timestamp>", "<timestamp>2026-03-10T11:30:01+0200</timestamp>",
    };
    char body[256];

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        (void)snprintf(body, sizeof(body), "<get_api_info>%s</get_api_info>", forms[i]);
        good(PRA_CALL_INFO, body);
        assert_true(asked.call.answer.info.has_time);
        assert_int_equal(asked.call.answer.info.time_ms, 1773135001000);
    }
    good(PRA_CALL_INFO, "<get_api_info><timestamp>now</timestamp></get_api_info>");
    assert_false(asked.call.answer.info.has_time);
}

TEST(the_health_of_a_failover_pair_is_read)
{
    const struct pra_health *h = &asked.call.answer.health;

    good(
        PRA_CALL_HEALTH,
        "<whatever xmlns=\"x\"><appliance id=\"2d2e6ce9\">pra.example.test</appliance><version>24.3.1 "
        "(91242)</version>"
        "<success>0</success><error_message>disk is full</error_message><failover_role>backup</failover_role>"
        "<enabled_shared_ips><ip>1.2.3.4</ip></enabled_shared_ips>"
        "<last_data_sync_time ts=\"1773135001\">2026-03-10T09:30:01+00:00</last_data_sync_time>"
        "<last_data_sync_status>ok</last_data_sync_status></whatever>");
    assert_string_equal(h->appliance_id, "2d2e6ce9");
    assert_string_equal(h->version, "24.3.1 (91242)");
    assert_true(h->has_success && !h->success);
    assert_string_equal(h->error_message, "disk is full");
    assert_string_equal(h->failover_role, "backup");
    assert_true(h->has_sync);
    assert_int_equal(h->last_sync_ms, 1773135001000);
    good(PRA_CALL_HEALTH, "<check_health><success>1</success></check_health>");
    assert_true(h->success && !h->has_sync && !*h->failover_role);
}

TEST(a_termination_is_read_as_root_and_as_child)
{
    good(PRA_CALL_TERMINATE, "<success>Successfully terminated</success>");
    good(PRA_CALL_TERMINATE,
         "<terminate_session><success>Successfully terminated</success></terminate_session>");
    good(PRA_CALL_TERMINATE, "<success/>");
    assert_true(asked.call.answer.terminated);
}

/* ---- Jumpoints and probes ---- */

static void page(const char *body, const char *last)
{
    answer(PRA_CALL_JUMPOINTS,
           &(struct rig_answer){.type = "application/json", .body = body, .last_page = last});
    assert_int_equal(asked.call.result.fault, PRA_OK);
}

TEST(jumpoints_are_read_by_page)
{
    const struct pra_jumpoints *got = &asked.call.answer.jumpoints;
    struct buf full = BUF_INIT(1 << 16);

    page("[{\"id\":1,\"name\":\"London \\u00e9\",\"enabled\":true,\"connected\":true},"
         "{\"id\":2,\"name\":\"Paris\",\"enabled\":false,\"connected\":false},{\"name\":\"Rome\"}]",
         NULL);
    assert_int_equal(got->n, 3);
    assert_string_equal(got->rows[0].name, "London \xc3\xa9");
    assert_true(got->rows[0].connected && got->rows[0].enabled);
    assert_false(got->rows[1].connected || got->rows[1].enabled || got->rows[2].connected);
    assert_true(got->rows[2].enabled);
    assert_true(got->last);
    page("[]", "3");
    assert_false(got->last);
    page("[]", "1");
    assert_true(got->last);
    (void)buf_str(&full, "[{\"name\":\"0\"}");
    for (int i = 1; i < 100; i++)
        (void)buf_printf(&full, ",{\"name\":\"%d\"}", i);
    (void)buf_str(&full, "]");
    page(buf_cstr(&full), NULL);
    assert_false(got->last);
    page(buf_cstr(&full), "1");
    assert_true(got->last);
    buf_free(&full);
}

TEST(a_probe_tells_healthy_and_unhealthy)
{
    answer(PRA_CALL_PROBE, &(struct rig_answer){.status = 200, .type = "text/html", .body = "All is well\n"});
    assert_int_equal(asked.call.result.fault, PRA_OK);
    assert_true(asked.call.answer.probe_healthy);
    answer(PRA_CALL_PROBE, &(struct rig_answer){.status = 500, .body = "disk is full"});
    assert_int_equal(asked.call.result.fault, PRA_OK);
    assert_false(asked.call.answer.probe_healthy);
}

TEST(the_date_of_an_answer_is_kept)
{
    answer(PRA_CALL_PROBE, &(struct rig_answer){.body = "ok", .date = "Tue, 10 Mar 2026 09:30:01 GMT"});
    assert_true(asked.call.has_date);
    assert_int_equal(asked.call.date_ms, 1773135001000);
    answer(PRA_CALL_PROBE, &(struct rig_answer){.body = "ok"});
    assert_false(asked.call.has_date);
}

/* ---- texts ---- */

static const char *const no_times[] = {
    "",
    "x",
    "-5",
    "2026-02-30T00:00:00Z",
    "2026-03-10",
    "2026-03-10T09:30",
    "2026-03-10T09:30:01+25:00",
    "2026-03-10T09:30:01+01:00x",
    "2026-03-10T09:30:01 UTC",
    "999999999999",
    "2026-13-10T09:30:01Z",
};

TEST(what_is_no_time_is_refused)
{
    int64_t ms;

    for (size_t i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++)
        assert_int_equal(pra_time_read(no_times[i], &ms), -EINVAL);
    assert_int_equal(pra_time_read("2026-03-10T09:30:01.5-05:30", &ms), 0);
    assert_int_equal(ms, 1773154801500);
}

TEST(every_call_and_fault_has_its_words)
{
    struct pra_result r = {.fault = PRA_STATUS, .failed = PRA_CALL_INFO, .status = 418, .text = "tea"};
    char words[64], small[20];

    for (int i = 0; i < PRA_NCALLS; i++)
        assert_non_null(pra_call_name((enum pra_call_kind)i));
    for (int i = 0; i < PRA_NFAULTS; i++)
        assert_non_null(pra_fault_words((enum pra_fault)i));
    for (int i = 0; i < PRA_NOUTCOMES; i++)
        assert_non_null(pra_outcome_name((enum pra_outcome)i));
    pra_result_words(&r, words, sizeof(words));
    assert_string_equal(words, "get_api_info: an unexpected status 418 (tea)");
    pra_result_words(&r, small, sizeof(small));
    assert_string_equal(small, "get_api_info: an un");
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_RIG(each_bad_answer_is_known),
        IN_RIG(nesting_and_long_tags_have_limits),
        IN_RIG(the_sites_words_are_cut_and_clean),
        IN_RIG(listings_are_read_in_every_form),
        IN_RIG(a_row_without_an_lsid_form_is_skipped_and_counted),
        IN_RIG(other_encodings_are_read),
        IN_RIG(only_the_end_time_of_the_session_itself_counts),
        IN_RIG(permissions_are_read_in_three_forms),
        IN_RIG(more_permissions_than_there_is_room_for_are_left_out),
        IN_RIG(the_sites_time_is_read_in_every_form),
        IN_RIG(the_health_of_a_failover_pair_is_read),
        IN_RIG(a_termination_is_read_as_root_and_as_child),
        IN_RIG(jumpoints_are_read_by_page),
        IN_RIG(a_probe_tells_healthy_and_unhealthy),
        IN_RIG(the_date_of_an_answer_is_kept),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(every_call_and_fault_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
