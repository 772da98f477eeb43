/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_audit_chain.c - nothing can be done to an audit trail that the verifier does not see.
 */
#include "audit/audit_verify.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 12

static struct buf trail;        /* LINES lines */
static size_t start[LINES + 1]; /* where each begins */
static struct audit_head head;

static void add(struct buf *b, struct audit_link *at, const char *members)
{
    assert_int_equal(
        audit_line_write(b, at, 1774000000123 + (int64_t)at->seq * 1000, members, strlen(members)), 0);
}

static int setup(void **state)
{
    struct audit_link at;
    char members[128];

    (void)state;
    trail = BUF_INIT(1 << 20);
    audit_link_none(&at);
    for (unsigned i = 0; i < LINES; i++) {
        start[i] = trail.len;
        (void)snprintf(members, sizeof(members), "\"event\":\"%s\",\"user\":\"CORP\\\\ann\",\"n\":%u",
                       i ? "checkout" : "audit_begin", i);
        add(&trail, &at, members);
    }
    start[LINES] = trail.len;
    head = (struct audit_head){.last = at, .first = 1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&trail);
    return 0;
}

/* ---- verifying texts ---- */

static char said[4096];
static struct audit_summary sum;

static void on_told(void *arg, const struct audit_remark *r)
{
    size_t n = strlen(said);

    (void)arg;
    (void)snprintf(said + n, sizeof(said) - n, "%s%s:%llu:%llu %s\n", r->note ? "note " : "",
                   r->file && r->line ? r->file : "-", (unsigned long long)r->line,
                   (unsigned long long)r->seq, r->text);
}

static void feed(struct audit_verify *v, const char *name, const char *text, size_t n)
{
    audit_verify_file(v, name);
    while (n) {
        const char *end = memchr(text, '\n', n);
        size_t line = end ? (size_t)(end - text) + 1 : n;

        audit_verify_line(v, text, line);
        text += line;
        n -= line;
    }
}

static uint64_t verify2(const char *a, size_t na, const char *b, size_t nb, const struct audit_head *h)
{
    struct audit_verify *v = audit_verify_new(h, on_told, NULL);

    assert_non_null(v);
    said[0] = '\0';
    feed(v, "a", a, na);
    if (b)
        feed(v, "b", b, nb);
    assert_int_equal(audit_verify_end(v, &sum), 0);
    audit_verify_free(v);
    return sum.defects;
}

static uint64_t verify(const char *text, size_t n, const struct audit_head *h)
{
    return verify2(text, n, NULL, 0, h);
}

#define assert_said(text) assert_non_null(strstr(said, text))

/* ---- tests ---- */

TEST(a_line_has_its_form)
{
    struct audit_line l;

    assert_int_equal(audit_line_read(trail.data, start[1], &l, NULL), 0);
    assert_int_equal(l.link.seq, 1);
    assert_string_equal(l.event, "audit_begin");
    assert_string_equal(l.time, "2026-03-20T09:46:40.123Z");
    assert_int_equal(audit_line_read(trail.data + start[1], start[2] - start[1], &l, NULL), 0);
    assert_int_equal(l.link.seq, 2);
    assert_int_equal(audit_line_read(trail.data, start[1] - 1, &l, NULL), -EINVAL);
    assert_int_equal(audit_line_read(trail.data, start[2], &l, NULL), -EINVAL); /* two lines */
    assert_int_equal(audit_line_read("", 0, &l, NULL), -EINVAL);
    assert_int_equal(audit_line_read("\n", 1, &l, NULL), -EINVAL);
}

TEST(a_sound_trail_is_sound)
{
    assert_int_equal(verify(trail.data, trail.len, &head), 0);
    assert_int_equal(sum.lines, LINES);
    assert_int_equal(sum.first_seq, 1);
    assert_int_equal(sum.last_seq, LINES);
    assert_string_equal(sum.last_time, "2026-03-20T09:46:51.123Z");
    assert_int_equal(sum.notes, 0);
    assert_int_equal(verify(trail.data, trail.len, NULL), 0);
    assert_said("no head");
}

