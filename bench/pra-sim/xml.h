/*
 * xml.h - writes one XML document straight into a buffer.
 *
 * Elements nest by xml_open() and xml_close(); attributes follow their xml_open() at once. Text is escaped,
 * and what XML 1.0 cannot hold becomes U+FFFD. The root gets the namespace. Errors stick in the buffer.
 */
#ifndef PRA_SIM_XML_H
#define PRA_SIM_XML_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define XML_DEPTH 16

struct xml {
    struct buf *buf;
    const char *prefix;    /* NULL = none */
    const char *namespace; /* of the root; NULL = none */
    bool indented;
    const char *open[XML_DEPTH];
    unsigned depth;
    bool in_tag, had_text;
};

void xml_open(struct xml *, const char *name);
void xml_attribute(struct xml *, const char *name, const char *value);
void xml_attribute_int(struct xml *, const char *name, int64_t value);
void xml_text(struct xml *, const char *text);
void xml_close(struct xml *);
/* An element that holds a text alone. */
void xml_leaf(struct xml *, const char *name, const char *text);
void xml_leaf_int(struct xml *, const char *name, int64_t value);

#endif
