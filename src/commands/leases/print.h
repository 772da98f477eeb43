/*
 * print.h - leases on standard output, as a table or as the JSON of the interface.
 */
#ifndef JG_COMMANDS_LEASES_PRINT_H
#define JG_COMMANDS_LEASES_PRINT_H

#include "broker/broker.h"
#include "commands/print_table.h"

struct leases_print {
    bool json, wide, nodes;
    bool failed; /* out of memory */
    size_t n;    /* rows so far */
    int64_t now_wall_ms;
    struct print_table table;
};

/* `wide`: every column of the table; `nodes`: one that says which gateway of the cluster has the lease. */
struct leases_print leases_print_start(bool json, bool wide, bool nodes);
void leases_print_row(void *print, const struct lease_view *); /* one of a `struct leases_print` */
/* Writes the rest and frees. 0 or -ENOMEM. */
int leases_print_end(struct leases_print *);
/* Frees without output. */
void leases_print_drop(struct leases_print *);

#endif
