/*
 * certificates.h - everything with an end date: certificates of listeners, their revocation lists,
 * certificates shown to vaults.
 */
#ifndef JG_HANDLERS_CERTIFICATES_H
#define JG_HANDLERS_CERTIFICATES_H

#include "base/jsonw.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct gateway;

#define CERTIFICATES_MAX 64

struct certificate {
    const char *kind; /* "listener", "client_crl", "vault" */
    const char *name; /* of the section */
    int64_t end;      /* seconds since 1970 */
    int64_t left;     /* seconds; negative: past */
};

/* Writes at most `max`; returns how many were written. */
size_t certificates_list(const struct gateway *, struct certificate *, size_t max);
/* One text for each that is past its end, as a member of an array; returns how many. */
size_t certificates_reasons(const struct gateway *, struct jsonw *);
/* The array `certificates` of /status. */
void certificates_write(const struct gateway *, struct jsonw *);

#endif
