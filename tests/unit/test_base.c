/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base.c - buffers, deadlines, clocks, texts, secrets, faults, ids and metrics.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/memory/secret.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/timers.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(buf_keeps_its_limit)
{
    struct buf b = BUF_INIT(10);

    assert_int_equal(buf_str(&b, "12345"), 0);
    assert_int_equal(buf_str(&b, "67890"), 0);
    assert_int_equal(buf_char(&b, 'x'), -EMSGSIZE);
    assert_true(b.failed);
    assert_int_equal(b.len, 10);
    assert_string_equal(buf_cstr(&b), "1234567890");
    buf_consume(&b, 4);
    assert_string_equal(buf_cstr(&b), "567890");
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -EMSGSIZE);
    buf_clear(&b);
    assert_false(b.failed);
    assert_int_equal(buf_printf(&b, "%d-%s", 12, "ab"), 0);
    assert_string_equal(buf_cstr(&b), "12-ab");
    assert_int_equal(buf_printf(&b, "%s", "too long"), -EMSGSIZE);
    buf_free(&b);
    assert_int_equal(b.max, 10);
}

TEST(buf_wipes_what_it_leaves)
{
    struct buf b = BUF_INIT(100);

    assert_int_equal(buf_str(&b, "secret!"), 0);
    buf_consume(&b, 3);
    assert_memory_equal(b.data, "ret!\0\0\0", 7);
    buf_clear(&b);
    assert_memory_equal(b.data, "\0\0\0\0", 4);
    buf_free(&b);
}

TEST(buf_moves)
{
    struct buf a = BUF_INIT(100), b = BUF_INIT(50);

    assert_int_equal(buf_str(&a, "old"), 0);
    assert_int_equal(buf_str(&b, "new"), 0);
    buf_move(&a, &b);
    assert_string_equal(buf_cstr(&a), "new");
    assert_int_equal(b.len, 0);
    buf_free(&a);
    buf_free(&b);
}

/* ---- deadlines ------------------------------------------------------------------------------------------
 */

static uint64_t fake_ms;
static uint64_t fake_now(void *arg)
{
    (void)arg;
    return fake_ms;
}
static const struct clock fake = {.now_ms = fake_now};

struct job {
    struct deadline d;
    int id;
};
static int fired[2048];
static size_t nfired;
static struct timers *timers;

static void on_fire(struct deadline *d)
{
    fired[nfired++] = ((struct job *)d)->id;
}

static void on_again(struct deadline *d)
{
    on_fire(d);
    assert_int_equal(timer_start(timers, d, 0, on_again), 0);
}

static int setup_timers(void **state)
{
    (void)state;
    fake_ms = 1000;
    nfired = 0;
    timers = timers_new(&fake);
    return timers ? 0 : -1;
}

static int teardown_timers(void **state)
{
    (void)state;
    timers_free(timers);
    return 0;
}

TEST(deadlines_fire_in_order)
{
    static struct job jobs[1000];
    unsigned seed = 7;

    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < 1000; i++) {
        jobs[i].id = i;
        assert_int_equal(timer_start(timers, &jobs[i].d, (uint64_t)(rand_r(&seed) % 500), on_fire), 0);
    }
    for (int i = 0; i < 1000; i += 3)
        timer_stop(timers, &jobs[i].d);
    for (int i = 1; i < 1000; i += 3)
        assert_int_equal(timer_start(timers, &jobs[i].d, (uint64_t)(rand_r(&seed) % 500), on_fire), 0);
    uint64_t last = 0;
    while (timers_count(timers)) {
        fake_ms += timers_next(timers);
        size_t before = nfired;
        (void)timers_run(timers);
        assert_true(nfired > before);
        for (size_t i = before; i < nfired; i++) {
            assert_true(jobs[fired[i]].d.at_ms >= last);
            assert_true(jobs[fired[i]].d.at_ms <= fake_ms);
            last = jobs[fired[i]].d.at_ms;
        }
    }
    assert_int_equal(nfired, 666);
}

