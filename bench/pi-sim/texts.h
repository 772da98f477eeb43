/*
 * texts.h - what the vault says when it refuses: one text for each reason, which a test can replace.
 *
 * No such text is publicly known; those here are made up. `{who} {account} {system} {identity}` in a text
 * stand for the names of the case.
 */
#ifndef PI_SIM_TEXTS_H
#define PI_SIM_TEXTS_H

#include "base/buf.h"

enum text {
    TEXT_LOGIN,       /* name, password or authenticator is wrong */
    TEXT_LOCKED,      /* too many wrong passwords */
    TEXT_MFA,         /* a second factor is missing or wrong */
    TEXT_TOKEN,       /* the token is unknown or dead */
    TEXT_CONFLICT,    /* another identity has it */
    TEXT_APPROVAL,    /* it must be requested first */
    TEXT_ABSENT,      /* there is no such credential */
    TEXT_DENIED,      /* the identity may not */
    TEXT_NOT_HELD,    /* check-in: it is not checked out */
    TEXT_NOT_YOURS,   /* check-in: another identity has it */
    TEXT_NO_PASSWORD, /* no password is stored */
    TEXT_UNREACHABLE, /* spin: the system cannot be reached */
    TEXT_COMMENT,     /* the comment is too long */
    TEXT_BAD_BODY,    /* the body cannot be read, or a member is missing */
    TEXT_DONE,        /* what a check-in, spin or sign-out says when it worked */
    TEXT_COUNT
};

struct texts {
    char *own[TEXT_COUNT]; /* NULL = the usual one */
};

struct text_names { /* of the case; NULL = "" */
    const char *who, *account, *system, *identity;
};

/* Replaces a text; NULL or "" takes the usual one back. 0, -ENOMEM, -EINVAL for an unknown name. */
int texts_set(struct texts *, const char *name, const char *text);
void texts_put(const struct texts *, enum text, const struct text_names *, struct buf *out);
void texts_free(struct texts *);

#endif
