/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_text.c - what the hot paths write and read by themselves, held against the C library: numbers,
 * formats, dates, runs of plain text, ids, digests.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "base/text.h"
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- formats ---- */

__attribute__((format(printf, 1, 2))) static void check_format(const char *fmt, ...)
{
    struct buf b = BUF_INIT(4096);
    char expected[1024];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(expected, sizeof(expected), fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof(expected));
    assert_int_equal(buf_str(&b, "before "), 0);
    va_start(ap, fmt);
    assert_int_equal(buf_vprintf(&b, fmt, ap), 0);
    va_end(ap);
    assert_string_equal(buf_cstr(&b) + 7, expected);
    assert_int_equal(b.len, (size_t)n + 7);
    buf_free(&b);
}

TEST(formats_are_as_printf_writes_them)
{
    check_format("nothing");
    check_format("%s", "");
    check_format("a %s b %s", "one", "two");
    check_format("%.*s|%.3s|%.19s|%.0s", 2, "abcdef", "abcdef", "short", "gone");
    check_format("%c%c", 'x', 'y');
    check_format("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    check_format("%u %x %08x %04x", UINT_MAX, UINT_MAX, 0xbeefU, 0x12345U);
    check_format("%ld %lu %lx", LONG_MIN, ULONG_MAX, 255UL);
    check_format("%lld %llu", LLONG_MIN, ULLONG_MAX);
    check_format("%zu %jd %ju", (size_t)7, (intmax_t)-7, UINTMAX_MAX);
    check_format("%" PRId64 " %" PRIu64, INT64_MIN, UINT64_MAX);
    check_format("%020" PRIu64 " %016d %03u %04d %01d", UINT64_C(42), 0, 7U, -7, -7);
    check_format("%02d-%02d", 3, 12345);
    /* what is left to the C library, in the middle as well */
    check_format("%s %-5s|%5d|%+d|%5.1f|%%|%p|%X", "first", "ab", 7, 7, 2.5, (void *)0, 0xabcU);
    check_format("%s %d %.3f %s", "first", -3, 0.5, "last");
    check_format("%050d", 1);
    check_format("%.3d", 7);
}

TEST(a_format_that_does_not_fit_leaves_nothing)
{
    struct buf b = BUF_INIT(8);

    assert_int_equal(buf_str(&b, "1234"), 0);
    assert_int_equal(buf_printf(&b, "%s%s", "567", "890"), -EMSGSIZE);
    assert_true(b.failed);
    assert_string_equal(buf_cstr(&b), "1234");
    assert_int_equal(b.data[5], 0); /* wiped */
    b.failed = false;
    assert_int_equal(buf_printf(&b, "%5.1f", 12345.0), -EMSGSIZE);
    assert_true(b.failed);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_int_equal(buf_printf(&b, "%s", "5678"), 0);
    assert_string_equal(buf_cstr(&b), "12345678");
    assert_int_equal(buf_char(&b, '9'), -EMSGSIZE);
    buf_free(&b);
}

/* ---- dates ---- */

static void check_date(int64_t seconds)
{
    char expected[64], text[CLOCK_RFC3339_SIZE];
    time_t t = (time_t)seconds;
    struct tm tm;
    int64_t ms = 0;

    assert_non_null(gmtime_r(&t, &tm));
    assert_true(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm));
    assert_string_equal(clock_rfc3339(seconds * 1000 + 999, text), expected);
    assert_int_equal(clock_parse_vault_date(text, &ms), 0);
    assert_true(ms == seconds * 1000);
    assert_true(strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm));
    assert_int_equal(clock_parse_http_date(expected, &ms), 0);
    assert_true(ms == seconds * 1000);
}

TEST(every_day_of_the_calendar)
{
    for (int64_t day = 0; day < INT64_C(2932897); day += day < 60000 ? 1 : 97) /* to the end of 9999 */
        check_date(day * 86400 + day % 86400);
    check_date(INT64_C(253402300799));
}

TEST(dates_of_other_forms_are_refused)
{
    static const char *const bad[] = {
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nvo 1994 08:49:37 GMT",
        "Sun, 06",
        "Su",
        "",
        "Sun, 06 Nov 1994 08:60:37 GMT",
    };
    static const char *const bad_vault[] = {"2019-13-01T00:00:00",
                                            "2019-01-01 00:00:00",
                                            "2019-01-01T00:00",
                                            "2019-01-01T00:00:00+01:00",
                                            "2019-02-29T00:00:00",
                                            "2019-02-30T00:00:00",
                                            "2019-04-31T00:00:00",
                                            "2019-01-00T00:00:00",
                                            "",
                                            "2019"};
    char text[CLOCK_RFC3339_SIZE];
    int64_t ms = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(clock_parse_http_date(bad[i], &ms), -EINVAL);
    for (size_t i = 0; i < sizeof(bad_vault) / sizeof(bad_vault[0]); i++)
        assert_int_equal(clock_parse_vault_date(bad_vault[i], &ms), -EINVAL);
    assert_int_equal(clock_parse_http_date("sun, 06 nov 1994 08:49:60 GMT", &ms), 0); /* a leap second */
    assert_true(ms == INT64_C(784111800000));
    assert_int_equal(clock_parse_vault_date("0001-01-01T00:00:00", &ms), 0); /* .NET's "no date" */
    assert_true(ms == INT64_C(-62135596800000));
    assert_string_equal(clock_rfc3339(-1000, text), "-");
    assert_string_equal(clock_rfc3339(INT64_C(253402300800000), text), "-");
}

