/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_names.c - the words of the profile file for operations and classes; see profile.h.
 */
#include "backends/privileged_identity/profile.h"

const char *pi_operation_name(enum pi_operation operation)
{
    static const char *const names[PI_NOPERATIONS] = {
        [PI_SIGN_IN] = "sign_in",
        [PI_SIGN_OUT] = "sign_out",
        [PI_CHECKOUT_STORED] = "checkout_stored",
        [PI_CHECKIN_STORED] = "checkin_stored",
        [PI_CHECKOUT_SHARED] = "checkout_shared",
        [PI_CHECKIN_SHARED] = "checkin_shared",
        [PI_SPIN_STORED] = "spin_stored",
        [PI_SPIN_SHARED] = "spin_shared",
        [PI_LIST_STORED] = "list_stored",
        [PI_LIST_SHARED] = "list_shared",
    };

    return names[operation];
}

const char *pi_certainty_name(enum pi_certainty certainty)
{
    static const char *const names[] = {"none", "seen", "guessed", "overridden"};

    return names[certainty];
}

const char *pi_class_name(enum pi_class class)
{
    static const char *const names[] = {
        [PI_CLASS_GONE] = "gone",         [PI_CLASS_MFA] = "mfa",           [PI_CLASS_TOKEN] = "token",
        [PI_CLASS_CONFLICT] = "conflict", [PI_CLASS_APPROVAL] = "approval", [PI_CLASS_ABSENT] = "absent",
        [PI_CLASS_DENIED] = "denied",     [PI_CLASS_DONE] = "done",         [PI_CLASS_NONE] = "none",
    };

    return names[class];
}
