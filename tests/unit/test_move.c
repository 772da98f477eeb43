/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_move.c - rows on their way from one store to another: which are taken along, their digest, their keys
 * in etcd, and the file that they come into or leave.
 */
#include "base/json.h"
#include "check.h"
#include "loop/loop.h"
#include "stores/etcd_move.h"
#include "stores/sqlite.h"
#include "stores/sqlite_move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK(n)  "abcde00000000000000000000" n
#define LEASE(n) "abcde11111111111111111111" n

static struct move_rows rows;
static char dir[64];

static int setup(void **state)
{
    (void)state;
    rows = (struct move_rows){.nrequests = 0};
    (void)snprintf(dir, sizeof(dir), "/tmp/jumpgate-move-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    move_rows_free(&rows);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct holder holder(const char *session, int64_t created)
{
    return (struct holder){.username = "ann",
                           .domain = "CORP",
                           .session = session,
                           .lsid = "",
                           .credential = "j1.main.l.1.2.0",
                           .system = "web01",
                           .account = "root",
                           .created_wall_ms = created};
}

static struct request_row request(const char *mark, enum request_state state, const char *name)
{
    return (struct request_row){.mark = mark,
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
                                .asker = holder("S-1", 1000)};
}

static void add_request(const char *mark, enum request_state state, const char *name)
{
    const struct request_row r = request(mark, state, name);

    assert_int_equal(move_reader.request(&rows, &r), 0);
}

static void add_lease(const char *of, const char *id, const char *session, int64_t created)
{
    const struct lease_row l = {
        .request = of, .id = id, .holder = holder(session, created), .ended_site = ""};

    assert_int_equal(move_reader.lease(&rows, &l), 0);
}

static size_t end_rows(void)
{
    size_t odd = 0;

    move_rows_end(&rows, &odd);
    return odd;
}

static void digest(char hex[MOVE_DIGEST_SIZE])
{
    assert_int_equal(move_rows_digest(&rows, hex), 0);
}

/* ---- which rows ---- */

TEST(a_lease_that_no_gateway_would_take_up_is_left_out)
{
    add_request(MARK("1"), REQUEST_HELD, "1");
    add_request(MARK("2"), REQUEST_RETURNING, "2");
    add_lease(MARK("1"), LEASE("1"), "S-1", 1000);
    add_lease(MARK("2"), LEASE("2"), "S-2", 1000); /* its request's time is over */
    add_lease(MARK("9"), LEASE("3"), "S-3", 1000); /* its request is not there */
    add_lease(MARK("1"), LEASE("4"), "S-1", 2000); /* replaces the first one of this session */
    assert_int_equal(end_rows(), 3);
    assert_int_equal(rows.nleases, 1);
    assert_string_equal(rows.leases[0]->id, LEASE("4"));
    assert_int_equal(rows.nrequests, 2);
    assert_non_null(move_rows_request(&rows, MARK("2")));
    assert_null(move_rows_request(&rows, MARK("9")));
}

TEST(the_digest_is_of_the_rows_and_not_of_their_order)
{
    char first[MOVE_DIGEST_SIZE], second[MOVE_DIGEST_SIZE];

    for (int turn = 0; turn < 2; turn++) {
        add_request(turn ? MARK("2") : MARK("1"), REQUEST_HELD, turn ? "2" : "1");
        add_request(turn ? MARK("1") : MARK("2"), REQUEST_HELD, turn ? "1" : "2");
        add_lease(MARK("1"), LEASE("1"), "S-1", 1000);
        assert_int_equal(end_rows(), 0);
        digest(turn ? second : first);
        if (!turn)
            move_rows_free(&rows);
    }
    assert_string_equal(first, second);
    rows.requests[0]->attempts++;
    digest(second);
    assert_string_not_equal(first, second);
    rows.requests[0]->attempts--;
    rows.leases[0]->ended = SESSION_END_POLL;
    digest(second);
    assert_string_not_equal(first, second);
    rows.leases[0]->ended = SESSION_END_NONE;
    rows.requests[0]->owner = "g1@5";
    digest(second);
    assert_string_equal(first, second);
}

/* ---- as keys ---- */

static const char *key_of(const struct etcd_pairs *p, char letter)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->all[i].key[0] == letter)
            return p->all[i].key;
    return NULL;
}

