/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_paths.c - the files that a configuration names; see conf_paths.h.
 *
 * No secret is kept: a private key is freed, and thereby wiped, after its check, and a secret of one line of
 * text is cleared.
 */
#include "conf/table/conf_paths.h"

#include "base/certificate.h"
#include "base/memory/secret.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *conf_file_of(const struct conf_part *part, const struct conf_row *row)
{
    char *path;

    memcpy(&path, conf_field_const(row, part->object), sizeof(path));
    return path;
}

bool conf_is_credential(const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    return dir && *dir && strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/';
}

static void unreadable(struct conf_draft *d, unsigned line, const struct conf_row *row, const char *path,
                       int err)
{
    /* The value may be the secret itself, written in place of a file name. */
    if (row->flags & CONF_SECRET && !strchr(path, '/'))
        conf_error(d, line,
                   "`%s` names no file that can be read: %s. The value is not shown: if it is the secret "
                   "itself, put it into a file and write the file's name here",
                   row->name, strerror(err));
    else
        conf_error(d, line, "`%s`: cannot read %s: %s", row->name, path, strerror(err));
}

static void judge_file(struct conf_draft *d, unsigned line, const struct conf_row *row, const char *path,
                       const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        conf_error(d, line, "`%s`: %s is not a regular file", row->name, path);
    else if (st->st_size == 0)
        conf_error(d, line, "`%s`: %s is empty", row->name, path);
    else if (row->flags & CONF_SECRET && st->st_mode & (S_IRWXG | S_IRWXO) && !conf_is_credential(path))
        conf_warning(d, line,
                     "`%s`: %s holds a secret and can be read by others than its owner; chmod 600 it",
                     row->name, path);
}

/* Errors go into the draft. True = the file is good, and a PEM check may follow. */
bool conf_file_check(struct conf_draft *d, const struct conf_part *part, const struct conf_row *row)
{
    unsigned line = part->at[row - part->table->rows];
    const char *path = conf_file_of(part, row);
    size_t errors = d->errors;
    struct stat st;
    int fd;

    if (!path)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st))
        unreadable(d, line, row, path, errno);
    else
        judge_file(d, line, row, path, &st);
    if (fd >= 0)
        close(fd);
    return d->errors == errors;
}

/* The file of a key when it is set and has passed conf_file_check, else NULL. */
static const char *sound_file(const struct conf_part *part, const bool *sound, const char *key)
{
    const struct conf_row *row = conf_row_find(part->table, part->section, key);

    return sound[row - part->table->rows] ? conf_file_of(part, row) : NULL;
}

/* ---- PEM ---- */

/* An encrypted key is refused; OpenSSL would ask for the passphrase on the terminal. */
static int on_passphrase(char *out, int size, int writing, void *asked)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

/*
 * The last call of OpenSSL failed for want of memory, or the file, which was there a moment before, cannot be
 * opened: nothing is known of its contents.
 */
