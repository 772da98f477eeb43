/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knobs.c - the table of switches; see knobs.h.
 */
#include "passwordsafe-sim/knobs.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOB_NVALUES 6

static const struct knob_row {
    const char *question;
    const char *values[KNOB_NVALUES]; /* the first is the default */
} knob_rows[KNOB_NKNOBS] = {
    [KNOB_LENIENT] = {"lenient JSON and form bodies", {"on", "off"}},
    [KNOB_LATE_CERTIFICATE] = {"client certificate asked late", {"off", "on"}},
    [KNOB_PASSWORD_END] = {"pwd=[..] ends at the last or first ]", {"last", "first"}},
    [KNOB_SIGNOUT] = {"Signout without session", {"200", "401"}},
    [KNOB_TOKEN_ENDS] = {"cookie session ends with the OAuth token", {"no", "yes"}},
    [KNOB_DOMAIN_NAME] = {"accountName=DOMAIN\\name without system", {"array", "object"}},
    [KNOB_NONE_LISTED] = {"no requestable accounts", {"list", "403"}},
    [KNOB_NO_SCHEDULE] = {"no schedule open", {"403", "400", "409"}},
    [KNOB_OVER_MAXIMUM] = {"duration over the account maximum", {"403", "400"}},
    [KNOB_PENDING] = {"reuse or renew meeting a pending request", {"409", "reuse"}},
    [KNOB_ABSENT_TYPE] = {"credential type the account lacks", {"404", "empty", "400"}},
    [KNOB_ESCAPING] = {"JSON string escaping", {"newtonsoft", "stj"}},
    [KNOB_DENIED] = {"credentials of a denied request", {"404", "403"}},
    [KNOB_OTHERS] = {"another user's request id", {"404", "403"}},
    [KNOB_CODE_FORM] = {"form of 403/409 bodies", {"number", "text", "string"}},
    [KNOB_HEADER_ALWAYS] = {"Authorization needed on every call", {"no", "yes"}},
    [KNOB_FAULTS] = {"fault on one call in ten", {"off", "html500", "503", "429", "slow", "drop"}},
    [KNOB_KEEP_ID] = {"sign-in with an old cookie keeps its id", {"yes", "no"}},
    [KNOB_PENDING_CHECKIN] = {"check-in of a pending request", {"204", "403"}},
    [KNOB_ISA_REQUEST] = {"request left by ISA access", {"none", "listed"}},
    [KNOB_SECRET_FORM] = {"form of a secret", {"string", "object"}},
};

int knobs_set_one(struct knobs *k, int number, const char *value)
{
    if (number < 1 || number >= KNOB_NKNOBS)
        return -EINVAL;
    for (int i = 0; i < KNOB_NVALUES && knob_rows[number].values[i]; i++) {
        if (!text_equal_nocase(knob_rows[number].values[i], value))
            continue;
        k->value[number] = i;
        return 0;
    }
    return -EINVAL;
}

int knobs_set(struct knobs *k, const char *text)
{
    const char *equal = strchr(text, '=');
    char number[8];
    int64_t n;

    if (!equal || !text_copy_n(number, sizeof(number), text, (size_t)(equal - text)) ||
        !text_int(number, 1, KNOB_NKNOBS - 1, &n))
        return -EINVAL;
    return knobs_set_one(k, (int)n, equal + 1);
}

const char *knobs_value(const struct knobs *k, int number)
{
    if (number < 1 || number >= KNOB_NKNOBS)
        return NULL;
    return knob_rows[number].values[k->value[number]];
}

void knobs_help(struct buf *b)
{
    for (int n = 1; n < KNOB_NKNOBS; n++) {
        (void)buf_printf(b, "  %2d  %-42s", n, knob_rows[n].question);
        for (int i = 0; i < KNOB_NVALUES && knob_rows[n].values[i]; i++)
            (void)buf_printf(b, "%s%s%s", i ? " | " : "", knob_rows[n].values[i], i ? "" : " (default)");
        (void)buf_char(b, '\n');
    }
}
