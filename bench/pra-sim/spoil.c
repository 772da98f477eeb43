/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spoil.c - changes of finished answers; see spoil.h.
 *
 * They work on the text: an insertion goes behind the start tag of the root, a cut is made at the last end
 * tag. A JSON answer has neither; there an insertion goes to its beginning and a cut to its end.
 */
#include "pra-sim/spoil.h"

#include <string.h>

#define OVERSIZE ((size_t)17 << 20)

static const char web_page[] = "<!DOCTYPE html>\r\n<html><head><title>Sign in</title></head>"
                               "<body><h1>Sign in to continue</h1></body></html>\r\n";

static const char xml_error[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>An internal error occurred.</error>";

static const char denied_token[] = "{\"error\":\"access_denied\",\"message\":\"The token was refused.\"}";

static const char bad_rows[] = "<session_summary lsid=\"nonsense\" has_recording=\"0\"/><session_summary/>";

const struct fault_action spoil_actions[] = {
    {"error", INJECT_STATUS, 200, "text/xml", xml_error, NULL},
    {"error_after", INJECT_STATUS_AFTER, 200, "text/xml", xml_error, NULL},
    {"html", INJECT_STATUS, 200, "text/html; charset=utf-8", web_page, NULL},
    {"html_after", INJECT_STATUS_AFTER, 200, "text/html; charset=utf-8", web_page, NULL},
    {"redirect", INJECT_STATUS, 302, "text/html; charset=utf-8", web_page, "Location: /login\r\n"},
    {"token_refused", INJECT_STATUS, 401, "application/json", denied_token, NULL},
    {"namespace", SPOIL_NAMESPACE, 0, NULL, NULL, NULL},
    {"rows_twice", SPOIL_ROWS_TWICE, 0, NULL, NULL, NULL},
    {"rows_shuffled", SPOIL_ROWS_SHUFFLED, 0, NULL, NULL, NULL},
    {"zip_bomb", SPOIL_ZIP_BOMB, 0, NULL, NULL, NULL},
    {"zip_gzip_bomb", SPOIL_ZIP_GZIP_BOMB, 0, NULL, NULL, NULL},
    {"zip_members", SPOIL_ZIP_MEMBERS, 0, NULL, NULL, NULL},
    {"zip_names", SPOIL_ZIP_NAMES, 0, NULL, NULL, NULL},
    {"zip_crc", SPOIL_ZIP_CRC, 0, NULL, NULL, NULL},
    {"zip_directory", SPOIL_ZIP_DIRECTORY, 0, NULL, NULL, NULL},
    {"zip_encrypted", SPOIL_ZIP_ENCRYPTED, 0, NULL, NULL, NULL},
    {"zip_sizes", SPOIL_ZIP_SIZES, 0, NULL, NULL, NULL},
    {"zip_gzip", SPOIL_ZIP_GZIP, 0, NULL, NULL, NULL},
    {"zip_empty", SPOIL_ZIP_EMPTY, 0, NULL, NULL, NULL},
    {"doctype", SPOIL_DOCTYPE, 0, NULL, NULL, NULL},
    {"entities", SPOIL_ENTITIES, 0, NULL, NULL, NULL},
    {"deep", SPOIL_DEEP, 0, NULL, NULL, NULL},
    {"no_end", SPOIL_NO_END, 0, NULL, NULL, NULL},
    {"cut", SPOIL_CUT, 0, NULL, NULL, NULL},
    {"unknown_root", SPOIL_UNKNOWN_ROOT, 0, NULL, NULL, NULL},
    {"bad_row", SPOIL_BAD_ROW, 0, NULL, NULL, NULL},
    {"bad_utf8", SPOIL_BAD_UTF8, 0, NULL, NULL, NULL},
    {"trailing", SPOIL_TRAILING, 0, NULL, NULL, NULL},
    {"empty", SPOIL_EMPTY, 0, NULL, NULL, NULL},
    {"wrong_type", SPOIL_WRONG_TYPE, 0, NULL, NULL, NULL},
    {"oversize", SPOIL_OVERSIZE, 0, NULL, NULL, NULL},
    {"wrong_length", SPOIL_WRONG_LENGTH, 0, NULL, NULL, NULL},
    {"short_length", SPOIL_SHORT_LENGTH, 0, NULL, NULL, NULL},
    {"slow", SPOIL_SLOW, 0, NULL, NULL, NULL},
    {"flood", SPOIL_FLOOD, 0, NULL, NULL, NULL},
    {"reset_middle", SPOIL_RESET_MIDDLE, 0, NULL, NULL, NULL},
};
const size_t spoil_nactions = sizeof(spoil_actions) / sizeof(spoil_actions[0]);

/* ---- places in the text ---- */

/* Where the root begins: behind the XML declaration. */
static size_t root_at(const struct buf *b)
{
    const char *end =
        b->len > 5 && memcmp(b->data, "<?xml", 5) == 0 ? memmem(b->data, b->len, "?>", 2) : NULL;

    return end ? (size_t)(end - b->data) + 2 : 0;
}

/* Behind the root's start tag; the root's own place if it is empty or no XML. */
static size_t inside_at(const struct buf *b)
{
    size_t from = root_at(b);
    const char *end = b->len > from ? memchr(b->data + from, '>', b->len - from) : NULL;

    if (!end || end[-1] == '/')
        return from;
    return (size_t)(end - b->data) + 1;
}

static size_t end_tag_at(const struct buf *b)
{
    const char *found = b->len ? memrchr(b->data, '<', b->len) : NULL;

    return found && found[1] == '/' ? (size_t)(found - b->data) : b->len - (b->len > 0);
}

bool spoil_rows(const struct buf *b, size_t *from, size_t *to)
{
    *from = inside_at(b);
    *to = end_tag_at(b);
    return *from > 0 && *to > *from && b->data[*to] == '<';
}

static void insert(struct buf *b, size_t at, const struct buf *text)
{
    struct buf out = BUF_INIT(b->max);

    (void)buf_append(&out, b->data ? b->data : "", at);
    (void)buf_append(&out, text->data ? text->data : "", text->len);
    if (b->len > at)
        (void)buf_append(&out, b->data + at, b->len - at);
    buf_move(b, &out);
}

static void cut(struct buf *b, size_t at)
{
    struct buf out = BUF_INIT(b->max);

    (void)buf_append(&out, b->data ? b->data : "", at);
    buf_move(b, &out);
}

/* ---- the changes ---- */

static void add_doctype(struct buf *b, bool entities)
{
    struct buf text = BUF_INIT(4096), use = BUF_INIT(64);

    (void)buf_str(&text, "<!DOCTYPE list [");
    if (entities) {
        (void)buf_str(&text, "<!ENTITY a0 \"aaaaaaaaaa\">");
        for (int i = 1; i < 10; i++)
            (void)buf_printf(&text, "<!ENTITY a%d \"&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;\">", i, i - 1,
                             i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        (void)buf_str(&use, "<x>&a9;</x>");
        insert(b, inside_at(b), &use);
    }
    (void)buf_str(&text, "]>");
    insert(b, root_at(b), &text);
    buf_free(&text);
    buf_free(&use);
}

static void add_deep(struct buf *b, size_t depth)
{
    struct buf text = BUF_INIT(SIM_ANSWER_MAX);

    for (size_t i = 0; i < depth; i++)
        (void)buf_str(&text, "<d>");
    for (size_t i = 0; i < depth; i++)
        (void)buf_str(&text, "</d>");
    insert(b, inside_at(b), &text);
    buf_free(&text);
}

static void add_text(struct buf *b, size_t at, const char *bytes)
{
    struct buf text = BUF_INIT(256);

    (void)buf_str(&text, bytes);
    insert(b, at, &text);
    buf_free(&text);
}

static void add_blanks(struct buf *b, size_t size)
{
    struct buf text = BUF_INIT(SIM_ANSWER_MAX);
    char *blanks = b->len < size ? buf_add(&text, size - b->len) : NULL;

    if (blanks)
        memset(blanks, ' ', size - b->len);
    insert(b, inside_at(b), &text);
    buf_free(&text);
}

/* The whole answer becomes the child of another root. */
static void add_root(struct buf *b)
{
    add_text(b, b->len, "</surprise>");
    add_text(b, root_at(b), "<surprise>");
}

static void change_type(struct sim_answer *a)
{
    a->content_type = a->content_type && strstr(a->content_type, "xml") ? "application/json" : "text/xml";
}

void spoil_answer(const struct fault_injection_rule *r, struct sim_answer *a)
{
    struct buf *b = &a->body;

    switch (r->kind) {
    case SPOIL_DOCTYPE: add_doctype(b, false); break;
    case SPOIL_ENTITIES: add_doctype(b, true); break;
    case SPOIL_DEEP: add_deep(b, r->size ? r->size : 100); break;
    case SPOIL_NO_END: cut(b, end_tag_at(b)); break;
    case SPOIL_CUT: cut(b, b->len / 2); break;
    case SPOIL_UNKNOWN_ROOT: add_root(b); break;
    case SPOIL_BAD_ROW: add_text(b, inside_at(b), bad_rows); break;
    case SPOIL_BAD_UTF8: add_text(b, inside_at(b), "\xc3\x28\xff"); break;
    case SPOIL_TRAILING: add_text(b, b->len, "<again/>"); break;
    case SPOIL_EMPTY: cut(b, 0); break;
    case SPOIL_WRONG_TYPE: change_type(a); break;
    case SPOIL_OVERSIZE: add_blanks(b, r->size ? r->size : OVERSIZE); break;
    default: break;
    }
}
