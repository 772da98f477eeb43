/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.c - until when a certificate is good; see certificate.h.
 */
#include "base/certificate.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
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
