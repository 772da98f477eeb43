/*
 * password.h - passwords of `[user NAME]`: the text that stands in the configuration, made and compared.
 *
 *     $scrypt$ln=14,r=8,p=5$SALT$HASH
 *
 * SALT is 16 and HASH 32 bytes in base64 without padding. The cost is 128 * r * 2^ln bytes of memory (16 MiB)
 * and p passes; a configuration may have ln from 12 to 15, r from 1 to 8 and p from 1 to 16.
 *
 * Every call but password_valid() takes a good part of a second, and that memory: it belongs on a thread of
 * its own, one at a time.
 */
#ifndef JG_REPORTS_CONF_PASSWORD_H
#define JG_REPORTS_CONF_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_TEXT_SIZE 112  /* of such a text, with its NUL */
#define PASSWORD_MAX       1024 /* bytes of a password */

/* Is it such a text? */
bool password_valid(const char *text);
/* 0; -ENOMEM, -EIO where OpenSSL has no randomness or no scrypt. */
int password_make(const char *password, size_t len, char text[PASSWORD_TEXT_SIZE]);
/* In constant time once the hash is computed. False for any text that is not valid, and when memory runs out.
 */
bool password_matches(const char *text, const char *password, size_t len);
/* A text that no password matches, at the cost of password_make(): for users that do not exist. */
extern const char password_of_no_user[];

#endif
