/*
 * comment.h - the comment of a call: for people and the vault's audit; nothing is decided by it.
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_COMMENT_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_COMMENT_H

#define PI_COMMENT_LETTERS 250

/* `REASON ticket N [jumpgate LEASE]`; what is NULL or "" is left out. A longer one loses letters in its
 * middle. To be freed; NULL = out of memory. */
char *pi_comment(const char *reason, const char *ticket, const char *lease_id);

#endif
