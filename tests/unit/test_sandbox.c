/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sandbox.c - the fences, each from inside: what still works and what does not, in children that end.
 *
 * In a build with sanitizers there is nothing to see; the tests are skipped and say so.
 */
#include "base/sandbox.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/jumpgate-sandbox-XXXXXX";

/* How a child that runs `fn` ends. */
static int end_of(int (*fn)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(fn());
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void *on_thread(void *arg)
{
    FILE *f = fopen("/dev/null", "re");

    if (f)
        (void)fclose(f);
    return arg;
}

/* What the gateway and its libraries do all day. 0 = all of it worked. */
static int an_ordinary_day(void)
{
    pthread_t thread;
    struct rlimit limit;
    struct stat st;
    int fds[2];
    void *got = NULL;

    if (sandbox_calls(0))
        return 1;
    if (pthread_create(&thread, NULL, on_thread, fds) || pthread_join(thread, &got) || got != fds)
        return 2;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) || write(fds[0], "x", 1) != 1)
        return 3;
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), unsent = 0;
    if (tcp < 0 || ioctl(tcp, SIOCOUTQ, &unsent) || close(tcp))
        return 9;
    if (getrlimit(RLIMIT_NOFILE, &limit) || stat("/", &st) || prctl(PR_SET_NAME, "day", 0, 0, 0))
        return 4;
    void *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map, 4096, PROT_READ) || munmap(map, 1 << 20))
        return 5;
    char *big = malloc(10 << 20), *bigger = big ? realloc(big, 40 << 20) : NULL;
    if (!bigger)
        return 6;
    free(bigger);
    if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
        return 7;
    return raise(SIGCONT) ? 8 : 0;
}

static int make_no_ring(void)
{
    char params[256] = {0};

    if (sandbox_no_rings())
        return 1;
    if (syscall(SYS_io_uring_setup, 8, params) != -1 || errno != ENOSYS)
        return 2;
    return an_ordinary_day() ? 3 : 0;
}

static int start_a_program(void)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};

    return sandbox_calls(0) || execv("/bin/true", argv);
}

static int fork_a_process(void)
{
    return sandbox_calls(0) || fork() >= 0;
}

static int trace_a_process(void)
{
    return sandbox_calls(0) || syscall(SYS_ptrace, 0, 0, 0, 0) == 0;
}

static int make_code(void)
{
    if (sandbox_calls(0))
        return 1;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}

static int turn_data_to_code(void)
{
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return sandbox_calls(0) || mprotect(map, 4096, PROT_READ | PROT_EXEC) == 0;
}

static int open_a_raw_socket(void)
{
    return sandbox_calls(0) || socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static int signal_another(void)
{
    return sandbox_calls(0) || kill(getppid(), 0) == 0;
}

static int change_user(void)
{
    return sandbox_calls(0) || setuid(0) == 0;
}

/* What a library would map, written by ourselves: to a file, or to memory that has a descriptor. */
static int map_code_of_a_file(void)
{
    char name[] = "/tmp/jumpgate-code-XXXXXX";
    int fd = mkstemp(name);

    if (fd < 0 || unlink(name) || ftruncate(fd, 4096) || sandbox_calls(0))
        return 1;
    void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (map != MAP_FAILED || errno != EACCES)
        return 2;
    map = mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map != MAP_FAILED || errno != EACCES)
        return 3;
    return 0;
}

static int make_memory_with_a_descriptor(void)
{
    return sandbox_calls(0) || syscall(SYS_memfd_create, "code", 0) >= 0;
}

static int pair_of_datagram_sockets(void)
{
    int fds[2];

    return sandbox_calls(0) || socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0;
}

static int make_unix_sockets(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM | SOCK_CLOEXEC};

    if (sandbox_calls(0))
        return 1;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (socket(AF_UNIX, types[i], 0) >= 0 || errno != EACCES)
            return 2;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 3;
}

static int make_unix_streams(void)
{
    static const int refused[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_DGRAM | SOCK_NONBLOCK};

    if (sandbox_calls(SANDBOX_UNIX_STREAMS))
        return 1;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (socket(AF_UNIX, refused[i], 0) >= 0 || errno != EACCES)
            return 2;
    if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 ||
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) < 0)
        return 3;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 4;
}

