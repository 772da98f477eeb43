/*
 * conf_table_rules.h - what holds for the table of every configuration, and for what is printed of it.
 */
#ifndef JG_TESTS_CONF_TABLE_RULES_H
#define JG_TESTS_CONF_TABLE_RULES_H

#include "conf/table/conf_table.h"

/* Rows are grouped and unique, explain themselves, and pass their own parsers. */
void assert_table_rules(const struct conf_table *);
/* The file has what `print` prints. */
void assert_current(const char *path, void (*print)(struct buf *));

#endif
