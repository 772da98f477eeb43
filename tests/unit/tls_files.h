/*
 * tls_files.h - certificates and keys for TLS tests, made in a temporary folder.
 *
 * One authority signs the server, the client "good" with names of each kind, "nul" whose DNS name holds a
 * NUL, "expired", "revoked", and "bare" without names; "stranger" is signed by another authority of the same
 * name, "other". "ca.crl" holds two lists of the authority, of which the newer one has "revoked".
 */
#ifndef JG_TESTS_TLS_FILES_H
#define JG_TESTS_TLS_FILES_H

#include <stddef.h>

#define TLS_FILES_PATH 96

/* They are there between these two, which are for cmocka_run_group_tests(). */
int tls_files_setup(void **unused);
int tls_files_teardown(void **unused);
/* "good", ".crt" -> the file's path, in `path`, which is returned. */
const char *tls_file(const char *name, const char *ending, char path[TLS_FILES_PATH]);

#endif
