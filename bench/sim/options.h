/*
 * options.h - a simulator's command line: one table of options, from which parsing and --help come.
 *
 * Each row names where its value goes and how it is read. Durations take a unit (500ms, 10s, 15m, 2h), bare
 * numbers are milliseconds.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "loop/server/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_MANY 32

enum option_kind {
    OPTION_TEXT,  /* const char * */
    OPTION_FLAG,  /* bool */
    OPTION_COUNT, /* uint64_t */
    OPTION_TIME,  /* uint64_t, milliseconds */
    OPTION_LIST   /* struct option_list */
};

struct option_list {
    const char *text[OPTION_MANY];
    size_t n;
};

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t at; /* place in the simulator's struct */
    const char *argument, *help;
};

/* Fills `into` and counts in given[i] (may be NULL) that row i came. 0, or -EINVAL with a message on stderr.
 */
int option_read(const struct option_row *, size_t n, void *into, bool *given, int argc, char **argv);
/* Writes the table to standard output. */
void option_help(const struct option_row *, size_t n);

/* Binds "127.0.0.1:0", "[::1]:8443" and names the address on standard output. 0 or -errno, with a message. */
int option_listen(struct http_server *, const char *name, const char *address, const struct http_tls_opts *,
                  char bound[128]);

#endif