/* Every byte, each changed in several ways, with the head and without it. */
TEST(every_changed_byte_is_caught)
{
    static const unsigned char masks[] = {0x01, 0x20, 0x80, 0xff};

    for (size_t i = 0; i < trail.len; i++)
        for (size_t m = 0; m < sizeof(masks); m++) {
            trail.data[i] = (char)(trail.data[i] ^ masks[m]);
            if (!verify(trail.data, trail.len, m & 1 ? &head : NULL))
                fail_msg("byte %zu, mask %x", i, masks[m]);
            trail.data[i] = (char)(trail.data[i] ^ masks[m]);
        }
}

TEST(a_changed_line_is_named_alone)
{
    trail.data[start[5] - 3] ^= 1;
    assert_int_equal(verify(trail.data, trail.len, &head), 1);
    assert_said("a:5:5 the line was changed");
    trail.data[start[5] - 3] ^= 1;
}

/* The trail without lines from..to-1. */
static void copy_without(struct buf *out, size_t from, size_t to)
{
    assert_int_equal(buf_append(out, trail.data, start[from]), 0);
    assert_int_equal(buf_append(out, trail.data + start[to], trail.len - start[to]), 0);
}

TEST(missing_lines_are_caught)
{
    for (size_t from = 0; from < LINES; from++)
        for (size_t to = from + 1; to <= LINES; to++) {
            struct buf b = BUF_INIT(1 << 20);

            copy_without(&b, from, to);
            if (verify(b.data, b.len, &head) != 1)
                fail_msg("lines %zu to %zu: %s", from, to, said);
            if (b.len)
                assert_said("missing");
            buf_free(&b);
        }
}

TEST(a_cut_anywhere_is_caught)
{
    for (size_t n = 0; n < trail.len; n++)
        if (!verify(trail.data, n, &head))
            fail_msg("cut at %zu", n);
}

TEST(order_and_copies_are_caught)
{
    struct buf b = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);

    assert_int_equal(buf_append(&b, trail.data, start[3]), 0);
    assert_int_equal(buf_append(&b, trail.data + start[4], start[5] - start[4]), 0);
    assert_int_equal(buf_append(&b, trail.data + start[3], start[4] - start[3]), 0);
    assert_int_equal(buf_append(&b, trail.data + start[5], trail.len - start[5]), 0);
    assert_int_equal(verify(b.data, b.len, &head), 2);
    assert_said("a:4:5 seq 4 missing before this line");
    assert_said("a:5:4 the line is out of order: it stands after seq 5");
    buf_free(&b);
    assert_int_equal(buf_append(&twice, trail.data, start[4]), 0);
    assert_int_equal(buf_append(&twice, trail.data + start[3], trail.len - start[3]), 0);
    assert_int_equal(verify(twice.data, twice.len, &head), 1);
    assert_said("a:5:4 the line is there twice");
    buf_free(&twice);
}

/* A line is changed and its check computed again. */
TEST(a_forged_line_breaks_the_chain)
{
    struct audit_link at;
    struct audit_line l;
    struct buf b = BUF_INIT(1 << 20);

    assert_int_equal(audit_line_read(trail.data + start[4], start[5] - start[4], &l, NULL), 0);
    assert_int_equal(buf_append(&b, trail.data, start[4]), 0);
    at = (struct audit_link){.seq = 4};
    memcpy(at.hash, l.prev, sizeof(at.hash));
    add(&b, &at, "\"event\":\"checkout\",\"user\":\"CORP\\\\bob\",\"n\":4");
    assert_int_equal(buf_append(&b, trail.data + start[5], trail.len - start[5]), 0);
    assert_int_equal(verify(b.data, b.len, &head), 1);
    assert_said("a:6:6 it does not follow from seq 5");
    /* the same with the last line: the head knows it */
    b.len = 0;
    assert_int_equal(buf_append(&b, trail.data, start[LINES - 1]), 0);
    assert_int_equal(
        audit_line_read(trail.data + start[LINES - 1], start[LINES] - start[LINES - 1], &l, NULL), 0);
    at.seq = LINES - 1;
    memcpy(at.hash, l.prev, sizeof(at.hash));
    add(&b, &at, "\"event\":\"checkout\"");
    assert_int_equal(verify(b.data, b.len, &head), 1);
    assert_said("not the one that the head names");
    buf_free(&b);
}

