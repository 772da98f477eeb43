/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_audit.c - the verifier of the audit trail, over lines and a head that anybody may have written.
 *
 * First byte even: the rest is the head, 0xff, and the files, separated by 0xff. Whatever they hold, the
 * verifier ends, and each remark has a text. A line that is read as one of ours has a number, a time and an
 * event of printable text.
 *
 * Odd: the rest is a recipe. A sound trail is written by the gateway's own functions, and one byte of it is
 * changed: the verifier must have accepted it before, and must find something afterwards.
 */
#include "fuzz.h"

#include "audit/audit_chain.h"
#include "audit/audit_verify.h"

#include <string.h>

#define LINES 6

static void on_remark(void *arg, const struct audit_remark *remark)
{
    (void)arg;
    FUZZ_ASSERT(remark->text && *remark->text);
}

static void verify_text(struct audit_verify *v, const char *text, size_t n)
{
    while (n) {
        const char *end = memchr(text, '\n', n);
        size_t len = end ? (size_t)(end - text) + 1 : n;
        struct audit_line line;
        char *exact = malloc(len);

        FUZZ_ASSERT(exact);
        memcpy(exact, text, len);
        audit_verify_line(v, exact, len);
        if (!audit_line_read(exact, len, &line, NULL))
            FUZZ_ASSERT(line.link.seq && line.event[0] && strlen(line.time) == AUDIT_TIME_SIZE - 1);
        free(exact);
        text += len;
        n -= len;
    }
}

static void anything(struct fuzz_input *in)
{
    struct audit_summary summary;
    struct audit_head head;
    struct audit_verify *v;
    size_t len;
    char *text = fuzz_text(in, &len);
    bool have = audit_head_read(text, len, &head);

    free(text);
    v = audit_verify_new(have ? &head : NULL, on_remark, NULL);
    FUZZ_ASSERT(v);
    while (in->left) {
        audit_verify_file(v, "file");
        text = fuzz_text(in, &len);
        verify_text(v, text, len);
        free(text);
    }
    FUZZ_ASSERT(audit_verify_end(v, &summary) == 0);
    audit_verify_free(v);
}

static uint64_t defects(const struct audit_head *head, const char *text, size_t n)
{
    struct audit_summary summary;
    struct audit_verify *v = audit_verify_new(head, on_remark, NULL);

    FUZZ_ASSERT(v);
    audit_verify_file(v, "file");
    verify_text(v, text, n);
    FUZZ_ASSERT(audit_verify_end(v, &summary) == 0);
    audit_verify_free(v);
    return summary.defects;
}

static void write_trail(struct fuzz_input *in, struct buf *trail, struct audit_head *head)
{
    char members[64];

    audit_link_none(&head->last);
    head->first = 1;
    for (int i = 0; i < LINES; i++) {
        int n = snprintf(members, sizeof(members), "\"event\":\"%s\",\"n\":%d", i ? "test" : "audit_begin",
                         fuzz_byte(in));

        FUZZ_ASSERT(audit_line_write(trail, &head->last, INT64_C(1790000000000) + i, members, (size_t)n) ==
                    0);
    }
}

static void one_byte_changed(struct fuzz_input *in)
{
    struct buf trail = BUF_INIT(LINES * AUDIT_LINE_MAX);
    struct audit_head head;
    size_t at;

    write_trail(in, &trail, &head);
    FUZZ_ASSERT(defects(&head, trail.data, trail.len) == 0);
    at = (size_t)fuzz_byte(in) * 256 + fuzz_byte(in);
    trail.data[at % trail.len] ^= (char)(fuzz_byte(in) | 1);
    FUZZ_ASSERT(defects(&head, trail.data, trail.len) > 0);
    buf_free(&trail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);

    if (fuzz_byte(&in) % 2)
        one_byte_changed(&in);
    else
        anything(&in);
    return 0;
}