TEST(no_code_and_no_unix_socket_is_made)
{
    if (!sandbox_possible())
        skip();
    assert_int_equal(end_of(map_code_of_a_file), 0);
    assert_int_equal(end_of(make_unix_sockets), 0);
    assert_int_equal(end_of(make_unix_streams), 0);
}

static int look_names_up(void)
{
    struct addrinfo *found = NULL;

    sandbox_load_modules();
    if (sandbox_calls(0))
        return 1;
    if (getaddrinfo("localhost", NULL, NULL, &found))
        return 2;
    freeaddrinfo(found);
    (void)getpwnam("nobody-of-this-name");
    (void)getgrnam("nobody-of-this-name");
    return getpwuid(0) ? 0 : 3;
}

TEST(host_names_are_resolved_in_the_sandbox)
{
    if (!sandbox_possible())
        skip();
    assert_int_equal(end_of(look_names_up), 0);
}

TEST(ordinary_work_goes_on)
{
    if (!sandbox_possible())
        skip();
    assert_int_equal(end_of(an_ordinary_day), 0);
    assert_int_equal(end_of(make_no_ring), 0);
}

TEST(other_calls_end_the_process)
{
    static int (*const crimes[])(void) = {start_a_program,
                                          fork_a_process,
                                          trace_a_process,
                                          make_code,
                                          turn_data_to_code,
                                          open_a_raw_socket,
                                          signal_another,
                                          change_user,
                                          make_memory_with_a_descriptor,
                                          pair_of_datagram_sockets};
    if (!sandbox_possible())
        skip();
    for (size_t i = 0; i < sizeof(crimes) / sizeof(crimes[0]); i++) {
        int status = end_of(crimes[i]);
        if (!WIFSIGNALED(status))
            print_message("case %zu ended with status %d\n", i, status);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
    }
}

static void *change_user_later(void *arg)
{
    int *fd = arg;
    char go;

    if (read(fd[0], &go, 1) == 1)
        (void)syscall(SYS_setuid, 0);
    return NULL;
}

/* A thread that was there before is behind the fence as well. */
static int crime_of_an_older_thread(void)
{
    pthread_t thread;
    int fds[2];

    if (pipe(fds) || pthread_create(&thread, NULL, change_user_later, fds))
        return 1;
    if (sandbox_calls(0) || write(fds[1], "x", 1) != 1)
        return 2;
    return pthread_join(thread, NULL);
}

TEST(older_threads_are_confined_too)
{
    if (!sandbox_possible())
        skip();
    int status = end_of(crime_of_an_older_thread);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int only_logged(void)
{
    return sandbox_calls(SANDBOX_ONLY_LOG) || syscall(SYS_getpgid, 0) < 0 || kill(getppid(), 0) != 0;
}

TEST(log_mode_lets_pass)
{
    if (!sandbox_possible())
        skip();
    assert_int_equal(end_of(only_logged), 0);
}

/* ---- files ---- */

static bool opens(const char *name, int flags)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

/* Landlock's version goes to the parent as an exit status over 100. */
static int behind_the_fence(void)
{
    char state_dir[128], conf[128], from[160], to[160];
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
    (void)snprintf(conf, sizeof(conf), "%s/conf/jumpgate.conf", folder);
    const struct sandbox_path paths[] = {
        {state_dir, SANDBOX_READ | SANDBOX_WRITE},
        {conf, SANDBOX_READ | SANDBOX_REPLACE},
        {NULL, SANDBOX_READ},
        {"/not/there", SANDBOX_WRITE},
    };
    int version = sandbox_files(paths, sizeof(paths) / sizeof(paths[0]), false);

    if (version <= 0)
        return version ? 1 : 100;
    if (!opens("state/old", O_RDWR) || !opens("state/new", O_RDWR | O_CREAT | O_EXCL))
        return 2;
    (void)snprintf(from, sizeof(from), "%s/state/new", folder);
    (void)snprintf(to, sizeof(to), "%s/state/newer", folder);
    if (rename(from, to) || unlink(to))
        return 3;
    if (!opens("conf/jumpgate.conf", O_RDONLY) || !opens("conf/other", O_RDONLY)) /* renewed by renaming */
        return 4;
    if (opens("conf/jumpgate.conf", O_WRONLY) || opens("conf/new", O_WRONLY | O_CREAT) ||
        opens("outside", O_RDONLY))
        return 5;
    (void)snprintf(to, sizeof(to), "%s/conf/stolen", folder);
    (void)snprintf(from, sizeof(from), "%s/state/old", folder);
    if (rename(from, to) == 0 || access("/etc/passwd", F_OK) || open("/etc/passwd", O_RDONLY) >= 0)
        return 6;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 100 : 7;
}

TEST(files_are_confined_by_directory)
{
    if (!sandbox_possible())
        skip();
    assert_int_equal(WEXITSTATUS(end_of(behind_the_fence)), 100);
}

/* ---- the rest ---- */

static int without_power(void)
{
    if (sandbox_capabilities(0) || sandbox_has_capabilities())
        return 1;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
}

/* An abstract socket of another process, before and behind the fence. */
static int reach_an_abstract_socket(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct sandbox_path none = {NULL, 0};
    socklen_t size = sizeof(un);

    (void)snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "jumpgate-test-%ld", (long)getppid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, "x", 1, 0, (struct sockaddr *)&un, size) != 1)
        return 1;
    int version = sandbox_files(&none, 1, false);
    if (version < SANDBOX_SCOPES)
        return version < 0 ? 2 : 100;
    return sendto(fd, "x", 1, 0, (struct sockaddr *)&un, size) == 1 || errno != EPERM ? 3 : 100;
}

