/*
 * secrets_gone.h - whether a block of the memory for secrets was never freed.
 *
 * It is one arena of the process, which a leak checker takes for in use. So a fixture asks at its end: a
 * block that is still out is a secret that was never wiped.
 */
#ifndef JG_TESTS_SECRETS_GONE_H
#define JG_TESTS_SECRETS_GONE_H

#include "base/memory/secret.h"
#include "check.h"

static inline void assert_secrets_gone(void)
{
    struct arena_state state;

    secret_state(&state);
    assert_int_equal(state.blocks, 0);
}

#endif
