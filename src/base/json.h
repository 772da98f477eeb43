/*
 * json.h - strict JSON on cJSON.
 *
 * cJSON alone is lenient (bad UTF-8, duplicate keys, text after the value, a byte-order mark, \u0000 cutting
 * a string short). json_parse() checks the text first in one pass, so what reaches cJSON is RFC 8259, UTF-8,
 * at most `depth` deep, without duplicate members and without NUL. Vault answers are read with the same
 * rigour but may repeat members. cJSON works on wiping allocators (json_init).
 */
#ifndef JG_BASE_JSON_H
#define JG_BASE_JSON_H

#include "base/buf.h"
#include "base/secret.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum json_flags {
    JSON_DUPLICATES_OK = 1, /* vault answers: the last one counts for nobody, the first is read */
    JSON_SECRET = 2,        /* the tree lives in secret memory; the loop's thread only */
};

/* Once, before any thread: wiping memory for cJSON. */
void json_init(void);

/*
 * Parses len bytes. Returns the tree (caller: cJSON_Delete) or NULL and *why, a static text fit for a caller
 * ("nesting over 32"). The outermost value is depth 1.
 */
cJSON *json_parse(const char *text, size_t len, unsigned depth, unsigned flags, const char **why);

/* Same check without building a tree: NULL if good, else why not. */
const char *json_check(const char *text, size_t len, unsigned depth, unsigned flags);

/*
 * Reads a body that is one JSON string (a password, a key) without building a tree: all escapes of RFC 8259,
 * in both server dialects (facts password-safe-api 4.1), blanks around it allowed. 0, -EINVAL, -ENOMEM.
 */
int json_unescape(const char *text, size_t len, struct secret *out);

/* Member by name, exact case. NULL when absent or null. */
const cJSON *json_get(const cJSON *object, const char *name);
/* Member by name in any case, for vault answers (facts password-safe-api 0.1 point 7). NULL when absent or
 * null. */
const cJSON *json_get_nocase(const cJSON *object, const char *name);

/* An integer value, also written 22.0; false when it is no integer in the range of int64 that double keeps.
 */
bool json_int(const cJSON *value, int64_t *out);

/* UTF-8 check of RFC 3629 (no surrogates, no overlong forms). */
bool utf8_valid(const char *text, size_t len);

#endif