TEST(abstract_sockets_are_out_of_reach)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!sandbox_possible())
        skip();
    (void)snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "jumpgate-test-%ld", (long)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(WEXITSTATUS(end_of(reach_an_abstract_socket)), 100);
    assert_int_equal(close(fd), 0);
}

static int as_another_user(void)
{
    const struct passwd *pw = getpwnam("nobody");

    if (!pw || sandbox_user("nobody", pw->pw_uid, pw->pw_gid))
        return 1;
    if (getuid() != pw->pw_uid || geteuid() != pw->pw_uid || getgid() != pw->pw_gid)
        return 2;
    if (setuid(0) == 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0)
        return 3;
    return sandbox_capabilities(0) || sandbox_has_capabilities() || setuid(0) == 0 ? 4 : 0;
}

TEST(the_user_cannot_be_changed_back)
{
    if (geteuid() != 0 || !sandbox_possible())
        skip();
    assert_int_equal(end_of(as_another_user), 0);
}

TEST(capabilities_are_given_up)
{
    if (!sandbox_possible())
        skip();
    assert_int_equal(end_of(without_power), 0);
}

static int without_dumps(void)
{
    struct rlimit limit;

    if (sandbox_no_dumps() || getrlimit(RLIMIT_CORE, &limit))
        return 1;
    if (limit.rlim_cur || limit.rlim_max || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
        return 2;
    return umask(0) == 077 ? 0 : 3;
}

TEST(dumps_are_off)
{
    assert_int_equal(end_of(without_dumps), 0);
}

static void put(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static int make_folder(void **state)
{
    char path[128];
    (void)state;

    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/state", folder);
    int err = mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/conf", folder);
    err = mkdir(path, 0700) || err;
    put("state/old");
    put("conf/jumpgate.conf");
    put("conf/other");
    put("outside");
    return err;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"state/old", "state/new", "conf/jumpgate.conf", "conf/other",
                                        "outside"};
    char path[128];
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/state", folder);
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/conf", folder);
    (void)rmdir(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_work_goes_on),
        cmocka_unit_test(no_code_and_no_unix_socket_is_made),
        cmocka_unit_test(host_names_are_resolved_in_the_sandbox),
        cmocka_unit_test(abstract_sockets_are_out_of_reach),
        cmocka_unit_test(the_user_cannot_be_changed_back),
        cmocka_unit_test(other_calls_end_the_process),
        cmocka_unit_test(older_threads_are_confined_too),
        cmocka_unit_test(log_mode_lets_pass),
        cmocka_unit_test(files_are_confined_by_directory),
        cmocka_unit_test(capabilities_are_given_up),
        cmocka_unit_test(dumps_are_off),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
