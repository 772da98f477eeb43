/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_arena.c - secret memory: what comes out of it, what it looks like from outside, how it defends itself.
 *
 * What must end the process ends a forked child, which makes an arena of its own: the parent's is empty
 * there.
 */
#include "base/buf.h"
#include "base/json.h"
#include "base/memory/arena.h"
#include "base/memory/secret.h"
#include "base/memory/wiping_alloc.h"
#include "base/sanitized.h"
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEGA (1024U * 1024U)

#if SANITIZED
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize("undefined")))
#else
#define UNCHECKED
#endif

static bool zero(const char *p, size_t n)
{
    while (n && !*p) {
        p++;
        n--;
    }
    return n == 0;
}

/* ---- giving and taking ---- */

TEST(blocks_of_all_sizes)
{
    static const size_t sizes[] = {0,     1,     15,    16,    24,    25,     64,     255,
                                   256,   257,   1024,  4096,  4097,  8192,   9999,   16384,
                                   32700, 40000, 65440, 65441, 65536, 100000, 300000, 1048576};
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    struct arena *a = arena_new(16 * MEGA);
    char *p[N];
    for (size_t i = 0; i < N; i++) {
        p[i] = arena_alloc(a, sizes[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        assert_true(zero(p[i], sizes[i]));
        assert_true(arena_owns(a, p[i]));
        memset(p[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal((unsigned char)p[i][k], i + 1);
        arena_release(a, p[i]);
    }
    assert_false(arena_owns(a, &state));
    assert_int_equal(arena_free(a), 0);
}

/* Random taking and giving back: nothing overlaps, all comes zeroed, and it ends empty. */
TEST(blocks_never_overlap)
{
    enum { N = 400 };
    struct arena *a = arena_new(32 * MEGA);
    struct {
        unsigned char *p;
        size_t n;
        unsigned char mark;
    } held[N] = {0};
    unsigned seed = 1;
    for (unsigned turn = 0; turn < 40000; turn++) {
        seed = seed * 1103515245U + 12345U;
        size_t i = (seed >> 8) % N;
        if (held[i].p) {
            for (size_t k = 0; k < held[i].n; k += 7)
                assert_int_equal(held[i].p[k], held[i].mark);
            arena_release(a, held[i].p);
            held[i].p = NULL;
            continue;
        }
        held[i].n = (seed >> 4) % 16 ? (seed >> 10) % 2000 : (seed >> 10) % 90000;
        held[i].mark = (unsigned char)(turn % 255 + 1);
        held[i].p = arena_alloc(a, held[i].n);
        assert_non_null(held[i].p);
        assert_true(zero((char *)held[i].p, held[i].n));
        memset(held[i].p, held[i].mark, held[i].n);
    }
    for (size_t i = 0; i < N; i++)
        arena_release(a, held[i].p);
    struct arena_state s;
    arena_state(a, &s);
    assert_int_equal(s.blocks, 0);
    assert_int_equal(arena_free(a), 0);
}

TEST(the_limit_holds_and_freed_blocks_count_again)
{
    struct arena *a = arena_new(MEGA);
    void *p[2000];
    size_t n = 0;
    struct arena_state s;
    while (n < 2000 && (p[n] = arena_alloc(a, 1000)))
        n++;
    assert_in_range(n, 700, 1048);
    assert_null(arena_alloc(a, 2 * MEGA));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 30));
    arena_state(a, &s);
    assert_int_equal(s.taken, MEGA);
    assert_int_equal(s.blocks, n);
    while (n)
        arena_release(a, p[--n]);
    /* Spans of one size serve another, and their old heads do not shine through. */
    char *other = arena_alloc(a, 30000);
    assert_non_null(other);
    assert_true(zero(other, 30000));
    arena_release(a, other);
    arena_limit(a, 4 * MEGA);
    other = arena_alloc(a, 2 * MEGA);
    assert_non_null(other);
    assert_int_equal(arena_free(a), 1);
}

/* ---- from outside ---- */

/* A line about the mapping that holds p: "VmFlags:", "Rss:". */
static bool mapping_at(const void *p, const char *field, char *out, size_t size)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512];
    bool inside = false, found = false;

    assert_non_null(f);
    while (!found && fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)p >= from && (uintptr_t)p < to;
        if (inside && strncmp(line, field, strlen(field)) == 0) {
            (void)snprintf(out, size, "%s", line);
            found = true;
        }
    }
    (void)fclose(f);
    return found;
}