static bool is_unread(const BIO *in)
{
    return !in || ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

static void report_unread(struct conf_draft *d, unsigned line, const char *key, const char *path)
{
    conf_error(d, line, "`%s`: %s cannot be checked: out of memory", key, path);
}

static void check_dates(struct conf_draft *d, unsigned line, const char *path, const X509 *cert)
{
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        conf_warning(d, line, "the certificate in %s has expired", path);
    else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        conf_warning(d, line, "the certificate in %s is not valid yet", path);
}

/* What has ended the reading of a PEM file is its end, and no damage. */
static bool is_file_end(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* libcurl and OpenSSL refuse the whole file over one certificate that is cut off. */
static void check_all_certificates(struct conf_draft *d, unsigned line, const char *key, const char *path)
{
    BIO *in = certificate_file_open(path);
    unsigned n = 0;
    X509 *one;

    ERR_clear_error();
    while (in && (one = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        X509_free(one);
        n++;
    }
    unsigned long end = ERR_peek_last_error();
    if (is_unread(in))
        report_unread(d, line, key, path);
    else if (n && end && !is_file_end(end))
        conf_error(d, line, "`%s`: certificate number %u in %s is damaged or cut off", key, n + 1, path);
    BIO_free(in);
    ERR_clear_error();
}

static X509 *check_certificate(struct conf_draft *d, const struct conf_part *part, const char *key,
                               const char *path)
{
    unsigned line = conf_part_line(part, key);
    BIO *in = path ? certificate_file_open(path) : NULL;

    ERR_clear_error();
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    if (path && !cert && is_unread(in))
        report_unread(d, line, key, path);
    else if (path && !cert)
        conf_error(d, line, "`%s`: %s holds no certificate in PEM form", key, path);
    BIO_free(in);
    if (cert) {
        check_dates(d, line, path, cert);
        check_all_certificates(d, line, key, path);
    }
    return cert;
}

void conf_check_authority(struct conf_draft *d, const struct conf_part *part, const bool *sound,
                          const char *key)
{
    X509_free(check_certificate(d, part, key, sound_file(part, sound, key)));
}

static EVP_PKEY *check_key(struct conf_draft *d, const struct conf_part *part, const char *key,
                           const char *path)
{
    bool encrypted = false;
    BIO *in = path ? certificate_file_open(path) : NULL;

    ERR_clear_error();
    EVP_PKEY *private = in ? PEM_read_bio_PrivateKey(in, NULL, on_passphrase, &encrypted) : NULL;
    if (path && encrypted)
        conf_error(d, conf_part_line(part, key), "`%s`: the key in %s has a passphrase; remove it", key,
                   path);
    else if (path && !private && is_unread(in))
        report_unread(d, conf_part_line(part, key), key, path);
    else if (path && !private)
        conf_error(d, conf_part_line(part, key), "`%s`: %s holds no private key in PEM form", key, path);
    BIO_free(in);
    return private;
}

/* A key or digest under the security level of this machine: no connection would open. */
static void check_strength(struct conf_draft *d, const struct conf_part *part, const char *key,
                           const char *path)
{
    unsigned line = conf_part_line(part, key);
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    ERR_clear_error();
    bool taken = context && SSL_CTX_use_certificate_chain_file(context, path) == 1;
    if (!context || (!taken && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)) {
        report_unread(d, line, key, path);
    } else if (!taken) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        conf_error(d, line, "`%s`: OpenSSL refuses the certificate in %s: %s", key, path,
                   reason ? reason : "not usable");
    }
    SSL_CTX_free(context);
}

void conf_check_pair(struct conf_draft *d, const struct conf_part *part, const bool *sound,
                     const char *cert_key, const char *key_key)
{
    const char *cert_path = sound_file(part, sound, cert_key), *key_path = sound_file(part, sound, key_key);
    X509 *cert = check_certificate(d, part, cert_key, cert_path);
    EVP_PKEY *key = check_key(d, part, key_key, key_path);

    ERR_clear_error();
    bool fits = cert && key && X509_check_private_key(cert, key) == 1;
    if (cert && key && !fits && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
        report_unread(d, conf_part_line(part, key_key), key_key, key_path);
    else if (cert && key && !fits)
        conf_error(d, conf_part_line(part, key_key), "`%s`: %s is not the key of the certificate in %s",
                   key_key, key_path, cert_path);
    else if (cert && key)
        check_strength(d, part, cert_key, cert_path);
    ERR_clear_error();
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void check_next_update(struct conf_draft *d, unsigned line, const char *path, const X509_CRL *list)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);

    if (next && X509_cmp_current_time(next) < 0)
        conf_warning(d, line, "a revocation list in %s is past its next update: no client will get in", path);
}

/* The gateway refuses the whole file over one list that is cut off: a later one may revoke more. */
void conf_check_list(struct conf_draft *d, const struct conf_part *part, const bool *sound, const char *key)
{
    const char *path = sound_file(part, sound, key);
    BIO *in = certificate_file_open(path);
    unsigned line = conf_part_line(part, key), n = 0;
    X509_CRL *list;

    ERR_clear_error();
    while (in && (list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
        check_next_update(d, line, path, list);
        X509_CRL_free(list);
        n++;
    }
    if (path && is_unread(in))
        report_unread(d, line, key, path);
    else if (path && !n)
        conf_error(d, line, "`%s`: %s holds no revocation list in PEM form", key, path);
    else if (path && !is_file_end(ERR_peek_last_error()))
        conf_error(d, line, "`%s`: revocation list number %u in %s is damaged or cut off", key, n + 1, path);
    BIO_free(in);
    ERR_clear_error();
}

/* ---- secrets ---- */

/* `forbidden`: characters that would end the value in the HTTP header of the sign-in. */
void conf_check_line(struct conf_draft *d, const struct conf_part *part, const bool *sound, const char *key,
                     const char *forbidden)
{
    const char *path = sound_file(part, sound, key);
    struct secret secret = {0};
    char why[80];

    if (!path)
        return;
    if (secret_read_line(&secret, path, why))
        conf_error(d, conf_part_line(part, key), "`%s`: %s %s", key, path, why);
    else if (strpbrk(secret.p, forbidden))
        conf_error(d, conf_part_line(part, key), "`%s`: %s holds a blank or a semicolon", key, path);
    secret_clear(&secret);
}

/* ---- permissions of the path ---- */

void conf_check_way(struct conf_draft *d, unsigned line, const char *what, const char *path,
                    const struct safe_path_owners *owners)
{
    char why[SAFE_PATH_WHY];

    if (!safe_path(path, owners, why))
        conf_error(d, line, "`%s`: %s", what, why);
}

/* Who can write the folder can put another file in the place of the log or the trail, and another socket in
 * the place of the listener's. A warning: the folder may belong to a collector on purpose. The folder itself
 * is judged, also with the sticky bit: the first file of that name may be another user's. */
void conf_check_folder(struct conf_draft *d, const struct conf_part *part, const char *key, const char *file,
                       const struct safe_path_owners *owners)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    char folder[PATH_MAX], why[SAFE_PATH_WHY];

    if (!slash || !text_copy_n(folder, sizeof(folder), file, slash == file ? 1 : (size_t)(slash - file)))
        return;
    if (!safe_path(folder, owners, why))
        conf_warning(d, conf_part_line(part, key), "`%s`: %s", key, why);
}
