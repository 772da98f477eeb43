/*
 * url_target.h - a request's target: one segment of its path, and its query, percent-decoded.
 *
 * Decoding is strict: `%` needs two hexadecimal digits, an encoded NUL and invalid UTF-8 are refused. In a
 * query `+` is a blank, as HTML forms and most libraries write it; in a path it is itself.
 */
#ifndef JG_HANDLERS_URL_TARGET_H
#define JG_HANDLERS_URL_TARGET_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

/* Does the path match the pattern? `{…}` in a pattern is one segment, not empty. */
bool url_target_fits(const char *pattern, const char *path);

/* The segment in place of `{…}` of a path that fits, decoded, in memory of its own; NULL and a fault. */
char *url_target_segment(const char *pattern, const char *path, struct fault *);

struct url_target_parameter {
    const char *name;
    /* Takes the decoded value into `out`; false if it is not valid. The text is valid as long as the query's
     * copy. */
    bool (*take)(const char *value, void *out);
    const char *needs; /* completes "the parameter `x` …": "must be a number" */
};

/*
 * Parses a query in place. Each parameter may be given once; one that is not in the table (ended by a row
 * without name) is refused. False and a fault.
 */
bool url_target_query(char *query, const struct url_target_parameter *table, void *out, struct fault *);

#endif
