/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_trail.c - see audit_trail.h.
 */
#include "audit_trail.h"

#include "check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void audit_trail_make(struct audit_trail *t)
{
    memset(t, 0, sizeof(*t));
    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/jumpgate-audit-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    (void)snprintf(t->file, sizeof(t->file), "%s/audit.jsonl", t->dir);
    (void)snprintf(t->head, sizeof(t->head), "%s/audit.head", t->dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void audit_trail_remove(struct audit_trail *t)
{
    assert_int_equal(nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *audit_trail_path(const struct audit_trail *t, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", t->dir, name);
    return out;
}

const char *audit_trail_text(const char *path)
{
    static char text[1 << 22];
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    assert_int_equal(fclose(f), 0);
    text[n] = '\0';
    return text;
}

static void on_told(void *arg, const struct audit_remark *r)
{
    struct audit_trail *t = arg;
    size_t n = strlen(t->said);

    (void)snprintf(t->said + n, sizeof(t->said) - n, "%s%llu:%llu %s\n", r->note ? "note " : "",
                   (unsigned long long)r->line, (unsigned long long)r->seq, r->text);
}

static void feed(struct audit_verify *v, const char *path)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    audit_verify_file(v, path);
    while ((n = getline(&line, &size, f)) > 0)
        audit_verify_line(v, line, (size_t)n);
    free(line);
    assert_int_equal(fclose(f), 0);
}

uint64_t audit_trail_verify(struct audit_trail *t, const char *older)
{
    struct audit_head head;
    const char *text = audit_trail_text(t->head);

    assert_true(audit_head_read(text, strlen(text), &head));
    struct audit_verify *v = audit_verify_new(&head, on_told, t);
    assert_non_null(v);
    t->said[0] = '\0';
    if (older)
        feed(v, older);
    feed(v, t->file);
    assert_int_equal(audit_verify_end(v, &t->sum), 0);
    audit_verify_free(v);
    return t->sum.defects;
}
