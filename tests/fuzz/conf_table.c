/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_table.c - a configuration file by its table: reading, every type of value, the checks between keys,
 * the messages; for the targets of the two programs.
 *
 * The files that a configuration names are not looked at, since they would be anywhere on this machine. A
 * draft either has errors or is sound; each error is a line of printable text that begins with the file's
 * name. What a sound value prints as must be read back as the same value.
 */
#include "conf_table.h"

#include "fuzz.h"

#include <string.h>

#define NAME      "fuzz.conf"
#define PRINT_MAX (1U << 20)

static void check_lines(const struct buf *notes)
{
    const char *at = notes->len ? notes->data : "", *end = at + notes->len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        FUZZ_ASSERT(stop);
        FUZZ_ASSERT(stop - at > (ptrdiff_t)strlen(NAME) && strncmp(at, NAME ":", strlen(NAME) + 1) == 0);
        for (; at < stop; at++)
            FUZZ_ASSERT((unsigned char)*at >= 0x20 && *at != 0x7f);
        at = stop + 1;
    }
}

/* Printed, read again, printed: the same text. */
static void check_value(const struct conf_row *row, void *object)
{
    struct buf first = BUF_INIT(PRINT_MAX), second = BUF_INIT(PRINT_MAX);
    char why[CONF_WHY_SIZE] = "", *text;

    row->type->print(row, object, &first);
    FUZZ_ASSERT(!first.failed);
    if (first.len) {
        text = strndup(first.data, first.len);
        FUZZ_ASSERT(text && row->type->parse(row, text, object, why) == 0);
        free(text);
        row->type->print(row, object, &second);
        FUZZ_ASSERT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    }
    buf_free(&first);
    buf_free(&second);
}

static void check_parts(struct conf_draft *draft)
{
    struct conf_part *part;

    TAILQ_FOREACH(part, &draft->parts, link)
    for (size_t i = 0; !part->spare && i < draft->table->nrows; i++)
        if (draft->table->rows[i].section == part->section)
            check_value(&draft->table->rows[i], part->object);
}

int fuzz_conf_table(const struct conf_table *table, void (*check)(struct conf_draft *), const uint8_t *data,
                    size_t size)
{
    struct buf notes = BUF_INIT(16 * PRINT_MAX);
    struct conf_draft draft;
    char *text = malloc(size + 1);

    FUZZ_ASSERT(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    conf_draft_init(&draft, table, NAME);
    conf_read(&draft, text, size);
    check(&draft);
    conf_draft_print(&draft, &notes);
    FUZZ_ASSERT(!draft.nomem && !notes.failed);
    check_lines(&notes);
    if (!draft.errors)
        check_parts(&draft);
    conf_draft_free(&draft);
    buf_free(&notes);
    free(text);
    return 0;
}
