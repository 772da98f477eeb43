/*
 * body.h - request bodies as the vault reads them: JSON, lenient JSON, forms.
 *
 * The vault's reader is Newtonsoft-like: it takes single quotes, unquoted words, and numbers given as strings
 * (setting 1). Every kind of body becomes one cJSON object here, so that callers look members up by name, in
 * any letter case. With the setting off only strict JSON with proper types passes.
 */
#ifndef SIM_BODY_H
#define SIM_BODY_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_kind { BODY_JSON, BODY_FORM, BODY_OTHER };

enum body_kind body_kind_of(const char *content_type);
/* The object (caller: cJSON_Delete), or NULL: not an object, malformed, out of memory. */
cJSON *body_read(enum body_kind, const char *text, size_t len, bool lenient);

enum body_got { BODY_ABSENT, BODY_GOOD, BODY_BAD };
/* Absent and null are the same. */
enum body_got body_int(const cJSON *, const char *name, bool lenient, int64_t *out);
enum body_got body_bool(const cJSON *, const char *name, bool lenient, bool *out);
enum body_got body_str(const cJSON *, const char *name, const char **out);

#endif
