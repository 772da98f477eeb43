/*
 * reading_rig.h - an XML report read by its tree, in the pieces a test wants; what came is one text.
 */
#ifndef JG_TESTS_REPORTS_READING_RIG_H
#define JG_TESTS_REPORTS_READING_RIG_H

#include "reports/pra/xml_reading.h"

struct reading {
    enum pra_fault fault;
    char text[PRA_TEXT_SIZE];
    struct buf records; /* each record as a line, and for a session a line for each part of it */
    struct buf refused; /* "lsid: why\n" */
    size_t nrecords, most_bytes;
    uint64_t nrefused, ncut;
};

/* `piece` 0 = as a whole. `limit` of a session's memory, 0 = none. */
void reading_run(struct reading *, const struct xml_element *tree, enum report_kind, const char *xml,
                 size_t n, size_t piece, size_t limit);
void reading_free(struct reading *);
/* Appends a batch as the lines of `records`. */
void reading_write(struct buf *, const struct report_batch *);

#endif
