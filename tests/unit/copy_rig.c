/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_rig.c - see the header. Upstreams answer on the loop, one call after the other; a call that is lost
 * ends as a connection that was lost.
 */
#include "copy_rig.h"

#include "base/container_of.h"
#include "check.h"
#include "commands/commands.h"
#include "commands/operator_trail.h"
#include "commands/store_calls.h"
#include "commands/store_command.h"
#include "failing_calls.h"
#include "loop/upstream/upstream.h"
#include "stores/sqlite.h"
#include "stores/sqlite_move.h"

#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct copy_rig copy_rig;

/* ---- loop/upstream ---- */

static struct {
    struct loop *loop;
    struct call *call; /* at most one is under way */
    struct deadline deadline;
    void (*closed)(void *arg);
    void *arg;
} up;

static void start(void (*fire)(struct deadline *))
{
    failing_calls_pause();
    assert_int_equal(timer_start(loop_timers(up.loop), &up.deadline, 0, fire), 0);
    failing_calls_resume();
}

struct upstream *upstream_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    (void)why;
    assert_string_equal(opts->url, "http://etcd.example:2379");
    up.loop = loop;
    return (struct upstream *)(void *)&up;
}

static void answer(struct call *call)
{
    char *body = strndup(call->body, call->body_len);

    assert_non_null(body);
    call->body_in = BUF_INIT(1U << 22);
    call->status = fake_etcd_call(copy_rig.etcd, call->target, body, &call->body_in);
    assert_false(call->body_in.failed);
    free(body);
}

static void on_turn(struct deadline *d)
{
    struct call *call = up.call;

    (void)d;
    up.call = NULL;
    call->err = 0;
    call->sent = true;
    failing_calls_pause();
    if (copy_rig.on_call)
        copy_rig.on_call(++copy_rig.calls);
    else
        copy_rig.calls++;
    bool lost = copy_rig.calls == copy_rig.lost;

    if (!lost || !copy_rig.lost_before)
        answer(call);
    failing_calls_resume();
    if (lost) {
        call_free_answer(call);
        call->err = -ECONNRESET;
        (void)snprintf(call->why, sizeof(call->why), "the connection was lost");
    }
    call->done(call);
}

int upstream_call(struct upstream *upstream, struct call *call)
{
    (void)upstream;
    assert_null(up.call);
    up.call = call;
    start(on_turn);
    return 0;
}

void upstream_cancel(struct call *call)
{
    if (up.call != call)
        return;
    up.call = NULL;
    timer_stop(loop_timers(up.loop), &up.deadline);
}

void call_free_answer(struct call *call)
{
    buf_free(&call->cookies);
    buf_free(&call->body_in);
}

static void on_close(struct deadline *d)
{
    (void)d;
    up.closed(up.arg);
}

void upstream_close(struct upstream *upstream, void (*closed)(void *arg), void *arg)
{
    (void)upstream;
    assert_null(up.call);
    up.closed = closed;
    up.arg = arg;
    start(on_close);
}

/* ---- what the command is given ---- */

static struct conf *new_conf(bool etcd)
{
    struct conf *conf = calloc(1, sizeof(*conf));
    struct conf_store *s;

    assert_non_null(conf);
    conf->gateway.state_dir = strdup(copy_rig.dir);
    s = &conf->store;
    s->type = etcd ? STORE_ETCD : STORE_SQLITE;
    s->ttl_ms = COPY_TTL_MS;
    if (!etcd)
        return conf;
    s->endpoints.item = calloc(1, sizeof(*s->endpoints.item));
    assert_non_null(s->endpoints.item);
    s->endpoints.item[0] = strdup("http://etcd.example:2379");
    s->endpoints.n = 1;
    s->prefix = strdup(COPY_PREFIX);
    s->node = strdup("g1");
    return conf;
}

static bool into;

struct conf *store_command_conf(const char *path)
{
    (void)path;
    failing_calls_pause();
    struct conf *conf = new_conf(into);

    failing_calls_resume();
    return conf;
}

bool store_command_agreed(const struct command_args *args, const char *question)
{
    assert_non_null(strstr(question, "move "));
    return args_given(args, "--yes");
}

bool operator_trail_record(struct loop *loop, const struct conf *conf, const char *event,
                           const struct operator_word *words)
{
    (void)loop;
    (void)conf;
    assert_string_equal(event, "store_copy");
    assert_string_equal(words[0].name, "from");
    return true;
}