TEST(answers_hold_a_stamp_or_null)
{
    char text[CLOCK_RFC3339_SIZE];

    assert_string_equal(clock_rfc3339_or_null(784111777123, text), "1994-11-06T08:49:37Z");
    assert_string_equal(clock_rfc3339_or_null(INT64_C(253402300799999), text), "9999-12-31T23:59:59Z");
    assert_null(clock_rfc3339_or_null(0, text));
    assert_null(clock_rfc3339_or_null(-1, text));
    assert_null(clock_rfc3339_or_null(INT64_C(-62135596800000), text));
    assert_null(clock_rfc3339_or_null(INT64_C(253402300800000), text));
    assert_null(clock_rfc3339_or_null(INT64_MAX, text));
}

TEST(cookie_dates_come_in_all_forms)
{
    static const char *const forms[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",   "Sun Nov  6 08:49:37 1994",
    };
    static const char *const bad[] = {"", "soon", "06 Nov 1994", "Sun, 31-Nov-1994 08:49:37 GMT",
                                      "Sun, 06-Nov-1994 08:49:37 CET"};
    int64_t ms = 0;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_int_equal(clock_parse_cookie_date(forms[i], &ms), 0);
        assert_true(ms == 784111777000);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(clock_parse_cookie_date(bad[i], &ms), -EINVAL);
    assert_int_equal(clock_parse_cookie_date("Mon, 01-Jan-0001 00:00:00 GMT", &ms), 0);
    assert_true(ms < 0);
}

/* The stamp of one second may be kept; it must not be taken for another's, nor be lost with one that has
 * none. */
TEST(a_second_comes_again)
{
    static const struct {
        int64_t ms;
        const char *stamp;
    } row[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1000, "1970-01-01T00:00:01Z"},
        {1999, "1970-01-01T00:00:01Z"},
        {0, "1970-01-01T00:00:00Z"},
        {-1000, "-"},
        {0, "1970-01-01T00:00:00Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00Z"},
    };
    char text[CLOCK_RFC3339_SIZE];

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        assert_string_equal(clock_rfc3339(row[i].ms, text), row[i].stamp);
}

/* ---- runs ---- */

static size_t run_by_bytes(const char *p, size_t n)
{
    size_t i = 0;

    while (i < n && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

/* Each byte at each place of texts of each length, with the text ending where its memory ends. */
TEST(runs_end_at_the_first_special_byte)
{
    for (size_t n = 0; n <= 26; n++) {
        char *text = malloc(n ? n : 1);

        assert_non_null(text);
        memset(text, 'x', n);
        assert_int_equal(text_plain_run(text, n), n);
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                assert_int_equal(text_plain_run(text, n), run_by_bytes(text, n));
            }
            text[at] = 'x';
        }
        free(text);
    }
}

/* Two in one word: what marks the one must not hide the other, nor come before the first. */
TEST(of_two_special_bytes_the_first_ends_the_run)
{
    static const char second[] = "\x01\x1f\"\\\x7f\x80\xff";
    char text[16];

    for (size_t a = 0; a < sizeof(text); a++)
        for (size_t b = 0; b < sizeof(text); b++)
            for (size_t s = 0; s < sizeof(second) - 1; s++)
                for (int c = 0; c < 256; c++) {
                    memset(text, 'x', sizeof(text));
                    text[b] = second[s];
                    text[a] = (char)c;
                    assert_int_equal(text_plain_run(text, sizeof(text)), run_by_bytes(text, sizeof(text)));
                }
}

TEST(digits_have_their_width)
{
    char out[24] = "";

    *text_digits(out, 0, 0) = '\0';
    assert_string_equal(out, "0");
    *text_digits(out, 42, 5) = '\0';
    assert_string_equal(out, "00042");
    *text_digits(out, UINT64_MAX, 3) = '\0';
    assert_string_equal(out, "18446744073709551615");
}

/* ---- ids and digests ---- */

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, ID_SIZE);
}

/* More than one supply of random bytes holds. */
TEST(many_ids_differ)
{
    static char ids[100][ID_SIZE];

    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(id_new(ids[i]), 0);
        assert_int_equal(strspn(ids[i], "0123456789abcdefghjkmnpqrstvwxyz"), ID_SIZE - 1);
    }
    qsort(ids, 100, ID_SIZE, by_text);
    for (size_t i = 1; i < 100; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

TEST(digests_are_sha256)
{
    unsigned char digest[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];

    for (int again = 0; again < 2; again++) {
        assert_int_equal(digest_sha256("abc", 3, digest), 0);
        text_hex(hex, digest, sizeof(digest));
        assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(digest_sha256("", 0, digest), 0);
        text_hex(hex, digest, sizeof(digest));
        assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_as_printf_writes_them),
        cmocka_unit_test(a_format_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(every_day_of_the_calendar),
        cmocka_unit_test(dates_of_other_forms_are_refused),
        cmocka_unit_test(answers_hold_a_stamp_or_null),
        cmocka_unit_test(cookie_dates_come_in_all_forms),
        cmocka_unit_test(a_second_comes_again),
        cmocka_unit_test(runs_end_at_the_first_special_byte),
        cmocka_unit_test(of_two_special_bytes_the_first_ends_the_run),
        cmocka_unit_test(digits_have_their_width),
        cmocka_unit_test(many_ids_differ),
        cmocka_unit_test(digests_are_sha256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
