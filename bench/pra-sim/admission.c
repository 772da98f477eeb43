/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission.c - whether a call is admitted: its token, the rate limit, the role of the appliance; see
 * dispatch.h.
 */
#include "pra-sim/dispatch.h"

#include <string.h>
#include <strings.h>

static void token_refused(struct dispatch *d)
{
    static const int statuses[] = {401, 200, 400, 403};
    int status = statuses[d->site->knob[KNOB_TOKEN_REFUSED]], form = d->site->knob[KNOB_TOKEN_REFUSED_FORM];

    if (form == 0) {
        answer_oauth_error(d, status, "access_denied",
                           "The resource owner or authorization server denied the request.");
        return;
    }
    if (form == 1)
        answer_error(d, NULL, "The access token is not valid.");
    d->answer->status = status;
}

bool dispatch_has_token(struct dispatch *d)
{
    const char *text = d->call->authorization;
    int check = d->site->knob[KNOB_ADDRESS_CHECK];

    if (text && strncasecmp(text, "Bearer ", 7) == 0)
        d->account = accounts_of_token(&d->site->accounts, text + 7);
    if (d->account && !d->account->enabled)
        d->account = NULL;
    if (d->account && check != ADDRESS_TOKEN && !account_allows(d->account, d->call->peer))
        d->account = NULL;
    if (!d->account)
        token_refused(d);
    return d->account != NULL;
}

static void put_retry_after(struct dispatch *d, uint64_t wait_ms)
{
    int64_t seconds = (int64_t)((wait_ms + 999) / 1000);
    int64_t at = site_now(d->site) + seconds * 1000;
    char iso[TIME_ISO];

    if (d->site->knob[KNOB_RETRY_AFTER] == RETRY_AFTER_SECONDS)
        (void)buf_printf(&d->answer->headers, "Retry-After: %lld\r\n", (long long)seconds);
    if (d->site->knob[KNOB_RETRY_AFTER] != RETRY_AFTER_DATE)
        return;
    time_http(at, iso);
    (void)buf_printf(&d->answer->headers, "Retry-After: %s\r\n", iso);
}

bool dispatch_within_rate(struct dispatch *d)
{
    static const int statuses[] = {429, 503, 403};
    const struct accounts *all = &d->site->accounts;
    uint64_t wait = account_rate(all, d->account);

    if (!d->site->knob[KNOB_RATE_HEADERS])
        (void)buf_printf(&d->answer->headers, "X-RateLimit-Limit: %llu\r\nX-RateLimit-Remaining: %llu\r\n",
                         (unsigned long long)all->limits.rate_hour,
                         (unsigned long long)account_rate_left(all, d->account));
    if (!wait)
        return true;
    d->violation = wait > 1000 ? VIOLATION_RATE_HOUR : VIOLATION_RATE_SECOND;
    d->site->violations[d->violation]++;
    answer_message(d, statuses[d->site->knob[KNOB_RATE_STATUS]], "Rate limit exceeded.");
    put_retry_after(d, wait);
    return false;
}

bool dispatch_role_serves(struct dispatch *d)
{
    const char *action = dispatch_param(d, "action");

    if (d->site->role != ROLE_BACKUP || !d->site->knob[KNOB_BACKUP_CALLS])
        return true;
    if (d->api == API_COMMAND && action && strcmp(action, "check_health") == 0)
        return true;
    if (d->api == API_CONFIG)
        answer_message(d, 500, "This appliance is the backup.");
    else
        answer_error(d, NULL, "This appliance is the backup.");
    return false;
}
