/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_verify.c - the defects of an audit trail; see audit_verify.h.
 *
 * `at` is the sound line furthest along the trail. The next sound line must have its number plus one and its
 * hash as `prev`. Lines that are not sound lie between two sound ones; they are judged when the second one
 * comes: where it is an audit_torn that knows their hash, the gateway found them and closed them off;
 * otherwise they are changed lines, and if they fill just the numbers that are missing the chain goes on
 * behind them.
 *
 * A line whose number is not beyond `at` is a copy or out of order, and `at` stays where it is.
 *
 * Where memory runs out, what follows cannot be judged either: `err` is set, and no remark is made any more.
 */
#include "audit/audit_verify.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 320
#define JUNK_KEPT 4096 /* unsound lines that are judged together: more than one write of the gateway has */

struct junk { /* lines that are not sound, since the last one that is */
    uint64_t lines, bytes;
    struct {
        uint64_t line;
        const char *why;
    } first[JUNK_KEPT];
    EVP_MD_CTX *hash;
};

struct audit_verify {
    void (*on_remark)(void *arg, const struct audit_remark *);
    void *arg;
    bool has_head;
    struct audit_head head;
    struct audit_link at;
    const char *file;
    uint64_t line;       /* in the file */
    uint64_t file_first; /* number of its first sound line; 0 = none yet */
    uint64_t carried;    /* numbers that unsound lines at the end of the file before took */
    struct junk junk;
    int err; /* 0 or -ENOMEM */
    struct audit_summary sum;
};

__attribute__((format(printf, 5, 6))) static void remark(struct audit_verify *v, bool note, uint64_t line,
                                                         uint64_t seq, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list ap;

    if (v->err)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    v->sum.defects += !note;
    v->sum.notes += note;
    v->on_remark(v->arg, &(struct audit_remark){
                             .note = note, .file = v->file, .line = line, .seq = seq, .text = text});
}

#define DEFECT false
#define NOTE   true

/* "seq 5" or "seq 5 to 9". */
static const char *number_span(uint64_t from, uint64_t to, char out[64])
{
    if (from == to)
        (void)snprintf(out, 64, "seq %" PRIu64, from);
    else
        (void)snprintf(out, 64, "seq %" PRIu64 " to %" PRIu64, from, to);
    return out;
}

struct audit_verify *audit_verify_new(const struct audit_head *head,
                                      void (*on_remark)(void *arg, const struct audit_remark *), void *arg)
{
    struct audit_verify *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->junk.hash = EVP_MD_CTX_new();
    if (!v->junk.hash) {
        free(v);
        return NULL;
    }
    v->on_remark = on_remark;
    v->arg = arg;
    v->has_head = head != NULL;
    if (head)
        v->head = *head;
    audit_link_none(&v->at);
    return v;
}

void audit_verify_free(struct audit_verify *v)
{
    if (!v)
        return;
    EVP_MD_CTX_free(v->junk.hash);
    free(v);
}

/* ---- lines that are not sound ---- */

/* A call of OpenSSL on the hash: it fails where memory runs out. */
static void need(struct audit_verify *v, int result)
{
    if (result != 1)
        v->err = -ENOMEM;
}

static void add_junk(struct audit_verify *v, const char *line, size_t n, const char *why)
{
    struct junk *j = &v->junk;

    if (j->lines == 0) {
        j->bytes = 0;
        need(v, EVP_DigestInit_ex(j->hash, EVP_sha256(), NULL));
    }
    need(v, EVP_DigestUpdate(j->hash, line, n));
    if (j->lines < JUNK_KEPT) {
        j->first[j->lines].line = v->line;
        j->first[j->lines].why = why;
    } else {
        remark(v, DEFECT, v->line, v->at.seq + j->lines + 1, "%s", why);
    }
    j->lines++;
    j->bytes += n;
}

static void remark_junk(struct audit_verify *v, uint64_t lines, bool closed)
{
    for (uint64_t i = 0; i < lines && i < JUNK_KEPT; i++)
        remark(v, DEFECT, v->junk.first[i].line, v->at.seq + i + 1, "%s%s", v->junk.first[i].why,
               closed && i == 0 ? "; the gateway noticed when it wrote the next line" : "");
}

