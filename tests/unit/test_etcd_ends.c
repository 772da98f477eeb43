/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_ends.c - the end of a lease of a gateway that dies before its record is on disk: another gateway
 * is told of it, and of none that has its record or has not ended (etcd_ends.h), on the fake etcd.
 */
#include "cluster_rig.h"

#include "base/log.h"
#include "check.h"
#include "stores/etcd_ends.h"

#include <stdlib.h>
#include <string.h>

#define P CLUSTER_PREFIX

static struct cluster_node *const g1 = &cluster.nodes[0], *const g2 = &cluster.nodes[1];

static int setup(void **state)
{
    (void)state;
    cluster = (struct cluster_rig){.timers = NULL};
    cluster_fill(); /* of g1: a and b hold 41 */
    cluster_advance(SECONDS(2));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster.fault = NULL;
    cluster_end();
    return 0;
}

/* ---- what happens ---- */

static enum cluster_fault planned;
static unsigned spared; /* calls before the one that has the fault */

/* After it g1 reaches etcd no more. */
static enum cluster_fault last_call(const char *path)
{
    if (!strstr(path, "/txn") || spared) {
        spared -= spared > 0;
        return CLUSTER_GOOD;
    }
    g1->cut = true;
    return planned;
}

/* g1 gives the step, and dies with the call after `before` others, with this fault. */
static void give_and_die(struct cluster_given *given, enum store_step_kind kind, enum request_state state,
                         const char *id, const char *record, enum cluster_fault fault, unsigned before)
{
    planned = fault;
    spared = before;
    g2->cut = true; /* its calls are none of those */
    cluster.fault = last_call;
    cluster_give(g1, given, kind, state, id);
    given->step.record = record;
    cluster_watch(true);
    for (int i = 0; !g1->cut && i < 200; i++)
        cluster_step();
    assert_true(g1->cut);
    cluster_watch(false);
    cluster.fault = NULL;
    g2->cut = false;
}

static void give(struct cluster_given *given, enum store_step_kind kind, enum request_state state,
                 const char *id, const char *record)
{
    cluster_give(g1, given, kind, state, id);
    given->step.record = record;
    cluster_wait(&given->done, "the step");
}

/* g1 counts as dead, and g2 has all that was its. */
static void g2_takes_over(void)
{
    for (int i = 0; (cluster_keys(P "m/g1") || cluster_keys(P "d/")) && i < 5000; i++)
        cluster_step();
    assert_int_equal(cluster_keys(P "m/g1") + cluster_keys(P "d/"), 0);
}

static const char *named(void)
{
    const char *value = fake_etcd_get(cluster.keys, P "m/g1"), *at = value ? strstr(value, "\"e\":") : NULL;

    return at ? at : "";
}

static void assert_told(const struct cluster_node *n, const char *lease, const char *record)
{
    assert_int_equal(n->unrecorded, 1);
    assert_string_equal(n->end.lease, lease);
    assert_string_equal(n->end.record, record);
    assert_string_equal(n->end.vault, "safe");
    assert_string_equal(n->end.name, "41");
    assert_memory_equal(n->end.from, "g1@", 3);
    assert_true(n->end.at_wall_ms > 0);
}

/* ---- cases ---- */

TEST(an_end_whose_answer_the_gateway_has_not_seen_is_told_to_its_adopter)
{
    static struct cluster_given given;

    give_and_die(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "session_ended poll pra one", CLUSTER_AFTER,
                 0);
    g2_takes_over();
    assert_told(g2, "a", "session_ended poll pra one");
    g1->cut = false;
    cluster_wait(&given.done, "the step");
    assert_int_equal(given.outcome, STORE_AWAY);
    cluster_advance(SECONDS(30));
    assert_int_equal(g2->unrecorded, 1);
    assert_int_equal(g1->unrecorded, 0);
}

TEST(an_end_that_has_not_happened_is_not_told)
{
    static struct cluster_given given;

    give_and_die(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released", CLUSTER_BEFORE, 0);
    g2_takes_over();
    assert_int_equal(g2->unrecorded, 0);
    g1->cut = false;
    cluster_wait(&given.done, "the step");
}

TEST(an_end_whose_record_is_not_on_disk_is_told)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    assert_int_equal(given.outcome, STORE_APPLIED);
    cluster_advance(SECONDS(5));
    assert_non_null(strstr(named(), "\"i\":\"a\""));
    g1->cut = true;
    g2_takes_over();
    assert_told(g2, "a", "released");
    g1->cut = false;
}

