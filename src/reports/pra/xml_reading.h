/*
 * xml_reading.h - an XML report turned into records by a table of elements.
 *
 * A report is described by a tree of struct xml_element: which child elements an element may have, into which
 * member of which record its attributes and its text go, and which elements begin a new record or a new
 * member of a list. What is not in the tree is skipped with all that is below it. The reading itself is the
 * same for all reports.
 *
 * A record goes out when its end tag has been read. A record that is too large, or lacks what it must have,
 * is refused with a reason, and the reading goes on behind it. Failures of the document as a whole are those
 * of backends/pra/xml.h.
 *
 * Not here: the trees (read_sessions.c, read_activity.c).
 */
#ifndef JG_REPORTS_PRA_XML_READING_H
#define JG_REPORTS_PRA_XML_READING_H

#include "backends/pra/xml.h"
#include "base/buf.h"
#include "base/lsid.h"
#include "reports/pra/batch.h"

#define XML_READING_DEPTH 32

struct xml_reading;

enum xml_value {
    XML_NO_VALUE,
    XML_TEXT,   /* const char *; empty = not said */
    XML_BASE64, /* the same, decoded */
    XML_LSID,   /* const char *, in the one form; no lsid = not said */
    XML_NUMBER, /* int64_t, RECORD_NONE until it is said */
    XML_TIME,   /* the same: Unix seconds, of any form that pra_time_read() takes */
    XML_FLAG    /* bool: "1" or "true" */
};

struct xml_field {
    const char *name; /* of an attribute; NULL ends an array of them */
    enum xml_value value;
    size_t offset; /* in the object */
};

struct xml_list { /* offsets in the object of the element above, of a list as records.h has them */
    size_t array, n, room, size;
};

struct xml_element {
    const char *name; /* local; NULL ends an array of them, and as root stands for any */
    const struct xml_element *children;
    const struct xml_field *attributes;
    struct xml_field text;
    const struct xml_list *list; /* it is a new member of this list */
    bool record;                 /* it is a new record */
    /* NULL, or called with a new object, zeroed, before its attributes are read. */
    void (*init)(void *object);
    /* NULL, or called when the attributes are read, and when the element ends. 0, -ENOMEM, -E2BIG (refused,
     * reading->why), -EINVAL (the record is left out, without a word). */
    int (*begin)(struct xml_reading *, void *object, const char **attributes);
    int (*end)(struct xml_reading *, void *object, const char *text);
};

struct xml_reading {
    /* the caller's */
    const struct xml_element *tree; /* its root */
    enum report_kind kind;
    struct batch_out *out; /* its arena's limit is that of one record, with sessions */
    void (*refused)(void *ctx, const char *lsid, const char *why);
    void *ctx;
    /* the result */
    uint64_t nrefused, ncut;
    /* private */
    struct xml_frame {
        const struct xml_element *element; /* NULL = it is skipped */
        void *object;
    } stack[XML_READING_DEPTH + 1];
    unsigned record_depth; /* of the record that is open, 0 = none */
    void *record;
    uint64_t cut; /* texts of this record */
    bool dropped; /* the rest of this record is skipped */
    const char *why;
    /* of the trees */
    int64_t number;       /* an id above the records */
    struct buf name;      /* a name above the records */
    const char *category; /* of system_information, in the record's memory */
    size_t first, index,
        files; /* where the category begins in the list; fields of a row; files of an event */
    int64_t row;
};

extern const struct pra_xml_reader xml_reading_reader; /* its context is a struct xml_reading */
void xml_reading_free(struct xml_reading *);

/* For the functions of a tree: a text of the open record; NULL when out of memory or too large, and then
 * *err says which. */
const char *xml_reading_text(struct xml_reading *, const char *text, size_t n, int *err);
void *xml_reading_append(struct xml_reading *, void *array, size_t *n, size_t *room, size_t size, int *err);

/* The trees. */
extern const struct xml_element report_session_list, report_listing, report_team_list, report_vault_list,
    report_attributes, report_no_tree;
#define REPORT_EVENTS_MAX 200000 /* of one session */

#endif
