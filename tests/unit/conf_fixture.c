/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_fixture.c - a directory of its own for each test, and configurations loaded from text.
 *
 * The directory always holds a file `key` that only its owner can read, for the keys that need one. Teardown
 * removes what was written; a test that fails prints all messages of its last load.
 */
#include "conf_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char good[] = "[listener main]\naddress = 127.0.0.1:8443\n"
                           "[client pra]\ntoken_sha256 = " FIXTURE_TOKEN "\nallow = broker\n"
                           "[vault main]\nurl = https://vault.example/BeyondTrust/api/public/v3\n"
                           "api_key_file = @DIR@/key\n";

static void put(const char *path, const void *bytes, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

const char *fixture_file(struct fixture *f, const char *name, const char *content, mode_t mode)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    put(path, content, strlen(content), mode);
    return path;
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->errors = BUF_INIT(1024 * 1024);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-conf-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)fixture_file(f, "key", "0123456789abcdef\n", 0600);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    DIR *dir = opendir(f->dir);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
    assert_int_equal(rmdir(f->dir), 0);
    conf_free(f->conf);
    buf_free(&f->errors);
    free(f);
    return 0;
}

/* Appends `text` to `out` with every `mark` replaced. */
static void replace(struct buf *out, const char *text, const char *mark, const char *by)
{
    const char *at;

    for (; (at = strstr(text, mark)); text = at + strlen(mark)) {
        assert_int_equal(buf_append(out, text, (size_t)(at - text)), 0);
        assert_int_equal(buf_str(out, by), 0);
    }
    assert_int_equal(buf_str(out, text), 0);
}

int fixture_load_bytes(struct fixture *f, const void *bytes, size_t n)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/test.conf", f->dir);
    put(path, bytes, n, 0644);
    conf_free(f->conf);
    f->conf = NULL;
    buf_clear(&f->errors);
    f->err = conf_load(path, &f->conf, &f->errors);
    assert_false(f->errors.failed);
    assert_true((f->err == 0) == (f->conf != NULL));
    return f->err;
}

int fixture_load(struct fixture *f, const char *text)
{
    struct buf with_good = BUF_INIT(4 * 1024 * 1024), whole = BUF_INIT(4 * 1024 * 1024);
    int err;

    replace(&with_good, text, "@GOOD@\n", good);
    assert_non_null(buf_cstr(&with_good));
    replace(&whole, with_good.data, "@DIR@", f->dir);
    err = fixture_load_bytes(f, whole.data, whole.len);
    buf_free(&with_good);
    buf_free(&whole);
    return err;
}

size_t fixture_messages(struct fixture *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->errors.len; i++)
        n += f->errors.data[i] == '\n';
    return n;
}

static void assert_message(struct fixture *f, unsigned line, const char *message)
{
    char place[160];
    const char *text = buf_cstr(&f->errors), *at = text;

    assert_non_null(text);
    (void)snprintf(place, sizeof(place), "%s/test.conf:%u: ", f->dir, line);
    for (; (at = strstr(at, place)); at++)
        if (strncmp(at + strlen(place), message, strlen(message)) == 0)
            return;
    fail_msg("no message `%u: %s` in:\n%s", line, message, text);
}

void assert_mistake(struct fixture *f, const char *text, unsigned line, const char *message)
{
    if (fixture_load(f, text) == 0)
        fail_msg("loads, but should not: %s", text);
    assert_message(f, line, message);
}

void assert_warned(struct fixture *f, const char *text, unsigned line, const char *message)
{
    char warning[512];

    assert_loads(f, text);
    (void)snprintf(warning, sizeof(warning), "warning: %s", message);
    assert_message(f, line, warning);
}

void assert_loads(struct fixture *f, const char *text)
{
    if (fixture_load(f, text))
        fail_msg("should load: %s\n%s", text, f->errors.len ? buf_cstr(&f->errors) : "");
}
