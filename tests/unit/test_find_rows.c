/* SPDX-License-Identifier: Apache-2.0 */
/* Merging, de-duplication and order of credentials on random lists, against a slow and simple oracle. */
#include "check.h"

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
static struct account random_row(void)
{
    struct account row = {
        .kind = (enum account_kind)pick(KIND_ALIAS),
        .system_id = (int64_t)pick(6),
        .account_id = (int64_t)pick(9),
        .application_id = (int64_t)pick(2),
    };

    row.system = systems[(size_t)row.system_id % 5];
    row.account = accounts[(size_t)row.account_id % 6];
    row.domain = domains[(size_t)(row.account_id + row.system_id) % 5];
    row.application = row.application_id ? "App" : NULL;
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
                struct account row = random_row();
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
};

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void expect(struct expected *e, size_t v, const char *vault, const struct account *row)
{
    static const char ranks[KIND_NKINDS] = {
        [KIND_LOCAL] = '0',       [KIND_DOMAIN_LINKED] = '1', [KIND_DATABASE] = '2',
        [KIND_APPLICATION] = '3', [KIND_CLOUD] = '4',         [KIND_ALIAS] = '4'};
    bool exact = strcasecmp(row->system, "web01") == 0 || strcmp(row->system, "10.0.0.5") == 0;
    char folded[200];

    if (row->kind == KIND_APPLICATION && row->application)
        (void)snprintf(e->shown, sizeof(e->shown), "%s (%s)", row->account, row->application);
    else if (row->domain && *row->domain)
        (void)snprintf(e->shown, sizeof(e->shown), "%s\\%s (%s)", row->domain, row->account, row->system);
    else
        (void)snprintf(e->shown, sizeof(e->shown), "%s (%s)", row->account, row->system);
    memcpy(folded, e->shown, sizeof(folded));
    lower(folded);
    credential_id_write(e->id, vault, row);
    (void)snprintf(e->identity, sizeof(e->identity), "%zu/%d/%d/%d", v, (int)row->system_id,
                   (int)row->account_id, (int)row->application_id);
    (void)snprintf(e->key, sizeof(e->key), "%c%c%s\x01%s\x01%s", exact ? '0' : '1', ranks[row->kind], folded,
                   e->shown, e->id);
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
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            if (strcmp(out[k].key, out[i].key) < 0) {
                struct expected swap = out[i];
                out[i] = out[k];
                out[k] = swap;
            }
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
        cmocka_unit_test(no_row_is_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
