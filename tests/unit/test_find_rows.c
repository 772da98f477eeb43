/* SPDX-License-Identifier: Apache-2.0 */
/* Merging, de-duplication and order of credentials on random lists, against a slow and simple oracle. */
#include "check.h"

#include "backends/password_safe/account_key.h"
#include "broker/find/find_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VAULTS 3
#define ASKS   4
#define MOST   40 /* rows of one list */

static const char *const systems[] = {"web01", "WEB01", "web01.acme.test", "db\xc3\xa9", "10.0.0.5"};
static const char *const accounts[] = {"root", "Root", "admin", "\xc3\xa9ve", "zz top", ""};
static const char *const domains[] = {NULL, "", "ACME", "acme", "b.test"};
static const struct session session = {.username = "u", .hostname = "Web01", .ip_address = "10.0.0.5"};

static size_t pick(size_t n)
{
    return (size_t)rand() % n;
}

/* Few ids, so that the same account comes often; its texts are made from the ids alone, as in a real vault.
 */
static struct account random_row(char key[PS_KEY_SIZE])
{
    struct account row = {
        .kind = (enum account_kind)pick(KIND_ALIAS),
        .system_id = 1 + (int64_t)pick(6),
        .account_id = (int64_t)pick(9),
        .application_id = (int64_t)pick(2),
    };

    row.system = systems[(size_t)row.system_id % 5];
    row.account = accounts[(size_t)row.account_id % 6];
    row.domain = domains[(size_t)(row.account_id + row.system_id) % 5];
    row.application = row.application_id ? "App" : NULL;
    ps_account_key_write(
        key, &(struct ps_account_key){row.kind, row.system_id, row.account_id, row.application_id});
    row.key = key;
    return row;
}

static struct vault_fanout *random_survey(struct vault *vaults)
{
    struct vault_fanout *fanout = calloc(1, sizeof(*fanout));

    assert_non_null(fanout);
    fanout->vault = calloc(VAULTS, sizeof(*fanout->vault));
    assert_non_null(fanout->vault);
    fanout->n = VAULTS;
    for (size_t v = 0; v < VAULTS; v++) {
        struct fanout_vault *sv = &fanout->vault[v];
        sv->vault = &vaults[v];
        sv->state = pick(5) ? FANOUT_ANSWERED : FANOUT_FAILED;
        sv->n = pick(ASKS + 1);
        sv->queries = calloc(ASKS, sizeof(*sv->queries));
        assert_non_null(sv->queries);
        for (size_t k = 0; k < sv->n; k++) {
            struct account_list *list = account_list_new();
            assert_non_null(list);
            for (size_t i = pick(MOST); i > 0; i--) {
                char key[PS_KEY_SIZE];
                struct account row = random_row(key);
                assert_int_equal(account_list_add(list, &row), 0);
            }
            sv->queries[k].wait.accounts = list;
        }
    }
    return fanout;
}

static void free_survey(struct vault_fanout *fanout)
{
    for (size_t v = 0; v < fanout->n; v++) {
        for (size_t k = 0; k < fanout->vault[v].n; k++)
            account_list_unref(fanout->vault[v].queries[k].wait.accounts);
        free(fanout->vault[v].queries);
    }
    free(fanout->vault);
    free(fanout);
}

struct expected {
    char key[800]; /* sorts as the answer does, by strcmp */
    char identity[80];
    char shown[200], id[CREDENTIAL_ID_SIZE];
    const char *vault;
    bool alike; /* a row of another vault is shown in the same way */
};

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

/* Behind its first two letters. */
static void write_key(struct expected *e)
{
    char folded[200];

    memcpy(folded, e->shown, sizeof(folded));
    lower(folded);
    (void)snprintf(e->key + 2, sizeof(e->key) - 2, "%s\x01%s\x01%s", folded, e->shown, e->id);
}

