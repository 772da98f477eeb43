/*
 * conf_table.h - the table of a configuration, for the files that read, check and print it.
 *
 * A row (struct conf_row) describes one key; its type (struct conf_type) knows how a text becomes a value and
 * back. Everything that is true of one key alone is in its row; what two keys or two sections have to do with
 * each other is in the checks of its program. Rows are grouped by section, in the order an operator should
 * meet them; that order is also the order of the printed file and of the digest. To add a key:
 * CONTRIBUTING.md.
 *
 * Each program has a table of its own (struct conf_table): the gateway's is in conf/conf_rows.c. A section is
 * the index of its row in `sections`.
 */
#ifndef JG_CONF_TABLE_CONF_TABLE_H
#define JG_CONF_TABLE_CONF_TABLE_H

#include "base/buf.h"
#include "conf/table/conf_kinds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_flags {
    CONF_REQUIRED = 1, /* every section of this kind needs it */
    CONF_FILE = 2,     /* names a file that must be readable */
    CONF_SECRET = 4,   /* the value, or the file's content, is secret: never repeated in a message */
    CONF_STATIC = 8,   /* a reload must not change it, only a restart may */
    CONF_EMPTY = 16,   /* an empty value is fine and means none */
    CONF_STAYS = 32,   /* a reload may change the value, but neither set nor unset it */
    CONF_SAME = 64,    /* the same at all gateways of a cluster, or they would work against each other */
    CONF_ALIKE = 128,  /* the gateways of a cluster show where they differ in it: people see it, or a death is
                          judged by another measure */
};

#define CONF_WHY_SIZE 256
#define CONF_ROWS_MAX 192

struct conf_row;

struct conf_unit {
    const char *name; /* "" = plain number */
    uint64_t factor;
};

enum conf_shape {                /* how the type of a row is said */
                  SHAPE_ALONE,   /* what it is */
                  SHAPE_ONE_OF,  /* one of the row's choices */
                  SHAPE_LIST_OF, /* several of them */
                  SHAPE_AT_MOST, /* so many of what it is */
                  SHAPE_RATE,    /* a rate up to the row's limit */
};

struct conf_type {
    const char *what; /* for the operator: "duration" */
    enum conf_shape shape;
    const char *needs;             /* completes "`key` needs …" */
    const struct conf_unit *units; /* numbers: from small to large, ended by a NULL name */
    /* 0, -EINVAL with `why` (completes "`key` …"), or -ENOMEM. An earlier value is replaced. */
    int (*parse)(const struct conf_row *, const char *text, void *object, char why[CONF_WHY_SIZE]);
    /* The canonical text of the value, "" for none. */
    void (*print)(const struct conf_row *, const void *object, struct buf *);
    /* Frees what is owned and sets the value to none. */
    void (*clear)(const struct conf_row *, void *object);
};

struct conf_row {
    unsigned section;
    const char *name;
    const struct conf_type *type;
    size_t offset, size;  /* of the member in the section's struct */
    uint64_t min, max;    /* numbers: range; texts: max letters, 0 = as long as a line */
    const char *fallback; /* the default as text; NULL = none */
    const char *choices;  /* words, blank-separated, in the order of their values */
    const char *example;  /* for keys without default in the printed file */
    const char *unset;    /* what happens without it, where no default says so */
    const char *help;
    unsigned flags;
};

struct conf_section_info {
    const char *name;
    bool named; /* [listener NAME] */
    bool many;  /* there may be thousands of them */
    size_t size;
    const char *example; /* NAME in the printed file */
    const char *help;
};

/* A key that would put a secret into the file, and what to write instead. */
struct conf_trap {
    unsigned section;
    const char *key, *instead;
};

/* A section that another program's file has. */
struct conf_stranger {
    const char *name, *belongs; /* completes "section [name] …" */
};

struct conf_pages { /* texts around the rows where they are printed */
    const char *file_intro, *doc_intro;
    const char *man_name, *man_intro, *man_example, *man_see_also; /* man_name: "jumpgate.conf" */
    const char *man_program;                                       /* what the file configures: "jumpgate" */
};

typedef int conf_object_fn(void *arg, unsigned section, const char *name, void *object);