TEST(rows_become_the_keys_of_a_gateway)
{
    struct etcd_pairs p = {.n = 0};
    const char *twice = "";

    add_request(MARK("1"), REQUEST_HELD, "17");
    add_request(MARK("2"), REQUEST_ASKED, "");
    add_request(MARK("3"), REQUEST_PENDING, "18");
    add_lease(MARK("1"), LEASE("1"), "S-1", 1000);
    assert_int_equal(move_reader.cursor(&rows, &(struct cursor_row){"site", 42}), 0);
    assert_int_equal(end_rows(), 0);
    assert_int_equal(etcd_pairs_of(&p, &rows, "g1@77", "g1", &twice), 0);
    assert_int_equal(p.n, 7);
    assert_non_null(key_of(&p, 'i'));
    assert_string_equal(etcd_pairs_find(&p, key_of(&p, 'w'))->value, "main/18");
    assert_int_equal(etcd_pairs_find(&p, "r/main/18")->value[0], 'W');
    assert_non_null(key_of(&p, 's'));
    assert_non_null(key_of(&p, 'h'));
    assert_string_equal(etcd_pairs_find(&p, "p/g1/site")->value, "42");
    const struct etcd_pair *held = etcd_pairs_find(&p, key_of(&p, 'r'));

    assert_non_null(strstr(held->key, "/17"));
    assert_int_equal(held->value[0], 'O');
    assert_non_null(strstr(held->value, "\"o\":\"g1@77\""));
    assert_null(etcd_pairs_find(&p, "r/none"));
    etcd_pairs_free(&p);
}

TEST(two_rows_of_one_vault_request_are_refused)
{
    struct etcd_pairs p = {.n = 0};
    const char *twice = "";

    add_request(MARK("1"), REQUEST_HELD, "17");
    add_request(MARK("2"), REQUEST_RETURNING, "17");
    assert_int_equal(end_rows(), 0);
    assert_int_equal(etcd_pairs_of(&p, &rows, "g1@77", "g1", &twice), -EEXIST);
    assert_non_null(strstr(twice, "/17"));
    etcd_pairs_free(&p);
}

TEST(a_row_whose_key_is_too_long_is_refused)
{
    static char longest[400];
    const char *twice = "";

    memset(longest, 'n', sizeof(longest) - 1);
    for (int kind = 0; kind < 3; kind++) {
        struct etcd_pairs p = {.n = 0};

        case_label("%s", kind == 0 ? "request" : kind == 1 ? "lease" : "cursor");
        add_request(MARK("1"), REQUEST_HELD, kind ? "17" : longest);
        if (kind == 1)
            add_lease(MARK("1"), longest, "S-1", 1000);
        if (kind == 2)
            assert_int_equal(move_reader.cursor(&rows, &(struct cursor_row){longest, 42}), 0);
        assert_int_equal(end_rows(), 0);
        assert_int_equal(etcd_pairs_of(&p, &rows, "g1@77", "g1", &twice), -ENAMETOOLONG);
        etcd_pairs_free(&p);
        move_rows_free(&rows);
    }
}

TEST(what_is_said_of_a_move_is_read_back)
{
    struct etcd_moved said = {.kind = ETCD_MOVED_GONE, .id = MARK("1"), .peer = "/var/lib/\"j\"/leases.db"},
                      heard;
    struct buf value = BUF_INIT(4096);
    char why[ETCD_MOVED_WHY], longer[MOVE_PEER_SIZE + 1] = "";

    etcd_moved_write(&value, &said);
    assert_int_equal(etcd_moved_read(value.data, value.len, &heard), 0);
    assert_int_equal(heard.kind, said.kind);
    assert_string_equal(heard.id, said.id);
    assert_string_equal(heard.peer, said.peer);
    etcd_moved_explain(&heard, why);
    assert_non_null(strstr(why, "were moved to /var/lib"));
    assert_int_equal(etcd_moved_read("{\"k\":\"new\"}", 11, &heard), -EUCLEAN);
    assert_int_equal(etcd_moved_read("no", 2, &heard), -EUCLEAN);
    memset(longer, 'w', sizeof(longer) - 1);
    buf_clear(&value);
    (void)buf_printf(&value, "{\"k\":\"in\",\"i\":\"1\",\"w\":\"%s\"}", longer);
    assert_int_equal(etcd_moved_read(value.data, value.len, &heard), 0); /* which is for people */
    assert_string_equal(heard.peer, "");
    buf_free(&value);
}