TEST(equal_deadlines_keep_their_order)
{
    struct job jobs[20] = {0};

    for (int i = 0; i < 20; i++) {
        jobs[i].id = i;
        assert_int_equal(timer_start(timers, &jobs[i].d, 5, on_fire), 0);
    }
    fake_ms += 5;
    assert_true(timers_run(timers) == UINT64_MAX);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fired[i], i);
}

TEST(a_deadline_that_restarts_waits_for_the_next_run)
{
    struct job job = {.id = 1};

    assert_int_equal(timer_start(timers, &job.d, 0, on_again), 0);
    assert_int_equal(timers_run(timers), 0);
    assert_int_equal(nfired, 1);
    assert_int_equal(timers_run(timers), 0);
    assert_int_equal(nfired, 2);
    timer_stop(timers, &job.d);
    timer_stop(timers, &job.d);
    assert_false(timer_running(&job.d));
}

/* The heap doubles when it is full: at each size the places are there when nothing more can be started. */
TEST(a_reserved_deadline_has_room)
{
    static struct job jobs[300], own[2];

    memset(jobs, 0, sizeof jobs);
    memset(own, 0, sizeof own);
    for (int i = 0; i < 2; i++) {
        own[i].id = 1000 + i;
        assert_int_equal(timer_reserve(timers, &own[i].d), 0);
        assert_int_equal(timer_reserve(timers, &own[i].d), 0);
    }
    for (int i = 0; i < 300; i++) {
        jobs[i].id = i;
        assert_int_equal(timer_start(timers, &jobs[i].d, 10, on_fire), 0);
        timer_set(timers, &own[0].d, 5, on_fire);
        timer_set(timers, &own[1].d, 5, on_fire);
        timer_set(timers, &own[1].d, 6, on_fire);
        timer_stop(timers, &own[0].d);
        timer_stop(timers, &own[1].d);
    }
    timer_set(timers, &own[0].d, 5, on_fire);
    assert_int_equal(timers_count(timers), 301);
    fake_ms += 5;
    assert_int_equal(timers_run(timers), 5);
    assert_int_equal(nfired, 1);
    assert_int_equal(fired[0], 1000);
    timer_set(timers, &own[0].d, 0, on_fire);
    for (int i = 0; i < 2; i++) {
        timer_unreserve(timers, &own[i].d);
        timer_unreserve(timers, &own[i].d);
        assert_false(timer_running(&own[i].d));
    }
    fake_ms += 5;
    assert_int_equal(timers_run(timers), UINT64_MAX);
    assert_int_equal(nfired, 301);
}

static int changes;
static void on_change(void *arg)
{
    (void)arg;
    changes++;
}

TEST(a_change_of_the_earliest_is_reported)
{
    struct job a = {0}, b = {0};

    changes = 0;
    timers_on_change(timers, on_change, NULL);
    assert_int_equal(timer_start(timers, &a.d, 100, on_fire), 0);
    assert_int_equal(changes, 1);
    assert_int_equal(timer_start(timers, &b.d, 200, on_fire), 0);
    assert_int_equal(changes, 1);
    assert_int_equal(timer_start(timers, &b.d, 50, on_fire), 0);
    assert_int_equal(changes, 2);
    assert_int_equal(timer_start(timers, &b.d, 20, on_fire), 0); /* the same one, sooner */
    assert_int_equal(changes, 3);
    timer_stop(timers, &a.d);
    assert_int_equal(changes, 3);
    timer_stop(timers, &b.d);
    assert_int_equal(changes, 4);
}

/* ---- clocks, texts, secrets -----------------------------------------------------------------------------
 */

