/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers.c - what was answered, and what follows from it; see setup.h.
 */
#include "commands/setup/setup.h"

#include <grp.h>
#include <string.h>

const char *setup_answer(const struct setup *s, enum setup_key key)
{
    return s->answers[key] ? s->answers[key] : "";
}

bool setup_is(const struct setup *s, enum setup_key key, const char *answer)
{
    return strcmp(setup_answer(s, key), answer) == 0;
}

bool setup_is_unix(const struct setup *s)
{
    return strncmp(setup_answer(s, SETUP_LISTEN), "unix:", 5) == 0;
}

bool setup_has_group(const struct setup *s)
{
    (void)s;
    return getgrnam(SETUP_CLIENTS_GROUP);
}
