/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pi_profile.c - a profile file of Privileged Identity, over a built-in profile.
 *
 * First byte: the face. Then the file.
 *
 * Promises: every message is one printable line that names the file; a refused file changes nothing; a
 * profile is printed as it is read; a body of it is JSON.
 */
#include "fuzz.h"

#include "backends/privileged_identity/profile.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static int fd = -1;

static int load(struct pi_profile *p, const char *text, size_t n, struct buf *errors)
{
    FUZZ_ASSERT(ftruncate(fd, 0) == 0 && pwrite(fd, text, n, 0) == (ssize_t)n);
    return pi_profile_load(p, path, errors);
}

static void print(const struct pi_profile *p, struct buf *out)
{
    pi_profile_print(p, out);
    FUZZ_ASSERT(!out->failed && buf_cstr(out));
}

static void check_messages(struct buf *errors)
{
    for (char *line = errors->len ? errors->data : NULL, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        FUZZ_ASSERT(end && strncmp(line, path, strlen(path)) == 0);
        for (const char *p = line; p < end; p++)
            FUZZ_ASSERT((unsigned char)*p >= ' ' && *p != 0x7f);
    }
}

static void check_bodies(const struct pi_profile *p)
{
    static const char *const value[PI_NPLACES] = {[PI_TOKEN] = "t",
                                                  [PI_SYSTEM] = "s\"\\",
                                                  [PI_TYPE] = "12",
                                                  [PI_LOGIN_TYPE] = "1",
                                                  [PI_CUSTOM_TYPE] = ""};

    for (enum pi_operation op = 0; op < PI_NOPERATIONS; op++) {
        struct buf body = BUF_INIT(1U << 20);
        if (!p->row[op].body)
            continue;
        FUZZ_ASSERT(pi_row_body(&p->row[op], value, &body) == 0);
        FUZZ_ASSERT(json_check(body.data, body.len, 32, 0) == NULL);
        buf_free(&body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    size_t face = fuzz_byte(&in) % 3;
    struct buf errors = BUF_INIT(1U << 22), before = BUF_INIT(1U << 22), after = BUF_INIT(1U << 22);

    if (fd < 0) {
        json_init();
        fd = memfd_create("profile", MFD_CLOEXEC);
        FUZZ_ASSERT(fd >= 0 && fchmod(fd, 0600) == 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    struct pi_profile *p = pi_profile_new(pi_profile_name(face));
    print(p, &before);
    int err = load(p, in.at, in.left, &errors);
    FUZZ_ASSERT(buf_cstr(&errors) && (err == 0) == !strstr(errors.data, ": "));
    check_messages(&errors);
    check_bodies(p);
    print(p, &after);
    if (err)
        FUZZ_ASSERT(strcmp(before.data, after.data) == 0);
    buf_clear(&before);
    FUZZ_ASSERT(load(p, after.data, after.len, &errors) == 0);
    buf_clear(&after);
    print(p, &before);
    FUZZ_ASSERT(load(p, before.data, before.len, &errors) == 0);
    print(p, &after);
    FUZZ_ASSERT(strcmp(before.data, after.data) == 0);
    pi_profile_free(p);
    buf_free(&errors);
    buf_free(&before);
    buf_free(&after);
    return 0;
}
