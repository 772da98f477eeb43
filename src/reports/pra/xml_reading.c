/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml_reading.c - an XML report turned into records; see xml_reading.h.
 *
 * The stack has a frame for each open element: its row of the tree, and the object that its values go to. An
 * object in a list may move when the list grows, which happens only when the next element of the list begins,
 * and then no frame points to the one before it.
 */
#include "reports/pra/xml_reading.h"

#include "base/text.h"
#include "reports/pra/base64.h"

#include <errno.h>
#include <string.h>

#define TOO_LARGE "the session is larger than max_session"

/* ---- memory ---- */

/* Memory was not had: is it the record's limit, or the machine's? */
static int memory_error(struct xml_reading *r, size_t wanted)
{
    const struct record_arena *a = &r->out->batch.arena;

    if (!a->limit || wanted + 64 < a->limit - a->used)
        return -ENOMEM;
    r->why = TOO_LARGE;
    return -E2BIG;
}

const char *xml_reading_text(struct xml_reading *r, const char *text, size_t n, int *err)
{
    const char *copy = record_text(&r->out->batch.arena, text, n);

    *err = copy ? 0 : memory_error(r, n);
    return copy;
}

void *xml_reading_append(struct xml_reading *r, void *array, size_t *n, size_t *room, size_t size, int *err)
{
    void *element = record_append(&r->out->batch.arena, array, n, room, size);

    *err = element ? 0 : memory_error(r, 2 * (*room + 4) * size);
    return element;
}

/* ---- values ---- */

static int set_text(struct xml_reading *r, const char **to, const char *text, size_t n)
{
    int err = 0;

    if (*to || !n)
        return 0;
    *to = xml_reading_text(r, text, n, &err);
    return err;
}

static int set_base64(struct xml_reading *r, const char **to, const char *text)
{
    struct buf decoded = BUF_INIT(strlen(text) * 3 + 16);
    int err = base64_text(&decoded, text);

    if (!err)
        err = set_text(r, to, decoded.data, decoded.len);
    buf_free(&decoded);
    return err == -ENOMEM || err == -E2BIG ? err : 0; /* what is no base64 is not said */
}

static void set_number(int64_t *to, enum xml_value value, const char *text)
{
    int64_t read;

    if (*to != RECORD_NONE)
        return;
    if (value == XML_NUMBER && text_int(text, INT64_MIN + 1, INT64_MAX, &read))
        *to = read;
    if (value == XML_TIME && !pra_time_read(text, &read))
        *to = read / 1000;
}

static int set(struct xml_reading *r, void *object, const struct xml_field *field, const char *text)
{
    void *to = (char *)object + field->offset;
    char lsid[LSID_SIZE];

    switch (field->value) {
    case XML_TEXT: return set_text(r, to, text, strlen(text));
    case XML_BASE64: return set_base64(r, to, text);
    case XML_LSID: return lsid_normal(text, lsid) ? set_text(r, to, lsid, LSID_SIZE - 1) : 0;
    case XML_NUMBER:
    case XML_TIME: set_number(to, field->value, text); return 0;
    case XML_FLAG: *(bool *)to = !strcmp(text, "1") || text_equal_nocase(text, "true"); return 0;
    default: return 0;
    }
}

static int set_attributes(struct xml_reading *r, const struct xml_frame *frame, const char **attributes)
{
    int err = 0;

    for (const struct xml_field *f = frame->element->attributes; f && f->name && !err; f++) {
        const char *text = pra_xml_attribute(attributes, f->name);
        if (text)
            err = set(r, frame->object, f, text);
    }
    return err;
}

/* ---- records ---- */

static void *new_record(struct xml_reading *r, unsigned depth, int *err)
{
    void *record = batch_add(r->out, r->kind);

    *err = record ? 0 : memory_error(r, BATCH_BYTES);
    r->record_depth = depth;
    r->record = record;
    r->cut = 0;
    r->dropped = false;
    r->why = NULL;
    return record;
}

