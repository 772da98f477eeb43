/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_rig.c - a PostgreSQL server of a test program's own; see postgres_rig.h.
 *
 * PostgreSQL does not run as root: then its processes belong to the package's user. The server dies with the
 * test program, however that ends.
 */
#include "postgres_rig.h"

#include "check.h"
#include "tls_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACKAGE_USER "postgres"
#define START_TRIES  1500 /* of 20 ms */
#define COMMAND_SIZE 1024

/* The driver does not free all of a connection that is lost. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:psqlodbcw.so";
}

static struct {
    char dir[64], bin[160];
    unsigned port;
    pid_t pid, owner;
    bool tls;
    unsigned schemas;
    struct db_login *login;
} rig;

static void give_up(const char *what)
{
    (void)fprintf(stderr, "PostgreSQL for the tests: %s\n", what);
    exit(1);
}

static bool find_programs(void)
{
    glob_t found;
    bool there = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0;

    if (there) {
        const char *path = found.gl_pathv[found.gl_pathc - 1];
        (void)snprintf(rig.bin, sizeof(rig.bin), "%.*s", (int)(strrchr(path, '/') - path), path);
        globfree(&found);
    }
    return there;
}

bool postgres_rig_installed(void)
{
    struct db_error error;
    const struct db_server server = {.engine = DB_POSTGRESQL};

    if (find_programs() && db_server_prepare(&server, "/nonexistent", &error) == DB_OK)
        return true;
    if (getenv("CI"))
        give_up("not installed; scripts/install-dependencies installs it");
    (void)puts("skipped: PostgreSQL or its ODBC driver is not installed (scripts/install-dependencies)");
    return false;
}

/* ---- processes ---- */

static void become_owner(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(PACKAGE_USER) : NULL;

    if (user && (setgroups(0, NULL) || setgid(user->pw_gid) || setuid(user->pw_uid)))
        _exit(126);
}

static pid_t start_program(const char *const argv[], const char *output)
{
    pid_t parent = getpid(), pid = fork();

    if (pid != 0)
        return pid;
    become_owner();
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent || chdir("/") || !freopen(output, "a", stdout) || dup2(1, 2) < 0)
        _exit(126);
    (void)unsetenv("ASAN_OPTIONS");
    (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void give_to_owner(const char *path)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(PACKAGE_USER) : NULL;

    if (user && chown(path, user->pw_uid, user->pw_gid))
        give_up(strerror(errno));
}

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        give_up("no free port");
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void run_initdb(void)
{
    char program[192], data[96], log[96];
    int status;

    (void)snprintf(program, sizeof(program), "%s/initdb", rig.bin);
    (void)snprintf(data, sizeof(data), "%s/data", rig.dir);
    (void)snprintf(log, sizeof(log), "%s/log", rig.dir);
    const char *const argv[] = {program, "-D", data,   "-U",         "rig", "-A",
                                "trust", "-E", "UTF8", "--locale=C", "-N",  NULL};
    pid_t pid = start_program(argv, log);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        give_up("initdb failed");
}

static void write_file(const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/data/%s", rig.dir, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        give_up("a file cannot be written");
    if (chmod(path, 0600))
        give_up("a file's mode cannot be set");
    give_to_owner(path);
}

static void copy_file(const char *from, const char *name)
{
    char text[16384] = "";
    FILE *f = fopen(from, "r");

    if (!f || fread(text, 1, sizeof(text) - 1, f) == 0)
        give_up("a certificate cannot be read");
    (void)fclose(f);
    write_file(name, text);
}

static void configure(void)
{
    char text[COMMAND_SIZE], path[TLS_FILES_PATH];

    (void)snprintf(text, sizeof(text),
                   "listen_addresses = '127.0.0.1'\nport = %u\nunix_socket_directories = '%s'\n"
                   "fsync = off\nfull_page_writes = off\nautovacuum = off\n"
                   "max_connections = 30\nshared_buffers = 16MB\nwal_level = minimal\nmax_wal_senders = 0\n"
                   "log_min_messages = warning\nssl = %s\n",
                   rig.port, rig.dir, rig.tls ? "on" : "off");
    write_file("postgresql.conf", text);
    write_file("pg_hba.conf", rig.tls ? "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
                                      : "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    if (rig.tls) {
        copy_file(tls_file("server", ".crt", path), "server.crt");
        copy_file(tls_file("server", ".key", path), "server.key");
    }
}

