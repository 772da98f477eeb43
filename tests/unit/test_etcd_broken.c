/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_broken.c - each way through the store on etcd (cluster_rig.h) with an answer of which one member
 * is missing, or is of another kind than etcd writes.
 *
 * The store takes such an answer as none: no outcome differs, no row is lost, and in the end etcd has the
 * same keys. A few harms are no harm to see: the answer is one that etcd could give. Then outcomes differ,
 * and the store heals.
 *
 * Each member of each answer meets one harm, and from answer to answer another one; a token meets each, and
 * with JG_BROKEN_ANSWERS=all all do.
 */
#include "cluster_rig.h"

#include "base/log.h"
#include "check.h"
#include "stores/etcd_txn.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 400

/* ---- members and harms ---- */

enum member {
    CLUSTER_ID,
    REVISION,
    SUCCEEDED,
    RESPONSES,
    KVS,
    KEY,
    VALUE,
    CREATED,
    CHANGED,
    COUNT,
    TOKEN,
    NMEMBERS
};
static const char *const members[NMEMBERS] = {
    [CLUSTER_ID] = "cluster_id", [REVISION] = "revision", [SUCCEEDED] = "succeeded",
    [RESPONSES] = "responses",   [KVS] = "kvs",           [KEY] = "key",
    [VALUE] = "value",           [COUNT] = "count",       [CREATED] = "create_revision",
    [CHANGED] = "mod_revision",  [TOKEN] = "token"};

enum harm { GONE, NIL, NO, NEGATIVE, HUGE_NUMBER, STRANGE, TOO_LARGE, NO_ITEMS, NO_MEMBERS, CUT, NHARMS };
static const char *const harms[NHARMS] = {[GONE] = NULL,
                                          [NIL] = "null",
                                          [NO] = "false",
                                          [NEGATIVE] = "-1",
                                          [HUGE_NUMBER] = "1e300",
                                          [STRANGE] = "\"!\\\"\"",
                                          [TOO_LARGE] = "\"99999999999999999999\"",
                                          [NO_ITEMS] = "[]",
                                          [NO_MEMBERS] = "{}",
                                          [CUT] = NULL};

/* An answer with this harm is one that etcd could give: an empty value, which is left out, another key,
 * value or revision, or another cluster. */
static bool is_seen(enum member m, enum harm h)
{
    switch (m) {
    case VALUE: return h != GONE && h != NIL && h != TOO_LARGE;
    case KEY: return h != TOO_LARGE;
    case REVISION:
    case CREATED:
    case CHANGED: return h != CUT;
    case CLUSTER_ID: return h != STRANGE && h != TOO_LARGE && h != CUT;
    default: return true;
    }
}

/* ---- an answer ---- */

struct found {
    cJSON *at[2], *parents[2]; /* the first one, and the last one */
    unsigned n;
};

static void find(cJSON *parent, const char *name, struct found *f)
{
    cJSON *child;

    cJSON_ArrayForEach(child, parent)
    {
        if (child->string && strcmp(child->string, name) == 0) {
            size_t last = f->n++ > 0;

            f->at[last] = child;
            f->parents[last] = parent;
        }
        find(child, name, f);
    }
}

static void shorten(cJSON *item)
{
    if (cJSON_IsArray(item))
        cJSON_DeleteItemFromArray(item, cJSON_GetArraySize(item) - 1);
    else if (cJSON_IsString(item) && *item->valuestring)
        item->valuestring[strlen(item->valuestring) - 1] = '\0';
}

static void do_harm(cJSON *parent, cJSON *item, enum harm harm)
{
    if (harm == CUT)
        shorten(item);
    else if (harm == GONE)
        cJSON_Delete(cJSON_DetachItemViaPointer(parent, item));
    else {
        cJSON *other = cJSON_Parse(harms[harm]);

        assert_non_null(other);
        other->string = strdup(item->string);
        assert_true(cJSON_ReplaceItemViaPointer(parent, item, other));
    }
}

