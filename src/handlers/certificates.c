/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates.c - end dates of certificates and revocation lists; see certificates.h.
 *
 * From thirty days before its end a certificate is logged as a warning each day, from seven days as an error.
 * After the end of a listener's the gateway is not ready (/readyz): no client can connect, and a load
 * balancer must send none here. The same holds for a revocation list past its next update: no client
 * certificate is accepted with it. A certificate presented to a vault concerns that vault alone (health.c).
 */
#include "handlers/certificates.h"

#include "base/log.h"
#include "handlers/gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CERTIFICATES_MAX 64
#define DAY_S            86400
#define WARN_DAYS        30
#define ERROR_DAYS       7
#define VAULT_KIND       "vault"

/* At most CERTIFICATES_MAX; returns how many. */
static size_t certificates_list(const struct gateway *gw, struct http_certificate out[CERTIFICATES_MAX])
{
    size_t n = gw->server ? http_certificates(gw->server, out, CERTIFICATES_MAX) : 0;
    struct vault_state s;

    for (size_t i = 0; i < gw->nvaults && n < CERTIFICATES_MAX; i++) {
        health_vault(gw->vaults[i], &s);
        if (s.certificate_end)
            out[n++] = (struct http_certificate){
                .kind = VAULT_KIND, .name = gw->vaults[i]->conf->name, .end = s.certificate_end};
    }
    return n;
}

/* Seconds; negative: past. */
static int64_t time_left(const struct gateway *gw, const struct http_certificate *c)
{
    return c->end - clock_wall(gw->clock) / 1000;
}

size_t certificates_reasons(const struct gateway *gw, struct jsonw *w)
{
    struct http_certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all), past = 0;
    char reason[200];

    for (size_t i = 0; i < n; i++) {
        if (time_left(gw, &all[i]) > 0 || strcmp(all[i].kind, VAULT_KIND) == 0)
            continue;
        if (all[i].is_crl)
            snprintf(reason, sizeof(reason), "the revocation list of listener %s is past its next update",
                     all[i].name);
        else
            snprintf(reason, sizeof(reason), "the certificate of %s %s has expired", all[i].kind,
                     all[i].name);
        jsonw_str(w, NULL, reason);
        past++;
    }
    return past;
}

bool certificates_vault_valid(const struct gateway *gw, const char *vault, const struct vault_state *s,
                              struct jsonw *w)
{
    char reason[CONF_NAME_MAX + 64];

    if (!s->certificate_end || s->certificate_end > clock_wall(gw->clock) / 1000)
        return true;
    snprintf(reason, sizeof(reason), "the certificate of " VAULT_KIND " %s has expired", vault);
    jsonw_str(w, NULL, reason);
    return false;
}

int64_t certificates_crl_end(const struct gateway *gw)
{
    struct http_certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all);
    int64_t earliest = 0;

    for (size_t i = 0; i < n; i++)
        if (all[i].is_crl && (!earliest || all[i].end < earliest))
            earliest = all[i].end;
    return earliest;
}

void certificates_write(const struct gateway *gw, struct jsonw *w)
{
    struct http_certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all);
    char end[CLOCK_RFC3339_SIZE];

    jsonw_array(w, "certificates");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", all[i].name);
        jsonw_str(w, "kind", all[i].kind);
        jsonw_str(w, "not_after", clock_rfc3339_or_null(all[i].end * 1000, end));
        jsonw_int(w, "days_left", time_left(gw, &all[i]) / DAY_S);
        jsonw_end(w);
    }
    jsonw_end(w);
}

void gateway_warn_certificates(const struct gateway *gw)
{
    struct http_certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all);
    char end[CLOCK_RFC3339_SIZE];

    for (size_t i = 0; i < n; i++) {
        int64_t days = time_left(gw, &all[i]) / DAY_S;

        /* A revocation list is usually valid for days: its last day alone is worth a warning. */
        if (days > (all[i].is_crl ? 1 : WARN_DAYS))
            continue;
        log_event(days <= ERROR_DAYS ? LOG_ERROR : LOG_WARN, "certificate_ends",
                  "kind=%s name=%s not_after=%s days_left=%" PRId64 " hint=%s", all[i].kind, all[i].name,
                  clock_rfc3339(all[i].end * 1000, end), days, "renew the file, then reload");
    }
}
