/*
 * leases_print.h - leases on standard output, as a table or as the JSON of the interface.
 */
#ifndef JG_LEASES_PRINT_H
#define JG_LEASES_PRINT_H

#include "broker/broker.h"

#define LEASES_COLUMNS 9

struct leases_print {
    bool json;
    bool failed;      /* out of memory */
    size_t n;         /* rows so far */
    struct buf cells; /* of all rows of the table, each ended by a NUL: widths are known at the end */
    size_t width[LEASES_COLUMNS];
};

struct leases_print leases_print_start(bool json);
void leases_print_row(void *print, const struct lease_view *); /* one of a `struct leases_print` */
/* Writes the rest and frees. 0 or -ENOMEM. */
int leases_print_end(struct leases_print *);
/* Frees without output. */
void leases_print_drop(struct leases_print *);

#endif
