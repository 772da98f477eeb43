/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - the table of settings; see settings.h.
 */
#include "passwordsafe-sim/settings.h"

#include "sim/knobs.h"

#include <stddef.h>

static const struct knob_row setting_rows[SETTING_COUNT] = {
    [SETTING_LENIENT] = {NULL, "lenient JSON and form bodies", {"on", "off"}},
    [SETTING_LATE_CERTIFICATE] = {NULL, "client certificate asked late", {"off", "on"}},
    [SETTING_PASSWORD_END] = {NULL, "pwd=[..] ends at the last or first ]", {"last", "first"}},
    [SETTING_SIGNOUT] = {NULL, "Signout without session", {"200", "401"}},
    [SETTING_TOKEN_ENDS] = {NULL, "cookie session ends with the OAuth token", {"no", "yes"}},
    [SETTING_DOMAIN_NAME] = {NULL, "accountName=DOMAIN\\name without system", {"array", "object"}},
    [SETTING_NONE_LISTED] = {NULL, "no requestable accounts", {"list", "403"}},
    [SETTING_NO_SCHEDULE] = {NULL, "no schedule open", {"403", "400", "409"}},
    [SETTING_OVER_MAXIMUM] = {NULL, "duration over the account maximum", {"403", "400"}},
    [SETTING_PENDING] = {NULL, "reuse or renew meeting a pending request", {"409", "reuse"}},
    [SETTING_ABSENT_TYPE] = {NULL, "credential type the account lacks", {"404", "empty", "400"}},
    [SETTING_ESCAPING] = {NULL, "JSON string escaping", {"newtonsoft", "stj"}},
    [SETTING_DENIED] = {NULL, "credentials of a denied request", {"404", "403"}},
    [SETTING_OTHERS] = {NULL, "another user's request id", {"404", "403"}},
    [SETTING_CODE_FORM] = {NULL, "form of 403/409 bodies", {"number", "text", "string"}},
    [SETTING_HEADER_ALWAYS] = {NULL, "Authorization needed on every call", {"no", "yes"}},
    [SETTING_FAULTS] = {NULL, "fault on one call in ten", {"off", "html500", "503", "429", "slow", "drop"}},
    [SETTING_KEEP_ID] = {NULL, "sign-in with an old cookie keeps its id", {"yes", "no"}},
    [SETTING_PENDING_CHECKIN] = {NULL, "check-in of a pending request", {"204", "403"}},
    [SETTING_ISA_REQUEST] = {NULL, "request left by ISA access", {"none", "listed"}},
    [SETTING_SECRET_FORM] = {NULL, "form of a secret", {"string", "object"}},
};

static const struct knob_table table = {setting_rows, SETTING_COUNT};

int settings_set_one(struct settings *k, const char *number, const char *value)
{
    return knob_set(&table, k->value, number, value);
}

int settings_set(struct settings *k, const char *text)
{
    return knob_set_text(&table, k->value, text);
}

const char *settings_value(const struct settings *k, int number)
{
    if (number < 1 || number >= SETTING_COUNT)
        return NULL;
    return setting_rows[number].values[k->value[number]];
}

void settings_help(struct buf *b)
{
    knob_help(&table, b);
}
