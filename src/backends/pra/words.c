/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.c - names of calls and outcomes, and the small texts of the site: lsid, time, words for an operator.
 *
 * Pure functions on texts. What the site says goes into logs and into /status, so it passes
 * pra_text_clean() first.
 */
#include "backends/pra/pra.h"
#include "base/text.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const call_names[PRA_NKINDS] = {
    [PRA_CALL_PROBE] = "probe",         [PRA_CALL_TOKEN] = "token",
    [PRA_CALL_INFO] = "get_api_info",   [PRA_CALL_HEALTH] = "check_health",
    [PRA_CALL_JUMPOINTS] = "jumpoints", [PRA_CALL_LISTING] = "session_listing",
    [PRA_CALL_SESSION] = "session",     [PRA_CALL_TERMINATE] = "terminate_session",
    [PRA_CALL_REPORT] = "report",       [PRA_CALL_ARCHIVE] = "archive",
    [PRA_CALL_PAGE] = "page",
};

static const struct fault_row {
    const char *words;
    enum pra_outcome outcome;
    bool answer; /* only a site answers so */
} faults[PRA_NFAULTS] = {
    [PRA_OK] = {"ok", PRA_OUT_OK, true},
    [PRA_NO_ROWS] = {"no rows", PRA_OUT_NO_ROWS, true},
    [PRA_NAME_UNKNOWN] = {"the site's name cannot be resolved", PRA_OUT_UNAVAILABLE, false},
    [PRA_REFUSED_TCP] = {"the site refuses the connection", PRA_OUT_UNAVAILABLE, false},
    [PRA_CONNECT_LATE] = {"no connection to the site in time", PRA_OUT_TIMEOUT, false},
    [PRA_TLS_ISSUER] = {"the issuer of the site's certificate is not trusted", PRA_OUT_UNAVAILABLE, false},
    [PRA_TLS_NAME] = {"the site's certificate is for another name", PRA_OUT_UNAVAILABLE, false},
    [PRA_TLS_EXPIRED] = {"the site's certificate is not valid at this time", PRA_OUT_UNAVAILABLE, false},
    [PRA_TLS_NONE] = {"no TLS with the site", PRA_OUT_UNAVAILABLE, false},
    [PRA_NO_CONNECTION] = {"no connection to the site", PRA_OUT_UNAVAILABLE, false},
    [PRA_TIMEOUT] = {"no answer in time", PRA_OUT_TIMEOUT, false},
    [PRA_LOST] = {"the connection ended before the answer did", PRA_OUT_UNAVAILABLE, false},
    [PRA_TOO_LARGE] = {"the answer is larger than allowed", PRA_OUT_ERROR, false},
    [PRA_NONSENSE] = {"the answer makes no sense", PRA_OUT_ERROR, false},
    [PRA_WEB_PAGE] = {"a web page instead of an answer", PRA_OUT_ERROR, false},
    [PRA_REDIRECT] = {"a redirect instead of an answer", PRA_OUT_ERROR, false},
    [PRA_STATUS] = {"an unexpected status", PRA_OUT_ERROR, false},
    [PRA_UNAVAILABLE] = {"the site is not available for now", PRA_OUT_UNAVAILABLE, false},
    [PRA_RATE_LIMITED] = {"the site's rate limit is reached", PRA_OUT_UNAVAILABLE, true},
    [PRA_SITE_ERROR] = {"the site answers with an error", PRA_OUT_ERROR, true},
    [PRA_DENIED] = {"the site denies the call", PRA_OUT_REFUSED, true},
    [PRA_TOKEN_REFUSED] = {"the site refuses a new token", PRA_OUT_REFUSED, true},
    [PRA_CLIENT_REFUSED] = {"the site refuses client id or secret", PRA_OUT_REFUSED, true},
    [PRA_CANCELLED] = {"the gateway is stopping", PRA_OUT_ERROR, false},
    [PRA_NO_MEMORY] = {"out of memory", PRA_OUT_ERROR, false},
};

