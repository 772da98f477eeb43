/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_layout.c - the arrangement of a dashboard as a browser sends it, and its If-Match.
 *
 * A document is refused with a reason, or what is to be stored is JSON that is read again as the same text.
 */
#include "fuzz.h"

#include "base/json.h"
#include "reports/web/layout.h"

#include <string.h>

static void check_stored(const struct buf *tiles)
{
    struct buf document = BUF_INIT(2 * LAYOUT_MAX), again = BUF_INIT(LAYOUT_MAX);

    FUZZ_ASSERT(!tiles->failed && tiles->len);
    FUZZ_ASSERT(json_check(tiles->data, tiles->len, 4, 0) == NULL);
    FUZZ_ASSERT(buf_str(&document, "{\"tiles\":") == 0);
    FUZZ_ASSERT(buf_append(&document, tiles->data, tiles->len) == 0 && buf_char(&document, '}') == 0);
    FUZZ_ASSERT(layout_read(document.data, document.len, &again) == NULL);
    FUZZ_ASSERT(again.len == tiles->len && memcmp(again.data, tiles->data, tiles->len) == 0);
    buf_free(&document);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    struct buf tiles = BUF_INIT(LAYOUT_MAX);
    size_t len;
    char *text = fuzz_text(&input, &len), *match = fuzz_string(&input);
    int64_t revision = -1;
    const char *why = layout_read(text, len, &tiles);

    if (!why)
        check_stored(&tiles);
    if (layout_match(match, &revision))
        FUZZ_ASSERT(revision >= 0 && match[0] == '"' && match[strlen(match) - 1] == '"');
    buf_free(&tiles);
    free(text);
    free(match);
    return 0;
}