TEST(a_schema_is_known_within_its_range)
{
    assert_true(etcd_schema_is_known(""));
    assert_true(etcd_schema_is_known("1"));
    assert_false(etcd_schema_is_known("0"));
    assert_false(etcd_schema_is_known("2"));
    assert_false(etcd_schema_is_known("one"));
}

/* Is the answer of a transaction whole that has read one range, of so many rows? `count`: and perhaps "more".
 */
static bool is_whole_with(const char *rows_read, const char *count, int responses)
{
    char text[512];
    struct json_outcome outcome;

    (void)snprintf(text, sizeof(text),
                   "{\"header\":{\"revision\":\"9\"},\"succeeded\":true,\"responses\":"
                   "[{\"response_range\":{\"count\":%s,\"kvs\":[%s]}}]}",
                   count, rows_read);
    cJSON *tree = json_read(text, strlen(text), 8, JSON_EXACT, &outcome);

    assert_non_null(tree);
    bool is = etcd_answer_is_whole(tree, responses, 0);

    cJSON_Delete(tree);
    return is;
}

static bool is_whole(const char *rows_read, int count, int responses)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "\"%d\"", count);
    return is_whole_with(rows_read, text, responses);
}

#define REVISIONS ",\"create_revision\":\"3\",\"mod_revision\":\"7\"}"

TEST(an_answer_with_a_row_that_is_damaged_or_missing_is_none)
{
    static const char *const good[] = {"{\"key\":\"L3QvYg==\"" REVISIONS,
                                       "{\"key\":\"L3Qv\",\"value\":\"MQ==\"" REVISIONS};
    static const char *const bad[] = {"7",
                                      "{\"value\":\"MQ==\"" REVISIONS,
                                      "{\"key\":\"\"" REVISIONS,
                                      "{\"key\":7" REVISIONS,
                                      "{\"key\":\"L3QvYg=\"" REVISIONS,
                                      "{\"key\":\"L3Q*\"" REVISIONS,
                                      "{\"key\":\"L3Qv\",\"value\":\"=A==\"" REVISIONS,
                                      "{\"key\":\"L3Qv\",\"value\":\"A===\"" REVISIONS,
                                      "{\"key\":\"L3Qv\",\"value\":7" REVISIONS,
                                      "{\"key\":\"L3Qv\",\"mod_revision\":\"7\"}",
                                      "{\"key\":\"L3Qv\",\"create_revision\":\"3\"}"};
    char two[256];

    assert_true(is_whole("", 0, 1));
    assert_true(is_whole("", 0, -1));
    assert_false(is_whole("", 0, 2));
    assert_false(is_whole("", 1, 1));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(is_whole(good[i], 1, 1));
        assert_false(is_whole(good[i], 2, 1));
        assert_true(is_whole_with(good[i], "\"2\",\"more\":true", 1));
        assert_false(is_whole_with(good[i], "\"1\",\"more\":true", 1));
        assert_false(is_whole_with("", "\"2\",\"more\":true", 1));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(is_whole(bad[i], 1, 1));
        (void)snprintf(two, sizeof(two), "%s,%s", good[0], bad[i]);
        assert_false(is_whole(two, 2, 1));
    }
}

