/*
 * parse_json.h - reading the JSON of the vault's answers leniently; for the files that parse answers.
 *
 * Member names match in any case; an absent member and null are the same; texts keep their blanks. A number
 * may be in quotes, and everything but a positive number reads as 0.
 */
#ifndef JG_BACKENDS_PS_PARSE_JSON_H
#define JG_BACKENDS_PS_PARSE_JSON_H

#include "backends/password_safe/internal.h"
#include "base/json.h"

static inline int64_t ps_number(const cJSON *object, const char *name)
{
    int64_t value;

    return json_int_exact(json_get_nocase(object, name), &value) && value > 0 ? value : 0;
}

/* The same for an id. `odd` becomes true where it is a number that cannot be read exactly. */
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
static inline const char *ps_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(json_get_nocase(object, name));

    return text && *text ? text : NULL;
}

static inline bool ps_flag(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(json_get_nocase(object, name));
}

#define PS_TREE_DEPTH 32
/* The tree of an answer is in the same kind of memory as its text. */
static inline unsigned ps_tree_memory(const struct buf *body)
{
    return body->secret ? JSON_SECRET : 0;
}
/* The answer as a tree, its texts repaired. NULL = no JSON. */
cJSON *ps_tree(struct ps_call *);
/* The rows of an answer: an array, bare or wrapped as {"TotalCount":n,"Data":[...]}, or one object
 * (`single`). */
const cJSON *ps_rows(const cJSON *tree, bool *single);
/* An empty array, or one with an object in it. Other elements are no rows. */
bool ps_are_rows(const cJSON *rows);
/* How the pages of one kind of list are read. */
struct ps_page_reader {
    const char *what, *row, *object;   /* for faults: `what` has rows, none of them is `row`; it is an
                                          object, and no `object` */
    size_t *(*list)(struct ps_call *); /* its number of rows so far; NULL = out of memory */
    int (*add)(struct ps_call *, const cJSON *row); /* 0, 1 = it is left out, or -ENOMEM */
    /* After the `seen` rows of a page, the first of which would be row `before`. 0 = this was the last page,
     * 1 or -ENOMEM. */
    int (*end)(struct ps_call *, size_t before, size_t seen);
};
enum ps_next ps_read_page(struct ps_call *, const struct ps_page_reader *);
/* Both end the call as VAULT_FAILED. The text names what the answer is not. */
enum ps_next ps_unreadable(struct ps_call *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum ps_next ps_no_memory(struct ps_call *);

#endif
