/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_xml.c - XML reports read by their trees: what is in them, in any pieces, broken off anywhere,
 * and from a site that means harm.
 */
#include "check.h"
#include "reading_rig.h"

#include <stdlib.h>

#define LSID  "da4b510ba1b04bd3b9e1fa6bd9ad4f3c"
#define LSID2 "00112233445566778899aabbccddeeff"
#define LIST  "<session_list xmlns=\"http://www.beyondtrust.com/sra/namespaces/API/reporting\">"

static const char full[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" LIST "\n"
    " <session lsid=\"DA4B510B-A1B0-4BD3-B9E1-FA6BD9AD4F3C\">\n"
    "  <session_type>support</session_type><lseq>41</lseq>"
    "<start_time timestamp=\"1700000000\">2023-11-14T22:13:20+00:00</start_time>"
    "<end_time timestamp=\"1700003600\">2023-11-14T23:13:20+00:00</end_time><duration>01:00:00</duration>"
    "<jumpoint id=\"3\">Paris &amp; Lyon</jumpoint><jump_group id=\"5\" type=\"shared\">Web</jump_group>"
    "<external_key>T-1</external_key>"
    "<custom_attributes><custom_attribute display_name=\"Ticket\" code_name=\"ticket\">T-1</custom_attribute>"
    "</custom_attributes>"
    "<session_chat_view_url>https://s/c?v</session_chat_view_url>"
    "<session_chat_download_url>https://s/c?d</session_chat_download_url>"
    "<session_recording_view_url>https://s/r?v</session_recording_view_url>"
    "<session_recording_download_url>https://s/r?d</session_recording_download_url>"
    "<command_shell_recordings><command_shell_recording instance=\"0\"><download_url>d0</download_url>"
    "<view_url>v0</view_url></command_shell_recording></command_shell_recordings>"
    "<file_transfer_count>2</file_transfer_count><file_move_count>0</file_move_count>"
    "<file_delete_count>1</file_delete_count>"
    "<primary_customer gsnumber=\"1\">web01</primary_customer>"
    "<primary_rep gsnumber=\"2\" id=\"7\">Ann</primary_rep>"
    "<customer_list><customer "
    "gsnumber=\"1\"><username>web01</username><public_ip>[2001:db8::1]:40</public_ip>"
    "<private_ip>10.0.0.1</private_ip><hostname>web01.example</hostname><os>Linux</os></customer></"
    "customer_list>"
    "<rep_list><representative gsnumber=\"2\" "
    "id=\"7\"><username>ann</username><display_name>Ann</display_name>"
    "<public_display_name>A</public_display_name><private_display_name>Ann N.</private_display_name>"
    "<session_owner>1</session_owner><seconds_involved>3600</seconds_involved></representative>"
    "<representative gsnumber=\"3\" id=\"8\"><username>bob</username><session_owner>0</session_owner>"
    "<invited>1</invited></representative></rep_list>"
    "<unheard_of><start_time timestamp=\"1\"/><session_type>no</session_type></unheard_of>"
    "<session_details>"
    "<event timestamp=\"1700000001\" event_type=\"Chat Message\"><performed_by type=\"representative\" "
    "gsnumber=\"2\">Ann</performed_by><destination type=\"everyone\" gsnumber=\"0\">Everyone</destination>"
    "<body><![CDATA[<b>\xc3\xa9</b>]]></body></event>"
    "<event timestamp=\"1700000002\" event_type=\"Chat "
    "Message\"><encoded_body>YQBi\n/2M=</encoded_body></event>"
    "<event timestamp=\"1700000003\" event_type=\"File "
    "Upload\"><filename>a.txt</filename><filesize>12</filesize>"
    "<data><value name=\"sha256\" value=\"ab\"/><value name=\"x\" value=\"\"/></data>"
    "<files><file><filename>a</filename><filesize>1</filesize></file><file><filename>b</filename></file></"
    "files>"
    "</event>"
    "<event timestamp=\"1700000004\" event_type=\"System Information Retrieved\"><system_information>"
    "<category name=\"Disks\"><description><field name=\"d\">Drive</field><field name=\"s\">Size</field>"
    "</description><data><row><field>C:</field><field>10</field><field>odd</field></row>"
    "<row><field name=\"d\">D:</field></row></data></category></system_information></event>"
    "</session_details></session>\n"
    " <session lsid=\"" LSID2 "\"><start_time timestamp=\"1700000100\"/><end_time/>"
    "<jumpoint id=\"-1\"></jumpoint></session>\n"
    "</session_list>\n";

static const char expected[] =
    "session lsid=" LSID
    " type=support lseq=41 start=1700000000 end=1700003600 duration=01:00:00 jumpoint_id=3 "
    "jumpoint_name=Paris & Lyon jump_group_id=5 jump_group_name=Web jump_group_type=shared external_key=T-1 "
    "primary_customer=web01 primary_customer_gsnumber=1 primary_rep=Ann primary_rep_gsnumber=2 "
    "file_transfers=2 file_moves=0 file_deletes=1 chat_view_url=https://s/c?v "
    "chat_download_url=https://s/c?d "
    "recording_view_url=https://s/r?v recording_download_url=https://s/r?d cut=0\n"
    "  attribute Ticket/ticket=T-1\n"
    "  customer gsnumber=1 username=web01 public_ip=[2001:db8::1]:40 private_ip=10.0.0.1 "
    "hostname=web01.example os=Linux owner=0 invited=0\n"
    "  representative gsnumber=2 rep_id=7 username=ann display_name=Ann public_display_name=A "
    "private_display_name=Ann N. seconds_involved=3600 owner=1 invited=0\n"
    "  representative gsnumber=3 rep_id=8 username=bob owner=0 invited=1\n"
    "  shell 0 v0 d0\n"
    "  event timestamp=1700000001 type=Chat Message performed_by=Ann performed_by_type=representative "
    "performed_by_gsnumber=2 destination=Everyone destination_type=everyone destination_gsnumber=0 "
    "body=<b>\xc3\xa9</b>\n"
    "  event timestamp=1700000002 type=Chat Message body=ab\xef\xbf\xbd"
    "c\n"
    "  event timestamp=1700000003 type=File Upload filename=a.txt filesize=12 [sha256=ab] [x=-] "
    "[file.1.filename=a] [file.1.filesize=1] [file.2.filename=b]\n"
    "  event timestamp=1700000004 type=System Information Retrieved\n"
    "    info Disks/-1/d=Drive\n"
    "    info Disks/-1/s=Size\n"
    "    info Disks/0/Drive=C:\n"
    "    info Disks/0/Size=10\n"
    "    info Disks/0/2=odd\n"
    "    info Disks/1/d=D:\n"
    "session lsid=" LSID2 " start=1700000100 cut=0\n";

static void read_sessions(struct reading *r, const char *xml, size_t n, size_t piece)
{
    reading_run(r, &report_session_list, REPORT_SESSIONS, xml, n, piece, 0);
}

TEST(a_report_of_sessions)
{
    struct reading r;

    read_sessions(&r, full, sizeof(full) - 1, 0);
    assert_string_equal(r.text, "");
    assert_int_equal(r.fault, PRA_OK);
    assert_string_equal(buf_cstr(&r.records), expected);
    assert_int_equal(r.nrecords, 2);
    assert_int_equal(r.nrefused, 0);
    reading_free(&r);
}

TEST(any_pieces_give_the_same)
{
    for (size_t piece = 1; piece < 200; piece += piece < 20 ? 1 : 37) {
        struct reading r;
        case_label("pieces of %zu", piece);
        read_sessions(&r, full, sizeof(full) - 1, piece);
        assert_int_equal(r.fault, PRA_OK);
        assert_string_equal(buf_cstr(&r.records), expected);
        reading_free(&r);
    }
}

/* What was complete is kept, and the rest is not made up. */
TEST(an_answer_that_is_cut_at_any_byte)
{
    const char *first_end = strstr(full, "</session>") + strlen("</session>");
    const char *second_end = strstr(first_end, "</session>") + strlen("</session>");
    size_t end = (size_t)(strstr(full, "</session_list>") - full) + strlen("</session_list>");

    for (size_t n = 0; n < end; n++) {
        struct reading r;
        size_t complete = full + n >= second_end ? 2 : full + n >= first_end;
        case_label("%zu bytes", n);
        read_sessions(&r, full, n, 0);
        assert_int_equal(r.fault, PRA_NONSENSE);
        assert_int_equal(r.nrecords, complete);
        assert_memory_equal(buf_cstr(&r.records), expected, r.records.len);
        reading_free(&r);
    }
}

/* ---- other forms ---- */

TEST(any_namespace_prefix_and_form_of_time)
{
    static const char *const docs[] = {
        "<session_list><session lsid=\"" LSID "\"><start_time>1700000000</start_time>"
        "<end_time>2023-11-14T23:13:20Z</end_time></session></session_list>",
        "<bt:session_list xmlns:bt=\"urn:x\"><bt:session lsid=\"{DA4B510B-A1B0-4BD3-B9E1-FA6BD9AD4F3C}\">"
        "<bt:start_time ts=\"1700000000\"/><bt:end_time ts=\"1700003600\">x</bt:end_time></bt:session>"
        "</bt:session_list>",
        "<p:session_list><p:session p:lsid=\"" LSID "\"><p:start_time timestamp=\"1700000000\"/>"
        "<p:end_time timestamp=\"1700003600\"/></p:session></p:session_list>",
        "\xef\xbb\xbf<session_list xmlns=\"http://www.bomgar.com/namespaces/API/reporting\"><session "
        "x=\"&lt;\" "
        "lsid='" LSID "'><end_time timestamp='1700003600'/><start_time timestamp='1700000000'/></session>"
        "</session_list>",
    };

    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        struct reading r;
        case_label("document %zu", i);
        read_sessions(&r, docs[i], strlen(docs[i]), 0);
        assert_int_equal(r.fault, PRA_OK);
        assert_string_equal(buf_cstr(&r.records),
                            "session lsid=" LSID " start=1700000000 end=1700003600 cut=0\n");
        reading_free(&r);
    }
}