TEST(an_answer_is_read_as_often_as_wanted)
{
    static const char text[] =
        "{\"kvs\":[{\"key\":\"L3QvYQ==\",\"value\":\"MQ==\",\"mod_revision\":\"7\"},"
        "{\"key\":\"L3QvYg==\"},{\"key\":7,\"value\":\"+/8=\"},"
        "{\"key\":\"L3QvYg=\"},{\"key\":\"L3Q*\"},{\"key\":\"L3QvYg==\",\"value\":\"=A==\"}]}";
    struct json_outcome outcome;
    cJSON *tree = json_read(text, strlen(text), 8, JSON_EXACT, &outcome);
    char small[4], least[1];
    struct etcd_kv kv;

    assert_non_null(tree);
    for (int turn = 0; turn < 2; turn++) {
        assert_true(etcd_kv_read(tree, 0, &kv));
        assert_string_equal(buf_cstr(&kv.key), "/t/a");
        assert_string_equal(buf_cstr(&kv.value), "1");
        assert_int_equal(kv.value.len, 1);
        assert_int_equal(kv.mod, 7);
        assert_true(etcd_kv_read(tree, 1, &kv)); /* etcd leaves out what is empty */
        assert_string_equal(buf_cstr(&kv.key), "/t/b");
        assert_string_equal(buf_cstr(&kv.value), "");
        assert_true(etcd_kv_read(tree, 2, &kv));
        assert_int_equal(kv.key.len, 0);
        assert_memory_equal(kv.value.data, "\xfb\xff", 2);
        for (int bad = 3; bad < 7; bad++) /* no base64, or no such row */
            assert_false(etcd_kv_read(tree, bad, &kv));
        etcd_small_value(tree, small, sizeof(small));
        assert_string_equal(small, "1");
        etcd_small_value(tree, least, sizeof(least));
        assert_string_equal(least, "");
        etcd_small_value(NULL, small, sizeof(small));
        assert_string_equal(small, "");
    }
    cJSON_Delete(tree);
}

/* ---- the file ---- */

static struct sqlite_move *open_file(void)
{
    char why[SQLITE_MOVE_WHY] = "";
    struct sqlite_move *m = sqlite_move_open(dir, why);

    assert_string_equal(m ? "" : why, "");
    return m;
}

static void fill(struct sqlite_move *m, enum move_state state)
{
    struct store_move move = {.state = state, .id = MARK("7"), .tag = "fghjk", .peer = "etcd somewhere"};

    assert_int_equal(sqlite_move_fill(m, &rows, &move), 0);
}

TEST(a_file_takes_rows_and_says_where_they_came_from)
{
    struct sqlite_move *m = open_file();
    char before[MOVE_DIGEST_SIZE], after[MOVE_DIGEST_SIZE], tag[ID_TAG_SIZE];
    struct store_move move;

    for (int turn = 0; turn < 2; turn++) { /* the second one replaces the rows of the first */
        add_request(MARK("1"), REQUEST_HELD, "17");
        add_request(MARK("2"), REQUEST_LAPSED, "18");
        add_lease(MARK("1"), LEASE("1"), "S-1", 1000);
        assert_int_equal(end_rows(), 0);
        digest(before);
        fill(m, MOVE_CAME);
        move_rows_free(&rows);
    }
    sqlite_move_close(m);
    m = open_file();
    assert_int_equal(sqlite_move_load(m, &rows), 0);
    assert_int_equal(end_rows(), 0);
    digest(after);
    assert_string_equal(before, after);
    assert_int_equal(sqlite_move_state(m, &move), 0);
    assert_int_equal(move.state, MOVE_CAME);
    assert_string_equal(move.id, MARK("7"));
    assert_string_equal(move.peer, "etcd somewhere");
    assert_int_equal(sqlite_move_tag(m, tag), 0);
    assert_string_equal(tag, "fghjk");
    sqlite_move_close(m);
}

