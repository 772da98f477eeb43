/*
 * profile.h - how each operation of Privileged Identity is sent and how its answer is read: a table that a
 * file can replace row by row.
 *
 * Little of the service is publicly known, so every row has a certainty. A built-in profile is one face of
 * the service; `profile_file` replaces rows of it, and what a row of the file leaves out is the built-in
 * row's. docs/privileged-identity.md describes the form of the file.
 *
 * A body is a JSON text whose placeholders stand alone in a string. A member whose placeholder has no value
 * is left out; an empty text is a value.
 *
 *   pi_profile_new -> pi_profile_load (where there is a file) -> const -> pi_profile_free
 *
 * Not here: what an answer means (answers.h), which credentials there are (access.h).
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_PROFILE_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_PROFILE_H

#include "base/buf.h"
#include "base/json.h"
#include "conf/table/conf_kinds.h"

#include <stdbool.h>

enum pi_operation {
    PI_SIGN_IN,
    PI_SIGN_OUT,
    PI_CHECKOUT_STORED,
    PI_CHECKIN_STORED,
    PI_CHECKOUT_SHARED,
    PI_CHECKIN_SHARED,
    PI_SPIN_STORED,
    PI_SPIN_SHARED,
    PI_LIST_STORED,
    PI_LIST_SHARED,
    PI_NOPERATIONS
};

enum pi_certainty {
    PI_NONE,      /* there is no such row */
    PI_SEEN,      /* public clients send it */
    PI_GUESSED,   /* nothing was seen */
    PI_OVERRIDDEN /* a row of the profile file */
};

/* What a placeholder stands for. The last two are numbers. */
enum pi_place {
    PI_TOKEN,
    PI_COMMENT,
    PI_SYSTEM,
    PI_ACCOUNT,
    PI_LIST,
    PI_CUSTOM_TYPE,
    PI_USER,
    PI_PASSWORD,
    PI_AUTHENTICATOR,
    PI_TYPE,
    PI_LOGIN_TYPE,
    PI_NPLACES
};

/* The classes of a failure's text in the order in which they are looked for, and the words of a success. */
enum pi_class {
    PI_CLASS_GONE,
    PI_CLASS_MFA,
    PI_CLASS_TOKEN,
    PI_CLASS_CONFLICT,
    PI_CLASS_APPROVAL,
    PI_CLASS_ABSENT,
    PI_CLASS_DENIED,
    PI_CLASS_DONE,
    PI_NCLASSES,
    PI_CLASS_NONE = PI_NCLASSES
};

struct pi_row {
    enum pi_certainty certainty;
    bool post;   /* else GET, without a body */
    bool header; /* the token is in the header AuthenticationToken */
    char *path;  /* below the face's base, without slash before it */
    char *body_text;
    cJSON *body;
    char *answer; /* member, `a.b` for a nested one; "" = a bare JSON string; NULL = none */
    char *ok;     /* MEMBER or MEMBER=VALUE; NULL = none */
};

struct pi_profile {
    const char *name, *base; /* base: "/json/V2/AuthService.svc/" */
    struct pi_row row[PI_NOPERATIONS];
    struct conf_list texts[PI_NCLASSES];
    bool replaced[PI_NCLASSES]; /* by the file */
};

const char *pi_operation_name(enum pi_operation); /* "checkout_stored" */
const char *pi_certainty_name(enum pi_certainty); /* "seen" */
const char *pi_class_name(enum pi_class);         /* "conflict"; "none" for PI_CLASS_NONE */
/* The names of the built-in profiles, the default first; NULL behind the last. */
const char *pi_profile_name(size_t i);

/* A built-in profile. NULL = there is none of this name, or out of memory. */
struct pi_profile *pi_profile_new(const char *name);
void pi_profile_free(struct pi_profile *); /* NULL is fine */
/* Replaces rows by those of a file. Every mistake becomes a line `file:line: message` in `errors`; the
 * profile is as it was then. 0, -EINVAL (mistakes), -errno (cannot read), -ENOMEM. */
int pi_profile_load(struct pi_profile *, const char *path, struct buf *errors);
/* All of it in the form of the file. */
void pi_profile_print(const struct pi_profile *, struct buf *out);

/* May the row be used, with rows that were only guessed or without them? */
bool pi_row_allowed(const struct pi_row *, bool guessed);
/* Does the body, or the header, have a place for this value? */
bool pi_row_has(const struct pi_row *, enum pi_place);
/* Appends the body of a call. A value that is NULL is none; numbers are decimal digits. 0, -EINVAL (such a
 * number), -ENOMEM (also where `out` has no room). */
int pi_row_body(const struct pi_row *, const char *const value[PI_NPLACES], struct buf *out);

/* profile_body.c, for the file and the built-in rows: the tree of a body. NULL, and "" (out of memory) or the
 * end of a sentence that begins with the key: "`body` is no JSON: ...". */
cJSON *pi_body_parse(enum pi_operation, const char *text, char *why, size_t size);
/* 0 or -ENOMEM. Frees what was there. */
int pi_row_copy(struct pi_row *to, const struct pi_row *from);
void pi_row_clear(struct pi_row *);

#endif