static void expect(struct expected *e, size_t v, const char *vault, const struct account *row)
{
    static const char ranks[KIND_NKINDS] = {
        [KIND_LOCAL] = '0',       [KIND_DOMAIN_LINKED] = '1', [KIND_DATABASE] = '2',
        [KIND_APPLICATION] = '3', [KIND_CLOUD] = '4',         [KIND_ALIAS] = '4'};
    bool exact = strcasecmp(row->system, "web01") == 0 || strcmp(row->system, "10.0.0.5") == 0;

    e->vault = vault;
    if (row->kind == KIND_APPLICATION && row->application)
        (void)snprintf(e->shown, sizeof(e->shown), "%s (%s)", row->account, row->application);
    else if (row->domain && *row->domain)
        (void)snprintf(e->shown, sizeof(e->shown), "%s\\%s (%s)", row->domain, row->account, row->system);
    else
        (void)snprintf(e->shown, sizeof(e->shown), "%s (%s)", row->account, row->system);
    assert_true(credential_id_write(e->id, vault, row));
    (void)snprintf(e->identity, sizeof(e->identity), "%zu/%d/%d/%d", v, (int)row->system_id,
                   (int)row->account_id, (int)row->application_id);
    e->key[0] = exact ? '0' : '1';
    e->key[1] = ranks[row->kind];
    write_key(e);
}

static void sort(struct expected *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            if (strcmp(out[k].key, out[i].key) < 0) {
                struct expected swap = out[i];
                out[i] = out[k];
                out[k] = swap;
            }
}

/* Rows of different vaults that look alike have the names of the vaults behind them, and no other row has. */
static void tell_apart(struct expected *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(out[i].shown, out[k].shown) == 0 && strcmp(out[i].vault, out[k].vault) != 0)
                out[i].alike = true;
    for (size_t i = 0; i < n; i++)
        if (out[i].alike) {
            (void)snprintf(out[i].shown + strlen(out[i].shown), 50, " [%s]", out[i].vault);
            write_key(&out[i]);
        }
}

/* Of each identity the smallest key; then picked smallest first. */
static size_t oracle(const struct vault_fanout *fanout, struct expected *out)
{
    size_t n = 0;

    for (size_t v = 0; v < fanout->n; v++)
        for (size_t k = 0; fanout->vault[v].state == FANOUT_ANSWERED && k < fanout->vault[v].n; k++) {
            const struct account_list *list = fanout->vault[v].queries[k].wait.accounts;
            for (size_t i = 0; i < list->n; i++) {
                struct expected e = {0};
                size_t at = 0;
                expect(&e, v, fanout->vault[v].vault->conf->name, &list->rows[i]);
                while (at < n && strcmp(out[at].identity, e.identity) != 0)
                    at++;
                if (at == n)
                    out[n++] = e;
                else if (strncmp(e.key, out[at].key, 2) < 0 ||
                         (strncmp(e.key, out[at].key, 2) == 0 && strcmp(e.id, out[at].id) < 0))
                    out[at] = e;
            }
        }
    tell_apart(out, n);
    sort(out, n);
    return n;
}

static void one_round(struct vault *vaults, struct expected *expected)
{
    struct vault_fanout *fanout = random_survey(vaults);
    size_t n = oracle(fanout, expected);
    struct find_rows rows;

    assert_int_equal(find_rows_make(fanout, &session, NULL, &rows), 0);
    assert_int_equal(rows.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(rows.row[i].credential_id, expected[i].id);
        assert_string_equal(rows.row[i].display_value, expected[i].shown);
        assert_string_equal(rows.row[i].secret_type, "unknown");
        assert_false(rows.row[i].policy_asked);
        assert_string_equal(rows.row[i].account->system, systems[rows.row[i].account->system_id % 5]);
    }
    find_rows_free(&rows);
    free_survey(fanout);
}

TEST(agrees_with_the_oracle)
{
    struct conf_vault conf[VAULTS] = {{.name = "m"}, {.name = "a"}, {.name = "z"}};
    struct vault vaults[VAULTS];
    struct expected *expected = calloc(VAULTS * ASKS * MOST, sizeof(*expected));

    assert_non_null(expected);
    for (size_t v = 0; v < VAULTS; v++)
        vaults[v] = (struct vault){.conf = &conf[v]};
    for (unsigned seed = 1; seed <= 300; seed++) {
        srand(seed);
        one_round(vaults, expected);
    }
    free(expected);
}

/* Few rows, each with a text of its own, made by the tests below. */
struct one {
    size_t vault;
    const char *account;
    const char *system;
};

