/*
 * directory_book.h - how a book is made of what was read; for directory.c and its test.
 */
#ifndef JG_BROKER_DIRECTORY_BOOK_H
#define JG_BROKER_DIRECTORY_BOOK_H

#include "broker/directory.h"

struct book_sources {
    const struct conf_vault *conf;
    const struct directory_list *systems;
    struct directory_list *platforms, *workgroups; /* get sorted; NULL = not known */
};

struct book *book_make(const struct book_sources *); /* NULL = out of memory */

#endif
