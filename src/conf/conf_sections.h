/*
 * conf_sections.h - the sections of the gateway's configuration, its table, and the types of its own.
 *
 * Not here: the machinery (table/conf_table.h), the rows (conf_rows.c).
 */
#ifndef JG_CONF_CONF_SECTIONS_H
#define JG_CONF_CONF_SECTIONS_H

#include "conf/conf.h"
#include "conf/table/conf_table.h"

enum conf_section {
    SECTION_GATEWAY,
    SECTION_LISTENER,
    SECTION_CLIENT,
    SECTION_VAULT,
    SECTION_ACCESS,
    SECTION_PRA,
    SECTION_STORE,
    SECTION_N
};

extern const struct conf_table conf_gateway_table;
extern const struct conf_pages conf_gateway_pages; /* conf_pages.c */

/* conf_types.c */
extern const struct conf_type conf_address, conf_digest, conf_forms;
/* conf_pra.c */
extern const struct conf_type conf_jumpoints;
/* conf_store.c */
extern const struct conf_type conf_store_endpoints, conf_store_prefix, conf_store_node;

#endif
