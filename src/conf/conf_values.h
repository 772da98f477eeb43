/*
 * conf_values.h - a configuration as a list of texts: for an operator, and for a comparison with another one.
 *
 * The texts are canonical: two spellings of one value have the same text. A secret value (a row with
 * CONF_SECRET) is given as a salted SHA-256: two of them can be compared, and neither can be read.
 */
#ifndef JG_CONF_CONF_VALUES_H
#define JG_CONF_CONF_VALUES_H

#include "conf/conf.h"

struct conf_value {
    const char *section; /* "gateway", "client pra" */
    const char *key;     /* NULL: the section begins */
    const char *text;    /* "" = not set */
    bool secret;
};

typedef void conf_value_fn(void *arg, const struct conf_value *);

/* Every section, each followed by all of its keys in the order of the table. 0 or -ENOMEM. */
int conf_values(const struct conf *, const char *salt, conf_value_fn *, void *arg);

/* Is the value of that key a secret, or the name of one? */
bool conf_value_is_secret(const char *section, const char *key);

enum conf_change_kind {
    CONF_CHANGES,       /* a reload takes it */
    CONF_NEEDS_RESTART, /* a reload refuses it */
};
/* What a reload does with a key whose text changes from `before` to `after` ("" = not set). */
enum conf_change_kind conf_change_of(const char *section, const char *key, const char *before,
                                     const char *after);
/* What a reload does with a section that is new, gone or moved. */
enum conf_change_kind conf_section_change(const char *section);

#endif
