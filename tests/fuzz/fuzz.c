/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.c - see fuzz.h. Every target begins like the program: wiping JSON memory, and a log that says nothing.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/log.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_init();
    /* Lines are built all the same: their escaping is under test. */
    FUZZ_ASSERT(log_open(&(struct log_opts){.level = LOG_INFO, .file = "/dev/null"}) == 0);
    return 0;
}

unsigned char fuzz_byte(struct fuzz_input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return (unsigned char)*in->at++;
}

char *fuzz_text(struct fuzz_input *in, size_t *len)
{
    const char *end = in->left ? memchr(in->at, 0xff, in->left) : NULL;
    size_t n = end ? (size_t)(end - in->at) : in->left;
    char *text = malloc(n ? n : 1);

    FUZZ_ASSERT(text);
    if (n)
        memcpy(text, in->at, n);
    in->at += n + (end ? 1 : 0);
    in->left -= n + (end ? 1 : 0);
    *len = n;
    return text;
}

char *fuzz_string(struct fuzz_input *in)
{
    size_t len;
    char *text = fuzz_text(in, &len), *string = strndup(text, len);

    FUZZ_ASSERT(string);
    free(text);
    return string;
}
