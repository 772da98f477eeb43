/* SPDX-License-Identifier: Apache-2.0 */
/* partial_answers.c - see partial_answers.h. */
#include "broker/find/partial_answers.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define LINE_EVERY_MS 60000

struct absence { /* of one vault */
    uint64_t answers, unlogged;
    uint64_t logged_ms;
    bool logged; /* a line has been written, at logged_ms */
};

struct partial_answers {
    size_t n;
    struct absence vault[];
};

struct partial_answers *partial_answers_new(size_t nvaults)
{
    struct partial_answers *partial = calloc(1, sizeof(*partial) + nvaults * sizeof(partial->vault[0]));

    if (partial)
        partial->n = nvaults;
    return partial;
}

void partial_answers_free(struct partial_answers *partial)
{
    free(partial);
}

void partial_answers_note(struct partial_answers *partial, size_t vault, const char *name,
                          const struct fault *why, uint64_t now_ms)
{
    struct absence *absence = &partial->vault[vault];

    absence->answers++;
    absence->unlogged++;
    if (absence->logged && now_ms - absence->logged_ms < LINE_EVERY_MS)
        return;
    log_warn("vault_left_out", "vault=%s answers=%" PRIu64 " code=%s detail=%s", name, absence->unlogged,
             fault_row(why->code)->code, why->detail);
    absence->unlogged = 0;
    absence->logged_ms = now_ms;
    absence->logged = true;
}

uint64_t partial_answers_count(const struct partial_answers *partial, size_t vault)
{
    return vault < partial->n ? partial->vault[vault].answers : 0;
}
