/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_files.c - checks the files that a configuration names: existence, contents, permissions.
 *
 * Each must be a readable, regular file that is not empty. For a file with a secret there is a warning unless
 * its owner alone can read it; credentials of the service manager are exempt, since it protects their
 * directory. PEM files are read with OpenSSL, and a certificate must belong to its key: otherwise the first
 * connection would fail. Two vaults of one `url` whose key files hold one key are one vault twice. A path
 * that users other than its owner and root could change is refused; that includes the configuration and the
 * state directory (safe_path.h). No secret is kept: a private key is freed, and thereby wiped, after its
 * check, and a secret of one line of text is cleared.
 */
#include "base/certificate.h"
#include "base/memory/secret.h"
#include "base/safe_path.h"
#include "base/text.h"
#include "conf/conf_draft.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *file_of(const struct conf_part *part, const struct conf_row *row)
{
    char *path;

    memcpy(&path, conf_field_const(row, part->object), sizeof(path));
    return path;
}

static bool is_credential(const char *path)
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
    else if (row->flags & CONF_SECRET && st->st_mode & (S_IRWXG | S_IRWXO) && !is_credential(path))
        conf_warning(d, line,
                     "`%s`: %s holds a secret and can be read by others than its owner; chmod 600 it",
                     row->name, path);
}

