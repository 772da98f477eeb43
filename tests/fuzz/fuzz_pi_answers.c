/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pi_answers.c - what Privileged Identity says, through the reader of its answers.
 *
 * First byte: the operation; second: the status; third: the face. Then the Content-Type, 0xff, and the body.
 *
 * Promises: an answer is good, or gone, or has a fault with clean words; a token and a password have the form
 * that they must have; what is not the service's own is a failure of unknown outcome where the operation has
 * effects; a page is never the service's own; only a check-in is gone; only the service can say that nothing
 * has happened.
 */
#include "fuzz.h"

#include "backends/privileged_identity/answers.h"
#include "base/utf8.h"

#include <string.h>
#include <strings.h>

static struct pi_profile *profiles[3];

static void check_secret(enum pi_operation op, const struct pi_answer *a)
{
    FUZZ_ASSERT(!a->secret.len || a->result == VAULT_OK);
    if (op == PI_CHECKOUT_STORED || op == PI_CHECKOUT_SHARED)
        FUZZ_ASSERT(a->result != VAULT_OK || (a->secret.len && a->secret.len <= PI_PASSWORD_MAX));
    else if (op != PI_SIGN_IN)
        FUZZ_ASSERT(!a->secret.len);
    else if (a->result == VAULT_OK) {
        FUZZ_ASSERT(a->secret.len >= PI_TOKEN_MIN && a->secret.len <= PI_TOKEN_MAX);
        for (size_t i = 0; i < a->secret.len; i++)
            FUZZ_ASSERT(a->secret.p[i] > ' ' && a->secret.p[i] <= '~');
    }
}

static void check_fault(const struct pi_answer *a)
{
    const char *text = a->fault.detail;

    FUZZ_ASSERT(fault_is_set(&a->fault) == (a->result != VAULT_OK && a->result != VAULT_GONE));
    FUZZ_ASSERT(utf8_valid(text, strlen(text)));
    for (const char *p = text; *p; p++)
        FUZZ_ASSERT((unsigned char)*p >= ' ' && *p != 0x7f);
    FUZZ_ASSERT(!fault_is_set(&a->fault) || *text);
}

static void check(enum pi_operation op, const struct pi_http *http, const struct pi_answer *a)
{
    bool effects = op >= PI_CHECKOUT_STORED && op <= PI_SPIN_SHARED;

    check_secret(op, a);
    check_fault(a);
    FUZZ_ASSERT(a->result != VAULT_GONE || op == PI_CHECKIN_STORED || op == PI_CHECKIN_SHARED);
    FUZZ_ASSERT(!a->unknown || (effects && a->result != VAULT_OK && a->result != VAULT_GONE));
    if (!a->own)
        FUZZ_ASSERT(a->result == VAULT_FAILED && a->unknown == effects && !a->token_refused);
    if (strcasestr(http->type, "text/html"))
        FUZZ_ASSERT(!a->own);
    if (http->status == 404 || http->status == 503)
        FUZZ_ASSERT(!a->own);
    for (size_t i = 0; i < a->names.n; i++)
        FUZZ_ASSERT(utf8_valid(a->names.item[i], strlen(a->names.item[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 500, 400, 401, 403, 404, 503, 204, 302};
    struct fuzz_input in = fuzz_input(data, size);
    enum pi_operation op = (enum pi_operation)(fuzz_byte(&in) % PI_NOPERATIONS);
    struct pi_http http = {.status = statuses[fuzz_byte(&in) % (sizeof(statuses) / sizeof(statuses[0]))]};
    size_t face = fuzz_byte(&in) % 3;
    char *type = fuzz_string(&in);
    struct pi_answer answer;

    if (!profiles[face]) {
        json_init();
        profiles[face] = pi_profile_new(pi_profile_name(face));
        FUZZ_ASSERT(profiles[face]);
    }
    http.type = type;
    http.body = in.at;
    http.len = in.left;
    pi_answer_read(profiles[face], op, &http, &answer);
    check(op, &http, &answer);
    pi_answer_free(&answer);
    free(type);
    return 0;
}
