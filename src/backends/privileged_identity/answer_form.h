/*
 * answer_form.h - the form of an answer: did the service write it, what does its text say, is there a sign of
 * failure?
 *
 * Not here: what the text means (answers.c).
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_ANSWER_FORM_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_ANSWER_FORM_H

#include "backends/privileged_identity/answers.h"

enum pi_form {
    PI_FORM_FOREIGN, /* not the service's word */
    PI_FORM_PAGE,    /* the same: HTML, or other markup */
    PI_FORM_EMPTY,   /* 2xx without a body */
    PI_FORM_JSON,    /* 2xx */
    PI_FORM_FAULT    /* a WCF fault with 400, 401, 403 or 500 */
};

struct pi_said {
    enum pi_form form;
    cJSON *tree;     /* of PI_FORM_JSON */
    struct buf text; /* the words of it; empty = none */
    bool failed;     /* a sign of failure, or `ok` does not hold */
    bool succeeded;  /* a flag says so, or `ok` holds */
    bool has_secret; /* a member `Password` has content: nothing may be quoted */
    const char *why; /* why JSON with 2xx could not be read; NULL = it is none of these */
    bool no_memory;
};

void pi_form_read(const struct pi_row *, enum pi_operation, const struct pi_http *, struct pi_said *);
void pi_form_free(struct pi_said *);

/* Does the answer hold a secret when it is a good one? */
bool pi_is_secret(enum pi_operation);
bool pi_is_checkout(enum pi_operation);
bool pi_has_effects(enum pi_operation);
/* The value at the row's `answer`: a member, a nested one, or for "" the tree itself. NULL = none. */
const cJSON *pi_form_value(const struct pi_row *, const cJSON *tree);

#endif
