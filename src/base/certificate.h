/*
 * certificate.h - until when a PEM certificate or revocation list in a file is good; whether a server has
 * refused that of a client.
 */
#ifndef JG_BASE_CERTIFICATE_H
#define JG_BASE_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

/* A regular file to read; NULL = it is none, or cannot be opened. A pipe is not waited for. */
BIO *certificate_file_open(const char *path);
/* Seconds since 1970; 0 where the time cannot be read. */
int64_t certificate_time(const ASN1_TIME *);
/* The first certificate in the file; NULL = there is none that can be read. The caller frees it. */
X509 *certificate_read(const char *path);
/* notAfter of the first certificate in the file; 0 = there is none that can be read. */
int64_t certificate_file_end(const char *path);

/* OpenSSL's reason code of an alert by which a server refuses the certificate of a client, or the lack of
 * one.
 */
bool certificate_is_refusal(int reason);
/* The words of such an alert within a text; NULL = it has none. */
const char *certificate_refusal_in(const char *text);

#endif
