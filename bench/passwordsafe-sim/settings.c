/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - the table of settings; see settings.h.
 */
#include "passwordsafe-sim/settings.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING_NVALUES 6

static const struct setting_row {
    const char *question;
    const char *values[SETTING_NVALUES]; /* the first is the default */
} setting_rows[SETTING_COUNT] = {
    [SETTING_LENIENT] = {"lenient JSON and form bodies", {"on", "off"}},
    [SETTING_LATE_CERTIFICATE] = {"client certificate asked late", {"off", "on"}},
    [SETTING_PASSWORD_END] = {"pwd=[..] ends at the last or first ]", {"last", "first"}},
    [SETTING_SIGNOUT] = {"Signout without session", {"200", "401"}},
    [SETTING_TOKEN_ENDS] = {"cookie session ends with the OAuth token", {"no", "yes"}},
    [SETTING_DOMAIN_NAME] = {"accountName=DOMAIN\\name without system", {"array", "object"}},
    [SETTING_NONE_LISTED] = {"no requestable accounts", {"list", "403"}},
    [SETTING_NO_SCHEDULE] = {"no schedule open", {"403", "400", "409"}},
    [SETTING_OVER_MAXIMUM] = {"duration over the account maximum", {"403", "400"}},
    [SETTING_PENDING] = {"reuse or renew meeting a pending request", {"409", "reuse"}},
    [SETTING_ABSENT_TYPE] = {"credential type the account lacks", {"404", "empty", "400"}},
    [SETTING_ESCAPING] = {"JSON string escaping", {"newtonsoft", "stj"}},
    [SETTING_DENIED] = {"credentials of a denied request", {"404", "403"}},
    [SETTING_OTHERS] = {"another user's request id", {"404", "403"}},
    [SETTING_CODE_FORM] = {"form of 403/409 bodies", {"number", "text", "string"}},
    [SETTING_HEADER_ALWAYS] = {"Authorization needed on every call", {"no", "yes"}},
    [SETTING_FAULTS] = {"fault on one call in ten", {"off", "html500", "503", "429", "slow", "drop"}},
    [SETTING_KEEP_ID] = {"sign-in with an old cookie keeps its id", {"yes", "no"}},
    [SETTING_PENDING_CHECKIN] = {"check-in of a pending request", {"204", "403"}},
    [SETTING_ISA_REQUEST] = {"request left by ISA access", {"none", "listed"}},
    [SETTING_SECRET_FORM] = {"form of a secret", {"string", "object"}},
};

int settings_set_one(struct settings *k, int number, const char *value)
{
    if (number < 1 || number >= SETTING_COUNT)
        return -EINVAL;
    for (int i = 0; i < SETTING_NVALUES && setting_rows[number].values[i]; i++) {
        if (!text_equal_nocase(setting_rows[number].values[i], value))
            continue;
        k->value[number] = i;
        return 0;
    }
    return -EINVAL;
}

int settings_set(struct settings *k, const char *text)
{
    const char *equal = strchr(text, '=');
    char number[8];
    int64_t n;

    if (!equal || !text_copy_n(number, sizeof(number), text, (size_t)(equal - text)) ||
        !text_int(number, 1, SETTING_COUNT - 1, &n))
        return -EINVAL;
    return settings_set_one(k, (int)n, equal + 1);
}

const char *settings_value(const struct settings *k, int number)
{
    if (number < 1 || number >= SETTING_COUNT)
        return NULL;
    return setting_rows[number].values[k->value[number]];
}

void settings_help(struct buf *b)
{
    for (int n = 1; n < SETTING_COUNT; n++) {
        (void)buf_printf(b, "  %2d  %-42s", n, setting_rows[n].question);
        for (int i = 0; i < SETTING_NVALUES && setting_rows[n].values[i]; i++)
            (void)buf_printf(b, "%s%s%s", i ? " | " : "", setting_rows[n].values[i], i ? "" : " (default)");
        (void)buf_char(b, '\n');
    }
}