TEST(a_row_twice_leaves_the_file_as_it_was)
{
    struct sqlite_move *m = open_file();
    struct store_move move = {.state = MOVE_CAME, .tag = "fghjk"};

    add_request(MARK("1"), REQUEST_HELD, "17");
    add_request(MARK("1"), REQUEST_HELD, "17");
    assert_int_equal(sqlite_move_fill(m, &rows, &move), -EEXIST);
    move_rows_free(&rows);
    assert_int_equal(sqlite_move_load(m, &rows), 0);
    assert_int_equal(rows.nrequests, 0);
    assert_int_equal(sqlite_move_state(m, &move), 0);
    assert_int_equal(move.state, MOVE_NONE);
    sqlite_move_close(m);
}

static void fill_nothing(const char *tag, int err)
{
    struct sqlite_move *m = open_file();
    const struct store_move given = {.state = MOVE_CAME, .id = MARK("7"), .peer = "etcd somewhere"};
    struct store_move move = given;

    (void)snprintf(move.tag, sizeof(move.tag), "%s", tag);
    assert_int_equal(sqlite_move_fill(m, &rows, &move), err);
    move_rows_free(&rows);
    assert_int_equal(sqlite_move_load(m, &rows), 0);
    assert_int_equal(rows.nrequests + rows.nleases, 0);
    assert_int_equal(sqlite_move_state(m, &move), 0);
    assert_int_equal(move.state, MOVE_NONE);
    sqlite_move_close(m);
}

TEST(what_the_file_would_not_give_back_is_not_written)
{
    add_request(MARK("1"), REQUEST_HELD, "17");
    add_lease(MARK("1"), LEASE("1"), "S-1", 1000);
    add_lease(MARK("1"), LEASE("1"), "S-2", 1000); /* the same id: the second one replaces the first */
    assert_int_equal(end_rows(), 0);
    fill_nothing("fghjk", -EBADMSG);
}

TEST(a_tag_that_is_no_word_is_not_written)
{
    add_request(MARK("1"), REQUEST_HELD, "17");
    assert_int_equal(end_rows(), 0);
    fill_nothing("a'b", -EINVAL);
}

TEST(a_file_whose_rows_have_gone_is_not_used)
{
    struct sqlite_move *m = open_file();
    struct store_move move = {.state = MOVE_BEGUN, .id = MARK("7"), .tag = "fghjk", .peer = "etcd somewhere"};
    char why[SQLITE_CHECK_WHY] = "";
    struct loop *loop = loop_new();
    size_t n = 9;
    bool rebuilt;

    assert_int_equal(sqlite_move_set(m, &move), 0);
    assert_false(sqlite_store_moved(dir, &move)); /* begun: the rows are here */
    move.state = MOVE_GONE;
    assert_int_equal(sqlite_move_set(m, &move), 0);
    assert_true(sqlite_store_moved(dir, &move));
    sqlite_move_close(m);
    assert_null(sqlite_store_open(loop, dir, false, &rebuilt, why));
    assert_int_equal(errno, EBADMSG);
    assert_non_null(strstr(why, "were moved to etcd somewhere"));
    assert_int_equal(sqlite_store_check(dir, &n, why), SQLITE_CHECK_MOVED);
    assert_int_equal(n, 0);
    assert_int_equal(sqlite_store_read(dir, &move_reader, &rows, why), -EIO);
    assert_non_null(strstr(why, "were moved to etcd somewhere"));
    assert_int_equal(loop_free(loop), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_lease_that_no_gateway_would_take_up_is_left_out),
        T(the_digest_is_of_the_rows_and_not_of_their_order),
        T(rows_become_the_keys_of_a_gateway),
        T(two_rows_of_one_vault_request_are_refused),
        T(a_row_whose_key_is_too_long_is_refused),
        T(what_is_said_of_a_move_is_read_back),
        T(a_schema_is_known_within_its_range),
        T(an_answer_with_a_row_that_is_damaged_or_missing_is_none),
        T(an_answer_is_read_as_often_as_wanted),
        T(a_file_takes_rows_and_says_where_they_came_from),
        T(a_row_twice_leaves_the_file_as_it_was),
        T(what_the_file_would_not_give_back_is_not_written),
        T(a_tag_that_is_no_word_is_not_written),
        T(a_file_whose_rows_have_gone_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
