/*
 * certificates.h - end dates: of listeners' certificates, of their revocation lists, of certificates
 * presented to vaults.
 */
#ifndef JG_HANDLERS_CERTIFICATES_H
#define JG_HANDLERS_CERTIFICATES_H

#include "base/jsonw.h"

struct gateway;
struct vault_state;

/* One text for each of a listener that is past its end, as a member of an array; returns how many. */
size_t certificates_reasons(const struct gateway *, struct jsonw *);
/* False = the certificate presented to this vault is past its end: one text, as a member of an array. */
bool certificates_vault_valid(const struct gateway *, const char *vault, const struct vault_state *,
                              struct jsonw *);
/* Earliest next update of the listeners' revocation lists, seconds since 1970; 0 = there are none. */
int64_t certificates_crl_end(const struct gateway *);
/* The array `certificates` of /status. */
void certificates_write(const struct gateway *, struct jsonw *);

#endif
