/*
 * knobs.h - the behaviours of the vault that nobody outside the vendor can settle, as switches.
 *
 * Numbers 1 to 18 and their defaults are those of the fact sheet (section 10.2); 19 and up are our own. Value
 * 0 is always the default, so a zeroed table is the default vault.
 */
#ifndef SIM_KNOBS_H
#define SIM_KNOBS_H

#include "base/buf.h"

#include <stdbool.h>

enum knob {
    KNOB_LENIENT = 1,      /* on, off */
    KNOB_LATE_CERTIFICATE, /* off, on */
    KNOB_PASSWORD_END,     /* last, first */
    KNOB_SIGNOUT,          /* 200, 401 */
    KNOB_TOKEN_ENDS,       /* no, yes */
    KNOB_DOMAIN_NAME,      /* array, object */
    KNOB_NONE_LISTED,      /* list, 403 */
    KNOB_NO_SCHEDULE,      /* 403, 400, 409 */
    KNOB_OVER_MAXIMUM,     /* 403, 400 */
    KNOB_PENDING,          /* 409, reuse */
    KNOB_ABSENT_TYPE,      /* 404, empty, 400 */
    KNOB_ESCAPING,         /* newtonsoft, stj */
    KNOB_DENIED,           /* 404, 403 */
    KNOB_OTHERS,           /* 404, 403 */
    KNOB_CODE_FORM,        /* number, text, string */
    KNOB_HEADER_ALWAYS,    /* no, yes */
    KNOB_FAULTS,           /* off, html500, 503, 429, slow, drop: one call in ten */
    KNOB_KEEP_ID,          /* yes, no */
    KNOB_PENDING_CHECKIN,  /* 204, 403 */
    KNOB_ISA_REQUEST,      /* none, listed */
    KNOB_SECRET_FORM,      /* string, object */
    KNOB_NKNOBS
};

struct knobs {
    int value[KNOB_NKNOBS];
};

/* "12=stj"; 0 or -EINVAL. */
int knobs_set(struct knobs *, const char *text);
/* Number and name of the value; 0 or -EINVAL. */
int knobs_set_one(struct knobs *, int number, const char *value);
const char *knobs_value(const struct knobs *, int number);
void knobs_help(struct buf *);

#endif
