/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pi_handle.c - the names of a credential of Privileged Identity, as the row of its request has them.
 *
 * First byte: even = what follows is a handle, as a store gives it; odd = names: 2 shared, system, account,
 * list or custom type, type in decimal digits.
 *
 * Promises: a handle is refused, or has every name that its kind needs; it fits a row; names are read as they
 * were written.
 */
#include "fuzz.h"

#include "backends/backend.h"
#include "backends/privileged_identity/credential_handle.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

#define TYPE_MAX 1000000 /* of the configuration */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_names(const struct pi_names *n)
{
    FUZZ_ASSERT(n->system && n->account);
    FUZZ_ASSERT(n->shared == (n->list != NULL) && n->shared != (n->custom_type != NULL));
    FUZZ_ASSERT(n->type <= INT64_MAX && (!n->shared || !n->type));
}

/* Names become a handle, and the same names of it. */
static void check_both_ways(const struct pi_credential *c)
{
    struct pi_names copied, read;
    char *handle;
    int err = pi_handle_write(c, &handle);

    FUZZ_ASSERT((err == 0 || err == -EINVAL) && (err != 0) == (handle == NULL));
    if (err)
        return;
    FUZZ_ASSERT(strlen(handle) < REQUEST_HANDLE_SIZE);
    FUZZ_ASSERT(pi_handle_read(handle, &read) == 0 && pi_names_copy(c, &copied) == 0);
    check_names(&read);
    FUZZ_ASSERT(read.shared == copied.shared && read.type == copied.type);
    FUZZ_ASSERT(same(read.system, copied.system) && same(read.account, copied.account));
    FUZZ_ASSERT(same(read.list, copied.list) && same(read.custom_type, copied.custom_type));
    pi_names_free(&read);
    pi_names_free(&copied);
    free(handle);
}

static void read_handle(struct fuzz_input *in)
{
    char *handle = fuzz_string(in);
    struct pi_names n;
    int err = pi_handle_read(handle, &n);

    FUZZ_ASSERT(err == 0 || err == -EINVAL);
    if (!err) {
        const struct pi_credential c = {.shared = n.shared,
                                        .system = n.system,
                                        .full_account = n.account,
                                        .list = n.list,
                                        .custom_type = n.custom_type,
                                        .type = n.type};

        check_names(&n);
        check_both_ways(&c);
    } else {
        FUZZ_ASSERT(!n.system && !n.account && !n.list && !n.custom_type);
    }
    pi_names_free(&n);
    free(handle);
}

/* As the configuration has them: valid UTF-8. */
static void write_names(struct fuzz_input *in, bool shared)
{
    char *text[4];
    bool valid = true;

    for (size_t i = 0; i < 4; i++) {
        text[i] = fuzz_string(in);
        valid = valid && utf8_valid(text[i], strlen(text[i]));
    }
    const struct pi_credential c = {.shared = shared,
                                    .system = text[0],
                                    .full_account = text[1],
                                    .list = shared ? text[2] : NULL,
                                    .custom_type = shared ? "" : text[2],
                                    .type = shared ? 0 : strtoull(text[3], NULL, 10) % (TYPE_MAX + 1)};

    if (valid)
        check_both_ways(&c);
    for (size_t i = 0; i < 4; i++)
        free(text[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct fuzz_input in = fuzz_input(data, size);
    unsigned char how = fuzz_byte(&in);

    if (!begun)
        json_init();
    begun = true;
    if (how & 1)
        write_names(&in, how & 2);
    else
        read_handle(&in);
    return 0;
}
