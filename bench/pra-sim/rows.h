/*
 * rows.h - the sessions of a report: those that a test made, and made-up ones, by period or by lsid.
 */
#ifndef PRA_SIM_ROWS_H
#define PRA_SIM_ROWS_H

#include "pra-sim/site.h"

struct period {
    bool by_end;
    int64_t from, to; /* seconds since 1970; to is not in it; INT64_MAX = up to now */
};

struct row {
    struct session *made; /* by a test; NULL = made up */
    uint64_t index;
    int64_t at_s; /* start or end, whatever the period is about */
};

struct rows {
    struct row *row;
    size_t n, cap;
    bool failed; /* memory ran out */
};

/* In the order that the knob chooses. */
void rows_find(const struct site *, const struct period *, struct rows *);
/* False = there is no such session in AccessSession. */
bool rows_by_lsid(const struct site *, const char *lsid, struct row *);
enum session_state rows_state(const struct site *, const struct row *);
/* Ends it; a session that a test made sends its event. 0 or -ENOMEM. */
int rows_end(struct site *, const struct row *, bool abnormally, int64_t at_ms);
/* The faults of a call on them. */
void rows_spoil(struct rows *, int fault);
void rows_add(struct rows *, struct row);
void rows_free(struct rows *);

#endif