TEST(an_end_whose_record_is_on_disk_is_named_no_more)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    cluster_advance(SECONDS(2));
    assert_string_not_equal(named(), "");
    g1->trail_settled = 6;
    cluster_advance(SECONDS(2));
    assert_string_not_equal(named(), "");
    g1->trail_taken = 8; /* another record */
    g1->trail_settled = 7;
    cluster_advance(SECONDS(2));
    assert_string_equal(named(), "");
    g1->cut = true;
    g2_takes_over();
    assert_int_equal(g2->unrecorded, 0);
    g1->cut = false;
}

TEST(an_end_without_a_record_is_not_named)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", NULL);
    cluster_advance(SECONDS(2));
    assert_string_equal(named(), "");
}

/* The step reads the lsid first, and nothing has ended when the gateway dies. */
TEST(a_lease_that_goes_on_has_no_end)
{
    static struct cluster_given given;

    give_and_die(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released", CLUSTER_AFTER, 0);
    fake_etcd_put(cluster.keys, P "h/safe/41/a", "x/y"); /* as if it had not gone */
    g2_takes_over();
    assert_int_equal(g2->unrecorded, 0);
    g1->cut = false;
    cluster_wait(&given.done, "the step");
}

/* The first flight shows the lsid, which the step lacks, and ends nothing; the second one ends the lease. */
TEST(a_step_that_flies_twice_names_its_lease_once)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    cluster_give(g1, &given, STEP_RELEASE, REQUEST_RETURNING, "a");
    given.step.lease.holder.lsid = given.step.request.asker.lsid = "";
    given.step.record = "released";
    cluster_wait(&given.done, "the step");
    assert_int_equal(given.outcome, STORE_APPLIED);
    cluster_advance(SECONDS(2));
    g1->cut = true;
    g2_takes_over();
    assert_told(g2, "a", "released");
    g1->cut = false;
}

