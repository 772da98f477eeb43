/*
 * conf_fixture.h - a directory of its own for each test, and configurations loaded from text.
 *
 * fixture_load() writes the text to DIR/test.conf and loads it. In the text, @DIR@ stands for the directory
 * and
 * @GOOD@ for the smallest sections that make a file complete (listener main, client pra, vault main).
 */
#ifndef JG_TESTS_CONF_FIXTURE_H
#define JG_TESTS_CONF_FIXTURE_H

#include "conf/conf.h"

#include <sys/types.h>

#define FIXTURE_TOKEN "ab530a13e45914982b79f9b7e3fba994cfd1f3fb22f71cea1afbf02b460c6d1d"

struct fixture {
    char dir[64];
    struct conf *conf; /* of the last load */
    struct buf errors; /* all its messages */
    int err;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Writes DIR/name and returns its path, valid until the next call. */
const char *fixture_file(struct fixture *, const char *name, const char *content, mode_t mode);
int fixture_load(struct fixture *, const char *text);
int fixture_load_bytes(struct fixture *, const void *bytes, size_t n);

/* Loads and wants `line: message` among the errors (a warning where it begins so), and a failure. */
void assert_mistake(struct fixture *, const char *text, unsigned line, const char *message);
/* Loads and wants success with this warning. */
void assert_warned(struct fixture *, const char *text, unsigned line, const char *message);
void assert_loads(struct fixture *, const char *text);
/* How many lines of messages there are. */
size_t fixture_messages(struct fixture *);

#endif
