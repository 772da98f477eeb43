/*
 * upstream_certs.h - a small authority and its certificates, made for each test program.
 */
#ifndef JG_TESTS_UPSTREAM_CERTS_H
#define JG_TESTS_UPSTREAM_CERTS_H

#include <openssl/ssl.h>

struct certs {
    char dir[32];
    char ca_file[64], other_ca_file[64];         /* PEM */
    char client_certificate[64], client_key[64]; /* PEM, signed by the CA */
    EVP_PKEY *key;                               /* of all server certificates */
    X509 *ca, *server, *wrong_name, *expired;    /* the three are for 127.0.0.1, another name, 127.0.0.1 */
};

/* Those of the program, between certs_setup() and certs_teardown(), which are for cmocka_run_group_tests().
 */
extern struct certs certs;
int certs_setup(void **unused);
int certs_teardown(void **unused);

/* A server context; which = certs->server etc. Client certificates are checked against the CA when asked for.
 */
SSL_CTX *certs_server(const struct certs *, X509 *which, int version);

#endif
