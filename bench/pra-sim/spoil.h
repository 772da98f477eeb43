/*
 * spoil.h - the site's own faults: answers whose XML, head or size is wrong.
 */
#ifndef PRA_SIM_SPOIL_H
#define PRA_SIM_SPOIL_H

#include "sim/fault_injection.h"

enum spoil_kind {
    SPOIL_NAMESPACE = INJECT_OWN, /* before: XML in a foreign namespace */
    SPOIL_ROWS_TWICE,             /* before: each row of a report twice */
    SPOIL_ROWS_SHUFFLED,          /* before: the rows in no order */
    SPOIL_ZIP_BOMB,               /* before: a member of `size` (300 MB) zeros */
    SPOIL_ZIP_GZIP_BOMB,          /* before: the same inside a .gz member */
    SPOIL_ZIP_MEMBERS,            /* before: `size` (5000) members */
    SPOIL_ZIP_NAMES,              /* before: names that are paths, and one name twice */
    SPOIL_ZIP_CRC,                /* before: wrong checksums */
    SPOIL_ZIP_DIRECTORY,          /* before: without its directory */
    SPOIL_ZIP_ENCRYPTED,          /* before: members that say they are encrypted */
    SPOIL_ZIP_SIZES,              /* before: members that announce 4 GB */
    SPOIL_ZIP_GZIP,               /* before: .gz members that break off */
    SPOIL_ZIP_EMPTY,              /* before: no member */
    SPOIL_DOCTYPE,                /* a document type declaration before the root */
    SPOIL_ENTITIES,               /* one whose entities grow when they are expanded, used in the text */
    SPOIL_DEEP,                   /* elements nested `size` (100) deep inside the root */
    SPOIL_NO_END,                 /* the last end tag is missing */
    SPOIL_CUT,                    /* whole by its length, but the body ends after its half */
    SPOIL_UNKNOWN_ROOT,           /* the root has a name of no answer */
    SPOIL_BAD_ROW,                /* two more rows of a listing, one with a wrong lsid and one without */
    SPOIL_BAD_UTF8,               /* bytes that are no UTF-8 inside the root */
    SPOIL_TRAILING,               /* a second root after the first */
    SPOIL_EMPTY,                  /* 200 without a body */
    SPOIL_WRONG_TYPE,             /* another content type than the body has */
    SPOIL_OVERSIZE,               /* blanks up to `size` (17 MB) inside the body */
    SPOIL_WRONG_LENGTH,           /* announces `size` (1000) bytes more than come */
    SPOIL_SHORT_LENGTH,           /* announces half of the bytes that come */
    SPOIL_SLOW,                   /* `size` (16) bytes each 100 ms */
    SPOIL_FLOOD,                  /* the rows again and again, `size` (2 GB) bytes, well-formed */
    SPOIL_RESET_MIDDLE            /* half of it, then a reset */
};

extern const struct fault_action spoil_actions[];
extern const size_t spoil_nactions;

/* What is inside the root: the rows. False = the root is empty, or it is no XML. */
bool spoil_rows(const struct buf *, size_t *from, size_t *to);
/* Changes the answer; kinds that concern the sending change nothing here. */
void spoil_answer(const struct fault_injection_rule *, struct sim_answer *);

#endif
