/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_audit.c - what an audit record holds, and what the policy makes of a sink that cannot.
 */
#include "broker/audit.h"
#include "check.h"
#include "fake_clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a sink that remembers ---- */

struct fake_sink {
    struct audit_sink sink; /* first */
    char last[AUDIT_MEMBERS_MAX + 1];
    unsigned puts, last_flags;
    int refuse_waits; /* error of a put with a wait; 0 = taken */
    struct audit_wait *wait;
};

static int fake_put(struct audit_sink *s, const char *members, size_t n, unsigned flags,
                    struct audit_wait *wait)
{
    struct fake_sink *f = (struct fake_sink *)s;

    if (wait && f->refuse_waits)
        return f->refuse_waits;
    memcpy(f->last, members, n);
    f->last[n] = '\0';
    f->last_flags = flags;
    f->puts++;
    f->wait = wait;
    return 0;
}

static void fake_forget(struct audit_sink *s, struct audit_wait *wait)
{
    struct fake_sink *f = (struct fake_sink *)s;

    if (f->wait == wait)
        f->wait = NULL;
}

static void fake_state(struct audit_sink *s, struct audit_state *state)
{
    (void)s;
    *state = (struct audit_state){.writable = true, .seq = 7};
}

static const struct audit_sink_ops fake_ops = {.put = fake_put, .forget = fake_forget, .state = fake_state};

static struct fake_sink sink;
static struct fake_clock fake;
static struct timers *timers;
static struct audit *audit;

static void open_audit(enum conf_audit_policy policy)
{
    audit = audit_new(&(struct audit_opts){.sink = &sink.sink, .timers = timers, .policy = policy});
    assert_non_null(audit);
}

static int setup(void **state)
{
    (void)state;
    memset(&sink, 0, sizeof(sink));
    sink.sink.ops = &fake_ops;
    fake_clock_init(&fake);
    timers = timers_new(&fake.clock);
    assert_non_null(timers);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    audit_free(audit);
    audit = NULL;
    assert_int_equal(timers_count(timers), 0);
    timers_free(timers);
    return 0;
}

/* ---- tests ---- */

TEST(a_record_holds_what_is_known)
{
    struct audit_note n;
    struct session s = {.id = "S-1", .username = "ann", .domain = "", .client = "pra", .trace_id = NULL};

    open_audit(AUDIT_STRICT);
    audit_note(&n, audit, "checkout");
    audit_session(&n, &s);
    audit_number(&n, "none", 0);
    audit_count(&n, "zero", 0);
    audit_moment(&n, "at", 1774000000123);
    audit_text(&n, "odd", "a\"b\\\n\x01");
    audit_write(&n);
    assert_string_equal(sink.last,
                        "\"event\":\"checkout\",\"client\":\"pra\",\"user\":\"ann\",\"session\":\"S-1\","
                        "\"zero\":0,\"at\":\"2026-03-20T09:46:40.123Z\",\"odd\":\"a\\\"b\\\\\\n\\u0001\"");
    assert_int_equal(sink.last_flags, AUDIT_KEEP);
}

TEST(a_record_names_the_gateway_of_several)
{
    struct audit_note n;

    audit = audit_new(&(struct audit_opts){.sink = &sink.sink, .timers = timers, .node = "gw1"});
    assert_non_null(audit);
    audit_note(&n, audit, "release");
    audit_count(&n, "released", 1);
    audit_write(&n);
    assert_string_equal(sink.last, "\"event\":\"release\",\"node\":\"gw1\",\"released\":1");
    audit_note(&n, audit, "release");
    n.buf.failed = true;
    audit_write(&n);
    assert_string_equal(sink.last, "\"event\":\"unrecorded\",\"node\":\"gw1\",\"error\":\"out of memory\"");
}

TEST(texts_are_cut_and_never_too_long)
{
    static char text[4 * AUDIT_TEXT_MAX];
    struct audit_note n;

    open_audit(AUDIT_STRICT);
    memset(text, 'x', sizeof(text) - 1);
    audit_note(&n, audit, "checkout");
    audit_text(&n, "long", text);
    audit_write(&n);
    assert_true(strlen(sink.last) < AUDIT_TEXT_MAX + 64);
    memset(text, 1, sizeof(text) - 1); /* six letters each */
    audit_note(&n, audit, "checkout");
    for (int i = 0; i < 6; i++)
        audit_text(&n, "long", text);
    audit_write(&n);
    assert_string_equal(sink.last, "\"event\":\"unrecorded\",\"error\":\"out of memory\"");
}