TEST(dates_are_read_and_written)
{
    char text[CLOCK_RFC3339_SIZE];
    int64_t ms = 0;

    assert_int_equal(clock_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", &ms), 0);
    assert_int_equal(ms, 784111777000);
    assert_string_equal(clock_rfc3339(ms, text), "1994-11-06T08:49:37Z");
    assert_int_equal(clock_parse_http_date("yesterday", &ms), -EINVAL);
    assert_int_equal(clock_parse_vault_date("2019-05-30T07:30:48.16", &ms), 0);
    assert_int_equal(ms % 1000, 160);
    assert_int_equal(clock_parse_vault_date("2019-07-01T21:00:00", &ms), 0);
    assert_int_equal(clock_parse_vault_date("2026-03-10T09:30:12.1234567Z", &ms), 0);
    assert_int_equal(ms % 1000, 123);
    assert_int_equal(clock_parse_vault_date("2026-03-10", &ms), -EINVAL);
}

TEST(texts_are_copied_read_and_encoded)
{
    char out[16], path[] = "a%20b+c%C3%A9", bad[] = "%zz", nul[] = "%00";
    int64_t n;
    unsigned char bytes[2];

    assert_false(text_copy(out, 4, "abcd"));
    assert_string_equal(out, "abc");
    assert_true(text_int("-12", -20, 0, &n) && n == -12);
    assert_false(text_int("12x", 0, 100, &n));
    assert_false(text_int(" 12", 0, 100, &n));
    assert_false(text_int("99999999999999999999", 0, INT64_MAX, &n));
    assert_true(text_url_encode(out, sizeof(out), "a\\b c"));
    assert_string_equal(out, "a%5Cb%20c");
    assert_false(text_url_encode(out, 5, "a\\b"));
    assert_true(text_url_decode(path, true));
    assert_string_equal(path, "a b c\xc3\xa9");
    assert_false(text_url_decode(bad, false));
    assert_false(text_url_decode(nul, false));
    assert_int_equal(text_distance("realease_duration", "release_duration"), 1);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_true(text_is_ip("10.0.0.1") && text_is_ip("::1") && text_is_ip("[fe80::1]"));
    assert_false(text_is_ip("ledger01") || text_is_ip("10.0.0"));
    assert_true(text_unhex(bytes, 2, "a0FF") && bytes[0] == 0xa0 && bytes[1] == 0xff);
    assert_false(text_unhex(bytes, 2, "a0F"));
}

TEST(secrets_are_read_from_files)
{
    char path[] = "/tmp/jumpgate-secret-XXXXXX";
    struct secret s = {0};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "k\xc3\xa9y 1\r\n", 8), 8);
    assert_int_equal(secret_read_file(&s, path, 6), 0);
    assert_true(secret_equal(&s, "k\xc3\xa9y 1", 6));
    assert_false(secret_equal(&s, "k\xc3\xa9y 2", 6));
    assert_int_equal(secret_read_file(&s, path, 5), -EMSGSIZE);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(secret_read_file(&s, path, 10), -ENODATA);
    assert_int_equal(secret_read_file(&s, "/nonexistent", 10), -ENOENT);
    assert_int_equal(unlink(path), 0); /* a FIFO that no process writes to is not waited for */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(secret_read_file(&s, path, 10), -ENODATA);
    secret_clear(&s);
    assert_null(s.p);
    (void)close(fd);
    (void)unlink(path);
}

TEST(a_fault_says_utf8)
{
    struct fault f;

    fault_set(&f, FAULT_INVALID_REQUEST, "`%.4s` is odd, `%s` is not", "abc\xc3\xa9", "zo\xc3\xab");
    assert_string_equal(f.detail, "`abc?` is odd, `zo\xc3\xab` is not");
    fault_add(&f, "\xff\xf0\x9f\x98\x80");
    assert_string_equal(f.detail, "`abc?` is odd, `zo\xc3\xab` is not; ?\xf0\x9f\x98\x80");
}

