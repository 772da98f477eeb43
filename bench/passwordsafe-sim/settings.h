/*
 * settings.h - settings for those behaviours of the vault that only its vendor knows.
 *
 * Their numbers, values and defaults are listed in docs/simulator.md; the option and the admin port name them
 * `knob`. Value 0 is always the default, so a zeroed table is the default vault.
 */
#ifndef SIM_SETTINGS_H
#define SIM_SETTINGS_H

#include "base/buf.h"

#include <stdbool.h>

enum setting {
    SETTING_LENIENT = 1,      /* on, off */
    SETTING_LATE_CERTIFICATE, /* off, on */
    SETTING_PASSWORD_END,     /* last, first */
    SETTING_SIGNOUT,          /* 200, 401 */
    SETTING_TOKEN_ENDS,       /* no, yes */
    SETTING_DOMAIN_NAME,      /* array, object */
    SETTING_NONE_LISTED,      /* list, 403 */
    SETTING_NO_SCHEDULE,      /* 403, 400, 409 */
    SETTING_OVER_MAXIMUM,     /* 403, 400 */
    SETTING_PENDING,          /* 409, reuse */
    SETTING_ABSENT_TYPE,      /* 404, empty, 400 */
    SETTING_ESCAPING,         /* newtonsoft, stj */
    SETTING_DENIED,           /* 404, 403 */
    SETTING_OTHERS,           /* 404, 403 */
    SETTING_CODE_FORM,        /* number, text, string */
    SETTING_HEADER_ALWAYS,    /* no, yes */
    SETTING_FAULTS,           /* off, html500, 503, 429, slow, drop: one call in ten */
    SETTING_KEEP_ID,          /* yes, no */
    SETTING_PENDING_CHECKIN,  /* 204, 403 */
    SETTING_ISA_REQUEST,      /* none, listed */
    SETTING_SECRET_FORM,      /* string, object */
    SETTING_COUNT
};

struct settings {
    int value[SETTING_COUNT];
};

/* "12=stj"; 0 or -EINVAL. */
int settings_set(struct settings *, const char *text);
/* Number and name of the value; 0 or -EINVAL. */
int settings_set_one(struct settings *, const char *number, const char *value);
const char *settings_value(const struct settings *, int number);
void settings_help(struct buf *);

#endif
