/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors.c - results and faults that follow from HTTP alone: a call without answer, an answer that is not the
 * vault's, a status that says nothing about the call. All of them are VAULT_FAILED.
 *
 * Not here: refusals in the vault's own form (its folder); the words of a vault are quoted there alone.
 */
#include "backends/http_vault/http_vault.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

#define RETRY_AFTER_MAX   2000 /* ms: a longer Retry-After is not waited for */
#define RETRY_AFTER_SHOWN 3600 /* seconds: the longest that is passed on to a caller */

/* ---- answers ---- */

void http_vault_clean_text(char *out, size_t size, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n + 1 < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c > 0x20 && c != 0x7f)
            out[n++] = text[i];
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n && (out[n - 1] == ' ' || (n + 1 == size && (out[n - 1] & 0x80))))
        n--;
    out[n] = '\0';
    if (!utf8_valid(out, n))
        out[0] = '\0';
}

unsigned http_vault_retry_after_s(const struct http_vault *hv, const struct call *http)
{
    const char *text = http->value[CALL_RETRY_AFTER];
    int64_t seconds, at_ms;

    if (!text_int(text, 0, INT64_MAX, &seconds)) {
        if (clock_parse_http_date(text, &at_ms))
            return 0;
        seconds = (at_ms - clock_wall(hv->clock) + 999) / 1000;
    }
    if (seconds < 1)
        return 1;
    return seconds > RETRY_AFTER_SHOWN ? RETRY_AFTER_SHOWN : (unsigned)seconds;
}

static void set_page_fault(const char *operation, const struct call *http, struct vault_call *out)
{
    fault_set(&out->fault, FAULT_VAULT_ERROR,
              "an HTML page came instead of the vault's answer (%d) to the %s: a proxy, a firewall or a web "
              "server in front of it wrote it, or the url is wrong; nothing in it is used",
              http->status, operation);
}

void http_vault_status_error(const struct http_vault *hv, const char *operation, const struct call *http,
                             struct vault_call *out)
{
    int status = http->status;

    out->result = VAULT_FAILED;
    if (status == 503 || status == 429) {
        fault_set(&out->fault, FAULT_VAULT_UNAVAILABLE, "the vault is too busy or in maintenance (%d)",
                  status);
        out->fault.retry_after_s = http_vault_retry_after_s(hv, http);
    } else if (status == 410) {
        fault_set(&out->fault, FAULT_VAULT_ERROR, "the vault has disabled this version of its API (410)");
    } else if (status >= 300 && status < 400) {
        fault_set(&out->fault, FAULT_VAULT_ERROR, "the vault redirects the %s (%d): check the url", operation,
                  status);
    } else if (http_vault_is_page(http)) {
        set_page_fault(operation, http, out);
    } else if (status == 404) {
        fault_set(&out->fault, FAULT_VAULT_ERROR,
                  "the vault knows no such call (404) for the %s: check the url", operation);
    } else if (status == 400 || status == 401 || status == 403 || status == 409) {
        fault_set(
            &out->fault, FAULT_VAULT_ERROR,
            "the answer to the %s (%d) has no form that the vault uses: a proxy or a firewall in front of it "
            "may have written it; nothing in it is used",
            operation, status);
    } else {
        fault_set(&out->fault, FAULT_VAULT_ERROR, "the vault failed at the %s (%d)", operation, status);
    }
}

/* ---- no answer ---- */

void http_vault_transport_error(const struct http_vault *hv, const struct call *http, struct vault_call *out)
{
    const char *name = hv->vault.conf->name;

    out->result = VAULT_FAILED;
    switch (http->err) {
    case -ETIMEDOUT: http_vault_deadline(out); break;
    case -ESTALE:
        out->withheld = true;
        fault_set(&out->fault, FAULT_VAULT_UNAVAILABLE, "the call to vault %s came too late to be sent",
                  name);
        break;
    case -EPROTO:
        fault_set(&out->fault, FAULT_VAULT_ERROR, "vault %s does not answer in HTTP: %s", name, http->why);
        break;
    case -EMSGSIZE:
        fault_set(&out->fault, FAULT_VAULT_ERROR, "the answer of vault %s is larger than max_answer", name);
        out->fault.too_large = true;
        break;
    case -ECONNREFUSED:
        fault_set(&out->fault, FAULT_VAULT_UNAVAILABLE, "no connection to vault %s: %s", name, http->why);
        break;
    case -ECONNRESET:
        fault_set(&out->fault, FAULT_VAULT_UNAVAILABLE, "connection to vault %s lost: %s", name, http->why);
        break;
    default: http_vault_errno_error(hv, http->err, out); break;
    }
}

void http_vault_errno_error(const struct http_vault *hv, int err, struct vault_call *out)
{
    const char *name = hv->vault.conf->name;

    out->result = VAULT_FAILED;
    if (err == -ENOMEM)
        fault_set(&out->fault, FAULT_INTERNAL, "out of memory");
    else if (err == -EAGAIN)
        fault_set(&out->fault, FAULT_OVERLOADED, "too many calls to vault %s are waiting (max_calls)", name);
    else if (err == -ESHUTDOWN || err == -ECANCELED)
        fault_set(&out->fault, FAULT_DRAINING, "the gateway is stopping");
    else if (err == -ETIMEDOUT)
        http_vault_deadline(out);
    else
        fault_set(&out->fault, FAULT_VAULT_UNAVAILABLE, "vault %s: %s", name, strerror(-err));
}

void http_vault_deadline(struct vault_call *out)
{
    out->result = VAULT_FAILED;
    fault_set(&out->fault, FAULT_DEADLINE_EXCEEDED, "the vault did not answer in time");
}

void http_vault_unreadable(struct vault_call *out, const struct call *http, const char *what)
{
    out->result = VAULT_FAILED;
    fault_set(&out->fault, FAULT_VAULT_ERROR, "the vault's answer cannot be understood: %s", what);
    out->fault.foreign = http_vault_is_page(http);
    out->fault.vault_status = http->status;
}

bool http_vault_is_retryable(const struct http_vault *hv, const struct call *http, uint64_t *delay_ms)
{
    uint64_t asked = (uint64_t)http_vault_retry_after_s(hv, http) * 1000;

    *delay_ms = 0;
    if (http->err)
        return http->err == -ECONNREFUSED || http->err == -ECONNRESET || http->err == -EPROTO;
    if (asked > RETRY_AFTER_MAX)
        return false;
    *delay_ms = asked;
    if (http->status == 429)
        return asked > 0;
    return http->status == 408 || http->status >= 500;
}