/* ---- the server ---- */

struct db_server postgres_rig_server(void)
{
    return (struct db_server){.engine = DB_POSTGRESQL,
                              .server = rig.dir,
                              .port = rig.port,
                              .user = "rig",
                              .connect_timeout_ms = 10000};
}

unsigned postgres_rig_port(void)
{
    return rig.port;
}

struct db_login *postgres_rig_login(const struct db_server *server)
{
    struct buf connect = BUF_INIT(DB_CONNECT_MAX);
    struct db_error error;

    if (db_server_connect(server, &connect, &error) != DB_OK)
        fail_msg("%s", error.text);
    db_login_unref(rig.login);
    rig.login = db_login_new(buf_cstr(&connect));
    buf_free(&connect);
    if (!rig.login)
        give_up("out of memory");
    return rig.login;
}

static struct db *open_as_rig(const char *database)
{
    struct db_server server = postgres_rig_server();
    struct db_error error;
    struct db *db;

    server.database = database;
    const struct db_params params = {.login = postgres_rig_login(&server), .busy_ms = 10000};
    return db_postgresql.open(&params, &db, &error) == DB_OK ? db : NULL;
}

static void exec_in(const char *database, const char *sql)
{
    struct db *db = open_as_rig(database);

    if (!db)
        fail_msg("the server cannot be reached");
    if (db->ops->exec(db, sql) != DB_OK)
        fail_msg("%s: %s", sql, db->error.text);
    db->ops->close(db);
}

void postgres_rig_exec(const char *sql)
{
    exec_in("BGSessions", sql);
}

void postgres_rig_again(void)
{
    char program[192], data[96], log[96];

    (void)snprintf(program, sizeof(program), "%s/postgres", rig.bin);
    (void)snprintf(data, sizeof(data), "%s/data", rig.dir);
    (void)snprintf(log, sizeof(log), "%s/log", rig.dir);
    const char *const argv[] = {program, "-D", data, NULL};
    rig.pid = start_program(argv, log);
    for (int i = 0; i < START_TRIES; i++) {
        struct db *db = open_as_rig("postgres");

        if (db) {
            db->ops->close(db);
            return;
        }
        if (rig.pid < 0 || waitpid(rig.pid, NULL, WNOHANG) == rig.pid)
            break;
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    give_up("the server does not start");
}

bool postgres_rig_running(void)
{
    return rig.pid > 0;
}

void postgres_rig_kill(void)
{
    if (rig.pid > 0 && kill(rig.pid, SIGQUIT) == 0)
        (void)waitpid(rig.pid, NULL, 0);
    rig.pid = 0;
}

void postgres_rig_end(void)
{
    char command[128];

    db_login_unref(rig.login);
    rig.login = NULL;
    if (rig.owner != getpid()) /* a child of the test */
        return;
    postgres_rig_kill();
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", rig.dir);
    if (*rig.dir && system(command))
        (void)fprintf(stderr, "%s stays\n", rig.dir);
    *rig.dir = 0;
}

void postgres_rig_start(bool tls)
{
    rig.tls = tls;
    rig.owner = getpid();
    (void)snprintf(rig.dir, sizeof(rig.dir), "/tmp/jumpgate-postgres-XXXXXX");
    if (!mkdtemp(rig.dir) || chmod(rig.dir, 0755))
        give_up(strerror(errno));
    (void)atexit(postgres_rig_end);
    give_to_owner(rig.dir);
    rig.port = free_port();
    run_initdb();
    configure();
    postgres_rig_again();
    exec_in("postgres", "CREATE DATABASE \"BGSessions\"");
}

void postgres_rig_clear(void)
{
    char sql[256];

    if (rig.schemas)
        (void)snprintf(sql, sizeof(sql), "DROP SCHEMA rig%u CASCADE", rig.schemas);
    if (rig.schemas)
        postgres_rig_exec(sql);
    rig.schemas++;
    (void)snprintf(sql, sizeof(sql),
                   "CREATE SCHEMA rig%u; ALTER DATABASE \"BGSessions\" SET search_path = rig%u", rig.schemas,
                   rig.schemas);
    postgres_rig_exec(sql);
}
