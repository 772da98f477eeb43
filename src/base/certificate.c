/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.c - until when a certificate is good, and whether it was refused; see certificate.h.
 */
#include "base/certificate.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

BIO *certificate_file_open(const char *path)
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    FILE *file = NULL;
    struct stat st;
    BIO *in = NULL;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        file = fdopen(fd, "r");
    if (file)
        in = BIO_new_fp(file, BIO_CLOSE);
    if (!file && fd >= 0)
        (void)close(fd);
    if (file && !in)
        (void)fclose(file);
    return in;
}

int64_t certificate_time(const ASN1_TIME *at)
{
    struct tm tm;

    return at && ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

X509 *certificate_read(const char *path)
{
    BIO *in = certificate_file_open(path);
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

/* ---- refused by a server ---- */

static const int refusals[] = {
    SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
    SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,       SSL_R_SSLV3_ALERT_NO_CERTIFICATE,
    SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,   SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
    SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,   SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
    SSL_R_TLSV1_ALERT_ACCESS_DENIED,
};

bool certificate_is_refusal(int reason)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i] == reason)
            return true;
    return false;
}

const char *certificate_refusal_in(const char *text)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const char *words = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, refusals[i]));

        if (words && strstr(text, words))
            return words;
    }
    return NULL;
}
