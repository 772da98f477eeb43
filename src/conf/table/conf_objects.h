/*
 * conf_objects.h - from the sections of a draft to the arrays of a finished configuration, and what is done
 * with all of its sections.
 *
 * The name (char[CONF_NAME_MAX]) is the first member of every struct of a named section.
 */
#ifndef JG_CONF_TABLE_CONF_OBJECTS_H
#define JG_CONF_TABLE_CONF_OBJECTS_H

#include "conf/table/conf_draft.h"

/* Writes the names of the sections into their structs. Before anything is taken. */
void conf_name_parts(struct conf_draft *);
/* Moves the objects of one kind from their parts into an array. NULL when out of memory. */
void *conf_take_parts(struct conf_draft *, unsigned section, size_t *n);
/* Moves the object of a section without a name, with the defaults where the file has none. 0 or -ENOMEM. */
int conf_take_part(struct conf_draft *, unsigned section, void *object);

/* SHA-256 over every key of every section in the order of the table and in canonical form: comments, the
 * order of keys and explicit defaults do not change it. 0 or -ENOMEM. */
int conf_digest_of(const struct conf_table *, void *conf, char hex[65]);
/* Frees the values of all sections, not the arrays. */
void conf_clear_all(const struct conf_table *, void *conf);

#endif
