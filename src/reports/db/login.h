/*
 * login.h - the connection string of a login at a database server, which connections of many threads share.
 *
 * A connection looks at it each time it is made, so that a password that has been changed counts from the
 * next one on. Any thread may call any of these. The text is a secret: it is wiped when it is replaced, and
 * with the last reference.
 *
 *     db_login_new -> [db_login_ref …, db_login_renew …] -> db_login_unref by each holder
 */
#ifndef JG_REPORTS_DB_LOGIN_H
#define JG_REPORTS_DB_LOGIN_H

struct db_login;

/* The text is copied. NULL = out of memory. */
struct db_login *db_login_new(const char *connect);
struct db_login *db_login_ref(struct db_login *); /* NULL is fine */
void db_login_unref(struct db_login *);           /* NULL is fine */

/* Another text from now on; it belongs to the login, and must be of malloc(). */
void db_login_renew(struct db_login *, char *connect);
/* A copy, which the caller gives to db_login_wipe(). NULL = out of memory. */
char *db_login_text(struct db_login *);
void db_login_wipe(char *text); /* frees it too; NULL is fine */

#endif