TEST(a_running_session_and_a_jump_client)
{
    static const char xml[] = LIST "<session lsid=\"" LSID "\"><start_time timestamp=\"5\"/><end_time "
                                   "timestamp=\"\"></end_time></session>"
                                   "<session lsid=\"" LSID2 "\"><start_time timestamp=\"6\"/>"
                                   "<jumpoint id=\"0\">J</jumpoint></session></session_list>";
    struct reading r;

    read_sessions(&r, xml, strlen(xml), 0);
    assert_string_equal(buf_cstr(&r.records),
                        "session lsid=" LSID " start=5 cut=0\n"
                        "session lsid=" LSID2 " start=6 jumpoint_id=0 jumpoint_name=J cut=0\n");
    reading_free(&r);
}

TEST(a_session_without_lsid_is_left_out)
{
    static const char xml[] = "<session_list><session><lseq>1</lseq></session><session lsid=\"nonsense\"/>"
                              "<session lsid=\"" LSID "\"/></session_list>";
    struct reading r;

    read_sessions(&r, xml, strlen(xml), 0);
    assert_int_equal(r.fault, PRA_OK);
    assert_string_equal(buf_cstr(&r.records), "session lsid=" LSID " cut=0\n");
    assert_string_equal(buf_cstr(&r.refused), "-: the session has no lsid\n-: the session has no lsid\n");
    reading_free(&r);
}

