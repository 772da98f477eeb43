/*
 * conf_table.h - what the targets of configuration files share; see conf_table.c.
 */
#ifndef JG_TESTS_FUZZ_CONF_TABLE_H
#define JG_TESTS_FUZZ_CONF_TABLE_H

#include "conf/table/conf_draft.h"

/* `check`: what the program checks between keys. 0. */
int fuzz_conf_table(const struct conf_table *, void (*check)(struct conf_draft *), const uint8_t *data,
                    size_t size);

#endif
