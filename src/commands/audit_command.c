/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_command.c - verifies audit files; see commands.h.
 *
 * Files may be given in any order: they are sorted by the number of their first line. So each is looked into
 * before it is verified: a file is closed and opened again, a pipe and standard input stay open and begin
 * again with what was kept of them. A file that is given twice is read once.
 *
 * The head, which records the end of the trail, is `audit.head` beside the newest file that has one unless
 * --head names another. It is read before the files are verified, so that lines a running gateway writes
 * meanwhile do not count as lost.
 *
 * Remarks go to stdout, one per line: FILE:LINE: seq N: text; the last line sums up. With --json one object
 * has them all.
 *
 * Not here: what is a defect (audit/audit_verify.h); plain text, gzip and pipes (audit/audit_source.h).
 */
#include "commands/commands.h"

#include "audit/audit_source.h"
#include "audit/audit_verify.h"
#include "base/jsonw.h"
#include "commands/line/terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_SOUND   0
#define EXIT_DEFECTS 1
#define EXIT_TROUBLE 2
#define REMARKS_MAX  200
#define PATH_BYTES   4096
#define JSON_MAX     (1U << 20)

struct input {
    const char *name;
    struct audit_source
        *source; /* open from one look to the next where it can be read only once; else NULL */
    struct audit_source_id id;
    bool is_file;
    uint64_t first; /* number of its first sound line, 0 = none */
};

struct work {
    const char *head; /* as given; NULL = look for it */
    bool part, json;
    struct input *inputs;
    size_t n;
    uint64_t remarks;
    struct buf out; /* the object of --json */
    struct jsonw w;
};

static int cannot_read(const char *name, int err)
{
    fprintf(stderr, "jumpgate: cannot read %s: %s\n", name,
            err == EISDIR ? "it is a directory; name the files in it" : strerror(err));
    return EXIT_TROUBLE;
}

static int out_of_memory(void)
{
    fputs("jumpgate: out of memory\n", stderr);
    return EXIT_TROUBLE;
}

static void remark_as_json(struct work *w, const struct audit_remark *r)
{
    jsonw_object(&w->w, NULL);
    jsonw_str(&w->w, "kind", r->note ? "note" : "defect");
    if (r->line)
        jsonw_str(&w->w, "file", r->file);
    if (r->line)
        jsonw_int(&w->w, "line", (int64_t)r->line);
    if (r->seq)
        jsonw_int(&w->w, "seq", (int64_t)r->seq);
    jsonw_str(&w->w, "text", r->text);
    jsonw_end(&w->w);
}

static void on_remark(void *arg, const struct audit_remark *r)
{
    struct work *w = arg;

    if (++w->remarks > REMARKS_MAX)
        return;
    if (w->json) {
        remark_as_json(w, r);
        return;
    }
    if (r->line) {
        terminal_text(stdout, r->file);
        printf(":%" PRIu64 ": ", r->line);
    }
    if (r->note)
        fputs("note: ", stdout);
    if (r->seq)
        printf("seq %" PRIu64 ": ", r->seq);
    terminal_text(stdout, r->text);
    fputc('\n', stdout);
}

/* ---- looking into the files ---- */

static int refuse_packed(const char *name, const char *form)
{
    fprintf(stderr, "jumpgate: %s is compressed with %s; unpack it and give it as `-`\n", name, form);
    return EXIT_TROUBLE;
}

/* The first sound line: of a pipe among the bytes that can be read again. 0 or the exit code. */
static int find_first(struct input *in, struct audit_source *s)
{
    struct audit_piece p;
    struct audit_line line;
    size_t read = 0;
    int got;

    while ((got = audit_source_line(s, &p)) > 0) {
        read += p.n;
        int err = p.rest ? -EINVAL : audit_line_read(p.text, p.n, &line, NULL);

        if (!err)
            in->first = line.link.seq;
        if (err != -EINVAL) {
            got = err;
            break;
        }
        if (!audit_source_is_file(s) && read >= AUDIT_SOURCE_AGAIN)
            break;
    }
    if (audit_source_packed(s))
        return refuse_packed(in->name, audit_source_packed(s));
    return got < 0 ? cannot_read(in->name, -got) : 0;
}