TEST(an_end_that_another_gateway_was_quicker_with_is_named_no_more)
{
    static struct cluster_given given, second;

    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    cluster_advance(SECONDS(2));
    g1->trail_taken = 7;
    give(&second, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    assert_int_equal(second.outcome, STORE_OTHERWISE);
    cluster_advance(SECONDS(2));
    assert_string_equal(named(), "");
}

/* The leases of a request whose time is over go with its row, in transactions that are no flights. */
TEST(leases_that_go_with_their_request_are_told)
{
    for (unsigned before = 0; before < 12; before++) {
        static struct cluster_given given;

        give(&given, STEP_END, REQUEST_RETURNING, "a", NULL);
        assert_int_equal(given.outcome, STORE_APPLIED);
        g1->trail_taken = 7;
        give_and_die(&given, STEP_CLOSE, REQUEST_RETURNING, "a", NULL, CLUSTER_AFTER, before);
        unsigned held = cluster_keys(P "h/safe/41/");

        case_label("%u", before);
        g2_takes_over();
        assert_int_equal(g2->unrecorded + held, 2);
        if (!held)
            assert_string_equal(g2->end.record, "expired");
        g1->cut = false;
        cluster_wait(&given.done, "the step");
        bool is_over = given.outcome == STORE_APPLIED;

        if (is_over)
            return;
        (void)teardown(NULL);
        (void)setup(NULL);
    }
}

/* Its records may not be on disk: who takes over from it tells once more. */
TEST(an_adopter_that_dies_has_told_another_one)
{
    static struct cluster_given given;

    give_and_die(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released", CLUSTER_AFTER, 0);
    g2->trail_taken = 1;
    for (int i = 0; !g2->unrecorded && i < 5000; i++)
        cluster_step();
    assert_told(g2, "a", "released");
    cluster_advance(SECONDS(1));
    assert_int_equal(cluster_keys(P "d/g1"), 1); /* waits for its trail */
    g2->cut = true;
    g1->cut = false;
    for (int i = 0; !g1->unrecorded && i < 20000; i++)
        cluster_step();
    assert_told(g1, "a", "released");
    g2->cut = false;
    cluster_advance(SECONDS(30));
    assert_int_equal(cluster_keys(P "d/"), 0);
}

TEST(a_trail_that_cannot_be_written_holds_no_adoption_up)
{
    static struct cluster_given given;

    give_and_die(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released", CLUSTER_AFTER, 0);
    g2->trail_taken = 1;
    g2_takes_over();
    assert_told(g2, "a", "released");
    g1->cut = false;
    cluster_wait(&given.done, "the step");
}

/* It tells itself what its process of before may not have recorded. */
TEST(a_gateway_that_starts_again_is_told)
{
    static struct cluster_given given;

    cluster_close(g2);
    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    cluster_advance(SECONDS(2));
    g1->cut = true;
    cluster_close(g1);
    g1->cut = false;
    assert_true(cluster_open(g1));
    cluster_advance(SECONDS(5));
    assert_told(g1, "a", "released");
    assert_int_equal(cluster_keys(P "d/"), 0);
}

static void on_left(void *arg, bool taken)
{
    struct cluster_node *n = arg;

    n->left = true;
    n->taken = taken;
}

static bool hands_over(void)
{
    const char *value = fake_etcd_get(cluster.keys, P "m/g1");

    return !value || strstr(value, "\"g\":1");
}

/* Records that are on their way to the disk are waited for. */
TEST(a_gateway_that_stops_names_none)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    g1->store->ops->leave(g1->store, on_left, g1);
    cluster_advance(800);
    assert_false(hands_over());
    g1->trail_settled = 7;
    cluster_wait(&g1->left, "the hand-over");
    g2_takes_over();
    assert_int_equal(g2->unrecorded, 0);
}

TEST(a_trail_that_cannot_be_written_holds_no_stop_up)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    g1->store->ops->leave(g1->store, on_left, g1);
    cluster_wait(&g1->left, "the hand-over");
    g2_takes_over();
    assert_told(g2, "a", "released");
}

/* Others record what it has named: it names none of that as the member that it becomes. */
TEST(a_gateway_that_was_fenced_names_none)
{
    static struct cluster_given given;

    g1->trail_taken = 7;
    give(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released");
    cluster_advance(SECONDS(2));
    assert_string_not_equal(named(), "");
    g1->cut = true;
    g2_takes_over();
    g1->cut = false;
    for (int i = 0; !cluster_keys(P "m/g1") && i < 5000; i++)
        cluster_step();
    cluster_advance(SECONDS(5));
    assert_int_equal(cluster_keys(P "m/g1"), 1);
    assert_string_equal(named(), "");
    assert_int_equal(g2->unrecorded, 1);
}

static unsigned failing; /* calls, after those that are spared */

static enum cluster_fault some_calls(const char *path)
{
    (void)path;
    if (!spared && !failing)
        return CLUSTER_GOOD;
    if (spared) {
        spared--;
        return CLUSTER_GOOD;
    }
    failing--;
    return planned;
}

/* What it could not read it reads once more. */
TEST(an_adopter_whose_calls_fail_tells_what_has_happened)
{
    static const enum cluster_fault faults[] = {CLUSTER_BEFORE, CLUSTER_AFTER, CLUSTER_503, CLUSTER_EMPTY};

    for (unsigned i = 0; i < 4 * 2 * 15; i++) {
        static struct cluster_given given;
        bool ends = i & 1;

        case_label("%u", i);
        give_and_die(&given, STEP_RELEASE, REQUEST_RETURNING, "a", "released",
                     ends ? CLUSTER_AFTER : CLUSTER_BEFORE, 0);
        if (!ends) /* named by a member of before, and goes on */
            fake_etcd_put(cluster.keys, P "d/g1@1",
                          "{\"e\":[{\"i\":\"a\",\"v\":\"safe\",\"r\":\"41\",\"w\":\"released\"}]}");
        planned = faults[i / 2 % 4];
        spared = i / 8;
        failing = 4; /* more than there are members of etcd to ask */
        cluster.fault = some_calls;
        cluster_watch(true);
        g2_takes_over();
        cluster_watch(false);
        cluster.fault = NULL;
        assert_int_equal(g2->unrecorded, ends);
        g1->cut = false;
        cluster_wait(&given.done, "the step");
        (void)teardown(NULL);
        (void)setup(NULL);
    }
}

/* ---- the list ---- */

static size_t size_of(const struct etcd_ends *ends)
{
    struct buf out = BUF_INIT(1 << 20);
    struct jsonw w = jsonw_start(&out);

    jsonw_object(&w, NULL);
    etcd_ends_write(ends, &w);
    jsonw_end(&w);
    assert_false(out.failed);
    size_t n = out.len;

    buf_free(&out);
    return n;
}

TEST(while_the_trail_takes_nothing_the_oldest_ends_go)
{
    static const int steps[4 * ETCD_ENDS_MAX];
    struct etcd_ends ends;
    const struct request_row r = {.mark = "m", .vault = "safe", .name = "41"};

    etcd_ends_init(&ends);
    assert_int_equal(size_of(&ends), 2); /* {} */
    for (size_t i = 0; i < 4 * (size_t)ETCD_ENDS_MAX; i++) {
        char id[ID_SIZE];
        const struct lease_row l = {.id = id};

        (void)snprintf(id, sizeof id, "abcdefghijklmnopqrst%06zu", i);
        etcd_ends_add(&ends, &steps[i], &r, &l, "released", 1795895628123);
        etcd_ends_decide(&ends, &steps[i], true);
        etcd_ends_settle(&ends, i + 1, 0);
    }
    assert_int_equal(ends.n, ETCD_ENDS_MAX);
    assert_int_equal(ends.undecided, 0);
    assert_true(size_of(&ends) < 60000); /* etcd_self_value() has room for it */
    etcd_ends_settle(&ends, 4 * (size_t)ETCD_ENDS_MAX, 4 * (size_t)ETCD_ENDS_MAX - 1);
    assert_int_equal(ends.n, 1); /* the newest stay */
    etcd_ends_clear(&ends);
    assert_int_equal(ends.n, 0);
}

TEST(what_is_undecided_stays_and_more_is_not_named)
{
    struct etcd_ends ends;
    const struct request_row r = {.mark = "m", .vault = "safe", .name = ""};
    const struct lease_row l = {.id = "a"};
    static const int steps[ETCD_ENDS_MAX + 1];

    etcd_ends_init(&ends);
    for (size_t i = 0; i <= ETCD_ENDS_MAX; i++)
        etcd_ends_add(&ends, &steps[i], &r, &l, "released", 1);
    assert_int_equal(ends.n, ETCD_ENDS_MAX);
    etcd_ends_settle(&ends, 9, 9);
    assert_int_equal(ends.n, ETCD_ENDS_MAX);
    etcd_ends_decide(&ends, &steps[0], false);
    assert_int_equal(ends.n, ETCD_ENDS_MAX - 1);
    etcd_ends_clear(&ends);
}

TEST(a_list_that_no_gateway_has_written_is_read_as_far_as_it_goes)
{
    static const struct {
        const char *value, *leases;
    } cases[] = {{"{}", ""},
                 {"x", ""},
                 {"{\"e\":7}", ""},
                 {"{\"e\":[]}", ""},
                 {"{\"e\":[{\"i\":\"a\",\"v\":\"safe\",\"r\":\"1\",\"z\":{\"y\":[]}}]}", "a "},
                 {"{\"e\":[7,{\"i\":\"a\"},{\"v\":1}]}", " a  "},
                 {"{\"e\":[{\"i\":\"abcdefghijklmnopqrstuvwxyz7\"}]}", " "}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_end end;
        const char *mark;
        char found[64] = "";
        cJSON *list;

        case_label("%s", cases[i].value);
        assert_true(etcd_ends_take(cases[i].value, strlen(cases[i].value), &list));
        for (int n = 0; etcd_ends_read(list, n, &end, &mark); n++) {
            size_t used = strlen(found);

            (void)snprintf(found + used, sizeof found - used, "%s ", end.lease);
        }
        assert_string_equal(found, cases[i].leases);
        cJSON_Delete(list);
    }
}

/* What this version does not know of an entry goes along. */
TEST(a_list_is_copied_as_it_stands)
{
    static const char value[] = "{\"i\":\"g1\",\"q\":7,\"e\":[{\"i\":\"a\",\"t\":1795895628123,\"z\":[1]}]}";
    struct buf out = BUF_INIT(1000);

    etcd_ends_copy(&out, value, strlen(value));
    assert_string_equal(buf_cstr(&out), ",\"e\":[{\"i\":\"a\",\"t\":1795895628123,\"z\":[1]}]");
    buf_free(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_end_whose_answer_the_gateway_has_not_seen_is_told_to_its_adopter),
        T(an_end_that_has_not_happened_is_not_told),
        T(an_end_whose_record_is_not_on_disk_is_told),
        T(an_end_whose_record_is_on_disk_is_named_no_more),
        T(an_end_without_a_record_is_not_named),
        T(a_lease_that_goes_on_has_no_end),
        T(a_step_that_flies_twice_names_its_lease_once),
        T(an_end_that_another_gateway_was_quicker_with_is_named_no_more),
        T(leases_that_go_with_their_request_are_told),
        T(an_adopter_that_dies_has_told_another_one),
        T(a_trail_that_cannot_be_written_holds_no_adoption_up),
        T(a_gateway_that_starts_again_is_told),
        T(a_gateway_that_stops_names_none),
        T(a_trail_that_cannot_be_written_holds_no_stop_up),
        T(a_gateway_that_was_fenced_names_none),
        T(an_adopter_whose_calls_fail_tells_what_has_happened),
        cmocka_unit_test(while_the_trail_takes_nothing_the_oldest_ends_go),
        cmocka_unit_test(what_is_undecided_stays_and_more_is_not_named),
        cmocka_unit_test(a_list_that_no_gateway_has_written_is_read_as_far_as_it_goes),
        cmocka_unit_test(a_list_is_copied_as_it_stands),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
