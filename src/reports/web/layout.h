/*
 * layout.h - a dashboard as a user has arranged it: which tiles, in what order and size.
 *
 *     {"revision":3,"tiles":[{"id":"top_users","width":4,"height":1}, …]}
 *
 * Known ids, each once; 3, 4, 6 or 12 wide, 1 to 3 high. What is stored is written here from what was
 * checked, and never the text of a client.
 */
#ifndef JG_REPORTS_WEB_LAYOUT_H
#define JG_REPORTS_WEB_LAYOUT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define LAYOUT_MAX ((size_t)64 * 1024) /* bytes of a document */

/* NULL, and the tiles of the client's document as a JSON array in `out`; else why not, fit for a caller. */
const char *layout_read(const char *text, size_t len, struct buf *out);
/* The array of the default dashboard. */
void layout_default(struct buf *out);
/* If-Match: `"n"`. False = no such text. */
bool layout_match(const char *text, int64_t *revision);

#endif