static bool is_closed_off(struct audit_verify *v, const cJSON *o)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;

    need(v, EVP_DigestFinal_ex(v->junk.hash, digest, &n));
    if (v->err)
        return false;
    text_hex(hex, digest, n);
    return strcmp(json_text(o, "junk_sha256"), hex) == 0 &&
           json_number(o, "junk_bytes") == (int64_t)v->junk.bytes;
}

/* The sound line behind them, if there is one, decides what they are. Returns how many numbers they took. */
static uint64_t judge_junk(struct audit_verify *v, const struct audit_line *next, const cJSON *o)
{
    struct junk *j = &v->junk;
    uint64_t lines = j->lines;

    if (lines == 0)
        return 0;
    bool closed = next && strcmp(next->event, "audit_torn") == 0 && is_closed_off(v, o);

    j->lines = 0;
    if (closed && lines <= JUNK_KEPT && strcmp(json_text(o, "cause"), "torn") == 0)
        remark(v, NOTE, j->first[0].line, 0,
               "%s cut off by a crash; the gateway closed %s off with seq %" PRIu64,
               lines == 1 ? "the line was" : "this line and those behind it were", lines == 1 ? "it" : "them",
               next->link.seq);
    else
        remark_junk(v, lines, closed);
    return closed || (next && strcmp(next->prev, v->at.hash) == 0) ? 0 : lines;
}

/* ---- sound lines ---- */

static bool is_known_loss(const char *cause)
{
    return strcmp(cause, "deleted") == 0 || strcmp(cause, "replaced") == 0 || strcmp(cause, "truncated") == 0;
}

/* The first line of the first file: what was before it? */
static void check_beginning(struct audit_verify *v, const struct audit_line *l, const cJSON *o)
{
    struct audit_link none;
    const char *cause = json_text(o, "cause");
    char numbers[64];

    audit_link_none(&none);
    if (l->link.seq == 1 && strcmp(l->prev, none.hash) == 0 &&
        (strcmp(l->event, "audit_begin") == 0 || strcmp(l->event, "audit_torn") == 0))
        return;
    if (l->link.seq == 1)
        remark(v, DEFECT, v->line, 1, "this is not how a trail begins");
    else if (strcmp(l->event, "audit_continue") != 0)
        remark(v, DEFECT, v->line, l->link.seq, "%s missing: the file does not begin with its first line",
               number_span(1, l->link.seq - 1, numbers));
    else if (is_known_loss(cause))
        remark(v, DEFECT, v->line, l->link.seq, "%s missing: the gateway found the file before this one %s",
               number_span(1, l->link.seq - 1, numbers), cause);
    else
        remark(v, NOTE, v->line, l->link.seq, "%s stand in earlier files that were not given",
               number_span(1, l->link.seq - 1, numbers));
}

static void check_file_start(struct audit_verify *v, const struct audit_line *l)
{
    if (strcmp(l->event, "audit_begin") == 0)
        remark(v, DEFECT, v->line, l->link.seq, "a new trail begins here: the one before does not go on");
    else if (strcmp(l->event, "audit_continue") != 0 && strcmp(l->event, "audit_torn") != 0)
        remark(v, DEFECT, v->line, l->link.seq, "the file does not begin with its first line");
}

/* Does it follow from `at`, with `taken` numbers used up by unsound lines? False = `at` stays. */
static bool check_follows(struct audit_verify *v, const struct audit_line *l, uint64_t taken)
{
    uint64_t expected = v->at.seq + 1 + taken;
    char numbers[64];

    if (l->link.seq <= v->at.seq) {
        bool twice = strcmp(l->link.hash, v->at.hash) == 0;

        remark(v, DEFECT, v->line, l->link.seq, "the line %s seq %" PRIu64,
               twice ? "is there twice: again" : "is out of order: it stands after", v->at.seq);
        return false;
    }
    if (l->link.seq > expected)
        remark(v, DEFECT, v->line, l->link.seq, "%s missing before this line%s",
               number_span(expected, l->link.seq - 1, numbers),
               strcmp(l->event, "audit_cut") == 0 ? "; the gateway noticed and wrote this line about it"
                                                  : "");
    else if (strcmp(l->event, "audit_cut") == 0)
        remark(v, DEFECT, v->line, l->link.seq,
               "the gateway found lines before this one that it had not written");
    else if (taken == 0 && strcmp(l->prev, v->at.hash) != 0)
        remark(v, DEFECT, v->line, l->link.seq,
               "it does not follow from seq %" PRIu64 ": one of the two was changed and its check made again",
               v->at.seq);
    return true;
}