static const char *url_of(const char *url)
{
    struct audit_note n;

    audit_note(&n, audit, "x");
    audit_url(&n, "u", url);
    audit_write(&n);
    return sink.last + strlen("\"event\":\"x\"");
}

TEST(urls_are_recorded_without_their_secrets)
{
    open_audit(AUDIT_STRICT);
    assert_string_equal(url_of("https://h.test/a/b?token=1#f"), ",\"u\":\"https://h.test/a/b\"");
    assert_string_equal(url_of("https://me:pw@h.test:8443/a"), ",\"u\":\"https://h.test:8443/a\"");
    assert_string_equal(url_of("https://h.test?t=1/@x"), ",\"u\":\"https://h.test\"");
    assert_string_equal(url_of("https://h.test#@y"), ",\"u\":\"https://h.test\"");
    assert_string_equal(url_of("https://a@b@h.test/p@q"), ",\"u\":\"https://h.test/p@q\"");
    assert_string_equal(url_of("no url"), "");
    assert_string_equal(url_of(NULL), "");
}

static int await_one(struct audit_wait *w)
{
    struct audit_note n;

    audit_note(&n, audit, "checkout");
    return audit_await(&n, w);
}

TEST(strict_waits_or_refuses)
{
    struct audit_wait w = {0};

    open_audit(AUDIT_STRICT);
    assert_int_equal(await_one(&w), AUDIT_WAIT);
    assert_int_equal(sink.last_flags, 0); /* void if it does not come in time */
    assert_int_equal(audit_verdict(audit, 0), AUDIT_GO);
    assert_int_equal(audit_verdict(audit, -EIO), -EIO);
    audit_unwait(audit, &w);
    assert_null(sink.wait);
    sink.refuse_waits = -EBUSY;
    assert_int_equal(await_one(&w), -EBUSY);
    assert_int_equal(sink.puts, 1);
    assert_true(audit_is_strict(audit));
}

TEST(degraded_goes_on_and_keeps_the_record)
{
    struct audit_wait w = {0};

    open_audit(AUDIT_DEGRADED);
    assert_int_equal(await_one(&w), AUDIT_WAIT);
    assert_int_equal(sink.last_flags, AUDIT_KEEP);
    assert_int_equal(audit_verdict(audit, -EIO), AUDIT_GO);
    sink.refuse_waits = -EBUSY;
    assert_int_equal(await_one(&w), AUDIT_GO);
    assert_int_equal(sink.puts, 2);
    assert_null(sink.wait);
    assert_false(audit_is_strict(audit));
}

TEST(refused_strangers_are_counted)
{
    open_audit(AUDIT_STRICT);
    for (int i = 0; i < 1000; i++)
        audit_stranger(audit, "main", "10.0.0.1:5");
    assert_int_equal(sink.puts, 1);
    assert_non_null(strstr(sink.last, "\"count\":1,"));
    fake_clock_run(&fake, timers, MINUTES(1));
    assert_int_equal(sink.puts, 2);
    assert_non_null(strstr(sink.last, "\"count\":999,\"listener\":\"main\",\"peer\":\"10.0.0.1:5\""));
    fake_clock_run(&fake, timers, MINUTES(2));
    assert_int_equal(sink.puts, 2);
    assert_int_equal(timers_count(timers), 0); /* no wake-ups for nothing */
    audit_stranger(audit, "main", "10.0.0.1:6");
    assert_int_equal(sink.puts, 3);
    audit_stranger(audit, "main", "10.0.0.1:7");
    audit_free(audit); /* what was counted is not lost */
    audit = NULL;
    assert_int_equal(sink.puts, 4);
}

TEST(without_a_trail_no_caller_waits)
{
    struct audit_wait w = {0};
    struct audit_state s;

    assert_int_equal(await_one(&w), AUDIT_GO);
    assert_int_equal(audit_verdict(NULL, -EIO), AUDIT_GO);
    audit_unwait(NULL, &w);
    audit_stranger(NULL, "a", "b");
    audit_state(NULL, &s);
    assert_true(s.writable);
    assert_int_equal(sink.puts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        T(a_record_holds_what_is_known),     T(a_record_names_the_gateway_of_several),
        T(texts_are_cut_and_never_too_long), T(urls_are_recorded_without_their_secrets),
        T(strict_waits_or_refuses),          T(degraded_goes_on_and_keeps_the_record),
        T(refused_strangers_are_counted),    T(without_a_trail_no_caller_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