static const char *const outcome_names[PRA_NOUTCOMES] = {
    [PRA_OUT_OK] = "ok",           [PRA_OUT_ERROR] = "error",     [PRA_OUT_NO_ROWS] = "no_rows",
    [PRA_OUT_REFUSED] = "refused", [PRA_OUT_TIMEOUT] = "timeout", [PRA_OUT_UNAVAILABLE] = "unavailable",
};

const char *pra_call_name(enum pra_call_kind kind)
{
    return call_names[kind];
}

const char *pra_fault_words(enum pra_fault fault)
{
    return faults[fault].words;
}

enum pra_outcome pra_fault_outcome(enum pra_fault fault)
{
    return faults[fault].outcome;
}

const char *pra_outcome_name(enum pra_outcome outcome)
{
    return outcome_names[outcome];
}

bool pra_fault_is_answer(enum pra_fault fault)
{
    return faults[fault].answer;
}

void pra_result_words(const struct pra_result *r, char *out, size_t size)
{
    int n = snprintf(out, size, "%s: %s", call_names[r->failed], faults[r->fault].words);

    if (r->fault == PRA_STATUS && n > 0 && (size_t)n < size)
        n += snprintf(out + n, size - (size_t)n, " %d", r->status);
    if (r->text[0] && n > 0 && (size_t)n < size)
        (void)snprintf(out + n, size - (size_t)n, " (%s)", r->text);
    out[utf8_fit(out, size - 1)] = '\0';
}

/* ---- a text of the site ---- */

void pra_text_clean(char *out, size_t size, const char *text, size_t n)
{
    size_t to = 0, letters = 0;

    while (n && isspace((unsigned char)text[n - 1]))
        n--;
    while (n && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    while (n && letters++ < PRA_TEXT_LETTERS) {
        uint32_t letter;
        size_t used = utf8_letter(text, n, &letter);
        char bytes[4];
        size_t len = utf8_encode(bytes, letter_is_hidden(letter) ? UTF8_REPLACEMENT : letter);
        if (to + len >= size)
            break;
        memcpy(out + to, bytes, len);
        to += len;
        text += used;
        n -= used;
    }
    out[to] = '\0';
}

/* ---- time ---- */

static bool two_digits(const char *p, int max, int *out)
{
    if (!isdigit((unsigned char)p[0]) || !isdigit((unsigned char)p[1]))
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return *out <= max;
}

/* `Z`, `+00:00`, `-0530`, `+01` or nothing, up to the end of the text. Seconds east of UTC. */
static bool read_zone(const char *p, int *east_s)
{
    int hours = 0, minutes = 0, sign = *p == '-' ? -1 : 1;

    *east_s = 0;
    if (!*p || ((*p == 'Z' || *p == 'z') && !p[1]))
        return true;
    if (*p != '+' && *p != '-')
        return false;
    if (!two_digits(++p, 23, &hours))
        return false;
    p += 2;
    if (*p == ':')
        p++;
    if (*p && !two_digits(p, 59, &minutes))
        return false;
    if (*p)
        p += 2;
    *east_s = sign * (hours * 3600 + minutes * 60);
    return !*p;
}

static int read_iso(const char *text, int64_t *ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    int day = tm.tm_mday, east_s, fraction = 0, scale = 100;

    if (!rest || (*rest != 'T' && *rest != 't' && *rest != ' '))
        return -EINVAL;
    rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (!rest)
        return -EINVAL;
    if (*rest == '.' || *rest == ',')
        for (rest++; isdigit((unsigned char)*rest); rest++, scale /= 10)
            fraction += (*rest - '0') * scale;
    if (!read_zone(rest, &east_s))
        return -EINVAL;
    int seconds = tm.tm_sec;
    tm.tm_sec = 0; /* 60 counts as the next minute */
    int64_t minute = timegm(&tm);
    if (tm.tm_mday != day)
        return -EINVAL; /* no such day */
    *ms = (minute + seconds - east_s) * 1000 + fraction;
    return 0;
}

int pra_time_read(const char *text, int64_t *ms)
{
    int64_t seconds;

    if (text_int(text, 0, 99999999999, &seconds)) {
        *ms = seconds * 1000;
        return 0;
    }
    return strlen(text) <= 40 ? read_iso(text, ms) : -EINVAL;
}
