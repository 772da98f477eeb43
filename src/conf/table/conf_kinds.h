/*
 * conf_kinds.h - values of a configuration that are more than a number or a text: what the structs of a
 * configuration hold, whichever program's it is.
 *
 * Not here: how a text becomes one (conf_table.h).
 */
#ifndef JG_CONF_TABLE_CONF_KINDS_H
#define JG_CONF_TABLE_CONF_KINDS_H

#include <stddef.h>
#include <stdint.h>

#define CONF_NAME_MAX 64 /* of a section, with its NUL */

struct conf_list { /* blank-separated values */
    char **item;
    size_t n;
};

#define CONF_DIGESTS 2

struct conf_digests { /* SHA-256 of tokens that are valid side by side while one is being changed */
    uint8_t sha256[CONF_DIGESTS][32];
    size_t n;
};

#define CONF_DURATIONS 8

struct conf_durations { /* rising */
    uint64_t ms[CONF_DURATIONS];
    size_t n;
};

struct conf_endpoint { /* where a TCP socket listens */
    char *text;        /* as written; NULL = none */
    char *host;        /* without brackets */
    uint16_t port;     /* 0 = any free one */
};

#endif
