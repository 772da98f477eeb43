/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers.c - answers that are no XML: the page of Jumpoints, a JSON error, the line of a probe.
 */
#include "backends/pra/answers.h"

#include "base/json.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define JSON_DEPTH 16

const struct pra_xml_reader *pra_reader(enum pra_call_kind kind)
{
    switch (kind) {
    case PRA_CALL_INFO: return &pra_info_reader;
    case PRA_CALL_HEALTH: return &pra_health_reader;
    case PRA_CALL_LISTING: return &pra_listing_reader;
    case PRA_CALL_SESSION: return &pra_session_reader;
    case PRA_CALL_TERMINATE: return &pra_terminate_reader;
    default: return NULL;
    }
}

static void free_jumpoints(struct pra_jumpoints *page)
{
    for (size_t i = 0; i < page->n; i++)
        free(page->rows[i].name);
    free(page->rows);
}

void pra_answer_free(struct pra_answer *answer)
{
    free(answer->listing.rows);
    free_jumpoints(&answer->jumpoints);
    buf_free(&answer->page);
    *answer = (struct pra_answer){.lsid = answer->lsid};
}

/* ---- Jumpoints ---- */

static enum pra_fault read_row(struct pra_jumpoints *page, const cJSON *item)
{
    const char *name = cJSON_GetStringValue(json_get(item, "name"));
    struct pra_jumpoint *row = &page->rows[page->n];
    char clean[PRA_TEXT_SIZE];

    if (!cJSON_IsObject(item) || !name)
        return PRA_NONSENSE;
    pra_text_clean(clean, sizeof(clean), name, strlen(name));
    row->name = strdup(clean);
    if (!row->name)
        return PRA_NO_MEMORY;
    row->connected = cJSON_IsTrue(json_get(item, "connected"));
    row->enabled = !cJSON_IsFalse(json_get(item, "enabled"));
    page->n++;
    return PRA_OK;
}

static enum pra_fault read_rows(struct pra_jumpoints *page, const cJSON *tree)
{
    int n = cJSON_GetArraySize(tree);
    const cJSON *item;
    enum pra_fault fault = PRA_OK;

    if (!cJSON_IsArray(tree) || n > 10 * PRA_PAGE_ROWS)
        return PRA_NONSENSE;
    page->rows = calloc((size_t)n + 1, sizeof(*page->rows));
    if (!page->rows)
        return PRA_NO_MEMORY;
    cJSON_ArrayForEach(item, tree)
    {
        fault = read_row(page, item);
        if (fault)
            break;
    }
    return fault;
}

/* Without the header a page that is not full is the last. */
enum pra_fault pra_read_jumpoints(struct pra_answer *answer, const struct buf *json, unsigned page,
                                  const char *last_page)
{
    struct pra_jumpoints *out = &answer->jumpoints;
    const char *why;
    int64_t last = 0;
    cJSON *tree = json_parse(json->data ? json->data : "", json->len, JSON_DEPTH, JSON_DUPLICATES_OK, &why);
    enum pra_fault fault = tree ? read_rows(out, tree) : PRA_NONSENSE;

    cJSON_Delete(tree);
    if (*last_page && !text_int(last_page, 0, 1000000, &last))
        fault = fault ? fault : PRA_NONSENSE;
    out->last = *last_page ? page >= last : out->n < PRA_PAGE_ROWS;
    return fault;
}

/* ---- a JSON error ---- */

bool pra_read_json_error(const struct buf *json, char error[PRA_WORD_SIZE], char message[PRA_TEXT_SIZE])
{
    const char *why;
    cJSON *tree = json_parse(json->data ? json->data : "", json->len, JSON_DEPTH, JSON_DUPLICATES_OK, &why);
    const char *code = cJSON_GetStringValue(json_get(tree, "error"));
    const char *words = cJSON_GetStringValue(json_get(tree, "message"));
    bool object = cJSON_IsObject(tree);

    pra_text_clean(error, PRA_WORD_SIZE, code ? code : "", code ? strlen(code) : 0);
    pra_text_clean(message, PRA_TEXT_SIZE, words ? words : "", words ? strlen(words) : 0);
    cJSON_Delete(tree);
    return object;
}

/* ---- probe ---- */

bool pra_is_probe_line(const struct buf *body)
{
    size_t at = 0;

    if (body->len > 1024)
        return false;
    while (at < body->len && strchr(" \t\r\n\xef\xbb\xbf", body->data[at]))
        at++;
    return at == body->len || !strchr("<{[", body->data[at]); /* neither HTML nor JSON */
}