/* ---- texts ---- */

static void check_body(const char *raw, size_t n, const char *body, size_t piece)
{
    struct buf xml = BUF_INIT(1 << 16);
    struct reading r;

    (void)buf_str(&xml, "<session_list><session lsid=\"" LSID "\"><session_details><event><body>");
    (void)buf_append(&xml, raw, n);
    (void)buf_str(&xml, "</body></event></session_details></session></session_list>");
    read_sessions(&r, xml.data, xml.len, piece);
    char want[256];
    (void)snprintf(want, sizeof(want), "session lsid=" LSID " cut=0\n  event body=%s\n", body);
    assert_string_equal(buf_cstr(&r.records), want);
    assert_int_equal(r.fault, PRA_OK);
    reading_free(&r);
    buf_free(&xml);
}

TEST(letters_that_are_none_are_mended)
{
    static const struct {
        const char *raw;
        size_t n;
        const char *body;
    } rows[] = {
        {"a\0b", 3, "ab"},
        {"a\xff"
         "b",
         3,
         "a\xef\xbf\xbd"
         "b"},
        {"a\xc3", 2, "a\xef\xbf\xbd"},
        {"\xe2\x82z", 3, "\xef\xbf\xbdz"},
        {"\xe2\x82\xac", 3, "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\x01z", 3, "a\xef\xbf\xbdz"},
        {"\xef\xbf\xbe", 3, "\xef\xbf\xbd"},
        {"\xc3\xc3\xa9", 3, "\xef\xbf\xbd\xc3\xa9"},
        {"a&#27;[0m&#x1B;", 16, "a\xef\xbf\xbd[0m\xef\xbf\xbd"},
        {"a&#0;b&#x00;", 12, "ab"},
        {"&#xD800;&#57343;&#xfffe;", 24, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"&#1114112;&#x99999999999999999;", 31, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"&#65;&#x20AC;&amp;&lt;&#33;", 27, "A\xe2\x82\xac&<!"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 0; piece < 5; piece++) {
            case_label("row %zu in pieces of %zu", i, piece);
            check_body(rows[i].raw, rows[i].n, rows[i].body, piece);
        }
    }
}

