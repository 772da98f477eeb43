/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_hints.c - word to other gateways of rows that were changed: for whom there is one, for how long,
 * and how many fit.
 */
#include "base/buf.h"
#include "check.h"
#include "stores/etcd_hints.h"

#include <stdio.h>
#include <string.h>

#define SELF "g0"

static struct {
    struct etcd_hints hints;
    struct etcd_hint_node behind; /* must never be touched */
} h;

static int setup(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    return 0;
}

static void note(enum store_step_kind kind, const char *owner, const char *mark, uint64_t now_ms)
{
    struct store_step step = {.kind = kind, .request = {.mark = mark, .owner = owner}};

    etcd_hints_note(&h.hints, &step, SELF, now_ms);
}

/* The puts, as JSON; "" = none. The next call replaces it. */
static const char *written(uint64_t now_ms)
{
    static char text[65536];
    struct buf out = BUF_INIT(sizeof(text));
    const struct etcd_writer w = {.out = &out, .prefix = "/p/"};

    (void)etcd_hints_write(&h.hints, &w, SELF, now_ms);
    assert_false(out.failed);
    (void)snprintf(text, sizeof(text), "%s", out.len ? buf_cstr(&out) : "");
    buf_free(&out);
    return text;
}

static unsigned puts_in(const char *text)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, "requestPut")); at++)
        n++;
    return n;
}

static unsigned nread;
static char read_marks[512];

static void on_mark(void *arg, const char *mark)
{
    (void)arg;
    nread++;
    (void)strncat(read_marks, mark, sizeof(read_marks) - strlen(read_marks) - 1);
    (void)strncat(read_marks, " ", sizeof(read_marks) - strlen(read_marks) - 1);
}

static const char *marks_of(const char *value)
{
    nread = 0;
    read_marks[0] = '\0';
    etcd_hints_read(value, strlen(value), on_mark, NULL);
    return read_marks;
}

/* What the list of a node would be. */
static const char *list_of(const char *node, uint64_t now_ms)
{
    for (size_t i = 0; i < ETCD_HINT_NODES; i++) {
        const struct etcd_hint_node *at = &h.hints.nodes[i];
        if (strcmp(at->node, node) != 0)
            continue;
        read_marks[0] = '\0';
        for (size_t j = 0; j < ETCD_HINT_MARKS; j++)
            if (*at->marks[j].mark && now_ms - at->marks[j].at_ms < 5000)
                on_mark(NULL, at->marks[j].mark);
        return read_marks;
    }
    return "";
}

TEST(word_goes_to_the_gateway_whose_request_was_changed)
{
    static const enum store_step_kind changes[] = {STEP_RELEASE, STEP_END,   STEP_CANCEL,
                                                   STEP_RETURN,  STEP_CLOSE, STEP_OPEN};
    char mark[16];

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        (void)snprintf(mark, sizeof(mark), "m%zu", i);
        note(changes[i], "g1@7", mark, 1000);
    }
    note(STEP_ASK, "g1@7", "asked", 1000); /* changes nothing of another */
    note(STEP_END, SELF "@7", "own", 1000);
    note(STEP_END, "", "nobody", 1000);
    note(STEP_END, "g1", "no epoch", 1000);
    note(STEP_END, SELF "x@1", "other", 1000); /* a name that begins as the own one */
    assert_string_equal(list_of("g1", 1000), "m0 m1 m2 m3 m4 m5 ");
    assert_string_equal(list_of(SELF "x", 1000), "other ");
    assert_string_equal(list_of(SELF, 1000), "");
    assert_int_equal(puts_in(written(1000)), 2);
    assert_string_equal(written(1000), ""); /* nothing new since */
    note(STEP_END, "g1@8", "again", 1100);  /* whatever its epoch */
    assert_string_equal(list_of("g1", 1100), "m0 m1 m2 m3 m4 m5 again ");
    assert_int_equal(puts_in(written(1100)), 1);
}

TEST(a_mark_is_kept_for_some_seconds)
{
    note(STEP_END, "g1@7", "old", 1000);
    size_t alone = strlen(written(1000));

    note(STEP_END, "g1@7", "new", 5999);
    assert_true(strlen(written(5999)) > alone); /* with both */
    note(STEP_END, "g1@7", "ne2", 10998);
    assert_string_equal(list_of("g1", 10998), "new ne2 ");
}

TEST(the_oldest_mark_makes_room)
{
    char mark[16];

    for (int i = 0; i < ETCD_HINT_MARKS + 1; i++) {
        (void)snprintf(mark, sizeof(mark), "m%d", i);
        note(STEP_END, "g1@7", mark, 1000);
    }
    assert_null(strstr(list_of("g1", 1000), "m0 "));
    assert_non_null(strstr(list_of("g1", 1000), "m60 "));
    assert_non_null(strstr(list_of("g1", 1000), "m1 "));
}

TEST(a_gateway_too_many_has_no_word)
{
    char owner[16];

    (void)snprintf(h.behind.node, sizeof(h.behind.node), "g%d", ETCD_HINT_NODES + 1);
    for (int i = 1; i <= ETCD_HINT_NODES + 1; i++) {
        (void)snprintf(owner, sizeof(owner), "g%d@1", i);
        note(STEP_END, owner, "mark", 1000);
    }
    assert_int_equal(h.behind.next, 0);
    assert_false(h.behind.changed);
    assert_int_equal(puts_in(written(1000)), ETCD_HINT_NODES);
}

TEST(a_list_is_read_and_all_else_is_none)
{
    assert_string_equal(marks_of("[\"a\",\"b\"]"), "a b ");
    assert_string_equal(marks_of("[\"a\",5,null,[\"x\"],\"b\"]"), "a b ");
    static const char *const none[] = {"", "[]", "{}", "\"a\"", "[\"a\"", "nonsense", "[[[[[[\"a\"]]]]]]"};

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_string_equal(marks_of(none[i]), "");
        assert_int_equal(nread, 0);
    }
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(word_goes_to_the_gateway_whose_request_was_changed),
        T(a_mark_is_kept_for_some_seconds),
        T(the_oldest_mark_makes_room),
        T(a_gateway_too_many_has_no_word),
        T(a_list_is_read_and_all_else_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