struct conf_table {
    const char *runs; /* what only a restart can change does so "while … runs": "the gateway" */
    const struct conf_section_info *sections;
    size_t nsections;
    const struct conf_row *rows; /* at most CONF_ROWS_MAX */
    size_t nrows;
    const struct conf_trap *traps;
    size_t ntraps;
    const struct conf_stranger *strangers;
    size_t nstrangers;
    const struct conf_pages *pages;
    /* Calls `fn` for every section of a finished configuration, in the order of the digest; a value other
     * than 0 ends it and is returned. */
    int (*each)(void *conf, conf_object_fn *fn, void *arg);
};

/* NULL when the section has no such key. */
const struct conf_row *conf_row_find(const struct conf_table *, unsigned section, const char *name);

/* conf_numbers.c; conf_days is conf_duration with the unit d. */
extern const struct conf_type conf_duration, conf_days, conf_durations, conf_size, conf_count, conf_choice,
    conf_rate, conf_call_rate, conf_mode, conf_uid;
/* conf_texts.c */
extern const struct conf_type conf_text, conf_file, conf_word, conf_san, conf_url, conf_proxy, conf_template,
    conf_endpoint, conf_digests;
/* conf_lists.c */
extern const struct conf_type conf_permissions, conf_templates, conf_words, conf_pairs, conf_networks,
    conf_quoted;
/* The placeholders of one template. 0 or -EINVAL and why. */
int conf_template_check(const struct conf_row *, const char *text, size_t len, char why[CONF_WHY_SIZE]);

/* Values in the largest unit that holds them whole: "90s", "64k". */
void conf_number_print(const struct conf_type *, uint64_t value, struct buf *);

/* conf_print.c: what a value is: "duration from 10ms to 10m", "one of: no yes", "file with a secret". */
void conf_describe(struct buf *, const struct conf_row *);
void conf_table_defaults(const struct conf_table *, struct buf *); /* the annotated file */
void conf_table_doc(const struct conf_table *, struct buf *);      /* a Markdown table per section */
/* conf_man.c */
void conf_table_man(const struct conf_table *, struct buf *);

void conf_clear_zero(const struct conf_row *, void *object); /* a conf_type's `clear` for plain values */

static inline void *conf_field(const struct conf_row *row, void *object)
{
    return (char *)object + row->offset;
}

static inline const void *conf_field_const(const struct conf_row *row, const void *object)
{
    return (const char *)object + row->offset;
}

/* The word at `*list`, without blanks around; moves on. NULL at the end. Shared by the list types. */
const char *conf_next_word(const char **list, size_t *len);
/* The struct conf_list of a row: `add` takes each word into it, in which there is room for row->max: 0,
 * -EINVAL and why, -ENOMEM. Where one fails, the old list stays. */
typedef int conf_list_add_fn(const struct conf_row *, struct conf_list *, const char *word, size_t len,
                             char *why);
int conf_list_parse(const struct conf_row *, const char *text, void *object, conf_list_add_fn *add,
                    char why[CONF_WHY_SIZE]);
void conf_list_print(const struct conf_row *, const void *object, struct buf *);
void conf_list_clear(const struct conf_row *, void *object);
/* The next word of a list in which words may be in double quotes, without them; moves on. NULL at the end, or
 * with `why` at a mistake. conf_quoted_add() takes it into a list with room for row->max: 0, -EINVAL and why,
 * -ENOMEM. */
const char *conf_next_quoted(const struct conf_row *, const char **list, size_t *len, bool *quoted,
                             char why[CONF_WHY_SIZE]);
int conf_quoted_add(const struct conf_row *, struct conf_list *, const char *word, size_t len,
                    char why[CONF_WHY_SIZE]);
/* Indexes of the choices that the words of `text` name, in its order; none twice. 0, or -EINVAL and why. */
int conf_choices_parse(const struct conf_row *, const char *text, int index[32], size_t *n, char *why);
void conf_choices_print(const struct conf_row *, const int *index, size_t n, struct buf *);
/* A text of one's own in the row's member: set (a copy; 0 or -ENOMEM), printed, freed. */
int conf_text_set(const struct conf_row *, void *object, const char *text);
void conf_text_print(const struct conf_row *, const void *object, struct buf *);
void conf_text_clear(const struct conf_row *, void *object);
/* Index of a word in `choices`, or -1. */
int conf_choice_index(const char *choices, const char *word, size_t len);
/* Writes into `why`; -EINVAL. The second: "knows only: …; did you mean …". */
int conf_refuse(char why[CONF_WHY_SIZE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int conf_refuse_choice(const struct conf_row *, const char *word, size_t len, char why[CONF_WHY_SIZE]);

#endif