/* What is no reference, or too long for one, is the parser's to refuse. */
TEST(references_that_are_none_end_the_answer)
{
    static const char *const rows[] = {
        "&#;",    "&#x;",  "&#1a;", "&#X1b;", "&#27",
        "& #27;", "&x#1;", "&#-1;", "&&#27;", "&#00000000000000000000000000000000027;"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 0; piece < 5; piece++) {
            struct buf xml = BUF_INIT(1 << 16);
            struct reading r;

            case_label("%s in pieces of %zu", rows[i], piece);
            (void)buf_printf(
                &xml, "<session_list><session lsid=\"" LSID "\"><a>%s</a></session></session_list>", rows[i]);
            read_sessions(&r, xml.data, xml.len, piece);
            assert_int_equal(r.fault, PRA_NONSENSE);
            reading_free(&r);
            buf_free(&xml);
        }
    }
}

TEST(a_long_text_is_cut_and_counted)
{
    struct buf xml = BUF_INIT(8 << 20);
    struct reading r;

    (void)buf_str(&xml, "<session_list><session lsid=\"" LSID "\"><session_details><event><body>");
    for (int i = 0; i < 700000; i++)
        (void)buf_str(&xml, "\xc3\xa9");
    (void)buf_str(&xml, "</body></event></session_details></session></session_list>");
    read_sessions(&r, xml.data, xml.len, 30001);
    assert_int_equal(r.fault, PRA_OK);
    assert_int_equal(r.ncut, 1);
    assert_non_null(strstr(buf_cstr(&r.records), " cut=1\n"));
    assert_true(r.records.len > (1U << 20) && r.records.len < (1U << 20) + 200);
    reading_free(&r);
    buf_free(&xml);
}

/* ---- hostile answers ---- */

static void check_refusal(const char *xml, size_t n, enum pra_fault fault, const char *word)
{
    struct reading r;

    read_sessions(&r, xml, n, 4096);
    if (r.fault != fault || !strstr(r.text, word))
        fail_msg("%.60s: fault %d (%s), not %d (%s)", xml, r.fault, r.text, fault, word);
    assert_int_equal(r.nrecords, 0);
    reading_free(&r);
}