TEST(memory_is_locked_and_left_out_of_cores)
{
    struct arena *a = arena_new(4 * MEGA);
    char *small = arena_alloc(a, 100), *large = arena_alloc(a, 200000);
    char flags[512];
    struct arena_state s;
    arena_state(a, &s);
    for (int i = 0; i < 2; i++) {
        assert_true(mapping_at(i ? large : small, "VmFlags:", flags, sizeof(flags)));
        assert_non_null(strstr(flags, " dd"));
        assert_non_null(strstr(flags, " wf"));
        if (!s.unlocked && !SANITIZED) /* a sanitizer turns mlock() into nothing */
            assert_non_null(strstr(flags, " lo"));
    }
    arena_release(a, small);
    arena_release(a, large);
    assert_int_equal(arena_free(a), 0);
}

TEST(only_what_was_used_takes_memory)
{
    struct arena *a = arena_new(4 * MEGA);
    char *small = arena_alloc(a, 100), *other = arena_alloc(a, 5000);
    char line[512];
    unsigned long kb = 0;
    struct arena_state s;
    arena_state(a, &s);
    assert_int_equal(s.taken, MEGA);
    assert_true(mapping_at(small, "Rss:", line, sizeof(line)));
    assert_int_equal(sscanf(line, "Rss: %lu kB", &kb), 1);
    if (!s.unlocked) /* a system without MLOCK_ONFAULT locks all of it at once, if it may */
        assert_in_range(kb, 4, 16);
    arena_release(a, small);
    arena_release(a, other);
    assert_int_equal(arena_free(a), 0);
}

TEST(a_forked_process_has_none_of_it)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 16);
    int status;
    memcpy(p, "S3cret-in-parent", 16);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(zero(p, 16) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_equal(p, "S3cret-in-parent", 16);
    arena_release(a, p);
    assert_int_equal(arena_free(a), 0);
}

/* ---- defence ---- */

/* Runs `crime` in a child and returns how it ended; what it wrote to stderr goes to `said`. */
static int end_of(void (*crime)(void), char said[256])
{
    int fd[2], status = 0;
    size_t n = 0;
    ssize_t got;

    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(fd[1], STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        crime();
        _exit(0);
    }
    (void)close(fd[1]);
    while (n < 255 && (got = read(fd[0], said + n, 255 - n)) > 0)
        n += (size_t)got;
    said[n] = '\0';
    (void)close(fd[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Whatever stood there: a fixed letter would now and then be what a canary says. */
UNCHECKED static void spoil(char *p)
{
    *(volatile char *)p = (char)~*p;
}

static void before_block(void)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 100);
    spoil(p - 3);
    arena_release(a, p);
}

static void behind_block(void)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 100);
    spoil(p + 100);
    arena_release(a, p);
}

static void behind_large_block(void)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 100000);
    spoil(p + 100003);
    arena_release(a, p);
}

static void twice(void)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 100);
    void *other = arena_alloc(a, 100);
    arena_release(a, p);
    arena_release(a, p);
    arena_release(a, other);
}

static void not_ours(void)
{
    char here[64];
    arena_release(arena_new(MEGA), here + 16);
}

static void into_the_middle(void)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 100);
    arena_release(a, p + 16);
}

static void *from_a_thread(void *a)
{
    return arena_alloc(a, 10);
}

static void other_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, from_a_thread, arena_new(MEGA)) == 0)
        (void)pthread_join(thread, NULL);
}

