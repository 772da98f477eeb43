/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml.c - an XML answer in pieces; see xml.h.
 *
 * expat runs without namespace processing, so a prefix without a declaration is no error; prefixes are cut
 * off here. A DOCTYPE stops the parser before any entity could be declared, so an answer cannot grow inside
 * the parser. expat looks again at an unfinished tag with each piece: the limit on the length of one
 * tag keeps that linear.
 */
#include "backends/pra/xml.h"

#include "backends/pra/xml_mend.h"
#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ERROR_TEXT_MAX 4096

static const struct pra_xml_limits usual = {
    .depth = PRA_XML_DEPTH, .token = PRA_XML_TOKEN_MAX, .text = PRA_XML_TEXT_MAX, .instructions = true};

struct pra_xml {
    XML_Parser parser;
    const struct pra_xml_reader *reader;
    const struct pra_xml_limits *limits;
    struct pra_xml_mend *mend; /* NULL = none is wanted */
    void *ctx;
    unsigned depth;
    unsigned error_depth; /* depth of the <error> that is open; 0 = none */
    unsigned errors;      /* so many <error> */
    bool error;           /* there was an <error> */
    bool has_rows;
    bool error_cut; /* its text is longer than what is kept */
    bool text_cut;
    enum pra_fault fault;
    char why[160];
    struct buf error_text, text;
    int64_t fed;
};

const char *pra_xml_local(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}

const char *pra_xml_attribute(const char **attributes, const char *name)
{
    const char *value = NULL;

    for (; *attributes; attributes += 2) {
        if (!strcmp(*attributes, name))
            return attributes[1];
        if (!value && strncmp(*attributes, "xmlns:", 6) != 0 && !strcmp(pra_xml_local(*attributes), name))
            value = attributes[1];
    }
    return value;
}

static void stop(struct pra_xml *x, enum pra_fault fault, const char *why)
{
    if (x->fault)
        return;
    x->fault = fault;
    text_copy(x->why, sizeof(x->why), why);
    XML_StopParser(x->parser, XML_FALSE);
}

static bool is_html(const char *name)
{
    return strcasecmp(pra_xml_local(name), "html") == 0;
}

static void check_root(struct pra_xml *x, const char *name)
{
    char why[96];

    if (x->error || x->reader->root(x->ctx, name))
        return;
    (void)snprintf(why, sizeof(why), "an answer of another kind: <%.60s>", name);
    stop(x, is_html(name) ? PRA_WEB_PAGE : PRA_NONSENSE, is_html(name) ? "" : why);
}

/* As many whole letters of it as fit. */
static bool append_some(struct buf *to, const char *text, size_t n)
{
    size_t room = to->max - to->len, fits = n < room ? n : room;

    while (fits < n && fits && ((unsigned char)text[fits] & 0xc0) == 0x80)
        fits--;
    (void)buf_append(to, text, fits);
    return fits == n;
}

/* NULL, or which limit the tag is over. */
static const char *over_limit(const struct pra_xml_limits *limits, const char *name, const char **attributes)
{
    unsigned n = 0;

    if (limits->name && strlen(name) > limits->name)
        return "a name is too long";
    for (const char **a = attributes; *a; a += 2) {
        if (limits->attributes && ++n > limits->attributes)
            return "too many attributes";
        if (limits->name && strlen(a[0]) > limits->name)
            return "a name is too long";
        if (limits->attribute && strlen(a[1]) > limits->attribute)
            return "an attribute is too long";
    }
    return NULL;
}

static void XMLCALL on_begin(void *arg, const XML_Char *full, const XML_Char **attributes)
{
    struct pra_xml *x = arg;
    const char *name = pra_xml_local(full);

    const char *over =
        ++x->depth > x->limits->depth ? "the nesting is too deep" : over_limit(x->limits, full, attributes);

    if (over) {
        stop(x, PRA_NONSENSE, over);
        return;
    }
    buf_clear(&x->text);
    x->text_cut = false;
    x->has_rows |= x->depth == 2 && x->reader->row && !strcmp(name, x->reader->row);
    if (x->depth <= 2 && !strcmp(name, "error")) {
        if (x->errors++)
            (void)append_some(&x->error_text, "; ", 2);
        x->error = true;
        x->error_depth = x->depth;
    }
    if (x->depth == 1)
        check_root(x, name);
    if (!x->fault && !x->error && x->reader->begin(x->ctx, x->depth, name, attributes))
        stop(x, PRA_NO_MEMORY, "out of memory");
}

/* The text without blanks at its ends; NUL-terminated. */
static const char *trimmed(struct buf *text)
{
    while (text->len && isspace((unsigned char)text->data[text->len - 1]))
        text->len--;
    const char *from = buf_cstr(text);

    while (from && isspace((unsigned char)*from))
        from++;
    return from;
}

static void XMLCALL on_end(void *arg, const XML_Char *full)
{
    struct pra_xml *x = arg;
    unsigned depth = x->depth--;

    if (x->fault)
        return;
    if (depth == x->error_depth)
        x->error_depth = 0;
    if (x->error)
        return;
    if (x->text_cut && x->reader->cut)
        x->reader->cut(x->ctx);
    x->text_cut = false;
    const char *text = trimmed(&x->text);
    if (!text || x->reader->end(x->ctx, depth, pra_xml_local(full), text))
        stop(x, PRA_NO_MEMORY, "out of memory");
    buf_clear(&x->text);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int n)
{
    struct pra_xml *x = arg;

    if (x->fault)
        return;
    if (x->error_depth)
        x->error_cut |= !append_some(&x->error_text, text, (size_t)n);
    else if (!x->error && !x->text_cut)
        x->text_cut = !append_some(&x->text, text, (size_t)n);
    if (x->error_text.failed || x->text.failed) /* neither is ever given more than it may hold */
        stop(x, PRA_NO_MEMORY, "out of memory");
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal)
{
    struct pra_xml *x = arg;

    (void)system;
    (void)public;
    (void)internal;
    stop(x, is_html(name) ? PRA_WEB_PAGE : PRA_NONSENSE, is_html(name) ? "" : "a document type declaration");
}

