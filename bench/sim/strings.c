/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strings.c - texts that an object owns; see strings.h.
 */
#include "sim/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int strings_replace(char **text, const char *value)
{
    char *copy = value ? strdup(value) : NULL;

    if (value && !copy)
        return -ENOMEM;
    free(*text);
    *text = copy;
    return 0;
}
