/*
 * conf_draft.h - a configuration while it is being read: its sections with their line numbers, and its
 * mistakes.
 *
 * The draft has two things that a finished configuration does not have: the line of each key, for the
 * messages of the checks, and the sections with a mistake of their own (`spare`), whose keys are checked and
 * which are not compared with other sections. conf_read.c fills the draft, conf_rules.h and the checks of the
 * program judge it, conf_objects.h moves the sections out of it.
 *
 * Notes are kept until the end and printed in the order of their lines. Out of memory sticks in `nomem`.
 */
#ifndef JG_CONF_TABLE_CONF_DRAFT_H
#define JG_CONF_TABLE_CONF_DRAFT_H

#include "base/uthash_nofail.h"
#include "conf/table/conf_table.h"

#include <sys/queue.h>

struct conf_note {
    unsigned line;
    bool warning;
    char *text;
};

struct conf_part { /* one section of the file */
    const struct conf_table *table;
    unsigned section;
    char name[CONF_NAME_MAX];   /* "" where the section takes none */
    unsigned line;              /* of its header; 0 = not in the file */
    bool spare;                 /* a mistake by itself: not part of the result */
    void *object;               /* struct conf_gateway, …; values beyond the table's default are set */
    unsigned at[CONF_ROWS_MAX]; /* line that set the row, 0 = default */
    TAILQ_ENTRY(conf_part) link;
    char key[CONF_NAME_MAX + 8]; /* kind and name */
    UT_hash_handle hh;
};

struct conf_draft {
    const struct conf_table *table;
    const char *file;
    /* Does the reader of this draft use the file that the row names? NULL = each. The name of an unused one
     * is taken as it is written: a credential needs no directory. Set before conf_read(). */
    bool (*uses_file)(const struct conf_row *);
    TAILQ_HEAD(, conf_part) parts;
    struct conf_part *by_key; /* the first of each kind and name */
    struct conf_note *notes;
    size_t nnotes, errors;
    bool nomem;
};

void conf_draft_init(struct conf_draft *, const struct conf_table *, const char *file);
void conf_draft_free(struct conf_draft *);

/* Adds a section with the defaults in it. NULL when out of memory. */
struct conf_part *conf_draft_add(struct conf_draft *, unsigned section, const char *name, unsigned line);
/* The first section of this kind and name, or NULL. */
struct conf_part *conf_draft_find(struct conf_draft *, unsigned section, const char *name);
/* The next sound section of a kind after `part` (NULL = the first), or NULL. */
struct conf_part *conf_draft_next(struct conf_draft *, unsigned section, const struct conf_part *part);

/* The line of a key, or of the section's header where the key has its default. */
unsigned conf_part_line(const struct conf_part *, const char *key);
bool conf_part_has(const struct conf_part *, const char *key);
/* "[client pra]". Returns `out`. */
#define CONF_TITLE_SIZE (CONF_NAME_MAX + 16)
const char *conf_part_title(const struct conf_part *, char out[CONF_TITLE_SIZE]);

void conf_error(struct conf_draft *, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warning(struct conf_draft *, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* All notes as lines `file:line: text`. */
void conf_draft_print(struct conf_draft *, struct buf *out);

/* conf_read.c: the text of the file into parts. The text is NUL-terminated after len bytes. */
void conf_read(struct conf_draft *, const char *text, size_t len);

#endif
