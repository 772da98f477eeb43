/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates.c - end dates of certificates and revocation lists; see certificates.h.
 *
 * From thirty days before its end a certificate is logged as a warning each day, from seven days as an error.
 * After its end the gateway is not ready (/readyz): no client can connect, and a load balancer should know.
 * The same holds for a revocation list past its next update: no client certificate is accepted with it.
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

struct certificate {
    const char *kind; /* "listener", "client_crl", "vault" */
    const char *name; /* of the section */
    int64_t end;      /* seconds since 1970 */
    int64_t left;     /* seconds; negative: past */
};

static size_t add_listeners(const struct gateway *gw, struct certificate *out, size_t max)
{
    struct http_certificate found[CERTIFICATES_MAX];
    size_t n = gw->server ? http_certificates(gw->server, found, CERTIFICATES_MAX) : 0;

    for (size_t i = 0; i < n && i < max && i < CERTIFICATES_MAX; i++)
        out[i] = (struct certificate){.kind = found[i].is_crl ? "client_crl" : "listener",
                                      .name = found[i].listener,
                                      .end = found[i].end};
    return n < max ? n : max;
}

/* At most `max`; returns how many. */
static size_t certificates_list(const struct gateway *gw, struct certificate *out, size_t max)
{
    int64_t now = clock_wall(gw->clock) / 1000;
    size_t n = add_listeners(gw, out, max);

    for (size_t i = 0; i < gw->nvaults && n < max; i++) {
        struct vault_state s;

        health_vault(gw->vaults[i], &s);
        if (s.certificate_end)
            out[n++] = (struct certificate){
                .kind = "vault", .name = gw->vaults[i]->conf->name, .end = s.certificate_end};
    }
    for (size_t i = 0; i < n; i++)
        out[i].left = out[i].end - now;
    return n;
}

static bool is_crl(const struct certificate *c)
{
    return strcmp(c->kind, "client_crl") == 0;
}

size_t certificates_reasons(const struct gateway *gw, struct jsonw *w)
{
    struct certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all, CERTIFICATES_MAX), past = 0;
    char reason[200];

    for (size_t i = 0; i < n; i++) {
        if (all[i].left > 0)
            continue;
        if (is_crl(&all[i]))
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

void certificates_write(const struct gateway *gw, struct jsonw *w)
{
    struct certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all, CERTIFICATES_MAX);
    char end[CLOCK_RFC3339_SIZE];

    jsonw_array(w, "certificates");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", all[i].name);
        jsonw_str(w, "kind", all[i].kind);
        jsonw_str(w, "not_after", clock_rfc3339_or_null(all[i].end * 1000, end));
        jsonw_int(w, "days_left", all[i].left / DAY_S);
        jsonw_end(w);
    }
    jsonw_end(w);
}

void gateway_warn_certificates(const struct gateway *gw)
{
    struct certificate all[CERTIFICATES_MAX];
    size_t n = certificates_list(gw, all, CERTIFICATES_MAX);
    char end[CLOCK_RFC3339_SIZE];

    for (size_t i = 0; i < n; i++) {
        int64_t days = all[i].left / DAY_S;

        /* A revocation list usually lives for days: its last day alone is worth a warning. */
        if (days > (is_crl(&all[i]) ? 1 : WARN_DAYS))
            continue;
        log_event(days <= ERROR_DAYS ? LOG_ERROR : LOG_WARN, "certificate_ends",
                  "kind=%s name=%s not_after=%s days_left=%" PRId64 " hint=%s", all[i].kind, all[i].name,
                  clock_rfc3339(all[i].end * 1000, end), days, "renew the file, then reload");
    }
}
