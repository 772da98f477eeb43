/*
 * findings.h - what is wrong with a configuration, or may become wrong: for `jumpgate check` and the start.
 */
#ifndef JG_COMMANDS_LINE_FINDINGS_H
#define JG_COMMANDS_LINE_FINDINGS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct finding {
    bool warning;
    unsigned line; /* of the configuration; 0 = it has none */
    int err;       /* -errno of a mistake: what it makes of a start (exit.h) */
    char *key;     /* NULL = about no single key */
    char *text;
};

struct findings {
    struct finding *list;
    size_t n, mistakes;
    bool failed; /* out of memory: the list lacks some */
};

void findings_free(struct findings *);
/* `key` may be NULL. */
void findings_mistake(struct findings *, unsigned line, const char *key, int err, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void findings_warn(struct findings *, unsigned line, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Takes over the lines of conf_load(), which begin with the name of the file. */
void findings_take_lines(struct findings *, const char *file, const struct buf *lines);

/* `FILE:LINE: [warning: ]TEXT`, one line each, in the order of the lines. */
void findings_print(struct findings *, const char *file, struct buf *out);
/* The same, mistakes and warnings apart. */
void findings_print_apart(struct findings *, const char *file, struct buf *mistakes, struct buf *warnings);
/* To the log, as `configuration_mistake` and `configuration_warning`. */
void findings_log(struct findings *, const char *file);
/* An array of objects with level, file, line, key and text. */
void findings_print_json(struct findings *, const char *file, struct buf *out);

#endif