TEST(every_fault_has_a_row)
{
    for (int i = 0; i < FAULT_NCODES; i++) {
        const struct fault_row *row = fault_row((enum fault_code)i);
        assert_non_null(row->code);
        assert_true(row->status >= 200 && row->status < 600);
        if (row->status == 503 || row->status == 429)
            assert_true(row->retry_after_s > 0);
    }
    struct fault f;
    fault_set(&f, FAULT_OVERLOADED, "%d in flight", 4096);
    assert_int_equal(fault_status(&f), 503);
    assert_string_equal(f.detail, "4096 in flight");
}

TEST(ids_differ)
{
    char a[ID_SIZE], b[ID_SIZE];

    assert_int_equal(id_new(a), 0);
    assert_int_equal(id_new(b), 0);
    assert_string_not_equal(a, b);
    assert_true(text_only(a, "0123456789abcdefghjkmnpqrstvwxyz"));
    assert_int_equal(strlen(a), ID_SIZE - 1);
}

TEST(ids_of_one_tag)
{
    char a[ID_SIZE], b[ID_SIZE], tag[ID_TAG_SIZE];

    assert_int_equal(id_new_tagged("abc09", a), 0);
    assert_int_equal(id_new_tagged("abc09", b), 0);
    assert_string_not_equal(a, b);
    assert_true(text_only(a, "0123456789abcdefghjkmnpqrstvwxyz"));
    assert_true(id_tag(a, tag));
    assert_string_equal(tag, "abc09");
    assert_false(id_tag("abc09", tag));
    assert_false(id_tag("abcdefghijklmnopqrstuvwxyz", tag)); /* i, l, o and u are no letters of an id */
}

TEST(metrics_are_rendered_in_families)
{
    static struct metric a = {.name = "x_total", .help = "x", .labels = "op=\"a\""};
    static struct metric g = {.name = "g", .help = "a gauge", .kind = METRIC_GAUGE};
    static struct metric b = {.name = "x_total", .help = "x", .labels = "op=\"b\""};
    static struct metric h = {.name = "h_seconds", .help = "h", .kind = METRIC_HISTOGRAM};
    struct buf out = BUF_INIT(10000);

    metric_register(&a);
    metric_register(&g);
    metric_register(&b);
    metric_register(&b);
    metric_register(&h);
    metric_add(&b, 3);
    g.value = 0.5;
    metric_observe_us(&h, 1000);
    metric_observe_us(&h, 60000000);
    metrics_render(&out);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "# HELP x_total x\n# TYPE x_total counter\nx_total{op=\"a\"} 0\n"
                                 "x_total{op=\"b\"} 3\n# HELP g a gauge\n# TYPE g gauge\ng 0.5\n"));
    assert_non_null(strstr(text, "h_seconds_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text, "h_seconds_bucket{le=\"30\"} 1\n"));
    assert_non_null(
        strstr(text, "h_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 60.001\nh_seconds_count 2\n"));
    buf_free(&out);
    metric_unregister_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_keeps_its_limit),
        cmocka_unit_test(buf_wipes_what_it_leaves),
        cmocka_unit_test(buf_moves),
        cmocka_unit_test_setup_teardown(deadlines_fire_in_order, setup_timers, teardown_timers),
        cmocka_unit_test_setup_teardown(equal_deadlines_keep_their_order, setup_timers, teardown_timers),
        cmocka_unit_test_setup_teardown(a_deadline_that_restarts_waits_for_the_next_run, setup_timers,
                                        teardown_timers),
        cmocka_unit_test_setup_teardown(a_reserved_deadline_has_room, setup_timers, teardown_timers),
        cmocka_unit_test_setup_teardown(a_change_of_the_earliest_is_reported, setup_timers, teardown_timers),
        cmocka_unit_test(dates_are_read_and_written),
        cmocka_unit_test(texts_are_copied_read_and_encoded),
        cmocka_unit_test(secrets_are_read_from_files),
        cmocka_unit_test(a_fault_says_utf8),
        cmocka_unit_test(every_fault_has_a_row),
        cmocka_unit_test(ids_differ),
        cmocka_unit_test(ids_of_one_tag),
        cmocka_unit_test(metrics_are_rendered_in_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
