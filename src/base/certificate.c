/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.c - until when a certificate is good; see certificate.h.
 */
#include "base/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

int64_t certificate_time(const ASN1_TIME *at)
{
    struct tm tm;

    return at && ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

X509 *certificate_read(const char *path)
{
    BIO *in = path ? BIO_new_file(path, "r") : NULL;
    X509 *certificate = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

    BIO_free(in);
    ERR_clear_error();
    return certificate;
}

int64_t certificate_file_end(const char *path)
{
    X509 *certificate = certificate_read(path);
    int64_t end = certificate ? certificate_time(X509_get0_notAfter(certificate)) : 0;

    X509_free(certificate);
    return end;
}
