/*
 * xml_mend.h - bytes of an XML document on their way to the parser, with what is no letter of XML mended.
 *
 * Bytes that are no UTF-8, and letters that XML forbids, become U+FFFD; NUL goes. The same holds for a letter
 * that is written as a reference (&#27;). Either may be cut between two pieces: its beginning is kept. What
 * is mended is collected until there is enough of it, so that a parser which looks again at an unfinished tag
 * with each piece is not fed with single bytes.
 *
 *   pra_xml_mend (until all is used) <-> pra_xml_mended, pra_xml_mend_taken --> pra_xml_mend_end
 */
#ifndef JG_BACKENDS_PRA_XML_MEND_H
#define JG_BACKENDS_PRA_XML_MEND_H

#include <stddef.h>

#define PRA_XML_MEND_SIZE   16384
#define PRA_XML_MEND_ENOUGH 8192

struct pra_xml_mend;

struct pra_xml_mend *pra_xml_mend_new(void); /* NULL when out of memory */
void pra_xml_mend_free(struct pra_xml_mend *);
/* Takes as many of the bytes as there is room for; how many. */
size_t pra_xml_mend(struct pra_xml_mend *, const char *bytes, size_t n);
void pra_xml_mend_end(struct pra_xml_mend *); /* no more will come: an unfinished letter is none */
const char *pra_xml_mended(const struct pra_xml_mend *, size_t *n);
void pra_xml_mend_taken(struct pra_xml_mend *); /* all that was mended */

#endif