/* ---- several files ---- */

static struct buf next_file;
static struct audit_head next_head;

static void make_next_file(void)
{
    struct audit_link at = head.last;
    char members[256];

    next_file = BUF_INIT(1 << 20);
    (void)snprintf(members, sizeof(members),
                   "\"event\":\"audit_continue\",\"cause\":\"rotated\",\"last_seq\":%d,\"last_hash\":\"%s\"",
                   LINES, at.hash);
    add(&next_file, &at, members);
    add(&next_file, &at, "\"event\":\"release\"");
    next_head = (struct audit_head){.last = at, .first = LINES + 1};
}

TEST(files_hang_together)
{
    make_next_file();
    assert_int_equal(verify2(trail.data, trail.len, next_file.data, next_file.len, &next_head), 0);
    assert_int_equal(sum.notes, 0);
    assert_int_equal(sum.lines, LINES + 2);
    /* the older one alone, the newer one alone */
    assert_int_equal(verify(trail.data, trail.len, &next_head), 1);
    assert_said("-:0:0 seq 13 to 14 missing at the end: the head knows of them; a newer file is missing");
    assert_int_equal(verify2(trail.data, trail.len, "", 0, &next_head), 1); /* the newer one is empty */
    assert_int_equal(verify(next_file.data, next_file.len, &next_head), 0);
    assert_said("seq 1 to 12 stand in earlier files");
    /* cut at the seam, on either side */
    assert_int_equal(verify2(trail.data, start[LINES - 1], next_file.data, next_file.len, &next_head), 1);
    assert_said("b:1:13 seq 12 missing");
    /* the last line of the older one is changed: one defect */
    trail.data[trail.len - 3] ^= 1;
    assert_int_equal(verify2(trail.data, trail.len, next_file.data, next_file.len, &next_head), 1);
    trail.data[trail.len - 3] ^= 1;
    /* in the wrong order */
    assert_true(verify2(next_file.data, next_file.len, trail.data, trail.len, &next_head) > 0);
    buf_free(&next_file);
}

TEST(nothing_read_is_not_sound)
{
    assert_int_equal(verify("", 0, NULL), 1);
    assert_said("there is no sound line: nothing that was read is of an audit trail");
    assert_int_equal(verify("x", 1, NULL), 2);
    assert_int_equal(verify("", 0, &head), 1);
    assert_said("the head knows of 12");
}

TEST(a_line_in_pieces_is_one_line)
{
    struct audit_verify *v = audit_verify_new(&head, on_told, NULL);

    assert_non_null(v);
    said[0] = '\0';
    feed(v, "a", trail.data, trail.len);
    audit_verify_line(v, "xxxx", 4);
    audit_verify_rest(v, "yyyy\n", 5);
    audit_verify_harm(v, "the gzip data are cut off");
    assert_int_equal(audit_verify_end(v, &sum), 0);
    audit_verify_free(v);
    assert_int_equal(sum.defects, 2);
    assert_said("a:13:13 ");
    assert_said("a:13:0 the gzip data are cut off");
}

TEST(a_deleted_file_is_named)
{
    struct audit_link at = head.last;
    struct buf b = BUF_INIT(1 << 16);

    add(&b, &at, "\"event\":\"audit_continue\",\"cause\":\"deleted\",\"last_seq\":12");
    struct audit_head h = {.last = at, .first = LINES + 1};
    assert_int_equal(verify(b.data, b.len, &h), 1);
    assert_said("seq 1 to 12 missing: the gateway found the file before this one deleted");
    assert_int_equal(verify2(trail.data, trail.len, b.data, b.len, &h), 0); /* a copy turned up */
    buf_free(&b);
}