static void XMLCALL on_instruction(void *arg, const XML_Char *target, const XML_Char *data)
{
    (void)target;
    (void)data;
    stop(arg, PRA_NONSENSE, "a processing instruction");
}

static bool prepare(struct pra_xml *x, const struct pra_xml_reader *reader)
{
    x->limits = reader->limits ? reader->limits : &usual;
    if (x->limits->mend)
        x->mend = pra_xml_mend_new();
    x->parser = XML_ParserCreate(x->limits->mend ? "UTF-8" : NULL);
    return x->parser && (x->mend || !x->limits->mend);
}

struct pra_xml *pra_xml_new(const struct pra_xml_reader *reader, void *ctx)
{
    struct pra_xml *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    if (!prepare(x, reader)) {
        pra_xml_free(x);
        return NULL;
    }
    x->reader = reader;
    x->ctx = ctx;
    x->error_text = BUF_INIT(ERROR_TEXT_MAX);
    x->text = BUF_INIT(x->limits->text);
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_begin, on_end);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    if (!x->limits->instructions)
        XML_SetProcessingInstructionHandler(x->parser, on_instruction);
    return x;
}

void pra_xml_free(struct pra_xml *x)
{
    if (!x)
        return;
    XML_ParserFree(x->parser);
    pra_xml_mend_free(x->mend);
    buf_free(&x->error_text);
    buf_free(&x->text);
    free(x);
}

static void parse(struct pra_xml *x, const char *bytes, size_t n, int last)
{
    if (XML_Parse(x->parser, bytes, (int)n, last) == XML_STATUS_ERROR && !x->fault) {
        enum XML_Error code = XML_GetErrorCode(x->parser);
        x->fault = code == XML_ERROR_NO_MEMORY ? PRA_NO_MEMORY : PRA_NONSENSE;
        (void)snprintf(x->why, sizeof(x->why), "not well-formed: %s", XML_ErrorString(code));
    }
}

/* Index of the first byte of the unfinished tag or text. expat 2.9 has a call that is 64 bits on every
 * machine, and deprecates the other. */
static int64_t current_index(XML_Parser parser)
{
#if XML_MAJOR_VERSION > 2 || (XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION >= 9)
    return XML_GetCurrentByteIndex64(parser);
#else
    return (int64_t)XML_GetCurrentByteIndex(parser);
#endif
}

static void feed(struct pra_xml *x, const char *bytes, size_t n)
{
    while (n && !x->fault) {
        size_t piece = n < PRA_XML_TOKEN_MAX ? n : PRA_XML_TOKEN_MAX;

        parse(x, bytes, piece, 0);
        x->fed += (int64_t)piece;
        if (!x->fault && x->fed - current_index(x->parser) > (int64_t)x->limits->token)
            stop(x, PRA_NONSENSE, "a tag is too long");
        bytes += piece;
        n -= piece;
    }
}

void pra_xml_feed(struct pra_xml *x, const char *bytes, size_t n)
{
    if (!x->mend) {
        feed(x, bytes, n);
        return;
    }
    while (n && !x->fault) {
        size_t used = pra_xml_mend(x->mend, bytes, n), full;
        const char *mended = pra_xml_mended(x->mend, &full);

        bytes += used;
        n -= used;
        if (full < PRA_XML_MEND_ENOUGH)
            return; /* a few bytes at a time would be parsed again and again */
        feed(x, mended, full);
        pra_xml_mend_taken(x->mend);
    }
}

static void feed_rest(struct pra_xml *x)
{
    size_t n;
    const char *mended;

    pra_xml_mend_end(x->mend);
    mended = pra_xml_mended(x->mend, &n);
    feed(x, mended, n);
    pra_xml_mend_taken(x->mend);
}

static bool has(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

bool pra_is_no_rows(const char *text)
{
    return !strncmp(text, "No ", 3) && (has(text, "found") || has(text, "available") || has(text, "match")) &&
           !has(text, "permission") && !has(text, "denied") && !has(text, "licen") && !has(text, "token");
}

static enum pra_fault end_error(struct pra_xml *x, char text[PRA_TEXT_SIZE])
{
    const char *words = trimmed(&x->error_text);

    if (!words)
        return PRA_NO_MEMORY;
    pra_text_clean(text, PRA_TEXT_SIZE, words, strlen(words));
    bool alone = x->errors == 1 && !x->error_cut && !x->has_rows;

    return alone && pra_is_no_rows(words) ? PRA_NO_ROWS : PRA_SITE_ERROR;
}

enum pra_fault pra_xml_end(struct pra_xml *x, char text[PRA_TEXT_SIZE])
{
    if (x->mend)
        feed_rest(x);
    if (!x->fault)
        parse(x, "", 0, 1);
    if (!x->fault && x->error)
        return end_error(x, text);
    if (!x->fault && x->reader->complete && !x->reader->complete(x->ctx)) {
        x->fault = PRA_NONSENSE;
        text_copy(x->why, sizeof(x->why), "the answer lacks what it must hold");
    }
    pra_text_clean(text, PRA_TEXT_SIZE, x->why, strlen(x->why));
    return x->fault;
}