TEST(what_is_no_report_ends_the_answer)
{
    static const struct {
        const char *xml;
        enum pra_fault fault;
        const char *word;
    } rows[] = {
        {"", PRA_NONSENSE, "not well-formed"},
        {"   ", PRA_NONSENSE, "not well-formed"},
        {"<html><body>Sign in</body></html>", PRA_WEB_PAGE, ""},
        {"<!DOCTYPE html><html></html>", PRA_WEB_PAGE, ""},
        {"<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;\">]><session_list>&b;</session_list>",
         PRA_NONSENSE, "document type"},
        {"<!DOCTYPE l SYSTEM \"file:///etc/passwd\"><session_list/>", PRA_NONSENSE, "document type"},
        {"<session_list>&b;</session_list>", PRA_NONSENSE, "not well-formed"},
        {"<?xml-stylesheet href=\"x\"?><session_list/>", PRA_NONSENSE, "processing instruction"},
        {"<session_list><?php x?></session_list>", PRA_NONSENSE, "processing instruction"},
        {"<session_summary_list/>", PRA_NONSENSE, "another kind"},
        {"<session_list></session_list><x/>", PRA_NONSENSE, "not well-formed"},
        {"<session_list><a></b></session_list>", PRA_NONSENSE, "not well-formed"},
        {"<error>Invalid lsid.</error>", PRA_SITE_ERROR, "Invalid lsid."},
        {"<session_list><error>You lack the permission.</error></session_list>", PRA_SITE_ERROR,
         "permission"},
        {"<session_list><error>No sessions found.</error></session_list>", PRA_NO_ROWS, ""},
        {"<session_list/>", PRA_OK, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("row %zu", i);
        check_refusal(rows[i].xml, strlen(rows[i].xml), rows[i].fault, rows[i].word);
    }
}

static void repeat(struct buf *to, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        (void)buf_str(to, text);
}

TEST(limits_of_the_document)
{
    struct buf xml = BUF_INIT(4 << 20);

    (void)buf_str(&xml, "<session_list>");
    repeat(&xml, "<a>", 32);
    check_refusal(xml.data, xml.len, PRA_NONSENSE, "nesting");
    buf_clear(&xml);
    (void)buf_str(&xml, "<session_list><a");
    for (int i = 0; i < 33; i++)
        (void)buf_printf(&xml, " a%d=\"\"", i);
    (void)buf_str(&xml, "/></session_list>");
    check_refusal(xml.data, xml.len, PRA_NONSENSE, "attributes");
    buf_clear(&xml);
    (void)buf_str(&xml, "<session_list><");
    repeat(&xml, "n", 129);
    (void)buf_str(&xml, "/></session_list>");
    check_refusal(xml.data, xml.len, PRA_NONSENSE, "name is too long");
    buf_clear(&xml);
    (void)buf_str(&xml, "<session_list><a b=\"");
    repeat(&xml, "12345678", 1025);
    (void)buf_str(&xml, "\"/></session_list>");
    check_refusal(xml.data, xml.len, PRA_NONSENSE, "attribute is too long");
    buf_clear(&xml);
    (void)buf_str(&xml, "<session_list><!--");
    repeat(&xml, "12345678", 65536);
    check_refusal(xml.data, xml.len, PRA_NONSENSE, "too long");
    buf_free(&xml);
}

/* A session that is too large is left out; the others come. */
TEST(a_session_over_its_limits_is_refused)
{
    struct buf xml = BUF_INIT(32 << 20);
    struct reading r;

    (void)buf_str(&xml, "<session_list><session lsid=\"" LSID "\"><session_details>");
    repeat(&xml, "<event><body>0123456789</body></event>", 2000);
    (void)buf_str(&xml,
                  "</session_details><rep_list><representative/></rep_list></session><session lsid=\"" LSID2
                  "\"/></session_list>");
    reading_run(&r, &report_session_list, REPORT_SESSIONS, xml.data, xml.len, 5000, 100000);
    assert_int_equal(r.fault, PRA_OK);
    assert_string_equal(buf_cstr(&r.records), "session lsid=" LSID2 " cut=0\n");
    assert_string_equal(buf_cstr(&r.refused), LSID ": the session is larger than max_session\n");
    assert_true(r.most_bytes <= 100000);
    reading_free(&r);
    buf_clear(&xml);
    (void)buf_str(&xml, "<session_list><session lsid=\"" LSID "\"><session_details>");
    repeat(&xml, "<event/>", REPORT_EVENTS_MAX);
    size_t before = xml.len;
    (void)buf_str(&xml, "</session_details></session></session_list>");
    read_sessions(&r, xml.data, xml.len, 0);
    assert_int_equal(r.nrecords, 1);
    reading_free(&r);
    xml.len = before;
    (void)buf_str(&xml, "<event/></session_details></session></session_list>");
    read_sessions(&r, xml.data, xml.len, 0);
    assert_int_equal(r.nrecords, 0);
    assert_non_null(strstr(buf_cstr(&r.refused), "more than 200000 events"));
    reading_free(&r);
    buf_free(&xml);
}

/* ---- the other reports ---- */

TEST(a_listing)
{
    static const char xml[] =
        "<session_summary_list><session_summary lsid=\"" LSID "\" has_recording=\"1\"/>"
        "<session_summary lsid=\"x\"/><session_summary has_recording=\"0\" lsid=\"" LSID2
        "\"></session_summary></session_summary_list>";
    struct reading r;

    reading_run(&r, &report_listing, REPORT_LISTED, xml, strlen(xml), 7, 0);
    assert_int_equal(r.fault, PRA_OK);
    assert_string_equal(buf_cstr(&r.records), "listed " LSID " 1\nlisted " LSID2 " 0\n");
    assert_int_equal(r.nrefused, 1);
    reading_free(&r);
}

/* More rows than one batch takes. */
TEST(a_long_listing_comes_in_batches)
{
    struct buf xml = BUF_INIT(1 << 20);
    struct reading r;

    (void)buf_str(&xml, "<session_summary_list>");
    repeat(&xml, "<session_summary lsid=\"" LSID "\"/>", 3000);
    (void)buf_str(&xml, "</session_summary_list>");
    reading_run(&r, &report_listing, REPORT_LISTED, xml.data, xml.len, 4096, 0);
    assert_int_equal(r.nrecords, 3000);
    assert_true(r.most_bytes < 2U * BATCH_BYTES);
    reading_free(&r);
    buf_free(&xml);
}

TEST(activity_of_teams)
{
    static const char xml[] =
        "<team_activity_list><team_activity id=\"4\" name=\"Ops\"><events><event timestamp=\"10\" "
        "event_type=\"Conference Member Added\"><performed_by>Ann</performed_by><data><value "
        "name=\"user_id\" "
        "value=\"7\"/></data></event><event event_type=\"no time\"/></events></team_activity>"
        "<team_activity><events><event timestamp=\"11\"/></events></team_activity></team_activity_list>";
    struct reading r;

    reading_run(&r, &report_team_list, REPORT_TEAM, xml, strlen(xml), 5, 0);
    assert_int_equal(r.fault, PRA_OK);
    assert_string_equal(
        buf_cstr(&r.records),
        "team team_id=4 name=Ops timestamp=10 type=Conference Member Added performed_by=Ann [user_id=7]\n"
        "team timestamp=11\n");
    assert_int_equal(r.nrefused, 1);
    reading_free(&r);
}

TEST(activity_of_the_vault)
{
    static const char xml[] =
        "<vault_account_activity_list><vault_account_activity timestamp=\"10\" event_type=\"Credentials "
        "Used\" "
        "account=\"12\"><performed_by id=\"7\" type=\"User\">Ann</performed_by><data>" LSID "</data>"
        "</vault_account_activity><vault_account_activity timestamp=\"11\" event_type=\"Account Deleted\" "
        "account=\"13\"/></vault_account_activity_list>";
    struct reading r;

    reading_run(&r, &report_vault_list, REPORT_VAULT_ACTIVITY, xml, strlen(xml), 0, 0);
    assert_int_equal(r.fault, PRA_OK);
    assert_string_equal(buf_cstr(&r.records),
                        "vault timestamp=10 event_type=Credentials Used account_id=12 performed_by=Ann "
                        "performed_by_type=User data=" LSID "\n"
                        "vault timestamp=11 event_type=Account Deleted account_id=13\n");
    reading_free(&r);
}

TEST(attributes_of_an_active_session)
{
    static const char *const good[] = {
        "<custom_attributes/>",
        "<x:session><custom_attribute code_name=\"a\">b</custom_attribute></x:session>"};
    struct reading r;

    for (size_t i = 0; i < 2; i++) {
        reading_run(&r, &report_attributes, REPORT_SESSIONS, good[i], strlen(good[i]), 0, 0);
        assert_int_equal(r.fault, PRA_OK);
        assert_int_equal(r.nrecords, 0);
        reading_free(&r);
    }
    reading_run(&r, &report_attributes, REPORT_SESSIONS, "<HTML/>", 7, 0, 0);
    assert_int_equal(r.fault, PRA_WEB_PAGE);
    reading_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_of_sessions),
        cmocka_unit_test(any_pieces_give_the_same),
        cmocka_unit_test(an_answer_that_is_cut_at_any_byte),
        cmocka_unit_test(any_namespace_prefix_and_form_of_time),
        cmocka_unit_test(a_running_session_and_a_jump_client),
        cmocka_unit_test(a_session_without_lsid_is_left_out),
        cmocka_unit_test(letters_that_are_none_are_mended),
        cmocka_unit_test(references_that_are_none_end_the_answer),
        cmocka_unit_test(a_long_text_is_cut_and_counted),
        cmocka_unit_test(what_is_no_report_ends_the_answer),
        cmocka_unit_test(limits_of_the_document),
        cmocka_unit_test(a_session_over_its_limits_is_refused),
        cmocka_unit_test(a_listing),
        cmocka_unit_test(a_long_listing_comes_in_batches),
        cmocka_unit_test(activity_of_teams),
        cmocka_unit_test(activity_of_the_vault),
        cmocka_unit_test(attributes_of_an_active_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
