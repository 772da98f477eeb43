/*
 * directory_index.h - how a index is made of what was read; for directory.c and its test.
 */
#ifndef JG_BROKER_CATALOGUE_DIRECTORY_INDEX_H
#define JG_BROKER_CATALOGUE_DIRECTORY_INDEX_H

#include "broker/catalogue/directory.h"

struct system_index_sources {
    const struct conf_vault *conf;
    const struct directory_list *systems;
    struct directory_list *platforms, *workgroups; /* get sorted; NULL = not known */
};

struct system_index *system_index_make(const struct system_index_sources *); /* NULL = out of memory */

#endif