static int look_into(struct input *in)
{
    struct audit_source *s;
    int err = audit_source_open(&s, in->name);

    if (err)
        return cannot_read(in->name, -err);
    in->id = audit_source_id(s);
    in->is_file = audit_source_is_file(s);
    int code = find_first(in, s);
    if (!code && !in->is_file)
        in->source = s;
    else
        audit_source_close(s);
    return code;
}

static int by_first(const void *a, const void *b)
{
    const struct input *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static bool is_given_before(const struct work *w, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        const struct input *a = &w->inputs[k], *b = &w->inputs[i];

        if (strcmp(a->name, b->name) == 0 ||
            (a->is_file && b->is_file && a->id.device == b->id.device && a->id.inode == b->id.inode))
            return true;
    }
    return false;
}

static int sort_inputs(struct work *w)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->n; i++) {
        struct input in = w->inputs[i];
        bool again = false;

        for (size_t k = 0; k < kept; k++)
            again = again || strcmp(w->inputs[k].name, in.name) == 0;
        int code = again ? 0 : look_into(&in);
        if (code)
            return code;
        w->inputs[kept] = in;
        if (!again && !is_given_before(w, kept))
            kept++;
    }
    w->n = kept;
    qsort(w->inputs, w->n, sizeof(*w->inputs), by_first);
    return 0;
}

/* ---- the head ---- */

static FILE *open_beside(const char *file, char path[PATH_BYTES])
{
    const char *slash = strrchr(file, '/');
    int dir = slash ? (int)(slash - file) + 1 : 0;

    return snprintf(path, PATH_BYTES, "%.*saudit.head", dir, file) < PATH_BYTES ? fopen(path, "re") : NULL;
}

/* As named, or beside the newest file that has one. NULL and *code 0 = there is none. */
static FILE *open_head(const struct work *w, char path[PATH_BYTES], int *code)
{
    FILE *f = w->head ? fopen(w->head, "re") : NULL;

    *code = w->head && !f ? cannot_read(w->head, errno) : 0;
    if (w->head)
        (void)snprintf(path, PATH_BYTES, "%s", w->head);
    for (size_t i = w->n; !w->head && !w->part && !f && i; i--)
        if (w->inputs[i - 1].is_file)
            f = open_beside(w->inputs[i - 1].name, path);
    return f;
}

/* *found says whether there is one. 0 or the exit code. */
static int read_head(const struct work *w, struct audit_head *head, bool *found)
{
    char path[PATH_BYTES] = "", text[AUDIT_HEAD_SIZE];
    int code;
    FILE *f = open_head(w, path, &code);

    *found = false;
    if (!f)
        return code;
    size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    *found = audit_head_read(text, n, head);
    if (*found)
        return 0;
    fprintf(stderr, "jumpgate: %s is no head of an audit trail, or was changed\n", path);
    return EXIT_DEFECTS;
}

/* ---- the result ---- */

static int check_output(void)
{
    if (!fflush(stdout) && !ferror(stdout))
        return 0;
    fputs("jumpgate: cannot write to standard output\n", stderr);
    return EXIT_TROUBLE;
}

static void print_summary(const struct work *w, const struct audit_summary *s, bool bad_head)
{
    if (w->remarks > REMARKS_MAX)
        printf("(%" PRIu64 " more)\n", w->remarks - REMARKS_MAX);
    printf("%s: %" PRIu64 " lines in %" PRIu64 " files", s->defects || bad_head ? "NOT SOUND" : "sound",
           s->lines, s->files);
    if (s->lines)
        printf(", seq %" PRIu64 " to %" PRIu64 ", %s to %s", s->first_seq, s->last_seq, s->first_time,
               s->last_time);
    if (s->defects)
        printf("; defects: %" PRIu64, s->defects);
    if (bad_head)
        fputs("; the head is damaged", stdout);
    if (s->notes)
        printf("; notes: %" PRIu64, s->notes);
    puts("");
}

