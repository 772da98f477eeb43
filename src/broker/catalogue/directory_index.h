/*
 * directory_index.h - makes the system index of the lists that were read; for directory.c and its test.
 */
#ifndef JG_BROKER_CATALOGUE_DIRECTORY_INDEX_H
#define JG_BROKER_CATALOGUE_DIRECTORY_INDEX_H

#include "broker/catalogue/directory.h"

struct system_index_sources {
    const struct conf_vault *conf;
    const struct directory_list *systems;
    struct directory_list *platforms, *workgroups; /* they are sorted here; NULL = not known */
};

struct system_index *system_index_make(const struct system_index_sources *); /* NULL = out of memory */

#endif
