/*
 * json.h - strict JSON on cJSON.
 *
 * cJSON alone is lenient (bad UTF-8, duplicate keys, text after the value, a byte-order mark, \u0000 cutting
 * a string short). json_parse() checks the text first in one pass, so what reaches cJSON is RFC 8259, UTF-8,
 * at most `depth` deep, without duplicate members and without NUL. Vault answers are read by the same scanner
 * but may repeat members, and their texts are repaired (JSON_MEND). cJSON works on wiping allocators
 * (json_init).
 */
#ifndef JG_BASE_JSON_H
#define JG_BASE_JSON_H

#include "base/buf.h"
#include "base/memory/secret.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum json_flags {
    JSON_DUPLICATES_OK = 1, /* vault answers: the first one is read, later ones are ignored */
    JSON_SECRET = 2,        /* the tree is in secret memory; the loop's thread only */
    /*
     * A letter that JSON forbids in a string becomes U+FFFD: NUL and lone surrogates (escaped), control
     * characters, bytes that are no UTF-8. Everything else is as strict as without. Never for secrets.
     */
    JSON_MEND = 4,
    /* Integers of 16 digits and more come as strings, which json_int_exact() reads. */
    JSON_EXACT = 8,
};

struct json_outcome {
    int err;         /* 0, -EINVAL, -EILSEQ (well formed but for a letter that JSON forbids), -ENOMEM */
    const char *why; /* NULL = read */
    size_t mended;   /* strings in which a letter was replaced */
};

/* Once, before any thread: wiping memory for cJSON. */
void json_init(void);

/*
 * Parses len bytes. Returns the tree (caller: cJSON_Delete) or NULL and *why, a static text fit for a caller
 * ("nesting over 32"). The outermost value is depth 1.
 */
cJSON *json_parse(const char *text, size_t len, unsigned depth, unsigned flags, const char **why);

/* The same, and what became of it. */
cJSON *json_read(const char *text, size_t len, unsigned depth, unsigned flags, struct json_outcome *);

/* Same check, no tree to keep: NULL if good, else why not. */
const char *json_check(const char *text, size_t len, unsigned depth, unsigned flags);

/*
 * Reads a body that is one JSON string (a password, a key) without building a tree: all escapes of RFC 8259,
 * in both server dialects (docs/password-safe.md), blanks around it allowed. Never mended: -EILSEQ for
 * a letter that JSON forbids. 0, -EINVAL, -ENOMEM.
 */
int json_unescape(const char *text, size_t len, struct secret *out);

/* Member by name, exact case. NULL when absent or null. */
const cJSON *json_get(const cJSON *object, const char *name);
/* Member by name in any case, for vault answers (docs/password-safe.md). NULL when absent or null. */
const cJSON *json_get_nocase(const cJSON *object, const char *name);

/* An integer value, also written 22.0; false when it is no integer, or not below 2^53, where doubles skip
 * some. */
bool json_int(const cJSON *value, int64_t *out);
/* The same, or an integer within int64 in quotes: of a tree read with JSON_EXACT, or written so by a vault.
 */
bool json_int_exact(const cJSON *value, int64_t *out);
/* A member that may be absent: "" or 0 then, and where it is of another kind. */
const char *json_text(const cJSON *object, const char *name);
int64_t json_number(const cJSON *object, const char *name); /* as json_int_exact() */
/* A number, or digits in quotes, whether or not they can be read. */
bool json_is_numeral(const cJSON *value);

#endif