TEST(misuse_ends_the_process)
{
    static const struct {
        void (*crime)(void);
        const char *word;
    } cases[] = {
        {before_block, "before a block"},
        {behind_block, "behind a block"},
        {behind_large_block, "behind a block"},
        {twice, "twice"},
        {not_ours, "not its own"},
        {into_the_middle, "into a block"},
        {other_thread, "does not own it"},
    };
    char said[256];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%s", cases[i].word);
        int status = end_of(cases[i].crime, said);
        if (!strstr(said, cases[i].word))
            print_message("case %zu said: %s\n", i, said);
        assert_non_null(strstr(said, cases[i].word));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

/* Reads on from a block, one page at a time, until a guard page ends it. */
static void run_off(long step)
{
    struct arena *a = arena_new(MEGA);
    char *p = arena_alloc(a, 100);

    for (long i = 0; i < 2000; i++)
        spoil(p + i * step);
}

static void off_the_end(void)
{
    run_off(4096);
}

static void off_the_start(void)
{
    run_off(-4096);
}

TEST(guard_pages_stop_an_overrun)
{
    char said[256];
    int end = end_of(off_the_end, said), start = end_of(off_the_start, said);
    if (SANITIZED) /* it reports the fault and exits */
        assert_true(end != 0 && start != 0);
    else
        assert_true(WIFSIGNALED(end) && WTERMSIG(end) == SIGSEGV && WIFSIGNALED(start) &&
                    WTERMSIG(start) == SIGSEGV);
}

/* ---- those who use it ---- */

TEST(buffers_of_secrets_are_in_the_arena)
{
    struct buf b = BUF_SECRET(100000), to = BUF_INIT(10);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf_str(&b, "password"), 0);
    assert_true(secret_owns(b.data));
    buf_move(&to, &b);
    assert_true(secret_owns(to.data) && to.secret);
    assert_int_equal(to.len, 40000);
    assert_int_equal(buf_str(&b, "again"), 0);
    assert_true(secret_owns(b.data));
    buf_free(&to);
    buf_free(&b);
    assert_int_equal(buf_str(&b, "after free"), 0);
    assert_true(secret_owns(b.data));
    buf_free(&b);

    struct buf plain = BUF_INIT(100);
    assert_int_equal(buf_str(&plain, "no secret"), 0);
    assert_false(secret_owns(plain.data));
    buf_free(&plain);
    assert_int_equal(secret_close(), 0);
}

TEST(trees_of_secrets_are_in_the_arena)
{
    static const char text[] = "{\"access_token\":\"t0ken\"}";
    const char *why;
    cJSON *secret = json_parse(text, sizeof(text) - 1, 8, JSON_SECRET, &why);
    cJSON *plain = json_parse(text, sizeof(text) - 1, 8, 0, &why);
    assert_true(secret && secret_owns(secret) && secret_owns(secret->child->valuestring));
    assert_true(plain && !secret_owns(plain) && !secret_owns(plain->child->valuestring));
    cJSON_Delete(plain);
    cJSON_Delete(secret);
    assert_int_equal(secret_close(), 0);
}

TEST(opening_says_what_cannot_be_locked)
{
    char why[256];
    struct arena_state s;
    assert_int_equal(secret_open((size_t)1 << 52, why), 0); /* more than any limit but `unlimited` */
    secret_state(&s);
    assert_int_equal(s.limit, (size_t)1 << 52);
    assert_int_equal(secret_open(MEGA, why), 0);
    secret_state(&s);
    assert_int_equal(s.limit, MEGA);
    assert_int_equal(secret_close(), 0);
}

TEST(libraries_get_memory_that_is_wiped)
{
    char *p = malloc(32);
    assert_non_null(p);
    memcpy(p, "0123456789abcdef0123456789abcde", 32);
    p = wiping_realloc(p, 4000);
    assert_non_null(p);
    assert_string_equal(p, "0123456789abcdef0123456789abcde");
    p = wiping_realloc(p, 8);
    assert_memory_equal(p, "01234567", 8);
    wiping_free(p);
    wiping_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_all_sizes),
        cmocka_unit_test(blocks_never_overlap),
        cmocka_unit_test(the_limit_holds_and_freed_blocks_count_again),
        cmocka_unit_test(memory_is_locked_and_left_out_of_cores),
        cmocka_unit_test(only_what_was_used_takes_memory),
        cmocka_unit_test(a_forked_process_has_none_of_it),
        cmocka_unit_test(misuse_ends_the_process),
        cmocka_unit_test(guard_pages_stop_an_overrun),
        cmocka_unit_test(buffers_of_secrets_are_in_the_arena),
        cmocka_unit_test(trees_of_secrets_are_in_the_arena),
        cmocka_unit_test(opening_says_what_cannot_be_locked),
        cmocka_unit_test(libraries_get_memory_that_is_wiped),
    };

    if (secret_init()) /* before anything uses OpenSSL */
        return 1;
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
