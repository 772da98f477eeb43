/*
 * answers.h - what the service said: result and fault, token, password and list of one answer.
 *
 * Nothing numeric is known of the service's failures, so their words decide (struct pi_profile has the
 * lists). A word counts only in a form that the service itself writes: JSON with 2xx, a WCF fault with 400 or
 * 500. All else is a proxy's, a firewall's or a web server's, and a call with effects that is answered so is
 * of unknown outcome. docs/privileged-identity.md has the table.
 *
 * Not here: what is sent (profile.h), calls without an answer, Retry-After, what a refused token does.
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_ANSWERS_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_ANSWERS_H

#include "backends/backend.h"
#include "backends/privileged_identity/profile.h"
#include "base/fault.h"
#include "base/memory/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define PI_PASSWORD_MAX 4096
#define PI_TOKEN_MIN    8
#define PI_TOKEN_MAX    4096

/* An HTTP answer, complete. */
struct pi_http {
    int status;
    const char *type; /* Content-Type; "" = none */
    const char *body; /* may be NULL where len is 0 */
    size_t len;
    const char *sent; /* token or password that was sent: words that hold it are not quoted; NULL = none */
    const char *login_name, *authenticator; /* whom a conflict may name; NULL = not known, and none */
};

struct pi_answer {
    enum vault_result result; /* VAULT_OK, or what the class of the text says */
    enum pi_class class;      /* of a failure's text */
    bool own;                 /* the service itself wrote it */
    bool failed;              /* a flag or the form of it says so */
    bool token_refused;       /* it wants another token, and did nothing */
    bool unknown;             /* not OK or GONE, and it may have taken effect */
    bool holder_is_own;       /* of a conflict: the words name the sign-in name */
    struct fault fault;       /* set where the result is neither OK nor GONE */
    struct secret secret;     /* of a sign-in the token, of a check-out the password */
    struct conf_list names;   /* of a list: the accounts */
};

void pi_answer_read(const struct pi_profile *, enum pi_operation, const struct pi_http *,
                    struct pi_answer *out);
void pi_answer_free(struct pi_answer *);

#endif
