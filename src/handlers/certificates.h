/*
 * certificates.h - end dates: of listeners' certificates, of their revocation lists, of certificates
 * presented to vaults.
 */
#ifndef JG_HANDLERS_CERTIFICATES_H
#define JG_HANDLERS_CERTIFICATES_H

#include "base/jsonw.h"

struct gateway;

/* One text for each that is past its end, as a member of an array; returns how many. */
size_t certificates_reasons(const struct gateway *, struct jsonw *);
/* The array `certificates` of /status. */
void certificates_write(const struct gateway *, struct jsonw *);

#endif