TEST(gaps_are_notes)
{
    struct audit_link at = head.last;
    struct buf b = BUF_INIT(1 << 16);

    assert_int_equal(buf_append(&b, trail.data, trail.len), 0);
    add(&b, &at, "\"event\":\"audit_gap\",\"lost\":3,\"delayed\":7,\"from\":\"x\",\"to\":\"y\"");
    assert_int_equal(verify(b.data, b.len, NULL), 0);
    assert_said("gap from x to y: 3 records lost, 7 late");
    buf_free(&b);
}

TEST(the_head_is_strict)
{
    char text[AUDIT_HEAD_SIZE];
    struct audit_head back;

    audit_head_write(&head, text);
    assert_int_equal(strlen(text), audit_head_length());
    assert_true(audit_head_read(text, audit_head_length(), &back));
    assert_int_equal(back.last.seq, LINES);
    assert_string_equal(back.last.hash, head.last.hash);
    assert_int_equal(back.first, 1);
    for (size_t n = 0; n < audit_head_length(); n++)
        assert_false(audit_head_read(text, n, &back));
    text[20] = 'x';
    assert_false(audit_head_read(text, audit_head_length(), &back));
}

/* A write that has stopped after any byte: the older head, the newer, or none. */
TEST(a_half_written_head_is_none)
{
    char older[AUDIT_HEAD_SIZE], newer[AUDIT_HEAD_SIZE];
    struct audit_head next = head, back;

    next.last.seq++;
    (void)memset(next.last.hash, 'a', sizeof(next.last.hash) - 1);
    audit_head_write(&head, older);
    audit_head_write(&next, newer);
    for (size_t n = 0; n <= audit_head_length(); n++) {
        memcpy(older, newer, n);
        if (!audit_head_read(older, audit_head_length(), &back))
            continue;
        const struct audit_head *whole = back.last.seq == head.last.seq ? &head : &next;
        assert_int_equal(back.last.seq, whole->last.seq);
        assert_string_equal(back.last.hash, whole->last.hash);
    }
    assert_int_equal(back.last.seq, next.last.seq);
}

TEST(a_head_of_the_first_form_is_read)
{
    char text[AUDIT_HEAD_SIZE];
    struct audit_head back;

    (void)snprintf(text, sizeof(text), "%020d %s %020d\n", LINES, head.last.hash, 1);
    assert_true(audit_head_read(text, strlen(text), &back));
    assert_int_equal(back.last.seq, LINES);
    assert_string_equal(back.last.hash, head.last.hash);
}

TEST(too_long_is_refused_whole)
{
    static char members[AUDIT_LINE_MAX];
    struct audit_link at = head.last;
    struct buf b = BUF_INIT(1 << 20), small = BUF_INIT(64);

    memset(members, 'x', sizeof(members));
    assert_true(audit_line_write(&b, &at, 0, members, sizeof(members)) < 0);
    assert_true(audit_line_write(&small, &at, 0, "\"event\":\"x\"", 11) < 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(small.len, 0);
    assert_int_equal(at.seq, LINES);
    buf_free(&b);
    buf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_form),
        cmocka_unit_test(a_sound_trail_is_sound),
        cmocka_unit_test(every_changed_byte_is_caught),
        cmocka_unit_test(a_changed_line_is_named_alone),
        cmocka_unit_test(missing_lines_are_caught),
        cmocka_unit_test(a_cut_anywhere_is_caught),
        cmocka_unit_test(order_and_copies_are_caught),
        cmocka_unit_test(a_forged_line_breaks_the_chain),
        cmocka_unit_test(files_hang_together),
        cmocka_unit_test(nothing_read_is_not_sound),
        cmocka_unit_test(a_line_in_pieces_is_one_line),
        cmocka_unit_test(a_deleted_file_is_named),
        cmocka_unit_test(gaps_are_notes),
        cmocka_unit_test(the_head_is_strict),
        cmocka_unit_test(a_half_written_head_is_none),
        cmocka_unit_test(a_head_of_the_first_form_is_read),
        cmocka_unit_test(too_long_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
