/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.c - members of one JSON object; see fields.h.
 */
#include "sim/fields.h"

#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <limits.h>

int fields_missing(struct fields *f, const char *what)
{
    if (!f->rc)
        (void)buf_printf(f->why, "%s is missing, unknown or wrong", what);
    f->rc = -EINVAL;
    return f->rc;
}

static void integer(struct fields *f, const char *name, int64_t max, int64_t *out)
{
    const cJSON *v = json_get(f->entry, name);
    int64_t value;

    if (!v)
        return;
    if (json_int(v, &value) && value >= 0 && value <= max)
        *out = value;
    else
        (void)fields_missing(f, name);
}

void fields_int(struct fields *f, const char *name, int *out)
{
    int64_t value = *out;

    integer(f, name, INT_MAX, &value);
    *out = (int)value;
}

void fields_u64(struct fields *f, const char *name, uint64_t *out)
{
    int64_t value = -1;

    integer(f, name, INT64_C(1) << 50, &value);
    if (value >= 0)
        *out = (uint64_t)value;
}

void fields_bool(struct fields *f, const char *name, bool *out)
{
    const cJSON *v = json_get(f->entry, name);

    if (cJSON_IsBool(v))
        *out = cJSON_IsTrue(v);
    else if (v)
        (void)fields_missing(f, name);
}

void fields_text(struct fields *f, const char *name, const char **out)
{
    const cJSON *v = json_get(f->entry, name);

    if (cJSON_IsString(v))
        *out = v->valuestring;
    else if (v)
        (void)fields_missing(f, name);
}

void fields_date(struct fields *f, const char *name, int64_t *out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(f->entry, name);
    int64_t value;

    if (cJSON_IsNull(v))
        *out = 0;
    else if (cJSON_IsString(v) && clock_parse_vault_date(v->valuestring, &value) == 0)
        *out = value;
    else if (v)
        (void)fields_missing(f, name);
}
