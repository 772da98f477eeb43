/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_command.c - verifies audit files; see commands.h.
 *
 * Files may be given in any order: they are sorted by the number of their first line. The head, which records
 * the end of the trail, is `audit.head` beside the newest of them unless --head names another. It is read
 * before the files, so that lines a running gateway writes meanwhile do not count as lost.
 *
 * Remarks go to stdout, one per line: FILE:LINE: seq N: text; the last line sums up.
 *
 * Not here: what is a defect (audit/audit_verify.h).
 */
#include "commands/commands.h"

#include "audit/audit_verify.h"

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

struct input {
    const char *name;
    uint64_t first; /* number of its first sound line, 0 = none */
};

struct work {
    const char *head; /* as given; NULL = look for it */
    struct input *inputs;
    size_t n;
    uint64_t remarks;
};

static int cannot_read(const char *name, int err)
{
    fprintf(stderr, "jumpgate: cannot read %s: %s\n", name, strerror(err));
    return EXIT_TROUBLE;
}

static void on_remark(void *arg, const struct audit_remark *r)
{
    struct work *w = arg;

    if (++w->remarks > REMARKS_MAX)
        return;
    if (r->line)
        printf("%s:%" PRIu64 ": ", r->file, r->line);
    if (r->note)
        fputs("note: ", stdout);
    if (r->seq)
        printf("seq %" PRIu64 ": ", r->seq);
    puts(r->text);
}

/* ---- reading ---- */

/* Calls `line` until it returns false. 0 or the exit code. */
static int each_line(const char *name, bool (*line)(void *arg, const char *text, size_t n), void *arg)
{
    FILE *f = fopen(name, "re");
    char *text = NULL;
    size_t size = 0;
    ssize_t n;
    int code = 0;

    if (!f)
        return cannot_read(name, errno);
    errno = 0;
    while ((n = getline(&text, &size, f)) > 0)
        if (!line(arg, text, (size_t)n))
            break;
    if (ferror(f) || (n < 0 && errno == ENOMEM))
        code = cannot_read(name, errno);
    free(text);
    (void)fclose(f);
    return code;
}

static bool find_first(void *arg, const char *text, size_t n)
{
    struct input *in = arg;
    struct audit_line l;

    if (!audit_line_read(text, n, &l))
        in->first = l.link.seq;
    return in->first == 0;
}

static bool verify_line(void *arg, const char *text, size_t n)
{
    audit_verify_line(arg, text, n);
    return true;
}

static int by_first(const void *a, const void *b)
{
    const struct input *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static int sort_inputs(struct work *w)
{
    for (size_t i = 0; i < w->n; i++) {
        int code = each_line(w->inputs[i].name, find_first, &w->inputs[i]);
        if (code)
            return code;
    }
    qsort(w->inputs, w->n, sizeof(*w->inputs), by_first);
    return 0;
}

/* ---- the head ---- */

/* Beside the newest file. */
static const char *default_head(const struct work *w, char out[PATH_BYTES])
{
    const char *newest = w->inputs[w->n - 1].name, *slash = strrchr(newest, '/');
    int dir = slash ? (int)(slash - newest) + 1 : 0;

    return snprintf(out, PATH_BYTES, "%.*saudit.head", dir, newest) < PATH_BYTES ? out : NULL;
}

/* *found says whether there is one. 0 or the exit code. */
static int read_head(const struct work *w, struct audit_head *head, bool *found)
{
    char path[PATH_BYTES], text[AUDIT_HEAD_SIZE];
    const char *name = w->head ? w->head : default_head(w, path);
    FILE *f = name ? fopen(name, "re") : NULL;

    *found = false;
    if (!f && !w->head)
        return 0;
    if (!f)
        return cannot_read(name, errno);
    size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    *found = audit_head_read(text, n, head);
    if (*found)
        return 0;
    fprintf(stderr, "jumpgate: %s is no head of an audit trail, or was changed\n", name);
    return EXIT_DEFECTS;
}

/* ---- verify ---- */

static int sum_up(const struct work *w, const struct audit_summary *s)
{
    if (w->remarks > REMARKS_MAX)
        printf("(%" PRIu64 " more)\n", w->remarks - REMARKS_MAX);
    printf("%s: %" PRIu64 " lines in %" PRIu64 " files", s->defects ? "NOT SOUND" : "sound", s->lines,
           s->files);
    if (s->lines)
        printf(", seq %" PRIu64 " to %" PRIu64 ", %s to %s", s->first_seq, s->last_seq, s->first_time,
               s->last_time);
    if (s->defects)
        printf("; defects: %" PRIu64, s->defects);
    if (s->notes)
        printf("; notes: %" PRIu64, s->notes);
    puts("");
    if (fflush(stdout) || ferror(stdout)) {
        fputs("jumpgate: cannot write to standard output\n", stderr);
        return EXIT_TROUBLE;
    }
    return s->defects ? EXIT_DEFECTS : EXIT_SOUND;
}

static int verify_files(struct work *w)
{
    struct audit_summary sum;
    struct audit_head head;
    bool found;
    int code = sort_inputs(w), bad_head = code ? 0 : read_head(w, &head, &found);

    if (code || bad_head == EXIT_TROUBLE)
        return EXIT_TROUBLE;
    struct audit_verify *v = audit_verify_new(found ? &head : NULL, on_remark, w);
    if (!v) {
        fputs("jumpgate: out of memory\n", stderr);
        return EXIT_TROUBLE;
    }
    for (size_t i = 0; i < w->n && !code; i++) {
        audit_verify_file(v, w->inputs[i].name);
        code = each_line(w->inputs[i].name, verify_line, v);
    }
    audit_verify_end(v, &sum);
    audit_verify_free(v);
    if (code)
        return code;
    code = sum_up(w, &sum);
    return code ? code : bad_head;
}

int command_audit_verify(const struct command_args *args)
{
    struct work w = {.head = args_value(args, "--head"), .n = args->nwords};

    w.inputs = calloc(w.n, sizeof(*w.inputs));
    if (!w.inputs) {
        fputs("jumpgate: out of memory\n", stderr);
        return EXIT_TROUBLE;
    }
    for (size_t i = 0; i < w.n; i++)
        w.inputs[i].name = args->words[i];
    int code = verify_files(&w);
    free(w.inputs);
    return code;
}