/* Errors go into the draft. True = the file is good, and a PEM check may follow. */
static bool check_file(struct conf_draft *d, const struct conf_part *part, const struct conf_row *row)
{
    unsigned line = part->at[row - conf_rows];
    const char *path = file_of(part, row);
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

/* The file of a key when it is set and has passed check_file, else NULL. */
static const char *sound_file(const struct conf_part *part, const bool *sound, const char *key)
{
    const struct conf_row *row = conf_row_find(part->section, key);

    return sound[row - conf_rows] ? file_of(part, row) : NULL;
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

static EVP_PKEY *read_key(const char *path, bool *encrypted)
{
    BIO *in = certificate_file_open(path);
    EVP_PKEY *key;

    *encrypted = false;
    key = in ? PEM_read_bio_PrivateKey(in, NULL, on_passphrase, encrypted) : NULL;
    BIO_free(in);
    ERR_clear_error();
    return key;
}

static void check_dates(struct conf_draft *d, unsigned line, const char *path, const X509 *cert)
{
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        conf_warning(d, line, "the certificate in %s has expired", path);
    else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        conf_warning(d, line, "the certificate in %s is not valid yet", path);
}

/* libcurl and OpenSSL refuse the whole file over one certificate that is cut off. */
static void check_all_certificates(struct conf_draft *d, unsigned line, const char *key, const char *path)
{
    BIO *in = BIO_new_file(path, "r");
    unsigned n = 0;
    X509 *one;

    ERR_clear_error();
    while (in && (one = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        X509_free(one);
        n++;
    }
    unsigned long end = ERR_peek_last_error();
    if (in && n && end && (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE))
        conf_error(d, line, "`%s`: certificate number %u in %s is damaged or cut off", key, n + 1, path);
    BIO_free(in);
    ERR_clear_error();
}

static X509 *check_certificate(struct conf_draft *d, const struct conf_part *part, const char *key,
                               const char *path)
{
    unsigned line = conf_part_line(part, key);
    X509 *cert = certificate_read(path);

    if (path && !cert)
        conf_error(d, line, "`%s`: %s holds no certificate in PEM form", key, path);
    if (cert) {
        check_dates(d, line, path, cert);
        check_all_certificates(d, line, key, path);
    }
    return cert;
}

static EVP_PKEY *check_key(struct conf_draft *d, const struct conf_part *part, const char *key,
                           const char *path)
{
    bool encrypted = false;
    EVP_PKEY *private = path ? read_key(path, &encrypted) : NULL;

    if (path && encrypted)
        conf_error(d, conf_part_line(part, key), "`%s`: the key in %s has a passphrase; remove it", key,
                   path);
    else if (path && !private)
        conf_error(d, conf_part_line(part, key), "`%s`: %s holds no private key in PEM form", key, path);
    return private;
}

static void check_pair(struct conf_draft *d, const struct conf_part *part, const bool *sound,
                       const char *cert_key, const char *key_key)
{
    const char *cert_path = sound_file(part, sound, cert_key), *key_path = sound_file(part, sound, key_key);
    X509 *cert = check_certificate(d, part, cert_key, cert_path);
    EVP_PKEY *key = check_key(d, part, key_key, key_path);

    if (cert && key && X509_check_private_key(cert, key) != 1)
        conf_error(d, conf_part_line(part, key_key), "`%s`: %s is not the key of the certificate in %s",
                   key_key, key_path, cert_path);
    ERR_clear_error();
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* OpenSSL does not show a certificate whose key or digest is under the security level of this machine, and no
 * connection opens. The TLS context of a listener judges that pair (loop/server/tls_context.c). */
static void check_strength(struct conf_draft *d, const struct conf_part *part, const char *key,
                           const char *path)
{
    SSL_CTX *context = path ? SSL_CTX_new(TLS_client_method()) : NULL;

    ERR_clear_error();
    if (context && SSL_CTX_use_certificate_chain_file(context, path) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        conf_error(d, conf_part_line(part, key), "`%s`: OpenSSL refuses the certificate in %s: %s", key, path,
                   reason ? reason : "not usable");
    }
    ERR_clear_error();
    SSL_CTX_free(context);
}

static void check_client_pair(struct conf_draft *d, const struct conf_part *part, const bool *sound)
{
    size_t errors = d->errors;

    check_pair(d, part, sound, "client_certificate", "client_key");
    if (d->errors == errors)
        check_strength(d, part, "client_certificate", sound_file(part, sound, "client_certificate"));
}

static void check_list(struct conf_draft *d, const struct conf_part *part, const char *key, const char *path)
{
    BIO *in = certificate_file_open(path);
    X509_CRL *list = in ? PEM_read_bio_X509_CRL(in, NULL, NULL, NULL) : NULL;
    unsigned line = conf_part_line(part, key);

    if (path && !list)
        conf_error(d, line, "`%s`: %s holds no revocation list in PEM form", key, path);
    else if (list && X509_CRL_get0_nextUpdate(list) &&
             X509_cmp_current_time(X509_CRL_get0_nextUpdate(list)) < 0)
        conf_warning(d, line, "the revocation list in %s is past its next update: no client will get in",
                     path);
    BIO_free(in);
    ERR_clear_error();
    X509_CRL_free(list);
}

/* ---- secrets ---- */

/* `forbidden`: characters that would end the value in the HTTP header of the sign-in. */
static void check_line(struct conf_draft *d, const struct conf_part *part, const bool *sound, const char *key,
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

/* The process's own user, and the user of the gateway: `[gateway] user`, or, where root runs the check, the
 * owner of the state directory. */
static void trust_users(struct safe_path_owners *owners, const struct conf_gateway *g, const char *state_dir)
{
    const struct passwd *pw = g && g->user ? getpwnam(g->user) : NULL;
    struct stat st;

    safe_path_trust(owners, geteuid());
    if (pw)
        safe_path_trust(owners, pw->pw_uid);
    else if (geteuid() == 0 && stat(state_dir, &st) == 0)
        safe_path_trust(owners, st.st_uid);
}

static void check_way(struct conf_draft *d, unsigned line, const char *what, const char *path,
                      const struct safe_path_owners *owners)
{
    char why[SAFE_PATH_WHY];

    if (!safe_path(path, owners, why))
        conf_error(d, line, "`%s`: %s", what, why);
}

static bool is_checked(const struct conf_row *row, enum conf_files files)
{
    bool of_site = row->section == SECTION_PRA, secret = row->flags & CONF_SECRET;

    if (!(row->flags & CONF_FILE))
        return false;
    switch (files) {
    case CONF_FILES_BUT_SITE_SECRET: return !of_site || !secret;
    case CONF_FILES_NONE: return false;
    case CONF_FILES_OF_SITE: return of_site && !secret;
    default: return true;
    }
}

static void check_part(struct conf_draft *d, const struct conf_part *part, enum conf_files files,
                       const struct safe_path_owners *owners)
{
    bool sound[CONF_ROWS_MAX] = {false};

    for (size_t i = 0; i < conf_nrows; i++)
        if (conf_rows[i].section == part->section && is_checked(&conf_rows[i], files)) {
            sound[i] = check_file(d, part, &conf_rows[i]);
            if (sound[i] && !is_credential(file_of(part, &conf_rows[i])))
                check_way(d, part->at[i], conf_rows[i].name, file_of(part, &conf_rows[i]), owners);
        }
    if (part->section == SECTION_LISTENER) {
        check_pair(d, part, sound, "tls_certificate", "tls_key");
        X509_free(check_certificate(d, part, "client_ca", sound_file(part, sound, "client_ca")));
        check_list(d, part, "client_crl", sound_file(part, sound, "client_crl"));
    } else if (part->section == SECTION_VAULT) {
        check_client_pair(d, part, sound);
        X509_free(check_certificate(d, part, "ca_file", sound_file(part, sound, "ca_file")));
        check_line(d, part, sound, "api_key_file", "; ");
        check_line(d, part, sound, "run_as_password_file", "");
        check_line(d, part, sound, "oauth_client_secret_file", "");
    } else if (part->section == SECTION_PRA) {
        X509_free(check_certificate(d, part, "ca_file", sound_file(part, sound, "ca_file")));
        check_line(d, part, sound, "client_secret_file", "");
    }
}

/* ---- one API registration in two sections ---- */

/* Whether both files hold the same key. Not if one of them cannot be read: that has its own message. */
static bool same_key(const char *a, const char *b)
{
    struct secret mine = {0}, its = {0};
    char why[80];
    bool same = !secret_read_line(&mine, a, why) && !secret_read_line(&its, b, why) &&
                secret_equal(&mine, its.p, its.len);

    secret_clear(&mine);
    secret_clear(&its);
    return same;
}

/* Sections that name one file have their message from conf_check.c. */
static void check_vault_twins(struct conf_draft *d)
{
    for (struct conf_part *part = NULL; (part = conf_draft_next(d, SECTION_VAULT, part));) {
        const struct conf_vault *v = part->object;

        for (struct conf_part *other = NULL;
             (other = conf_draft_next(d, SECTION_VAULT, other)) && other != part;) {
            const struct conf_vault *o = other->object;
            if (!v->api_key_file || !o->api_key_file || strcmp(v->api_key_file, o->api_key_file) == 0 ||
                !conf_same_vault_url(v, o) || !same_key(v->api_key_file, o->api_key_file))
                continue;
            conf_vault_twin_error(d, part, other);
            break;
        }
    }
}

/* ---- all of it ---- */

/* Who can write the folder can put another file in the place of the log or the trail, and another socket in
 * the place of the listener's. A warning: the folder may belong to a collector on purpose. The folder itself
 * is judged, also with the sticky bit: the first file of that name may be another user's. */
static void check_folder(struct conf_draft *d, const struct conf_part *part, const char *key,
                         const char *file, const struct safe_path_owners *owners)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    char folder[PATH_MAX], why[SAFE_PATH_WHY];

    if (!slash || !text_copy_n(folder, sizeof(folder), file, slash == file ? 1 : (size_t)(slash - file)))
        return;
    if (!safe_path(folder, owners, why))
        conf_warning(d, conf_part_line(part, key), "`%s`: %s", key, why);
}

static void check_own_paths(struct conf_draft *d, bool check, struct safe_path_owners *owners)
{
    const struct conf_part *gateway = conf_draft_next(d, SECTION_GATEWAY, NULL);
    const struct conf_gateway *g = gateway ? gateway->object : NULL;
    const char *state_dir = g ? g->state_dir : conf_row_find(SECTION_GATEWAY, "state_dir")->fallback;

    trust_users(owners, g, state_dir);
    if (!check)
        return;
    check_way(d, 1, "this file", d->file, owners);
    check_way(d, gateway ? conf_part_line(gateway, "state_dir") : 1, "state_dir", state_dir, owners);
    if (g) {
        check_folder(d, gateway, "log_file", g->log_file, owners);
        check_folder(d, gateway, "audit_file", g->audit_file, owners);
    }
}

void conf_check_paths(struct conf_draft *d)
{
    struct safe_path_owners owners = {.n = 0};

    check_own_paths(d, true, &owners);
}

void conf_check_files(struct conf_draft *d, enum conf_files files)
{
    bool of_gateway = files != CONF_FILES_OF_SITE && files != CONF_FILES_NONE;
    struct safe_path_owners owners = {.n = 0};
    struct conf_part *part;

    check_own_paths(d, of_gateway, &owners);
    TAILQ_FOREACH(part, &d->parts, link)
    {
        const struct conf_listener *l = part->section == SECTION_LISTENER ? part->object : NULL;

        check_part(d, part, files, &owners);
        if (of_gateway && l && l->is_unix)
            check_folder(d, part, "address", l->host, &owners);
    }
    if (of_gateway)
        check_vault_twins(d);
}
