/*
 * xml.h - an XML answer of the site, read in pieces by expat.
 *
 * Elements and attributes are known by their local names: any namespace, any prefix, or none. The reader of
 * an answer gets each element when it begins, and with its text when it ends; nothing is kept beyond that. An
 * <error> as root, or as a child of the root, makes the whole document a failure with that text. Text that
 * says that there are no rows is no failure, unless there are rows, or another <error>.
 *
 * Refused: what is not well-formed, a DOCTYPE (and so every entity declaration), nesting over PRA_XML_DEPTH,
 * a tag or comment over PRA_XML_TOKEN_MAX, a root that the reader does not want. A reader may have limits of
 * its own.
 *
 * Life: pra_xml_new -> pra_xml_feed... -> pra_xml_end -> pra_xml_free. The first failure stays; what is fed
 * after it is ignored.
 */
#ifndef JG_BACKENDS_PRA_XML_H
#define JG_BACKENDS_PRA_XML_H

#include "backends/pra/pra.h"

#define PRA_XML_DEPTH     64
#define PRA_XML_TOKEN_MAX 65536
#define PRA_XML_TEXT_MAX  1024 /* of one element; more is left out */

struct pra_xml;

struct pra_xml_limits {
    unsigned depth;
    size_t token;           /* of a tag or comment, in bytes */
    size_t text;            /* of one element; more is left out */
    unsigned attributes;    /* of one element; 0 = no limit, here and below */
    size_t name, attribute; /* bytes of a name, and of a value */
    bool instructions;      /* processing instructions are skipped; else they end the answer */
    /* The document is UTF-8 whatever it says: letters that are none, or that XML forbids, become U+FFFD, and
     * NUL goes. Else they end the answer. */
    bool mend;
};

struct pra_xml_reader {
    bool (*root)(void *ctx, const char *name); /* may it be the root of this answer? */
    /* Depth of the root is 1. `attributes`: names and values by turns, for pra_xml_attribute(). 0 or -ENOMEM.
     */
    int (*begin)(void *ctx, unsigned depth, const char *name, const char **attributes);
    /* `text` stands directly in the element, behind its last child; without blanks at its ends. 0 or -ENOMEM.
     */
    int (*end)(void *ctx, unsigned depth, const char *name, const char *text);
    bool (*complete)(const void *ctx);   /* NULL, or whether the answer holds what it must */
    const char *row;                     /* the name of a row, a child of the root; NULL = there are none */
    const struct pra_xml_limits *limits; /* NULL = those above */
    void (*cut)(void *ctx);              /* NULL, or: the text of the element that ends next was cut */
};

struct pra_xml *pra_xml_new(const struct pra_xml_reader *, void *ctx); /* NULL when out of memory */
void pra_xml_free(struct pra_xml *);                                   /* NULL is fine */
void pra_xml_feed(struct pra_xml *, const char *bytes, size_t n);
/*
 * The document ends here. PRA_OK, PRA_NO_ROWS or PRA_SITE_ERROR (an <error>), PRA_WEB_PAGE, PRA_NONSENSE,
 * PRA_NO_MEMORY. `text` says what the site or the parser says.
 */
enum pra_fault pra_xml_end(struct pra_xml *, char text[PRA_TEXT_SIZE]);

/* The value by the local name of the attribute, the one without prefix first; NULL when absent. */
const char *pra_xml_attribute(const char **attributes, const char *name);
const char *pra_xml_local(const char *name); /* the part behind the prefix */

/* Does the text of an <error> say that there are no rows? */
bool pra_is_no_rows(const char *text);

#endif
