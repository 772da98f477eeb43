/*
 * parse.h - reading members of the vault's answers the lenient way; for the files that parse them.
 *
 * Names in any case, absent and null alike, blanks in texts as they are. What is no positive number is 0; a
 * number may stand in quotes.
 */
#ifndef JG_BACKENDS_PS_PARSE_H
#define JG_BACKENDS_PS_PARSE_H

#include "backends/password_safe/internal.h"
#include "base/json.h"

static inline int64_t ps_number(const cJSON *object, const char *name)
{
    int64_t value;

    return json_int_exact(json_get_nocase(object, name), &value) && value > 0 ? value : 0;
}

/* The same for what names a thing: `odd` becomes true where a number stands that cannot be read exactly. */
static inline int64_t ps_id(const cJSON *object, const char *name, bool *odd)
{
    const cJSON *value = json_get_nocase(object, name);
    int64_t id;

    if (json_int_exact(value, &id))
        return id > 0 ? id : 0;
    *odd |= json_is_numeral(value);
    return 0;
}

/* NULL for absent, null and "". */
static inline const char *ps_words_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(json_get_nocase(object, name));

    return text && *text ? text : NULL;
}

static inline bool ps_flag(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(json_get_nocase(object, name));
}

/* The answer as a tree, its texts mended. NULL = no JSON. */
cJSON *ps_tree(struct ps_call *);
#define PS_TREE_DEPTH 32
/* Where the tree of an answer lives: where its text does. */
static inline unsigned ps_tree_memory(const struct buf *body)
{
    return body->secret ? JSON_SECRET : 0;
}
/* Rows may be wrapped, {"TotalCount":n,"Data":[...]}, or be one object (`single`). */
const cJSON *ps_rows(const cJSON *tree, bool *single);
/* An array with an object in it, or an empty one. What else is in it is no row. */
bool ps_are_rows(const cJSON *rows);
/* The answer counts more rows than there are before this page, and the page is empty. */
bool ps_contradicts_itself(const struct ps_call *, const cJSON *tree, const cJSON *rows);
/* The answer cannot be understood; `what` says what it is not. Both end the call. */
enum ps_next ps_nonsense(struct ps_call *, const char *what);
enum ps_next ps_no_memory(struct ps_call *);

#endif