/* ---- a run ---- */

static struct {
    unsigned call; /* that is harmed; 0 = none */
    enum member member;
    enum harm harm;
    size_t last; /* 1 = the last one of that name */
    bool done;
} plan;
static unsigned counts[CALLS_MAX][NMEMBERS]; /* in a run without harm */
static unsigned met[NMEMBERS][NHARMS];

/* The revisions in the heads of the responses are not read. */
static unsigned count_of(const struct found *f, enum member m)
{
    return m == REVISION && f->n ? 1 : f->n;
}

static void note(cJSON *answer)
{
    assert_in_range(cluster.calls, 1, CALLS_MAX - 1);
    for (int m = 0; m < NMEMBERS; m++) {
        struct found f = {.n = 0};

        find(answer, members[m], &f);
        counts[cluster.calls][m] = count_of(&f, (enum member)m);
    }
}

static void spoil(const char *path, struct buf *body)
{
    cJSON *answer = cJSON_ParseWithLength(body->data, body->len);
    struct found f = {.n = 0};

    (void)path;
    assert_non_null(answer);
    if (!plan.call) {
        note(answer);
    } else if (cluster.calls == plan.call) {
        find(answer, members[plan.member], &f);
        assert_true(f.n > 0);
        size_t last = plan.last && f.n > 1;

        do_harm(f.parents[last], f.at[last], plan.harm);
        char *text = cJSON_PrintUnformatted(answer);

        buf_clear(body);
        assert_int_equal(buf_str(body, text), 0);
        cJSON_free(text);
        plan.done = true;
    }
    cJSON_Delete(answer);
}

static void run(const struct cluster_scenario *s, enum harm harm)
{
    plan.harm = harm;
    plan.done = false;
    cluster.is_lenient = !is_seen(plan.member, harm);
    case_label("%s: call %u: %s %s, harm %d", s->name, plan.call, plan.last ? "last" : "first",
               members[plan.member], (int)harm);
    s->run();
    if (!plan.done)
        fail_msg("%s: no such call", case_text);
    met[plan.member][harm]++;
}

/* Harms in their turn, so that a member that is in many answers meets all. */
static void harm_member(const struct cluster_scenario *s, bool all)
{
    static unsigned turns[NMEMBERS];

    for (plan.last = 0; plan.last < 2 && plan.last < counts[plan.call][plan.member]; plan.last++) {
        if (!all && plan.member != TOKEN) {
            run(s, (enum harm)(turns[plan.member]++ % NHARMS));
            continue;
        }
        for (int harm = 0; harm < NHARMS; harm++)
            run(s, (enum harm)harm);
    }
}

static void each(void **state)
{
    const struct cluster_scenario *s = *state;
    const char *all = getenv("JG_BROKEN_ANSWERS");

    plan.call = 0;
    cluster.is_lenient = false;
    memset(counts, 0, sizeof counts);
    s->run();
    unsigned calls = cluster.calls;

    assert_in_range(calls, 1, CALLS_MAX - 1);
    for (plan.call = 1; plan.call <= calls; plan.call++)
        for (int m = 0; m < NMEMBERS; m++) {
            plan.member = (enum member)m;
            harm_member(s, all && strcmp(all, "all") == 0);
        }
    case_text[0] = '\0';
}

/* Each member has met each harm. */
static void all_met(void **state)
{
    (void)state;
    for (int m = 0; m < NMEMBERS; m++)
        for (int h = 0; h < NHARMS; h++)
            if (!met[m][h])
                fail_msg("%s has not met harm %d", members[m], h);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[32];
    size_t n = cluster_nscenarios;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    cluster.spoil = spoil;
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){.name = cluster_scenarios[i].name,
                                       .test_func = each,
                                       .initial_state = (void *)(uintptr_t)&cluster_scenarios[i]};
    tests[n++] = (struct CMUnitTest){.name = "all_met", .test_func = all_met};
    return _cmocka_run_group_tests("test_etcd_broken", tests, n, NULL, NULL);
}
