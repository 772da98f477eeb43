/*
 * jsonw.h - writes JSON straight into a buffer.
 *
 * Commas are placed by the writer; names and strings are escaped; invalid UTF-8 in a value becomes U+FFFD, so
 * that an answer is always valid JSON. Errors stick in the buffer (`failed`), ask once at the end.
 *
 *     struct jsonw w = jsonw_start(&buf);
 *     jsonw_object(&w, NULL);
 *       jsonw_str(&w, "name", "jumpgate");
 *       jsonw_array(&w, "rows");  jsonw_int(&w, NULL, 1);  jsonw_end(&w);
 *     jsonw_end(&w);
 */
#ifndef JG_BASE_JSONW_H
#define JG_BASE_JSONW_H

#include "base/buf.h"

#include <stdint.h>

#define JSONW_DEPTH 16

struct jsonw {
    struct buf *buf;
    unsigned depth;
    char close[JSONW_DEPTH];
    bool first[JSONW_DEPTH];
};

struct jsonw jsonw_start(struct buf *);
/* `name` is NULL inside arrays and at the top. */
void jsonw_object(struct jsonw *, const char *name);
void jsonw_array(struct jsonw *, const char *name);
void jsonw_end(struct jsonw *);
void jsonw_str(struct jsonw *, const char *name, const char *value); /* NULL value = null */
void jsonw_strn(struct jsonw *, const char *name, const char *value, size_t len);
void jsonw_int(struct jsonw *, const char *name, int64_t value);
void jsonw_double(struct jsonw *, const char *name, double value); /* at most 6 digits after the point */
void jsonw_bool(struct jsonw *, const char *name, bool value);
void jsonw_null(struct jsonw *, const char *name);
void jsonw_strs(struct jsonw *, const char *name, const char *const *values, size_t n); /* an array */
static inline void jsonw_int_or_null(struct jsonw *w, const char *name, int64_t value, bool is_null)
{
    if (is_null)
        jsonw_null(w, name);
    else
        jsonw_int(w, name, value);
}
/* A finished JSON text, taken as it is. */
void jsonw_raw(struct jsonw *, const char *name, const char *json, size_t len);

/* The escaped inside of a JSON string, without quotes. */
void jsonw_escape(struct buf *, const char *value, size_t len);

#endif