static void note_gap(struct audit_verify *v, const struct audit_line *l, const cJSON *o)
{
    if (strcmp(l->event, "audit_gap") == 0)
        remark(v, NOTE, v->line, l->link.seq,
               "gap from %.32s to %.32s: %" PRId64 " records lost, %" PRId64 " late", json_text(o, "from"),
               json_text(o, "to"), json_number(o, "lost"), json_number(o, "delayed"));
}

static void check_against_head(struct audit_verify *v, const struct audit_line *l)
{
    if (v->has_head && l->link.seq == v->head.last.seq && strcmp(l->link.hash, v->head.last.hash) != 0)
        remark(v, DEFECT, v->line, l->link.seq, "the line is not the one that the head names");
}

static void add_line(struct audit_verify *v, const struct audit_line *l, const cJSON *o)
{
    uint64_t taken = judge_junk(v, l, o) + v->carried;
    bool first = v->file_first == 0, moves = true;

    v->carried = 0;
    if (first)
        v->file_first = l->link.seq;
    if (v->sum.lines == 0) {
        check_beginning(v, l, o);
    } else {
        if (first)
            check_file_start(v, l);
        moves = check_follows(v, l, taken);
    }
    note_gap(v, l, o);
    check_against_head(v, l);
    if (v->sum.lines++ == 0) {
        v->sum.first_seq = l->link.seq;
        (void)text_copy(v->sum.first_time, sizeof(v->sum.first_time), l->time);
    }
    if (moves) {
        v->at = l->link;
        (void)text_copy(v->sum.last_time, sizeof(v->sum.last_time), l->time);
    }
}

void audit_verify_line(struct audit_verify *v, const char *line, size_t n)
{
    struct audit_line l;
    struct json_outcome own = {.err = 0};
    const char *why;
    cJSON *o = NULL;

    if (v->err)
        return;
    v->line++;
    v->err = audit_line_read(line, n, &l, &why);
    if (why) {
        v->err = 0;
        add_junk(v, line, n, why);
        return;
    }
    if (!v->err && strncmp(l.event, "audit_", 6) == 0)
        o = json_read(line, n, 4, 0, &own);
    if (own.err == -ENOMEM)
        v->err = own.err;
    if (!v->err)
        add_line(v, &l, o);
    cJSON_Delete(o);
}

/* ---- ends ---- */

void audit_verify_file(struct audit_verify *v, const char *name)
{
    v->carried += judge_junk(v, NULL, NULL);
    v->file = name;
    v->line = 0;
    v->file_first = 0;
    v->sum.files++;
}

void audit_verify_rest(struct audit_verify *v, const char *piece, size_t n)
{
    if (v->err)
        return;
    need(v, EVP_DigestUpdate(v->junk.hash, piece, n));
    v->junk.bytes += n;
}

void audit_verify_harm(struct audit_verify *v, const char *text)
{
    remark(v, DEFECT, v->line, 0, "%s", text);
}

void audit_verify_empty(struct audit_verify *v)
{
    remark(v, NOTE, 0, 0, "%s is empty", v->file);
}

static void check_end(struct audit_verify *v)
{
    const struct audit_head *h = &v->head;
    bool newer_file = v->at.seq < h->first;
    char numbers[64];

    if (!v->has_head)
        remark(v, NOTE, 0, 0, "no head was found: lines missing at the end would not show");
    else if (v->at.seq < h->last.seq)
        remark(v, DEFECT, newer_file ? 0 : v->line, newer_file ? 0 : v->at.seq,
               "%s missing at the end: the head knows of them%s",
               number_span(v->at.seq + 1, h->last.seq, numbers),
               newer_file ? "; a newer file is missing, empty or was not given" : "");
}

int audit_verify_end(struct audit_verify *v, struct audit_summary *sum)
{
    (void)judge_junk(v, NULL, NULL);
    if (v->sum.lines)
        check_end(v);
    else if (v->has_head)
        remark(v, DEFECT, 0, 0, "there is no sound line, but the head knows of %" PRIu64, v->head.last.seq);
    else
        remark(v, DEFECT, 0, 0, "there is no sound line: nothing that was read is of an audit trail");
    v->sum.last_seq = v->at.seq;
    *sum = v->sum;
    return v->err;
}
