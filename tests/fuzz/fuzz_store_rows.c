/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_store_rows.c - the lease store: rows as some other hand may have left them, and whole files.
 *
 * First byte odd: the rest is the file itself. It must be refused with words, or be a sound store. Even: the
 * rest is texts and numbers of rows, put into a store past the gateway's own functions with any type a column
 * takes; what is loaded must have every text, and a state there is.
 */
#include "fuzz.h"

#include "stores/sqlite_schema.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static char fresh[1U << 16]; /* an empty store, made once */
static size_t fresh_len;

static void clean(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[128];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void clean_up(void)
{
    clean();
    (void)rmdir(folder);
}

static void make_folder(void)
{
    char why[256];
    ssize_t n = 0;
    int fd;

    if (*folder)
        return;
    (void)snprintf(folder, sizeof(folder), "/dev/shm/jumpgate-fuzz-XXXXXX");
    FUZZ_ASSERT(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/leases.db", folder);
    (void)atexit(clean_up);
    FUZZ_ASSERT(sqlite_file_create(path, why) == 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    FUZZ_ASSERT(fd >= 0 && (n = read(fd, fresh, sizeof(fresh))) > 0 && (size_t)n < sizeof(fresh));
    fresh_len = (size_t)n;
    close(fd);
}

static void check_holder(const struct holder *h)
{
    FUZZ_ASSERT(h->username && h->domain && h->session && h->lsid && h->credential);
    FUZZ_ASSERT(h->system && h->account);
}

static int on_request(void *arg, const struct request_row *row)
{
    FUZZ_ASSERT(row->mark && row->vault && row->url && row->user && row->name && row->last_error);
    FUZZ_ASSERT(row->state < REQUEST_NSTATES);
    check_holder(&row->asker);
    ++*(size_t *)arg;
    return 0;
}

static int on_lease(void *arg, const struct lease_row *row)
{
    FUZZ_ASSERT(row->request && row->id && row->ended_site);
    FUZZ_ASSERT(row->ended < SESSION_END_NSOURCES);
    check_holder(&row->holder);
    ++*(size_t *)arg;
    return 0;
}

static int on_cursor(void *arg, const struct cursor_row *row)
{
    FUZZ_ASSERT(row->site);
    ++*(size_t *)arg;
    return 0;
}

static void load_all(void)
{
    struct sqlite_file f = {0};
    char why[256] = "";
    size_t rows = 0;

    if (sqlite_file_open(&f, path, why) == SQLITE_FILE_GOOD) {
        const struct store_reader reader = {on_request, on_lease, on_cursor};
        (void)sqlite_file_load(f.db, &reader, &rows);
    } else {
        FUZZ_ASSERT(why[0]);
    }
    sqlite_file_close(&f);
}

static void write_file(const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    FUZZ_ASSERT(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

#define REQUEST_COLUMNS                                                                                      \
    "mark, state, vault, url, name, adopted, expires_ms, attempts, next_ms, last_error, lsid, user, "        \
    "username, domain, session, credential, system, account, created_ms"
#define LEASE_COLUMNS                                                                                        \
    "request, id, lsid, ended, ended_site, username, domain, session, credential, system, account, "         \
    "created_ms"

/* One row past the gateway's own functions. What a STRICT table refuses is refused. */
static void put_row(struct fuzz_input *in)
{
    static const char *const tables[] = {
        "INSERT OR REPLACE INTO vault_request (" REQUEST_COLUMNS
        ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "INSERT OR REPLACE INTO lease (" LEASE_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        "INSERT OR REPLACE INTO vault_request (handle, spin, spins, began_ms, checkins_due, " REQUEST_COLUMNS
        ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "INSERT OR REPLACE INTO lease (expires_ms, " LEASE_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"};
    const char *sql = tables[fuzz_byte(in) % 4];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;

    FUZZ_ASSERT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
    FUZZ_ASSERT(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
    for (int i = 1; i <= sqlite3_bind_parameter_count(s); i++) {
        unsigned char kind = fuzz_byte(in);
        size_t len;
        char *text = fuzz_text(in, &len);
        sqlite3_int64 number = 0;

        memcpy(&number, text, len < sizeof(number) ? len : sizeof(number));
        if (kind % 4 == 0)
            (void)sqlite3_bind_text(s, i, text, (int)len, SQLITE_TRANSIENT);
        else if (kind % 4 == 1)
            (void)sqlite3_bind_int64(s, i, number);
        else if (kind % 4 == 2)
            (void)sqlite3_bind_int64(s, i, kind / 4);
        else
            (void)sqlite3_bind_blob(s, i, text, (int)len, SQLITE_TRANSIENT);
        free(text);
    }
    (void)sqlite3_step(s);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);

    make_folder();
    clean();
    if (fuzz_byte(&in) % 2) {
        write_file(in.at, in.left);
    } else {
        write_file(fresh, fresh_len);
        while (in.left)
            put_row(&in);
    }
    load_all();
    return 0;
}