static void *new_member(struct xml_reading *r, const struct xml_list *list, void *above, int *err)
{
    char *at = above;

    return xml_reading_append(r, at + list->array, (void *)(at + list->n), (void *)(at + list->room),
                              list->size, err);
}

/* 0 or -ENOMEM, which ends the answer; all else leaves the record out. */
static int judge(struct xml_reading *r, int err)
{
    if (!err || err == -ENOMEM)
        return err;
    r->dropped = true;
    return 0;
}

static void end_record(struct xml_reading *r)
{
    const struct record_session *session = r->kind == REPORT_SESSIONS ? r->record : NULL;

    r->record_depth = 0;
    r->ncut += r->cut;
    if (!r->dropped) {
        if (session)
            ((struct record_session *)r->record)->texts_cut = r->cut;
        batch_keep(r->out);
        if (batch_is_full(r->out))
            batch_flush(r->out);
        return;
    }
    r->nrefused++;
    if (session && r->refused)
        r->refused(r->ctx, session->lsid, r->why ? r->why : "the session has no lsid");
    batch_drop(r->out);
}

/* ---- elements ---- */

static bool is_root(void *ctx, const char *name)
{
    const struct xml_reading *r = ctx;

    if (!r->tree->name)
        return strcasecmp(name, "html") != 0;
    return !strcmp(name, r->tree->name);
}

static const struct xml_element *child(const struct xml_element *above, const char *name)
{
    const struct xml_element *e = above ? above->children : NULL;

    while (e && e->name && strcmp(e->name, name) != 0)
        e++;
    return e && e->name ? e : NULL;
}

static int open_element(struct xml_reading *r, unsigned depth, struct xml_frame *frame,
                        const char **attributes)
{
    const struct xml_element *e = frame->element;
    int err = 0;

    frame->object = depth > 1 ? r->stack[depth - 1].object : NULL;
    if (e->record)
        frame->object = new_record(r, depth, &err);
    else if (e->list)
        frame->object = new_member(r, e->list, frame->object, &err);
    if (err)
        return err;
    if (e->init)
        e->init(frame->object);
    err = set_attributes(r, frame, attributes);
    return !err && e->begin ? e->begin(r, frame->object, attributes) : err;
}

static int on_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    struct xml_reading *r = ctx;
    struct xml_frame *frame = &r->stack[depth];
    bool skipped = depth > 1 && r->record_depth && r->dropped;

    *frame = (struct xml_frame){0};
    if (skipped)
        return 0;
    frame->element = depth == 1 ? r->tree : child(r->stack[depth - 1].element, name);
    return frame->element ? judge(r, open_element(r, depth, frame, attributes)) : 0;
}

static int close_element(struct xml_reading *r, const struct xml_frame *frame, const char *text)
{
    const struct xml_element *e = frame->element;
    int err = 0;

    if (e->text.value && *text)
        err = set(r, frame->object, &e->text, text);
    return !err && e->end ? e->end(r, frame->object, text) : err;
}

static int on_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    struct xml_reading *r = ctx;
    struct xml_frame *frame = &r->stack[depth];
    int err = 0;

    (void)name;
    if (frame->element && !(r->record_depth && r->dropped))
        err = judge(r, close_element(r, frame, text));
    if (!err && depth == r->record_depth)
        end_record(r);
    return err;
}

static void on_cut(void *ctx)
{
    struct xml_reading *r = ctx;

    r->cut++;
}

void xml_reading_free(struct xml_reading *r)
{
    buf_free(&r->name);
    batch_drop(r->out);
}

static const struct pra_xml_limits limits = {
    .depth = XML_READING_DEPTH,
    .token = 320 * 1024,
    .text = 1024 * 1024,
    .attributes = 32,
    .name = 128,
    .attribute = 8192,
    .mend = true,
};

const struct pra_xml_reader xml_reading_reader = {
    .root = is_root, .begin = on_begin, .end = on_end, .limits = &limits, .cut = on_cut};
