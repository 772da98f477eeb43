/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_draft.c - a configuration while it is being read: sections and notes.
 *
 * A new part has the defaults of its section, so a check never reads an unset value. The number of notes is
 * limited: a file of random bytes gives a few hundred messages, not a million.
 */
#include "conf/table/conf_draft.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX 200

void conf_draft_init(struct conf_draft *d, const struct conf_table *table, const char *file)
{
    *d = (struct conf_draft){.table = table, .file = file};
    TAILQ_INIT(&d->parts);
}

static void part_free(struct conf_part *part)
{
    const struct conf_table *table = part->table;

    for (size_t i = 0; part->object && i < table->nrows; i++)
        if (table->rows[i].section == part->section)
            table->rows[i].type->clear(&table->rows[i], part->object);
    free(part->object);
    free(part);
}

void conf_draft_free(struct conf_draft *d)
{
    struct conf_part *part;

    HASH_CLEAR(hh, d->by_key);
    while ((part = TAILQ_FIRST(&d->parts))) {
        TAILQ_REMOVE(&d->parts, part, link);
        part_free(part);
    }
    for (size_t i = 0; i < d->nnotes; i++)
        free(d->notes[i].text);
    free(d->notes);
}

/* Sets every value to none, then to its default. */
static int part_defaults(struct conf_part *part)
{
    char why[CONF_WHY_SIZE];

    for (size_t i = 0; i < part->table->nrows; i++) {
        const struct conf_row *row = &part->table->rows[i];
        if (row->section != part->section)
            continue;
        row->type->clear(row, part->object);
        if (row->fallback && row->type->parse(row, row->fallback, part->object, why))
            return -1;
    }
    return 0;
}

static void make_key(char key[CONF_NAME_MAX + 8], unsigned section, const char *name)
{
    (void)snprintf(key, CONF_NAME_MAX + 8, "%u %s", section, name);
}

struct conf_part *conf_draft_find(struct conf_draft *d, unsigned section, const char *name)
{
    char key[CONF_NAME_MAX + 8];
    struct conf_part *part;

    make_key(key, section, name);
    HASH_FIND_STR(d->by_key, key, part);
    return part;
}

/* False = out of memory. */
static bool add_key(struct conf_draft *d, struct conf_part *part)
{
    make_key(part->key, part->section, part->name);
    if (conf_draft_find(d, part->section, part->name))
        return true;
    HASH_ADD_STR(d->by_key, key, part);
    return part->hh.tbl != NULL;
}

struct conf_part *conf_draft_add(struct conf_draft *d, unsigned section, const char *name, unsigned line)
{
    struct conf_part *part = calloc(1, sizeof(*part));

    if (part) {
        part->table = d->table;
        part->section = section;
        part->line = line;
        (void)snprintf(part->name, sizeof(part->name), "%s", name);
        part->object = calloc(1, d->table->sections[section].size);
    }
    if (!part || !part->object || part_defaults(part) || !add_key(d, part)) {
        if (part)
            part_free(part);
        d->nomem = true;
        return NULL;
    }
    TAILQ_INSERT_TAIL(&d->parts, part, link);
    return part;
}

struct conf_part *conf_draft_next(struct conf_draft *d, unsigned section, const struct conf_part *part)
{
    struct conf_part *next = part ? TAILQ_NEXT(part, link) : TAILQ_FIRST(&d->parts);

    while (next && (next->section != section || next->spare))
        next = TAILQ_NEXT(next, link);
    return next;
}

bool conf_part_has(const struct conf_part *part, const char *key)
{
    const struct conf_row *row = conf_row_find(part->table, part->section, key);

    return row && part->at[row - part->table->rows];
}

unsigned conf_part_line(const struct conf_part *part, const char *key)
{
    const struct conf_row *row = conf_row_find(part->table, part->section, key);

    return row && part->at[row - part->table->rows] ? part->at[row - part->table->rows] : part->line;
}

const char *conf_part_title(const struct conf_part *part, char out[CONF_TITLE_SIZE])
{
    (void)snprintf(out, CONF_TITLE_SIZE, "[%s%s%s]", part->table->sections[part->section].name,
                   part->name[0] ? " " : "", part->name);
    return out;
}

/* ---- notes ---- */

static void note_add(struct conf_draft *d, struct conf_note note)
{
    struct conf_note *more = reallocarray(d->notes, d->nnotes + 1, sizeof(*more));

    if (!more) {
        free(note.text);
        d->nomem = true;
        return;
    }
    d->notes = more;
    d->notes[d->nnotes++] = note;
}

/* Notes quote the file and are shown on a terminal. */
static void only_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

static void __attribute__((format(printf, 4, 0)))
note_vadd(struct conf_draft *d, unsigned line, bool warning, const char *fmt, va_list ap)
{
    char *text;

    if (d->nnotes >= NOTES_MAX)
        return;
    if (vasprintf(&text, fmt, ap) < 0) {
        d->nomem = true;
        return;
    }
    only_printable(text);
    note_add(d, (struct conf_note){.line = line ? line : 1, .warning = warning, .text = text});
}

void conf_error(struct conf_draft *d, unsigned line, const char *fmt, ...)
{
    va_list ap;

    d->errors++;
    va_start(ap, fmt);
    note_vadd(d, line, false, fmt, ap);
    va_end(ap);
}

void conf_warning(struct conf_draft *d, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note_vadd(d, line, true, fmt, ap);
    va_end(ap);
}

/* By line; notes of one line keep their order (insertion sort is stable, and the list is short). */
static void notes_sort(struct conf_draft *d)
{
    for (size_t i = 1; i < d->nnotes; i++) {
        struct conf_note note = d->notes[i];
        size_t k = i;
        for (; k && d->notes[k - 1].line > note.line; k--)
            d->notes[k] = d->notes[k - 1];
        d->notes[k] = note;
    }
}

/* A note may quote any bytes of the file and is shown on a terminal. */
static void print_note(struct buf *out, const char *file, const struct conf_note *note)
{
    utf8_visible(out, file, strlen(file));
    (void)buf_printf(out, ":%u: %s", note->line, note->warning ? "warning: " : "");
    utf8_visible(out, note->text, strlen(note->text));
    (void)buf_char(out, '\n');
}

void conf_draft_print(struct conf_draft *d, struct buf *out)
{
    notes_sort(d);
    for (size_t i = 0; i < d->nnotes; i++)
        print_note(out, d->file, &d->notes[i]);
    if (d->nnotes >= NOTES_MAX)
        (void)buf_printf(out, "%s: more mistakes than are worth printing; only the first %d are shown\n",
                         d->file, NOTES_MAX);
}