static void shown(const struct one *row, size_t n, struct conf_vault *conf, const char *const *expected,
                  size_t nexpected)
{
    struct vault_fanout *fanout = calloc(1, sizeof(*fanout));
    struct vault vaults[2] = {{.conf = &conf[0]}, {.conf = &conf[1]}};
    struct find_rows rows;

    assert_non_null(fanout);
    fanout->vault = calloc(2, sizeof(*fanout->vault));
    assert_non_null(fanout->vault);
    fanout->n = 2;
    for (size_t v = 0; v < 2; v++) {
        struct fanout_vault *sv = &fanout->vault[v];
        *sv = (struct fanout_vault){.vault = &vaults[v], .state = FANOUT_ANSWERED, .n = 1};
        sv->queries = calloc(1, sizeof(*sv->queries));
        assert_non_null(sv->queries);
        sv->queries[0].wait.accounts = account_list_new();
        assert_non_null(sv->queries[0].wait.accounts);
    }
    for (size_t i = 0; i < n; i++) {
        struct account account = {.key = "a",
                                  .system_id = (int64_t)i + 1,
                                  .account_id = (int64_t)i + 1,
                                  .account = row[i].account,
                                  .system = row[i].system};
        assert_int_equal(account_list_add(fanout->vault[row[i].vault].queries[0].wait.accounts, &account), 0);
    }
    assert_int_equal(find_rows_make(fanout, &session, NULL, &rows), 0);
    assert_int_equal(rows.n, nexpected);
    for (size_t i = 0; i < nexpected; i++)
        assert_string_equal(rows.row[i].display_value, expected[i]);
    find_rows_free(&rows);
    free_survey(fanout);
}

TEST(rows_of_two_vaults_that_look_alike_are_marked)
{
    static const struct one rows[] = {{0, "root", "a"}, {1, "root", "a"}, {0, "adm", "a"},
                                      {1, "sa", "a"},   {0, "x", "a"},    {0, "x", "a"}};
    static const char *const expected[] = {"adm (a)", "root (a) [m]", "root (a) [z]",
                                           "sa (a)",  "x (a)",        "x (a)"};
    struct conf_vault conf[2] = {{.name = "m"}, {.name = "z"}};

    shown(rows, 6, conf, expected, 6); /* two rows of one vault are not told apart by its name */
    shown(rows, 2, conf, expected + 1, 2);
}

TEST(a_row_that_is_alone_in_the_answer_is_not_changed)
{
    static const struct one rows[] = {{0, "adm", "a"}, {0, "root", "a"}, {1, "root", "a"}};
    static const char *const expected[] = {"adm (a)", "root (a)"};
    struct conf_vault conf[2] = {{.name = "m", .credential_limit = 1}, {.name = "z"}};

    shown(rows, 3, conf, expected, 2); /* the other `root` is over the limit */
}

/* A marked row that looks like a third one, and a template that has the name itself. */
TEST(marks_do_not_collide)
{
    static char system_only[] = "{system}", with_name[] = "{vault}: {account}";
    static const struct one rows[] = {{0, "1", "a"}, {1, "2", "a"}, {1, "3", "a [m]"}};
    static const char *const expected[] = {"a [m]", "a [m] [z]", "a [z]"};
    static const struct one same[] = {{0, "root", "a"}, {1, "root", "a"}};
    static const char *const named[] = {"m: root", "z: root"};
    struct conf_vault conf[2] = {{.name = "m", .display = system_only},
                                 {.name = "z", .display = system_only}};

    shown(rows, 3, conf, expected, 3);
    conf[0].display = conf[1].display = with_name;
    shown(same, 2, conf, named, 2);
}

TEST(no_row_is_an_answer)
{
    struct vault_fanout fanout = {0};
    struct find_rows rows;

    assert_int_equal(find_rows_make(&fanout, &session, NULL, &rows), 0);
    assert_int_equal(rows.n, 0);
    find_rows_free(&rows);
    find_rows_free(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_oracle),
        cmocka_unit_test(rows_of_two_vaults_that_look_alike_are_marked),
        cmocka_unit_test(a_row_that_is_alone_in_the_answer_is_not_changed),
        cmocka_unit_test(marks_do_not_collide),
        cmocka_unit_test(no_row_is_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
