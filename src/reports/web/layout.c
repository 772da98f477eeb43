/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - a dashboard as a user has arranged it; see layout.h.
 */
#include "reports/web/layout.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "reports/query/query.h"

#include <string.h>

#define DEPTH     5
#define MAX_TILES 64

/* Rows of 12 columns: small tiles stand two above each other beside large ones. */
static const struct {
    const char *id;
    int width, height;
} defaults[] = {
    {"sessions_over_time", 6, 2}, {"running_now", 3, 1},   {"injections", 3, 1},    {"by_site", 3, 1},
    {"by_jump_group", 3, 1},      {"top_users", 4, 2},     {"top_endpoints", 4, 2}, {"durations", 4, 2},
    {"event_types", 4, 2},        {"outside_hours", 4, 2}, {"abnormal", 4, 1},      {"collector", 4, 1},
};

static void write_tile(struct jsonw *w, const char *id, int64_t width, int64_t height)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "id", id);
    jsonw_int(w, "width", width);
    jsonw_int(w, "height", height);
    jsonw_end(w);
}

void layout_default(struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (query_tile_named(defaults[i].id) >= 0)
            write_tile(&w, defaults[i].id, defaults[i].width, defaults[i].height);
    jsonw_end(&w);
}

static const char *read_tile(const cJSON *tile, bool seen[MAX_TILES], struct jsonw *w)
{
    const cJSON *id = json_get(tile, "id");
    int64_t width = 0, height = 0;
    int at;

    if (!cJSON_IsObject(tile) || !cJSON_IsString(id) || cJSON_GetArraySize(tile) != 3 ||
        !json_int(json_get(tile, "width"), &width) || !json_int(json_get(tile, "height"), &height))
        return "each tile must have `id`, `width` and `height`, and nothing else";
    at = query_tile_named(id->valuestring);
    if (at < 0 || at >= MAX_TILES)
        return "there is no tile of one of the ids";
    if (seen[at])
        return "one of the tiles is there twice";
    seen[at] = true;
    if (width != 3 && width != 4 && width != 6 && width != 12)
        return "a tile is 3, 4, 6 or 12 wide";
    if (height < 1 || height > 3)
        return "a tile is 1 to 3 high";
    write_tile(w, query_tile_id(at), width, height);
    return NULL;
}

static const char *read_tiles(const cJSON *document, struct buf *out)
{
    const cJSON *tiles = json_get(document, "tiles"), *tile;
    struct jsonw w = jsonw_start(out);
    bool seen[MAX_TILES] = {false};
    const char *why = NULL;
    int members = cJSON_IsObject(document) ? cJSON_GetArraySize(document) : 0;

    /* `revision` is what If-Match says; a document that was read may be sent back as it was. */
    if (!cJSON_IsArray(tiles) || members > 2 || (members == 2 && !json_get(document, "revision")))
        return "the body must be {\"tiles\":[…]}";
    jsonw_array(&w, NULL);
    cJSON_ArrayForEach(tile, tiles)
    {
        why = read_tile(tile, seen, &w);
        if (why)
            return why;
    }
    jsonw_end(&w);
    return out->failed ? "out of memory" : NULL;
}

const char *layout_read(const char *text, size_t len, struct buf *out)
{
    const char *why = "the body is not acceptable JSON";
    cJSON *document = json_parse(text, len, DEPTH, 0, &why);

    if (document)
        why = read_tiles(document, out);
    cJSON_Delete(document);
    return why;
}

bool layout_match(const char *text, int64_t *revision)
{
    char digits[24];
    size_t n = strlen(text);

    if (n < 3 || text[0] != '"' || text[n - 1] != '"' ||
        !text_copy_n(digits, sizeof(digits), text + 1, n - 2))
        return false;
    return digits[strspn(digits, "0123456789")] == '\0' && text_int(digits, 0, INT64_MAX, revision);
}