int store_command(const struct command_args *args, bool as_gateway, int (*work)(struct store_command *))
{
    struct store_command c = {.args = args, .conf = new_conf(!into), .loop = loop_new()};

    assert_true(as_gateway);
    assert_non_null(c.loop);
    if (copy_rig.before)
        copy_rig.before();
    int code = work(&c);

    if (copy_rig.after)
        copy_rig.after();
    assert_int_equal(loop_free(c.loop), 0);
    conf_free(c.conf);
    return code;
}

int copy_run(bool into_etcd, const char *flag)
{
    static const struct command_flag flags[] = {{.name = "--to-config", .takes = FLAG_FILE},
                                                {.name = "--yes"},
                                                {.name = "--dry-run"},
                                                {.name = "--json"},
                                                {.name = NULL}};
    static const struct command row = {.name = "copy", .flags = flags};
    struct command_args args = {.command = &row, .values = {"other.conf", "yes"}};
    FILE *out = stdout, *err = stderr;

    for (size_t i = 1; flag && flags[i].name; i++)
        if (strcmp(flags[i].name, flag) == 0)
            args.values[i] = i == 1 ? NULL : "given"; /* "--yes": without it */
    into = into_etcd;
    copy_rig.calls = 0;
    memset(copy_rig.out, 0, sizeof(copy_rig.out));
    memset(copy_rig.err, 0, sizeof(copy_rig.err));
    stdout = fmemopen(copy_rig.out, sizeof(copy_rig.out), "w");
    stderr = fmemopen(copy_rig.err, sizeof(copy_rig.err), "w");
    int code = command_store_copy(&args);

    (void)fclose(stdout);
    (void)fclose(stderr);
    stdout = out;
    stderr = err;
    if (code)
        assert_true(*copy_rig.err);
    return code;
}

/* ---- the two ends ---- */

void copy_put(const char *key, const char *value)
{
    struct buf body = BUF_INIT(65536), ignored = BUF_INIT(65536);
    const struct etcd_writer w = {&body, COPY_PREFIX};
    const struct etcd_op op = {.kind = value ? ETCD_PUT : ETCD_DELETE, .key = key, .value = value};

    (void)buf_str(&body, "{\"success\":[");
    etcd_write_ops(&w, &op, 1);
    (void)buf_str(&body, "]}");
    assert_int_equal(fake_etcd_call(copy_rig.etcd, "/v3/kv/txn", buf_cstr(&body), &ignored), 200);
    buf_free(&body);
    buf_free(&ignored);
}

const char *copy_get(const char *key)
{
    char all[256];

    (void)snprintf(all, sizeof(all), COPY_PREFIX "%s", key);
    return fake_etcd_get(copy_rig.etcd, all);
}

