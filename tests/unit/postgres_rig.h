/*
 * postgres_rig.h - a PostgreSQL server of this test program's own: made in a temporary folder, on a Unix
 * socket and a loopback port, gone with the program.
 *
 * A superuser "rig" may come over the socket without a password. With `tls` the server has the certificate
 * "server" of tls_files.h, which is for 127.0.0.1, and takes connections by TCP with TLS and a password only.
 */
#ifndef JG_TESTS_POSTGRES_RIG_H
#define JG_TESTS_POSTGRES_RIG_H

#include "reports/db/server.h"

/* False: PostgreSQL or its ODBC driver is not installed, and this is no CI (environment variable CI). One
 * line says so. */
bool postgres_rig_installed(void);

/* Once for a program; ends it with a message when that is not possible. */
void postgres_rig_start(bool tls);
bool postgres_rig_running(void);
void postgres_rig_end(void);
/* At once, as by a power failure; and again on the same files. */
void postgres_rig_kill(void);
void postgres_rig_again(void);

/* A new, empty schema for every later connection to the database; the ones before are gone. */
void postgres_rig_clear(void);
/* By the superuser, over the socket; ends the test when it fails. */
void postgres_rig_exec(const char *sql);
/* What a test connects with: user "rig" over the socket, unless it changes that. */
struct db_server postgres_rig_server(void);
unsigned postgres_rig_port(void);
/* Its login, which stays until the next call of this function. */
struct db_login *postgres_rig_login(const struct db_server *);

#endif