static int print_json(struct work *w, const struct audit_summary *s, const char *head)
{
    bool sound = !s->defects && strcmp(head, "damaged") != 0;

    jsonw_end(&w->w);
    jsonw_bool(&w->w, "sound", sound);
    jsonw_str(&w->w, "head", head);
    jsonw_int(&w->w, "files", (int64_t)s->files);
    jsonw_int(&w->w, "lines", (int64_t)s->lines);
    if (s->lines) {
        jsonw_int(&w->w, "first_seq", (int64_t)s->first_seq);
        jsonw_int(&w->w, "last_seq", (int64_t)s->last_seq);
        jsonw_str(&w->w, "first_time", s->first_time);
        jsonw_str(&w->w, "last_time", s->last_time);
    }
    jsonw_int(&w->w, "defects", (int64_t)s->defects);
    jsonw_int(&w->w, "notes", (int64_t)s->notes);
    jsonw_end(&w->w);
    const char *text = buf_cstr(&w->out);
    if (!text || w->out.failed)
        return out_of_memory();
    puts(text);
    return 0;
}

/* ---- verify ---- */

/* 0 or the exit code. */
static int verify_input(struct audit_verify *v, struct input *in)
{
    struct audit_source *s = in->source;
    struct audit_piece p;
    int got = s ? audit_source_again(s) : audit_source_open(&s, in->name);

    in->source = NULL;
    audit_verify_file(v, in->name);
    while (!got && (got = audit_source_line(s, &p)) > 0) {
        if (p.rest)
            audit_verify_rest(v, p.text, p.n);
        else
            audit_verify_line(v, p.text, p.n);
        got = 0;
    }
    if (got < 0) {
        audit_source_close(s);
        return cannot_read(in->name, -got);
    }
    if (audit_source_harm(s))
        audit_verify_harm(v, audit_source_harm(s));
    else if (audit_source_bytes(s) == 0)
        audit_verify_empty(v);
    audit_source_close(s);
    return 0;
}

static int verify_inputs(struct work *w)
{
    struct audit_summary sum;
    struct audit_head head;
    bool found;
    int code = sort_inputs(w), bad_head = code ? 0 : read_head(w, &head, &found);

    if (code || bad_head == EXIT_TROUBLE)
        return EXIT_TROUBLE;
    struct audit_verify *v = audit_verify_new(found ? &head : NULL, on_remark, w);
    if (!v)
        return out_of_memory();
    for (size_t i = 0; i < w->n && !code; i++)
        code = verify_input(v, &w->inputs[i]);
    int err = audit_verify_end(v, &sum);
    audit_verify_free(v);
    if (code)
        return code;
    if (err)
        return out_of_memory();
    if (w->json)
        code = print_json(w, &sum, bad_head ? "damaged" : found ? "found" : "none");
    else
        print_summary(w, &sum, bad_head != 0);
    if (!code)
        code = check_output();
    return code ? code : sum.defects ? EXIT_DEFECTS : bad_head;
}

static int verify_files(struct work *w)
{
    w->out = BUF_INIT(JSON_MAX);
    w->w = jsonw_start(&w->out);
    jsonw_object(&w->w, NULL);
    jsonw_array(&w->w, "remarks");
    int code = verify_inputs(w);
    for (size_t i = 0; i < w->n; i++)
        audit_source_close(w->inputs[i].source);
    buf_free(&w->out);
    return code;
}

int command_audit_verify(const struct command_args *args)
{
    struct work w = {.head = args_value(args, "--head"),
                     .part = args_given(args, "--part"),
                     .json = args_given(args, "--json"),
                     .n = args->nwords};

    if (w.head && w.part)
        return args_wrong(args, "--head and --part exclude each other");
    w.inputs = calloc(w.n, sizeof(*w.inputs));
    if (!w.inputs)
        return out_of_memory();
    for (size_t i = 0; i < w.n; i++)
        w.inputs[i].name = args->words[i];
    int code = verify_files(&w);
    free(w.inputs);
    return code;
}