void copy_sql(const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(copy_rig.file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct holder holder(const char *session, const char *lsid)
{
    return (struct holder){.username = "ann",
                           .domain = "CORP",
                           .session = session,
                           .lsid = lsid,
                           .credential = "j1.main.l.1.2.0",
                           .system = "web01",
                           .account = "root",
                           .created_wall_ms = 1000};
}

#define MARK(n) "abcde00000000000000000000" n

static void add_request(struct move_rows *rows, const char *mark, enum request_state state, const char *name)
{
    const struct request_row r = {.mark = mark,
                                  .owner = "",
                                  .state = state,
                                  .vault = "main",
                                  .url = "https://vault",
                                  .user = "CORP\\ann",
                                  .name = name,
                                  .expires_wall_ms = 5000,
                                  .attempts = 2,
                                  .next_wall_ms = 7,
                                  .last_error = "",
                                  .asker = holder(mark, state == REQUEST_ASKED ? "lsid1" : "")};

    assert_int_equal(move_reader.request(rows, &r), 0);
}

static void add_lease(struct move_rows *rows, const char *id, const char *session, const char *lsid)
{
    const struct lease_row l = {
        .request = MARK("1"), .id = id, .holder = holder(session, lsid), .ended_site = ""};

    assert_int_equal(move_reader.lease(rows, &l), 0);
}

static void make_rows(struct move_rows *rows)
{
    size_t odd;

    add_request(rows, MARK("1"), REQUEST_HELD, "17");
    add_request(rows, MARK("2"), REQUEST_ASKED, "");
    add_request(rows, MARK("3"), REQUEST_PENDING, "18");
    add_request(rows, MARK("4"), REQUEST_RETURNING, "19");
    add_request(rows, MARK("5"), REQUEST_LAPSED, "20");
    add_lease(rows, MARK("6"), "S-1", "");
    add_lease(rows, MARK("7"), "S-2", "lsid2");
    assert_int_equal(move_reader.cursor(rows, &(struct cursor_row){"site", 42}), 0);
    move_rows_end(rows, &odd);
    assert_int_equal(odd, 0);
}

/* With the rows as they are read, which are freed. */
static void check_rows(struct move_rows *there)
{
    struct move_rows wanted = {.nrequests = 0};
    char is[MOVE_DIGEST_SIZE], must_be[MOVE_DIGEST_SIZE];
    size_t odd;

    make_rows(&wanted);
    move_rows_end(there, &odd);
    assert_int_equal(odd, 0);
    assert_int_equal(move_rows_digest(there, is), 0);
    assert_int_equal(move_rows_digest(&wanted, must_be), 0);
    assert_int_equal(there->nrequests, wanted.nrequests);
    assert_int_equal(there->nleases, wanted.nleases);
    assert_string_equal(is, must_be);
    assert_int_equal(there->ncursors, 1);
    assert_string_equal(there->cursors[0].site, "site");
    assert_int_equal(there->cursors[0].cursor_ms, 42);
    move_rows_free(&wanted);
    move_rows_free(there);
}

static struct sqlite_move *open_file(void)
{
    char why[SQLITE_MOVE_WHY];
    struct sqlite_move *m = sqlite_move_open(copy_rig.dir, why);

    if (!m)
        fail_msg("%s", why);
    return m;
}

void copy_fill_file(void)
{
    const struct store_move none = {.state = MOVE_NONE, .tag = "abcde"};
    struct move_rows rows = {.nrequests = 0};
    struct sqlite_move *m = open_file();

    make_rows(&rows);
    assert_int_equal(sqlite_move_fill(m, &rows, &none), 0);
    move_rows_free(&rows);
    sqlite_move_close(m);
    copy_sql("DELETE FROM store_move"); /* as a gateway has it */
}

void copy_lose_file(void)
{
    char lock[96];

    (void)snprintf(lock, sizeof(lock), "%s/lock", copy_rig.dir);
    assert_int_equal(unlink(copy_rig.file), 0);
    assert_int_equal(unlink(lock), 0);
}

void copy_check_file(void)
{
    struct move_rows there = {.nrequests = 0};
    struct sqlite_move *m = open_file();

    assert_int_equal(sqlite_move_load(m, &there), 0);
    sqlite_move_close(m);
    check_rows(&there);
}

void copy_check_etcd(void)
{
    struct move_rows there = {.nrequests = 0};
    struct loop *loop = loop_new();
    struct conf *conf = new_conf(true);
    struct store_calls calls;

    assert_int_equal(store_calls_open(&calls, loop, &conf->store), 0);
    assert_int_equal(store_calls_rows(&calls, &move_reader, &there), 0);
    store_calls_close(&calls);
    assert_int_equal(loop_free(loop), 0);
    conf_free(conf);
    check_rows(&there);
}

struct store_move copy_mark(void)
{
    struct store_move mark = {.state = MOVE_NONE};

    (void)sqlite_store_moved(copy_rig.dir, &mark);
    return mark;
}

void copy_begin(void)
{
    static const struct program program = {.name = "jumpgate"};

    command_program_is(&program);
    copy_rig = (struct copy_rig){.calls = 0};
    /* In memory, where a sync takes no time. */
    (void)snprintf(copy_rig.dir, sizeof(copy_rig.dir), "%s/jumpgate-copy-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    assert_non_null(mkdtemp(copy_rig.dir));
    (void)snprintf(copy_rig.file, sizeof(copy_rig.file), "%s/leases.db", copy_rig.dir);
    copy_rig.etcd = fake_etcd_new();
    assert_non_null(copy_rig.etcd);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void copy_end(void)
{
    fake_etcd_free(copy_rig.etcd);
    assert_int_equal(nftw(copy_rig.dir, remove_one, 4, FTW_DEPTH | FTW_PHYS), 0);
}
