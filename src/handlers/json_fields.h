/*
 * json_fields.h - strict readers of the members of a request's JSON.
 *
 * Each reader reads one member of one object. Absent and null are the same; a member of the wrong type,
 * length or range is a fault whose detail names it in full: `session.user.username: must be a string of 1 to
 * 256 characters`. Lengths count Unicode characters. Out-parameters are untouched where false is returned.
 */
#ifndef JG_HANDLERS_JSON_FIELDS_H
#define JG_HANDLERS_JSON_FIELDS_H

#include "base/fault.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* An object of the body and its path, for messages ("" = the body itself). */
struct json_fields {
    const cJSON *object;
    const char *path;
    struct fault *fault;
};

enum json_field_flags {
    FIELD_REQUIRED = 1, /* absent and null are faults */
    FIELD_NOT_EMPTY = 2,
    FIELD_PROSE = 4, /* free text: line ends and other control characters may be in it */
};

/* *out = NULL where absent. */
bool json_field_text(const struct json_fields *, const char *name, unsigned flags, unsigned max,
                     const char **out);
/* The same, for a caller that changes the text in place; the body still owns it. */
bool json_field_text_mutable(const struct json_fields *, const char *name, unsigned flags, unsigned max,
                             char **out);
#define FIELD_SECONDS_MAX 253402300799 /* since 1970: the end of the year 9999 */
/* *out = `absent` where absent. */
bool json_field_int(const struct json_fields *, const char *name, int64_t min, int64_t max, int64_t absent,
                    int64_t *out);
/* *out = false where absent. */
bool json_field_bool(const struct json_fields *, const char *name, bool *out);
/* *out = NULL where absent. */
bool json_field_object(const struct json_fields *, const char *name, unsigned flags, const cJSON **out);
bool json_field_array(const struct json_fields *, const char *name, const cJSON **out);
/* Index of the value in `words` (ended by NULL), or `absent`. */
bool json_field_word(const struct json_fields *, const char *name, const char *const *words, int absent,
                     int *out);
/* Index of a text in words, or -1. */
int json_field_word_index(const char *text, const char *const *words);

#endif
