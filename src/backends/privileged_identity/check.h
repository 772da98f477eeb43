/*
 * check.h - what a configuration with vaults of Privileged Identity is held against once it is read: rows of
 * the profile, and files of users.
 *
 * Not here: rules about its keys (conf/conf_access.c).
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_CHECK_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_CHECK_H

#include "backends/privileged_identity/profile.h"
#include "base/buf.h"
#include "conf/conf.h"

/* Mistakes become lines `file:line: message` in `lines`; `file` is the configuration. 0, -EINVAL, -ENOMEM. */
int pi_check(const struct conf *, const char *file, struct buf *lines);
/* What is provisional about each such vault, a line each: `NAME: provisional: profile json-v2, sign_in seen,
 * ...`. Only after pi_check() found nothing. 0 or -ENOMEM. */
int pi_check_print(const struct conf *, struct buf *out);
void pi_check_words(const struct conf_vault *, const struct pi_profile *, struct buf *out);

#endif
