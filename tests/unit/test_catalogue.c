/* SPDX-License-Identifier: Apache-2.0 */
/* The search itself: folding, ranks against brute force, filters, the bound on memory, the cost of a search.
 */
#include "check.h"

#include "base/clock.h"
#include "broker/catalogue/catalogue.h"
#include "broker/catalogue/directory_index.h"
#include "plain_rank.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_vault plain = {.name = "main"};

TEST(folds_letters)
{
    static const char *const pairs[][2] = {
        {"WEB-01.Example", "web-01.example"},
        {"M\xc3\x9cNCHEN", "m\xc3\xbcnchen"}, /* Latin-1 */
        {"\xc5\x81\xc3\x93"
         "D\xc5\xb9",
         "\xc5\x82\xc3\xb3"
         "d\xc5\xba"}, /* Latin Extended */
        {"\xce\x91\xce\x98\xce\x97\xce\x9d\xce\x91\xce\xa3",
         "\xce\xb1\xce\xb8\xce\xb7\xce\xbd\xce\xb1\xcf\x82"},
        {"\xd0\x9c\xd0\x9e\xd0\xa1\xd0\x9a\xd0\x92\xd0\x90",
         "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0"},
        {"\xe6\x9d\xb1\xe4\xba\xac", "\xe6\x9d\xb1\xe4\xba\xac"},
        {"\xff\xc3", "\xff\xc3"},                    /* no UTF-8 */
        {"Mu\xcc\x88nchen", "m\xc3\xbcnchen"},       /* with a mark of its own */
        {"VIE\xcc\xa3\xcc\x82T", "vi\xe1\xbb\x87t"}, /* with two */
        {"\xce\x91\xcc\x93\xcd\x85", "\xe1\xbe\x80"},
        {"\xe3\x81\x8b\xe3\x82\x99", "\xe3\x81\x8c"},
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xa1", "\xed\x95\x9c\xea\xb0\x80"},
        {"\xe2\x80\x8bweb\xc2\xad-\xe2\x80\x8e"
         "01\xef\xbb\xbf",
         "web-01"}, /* hidden letters */
        {"u\xe2\x80\x8b\xcc\x88", "\xc3\xbc"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(casefold_equal(pairs[i][0], pairs[i][1]));
        assert_false(casefold_equal(pairs[i][0], "x"));
    }
    assert_false(casefold_equal("web", "web1"));
    assert_false(casefold_equal(NULL, "web"));
    assert_false(casefold_equal("\xc3\x97", "\xc3\xb7")); /* times and division are no letters */
    assert_false(casefold_equal("u", "u\xcc\x88"));
    assert_false(casefold_equal("\xcc\x88", "")); /* a mark with nothing to join */
    assert_false(casefold_equal("x\xcc\x88\xcc\x88", "\xe1\xba\x8d"));
    assert_int_equal(casefold_join('u', 0x308), 0xfc);
    assert_int_equal(casefold_join('u', 0x483), 0);
    assert_int_equal(casefold_join(0xac00, 0x11a7), 0);
    assert_int_equal(casefold_join(0xac01, 0x11a8), 0); /* it has a tail */
}

/* Folding never needs more room than it says. */
TEST(folding_fits)
{
    char text[64], out[CASEFOLD_SIZE(64)];

    srand(7);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % sizeof(text);
        for (size_t k = 0; k < n; k++)
            text[k] = (char)(rand() % 3 ? rand() : 0xc0 + rand() % 0x30);
        assert_true(casefold_text(out, text, n) <= CASEFOLD_SIZE(n));
    }
    for (uint32_t c = 0x80; c < 0x11000; c++) { /* each letter alone */
        char letter[4];
        size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        uint32_t left = c;
        for (size_t k = n; k-- > 1; left >>= 6)
            letter[k] = (char)(0x80 | (left & 0x3f));
        letter[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | left);
        assert_true(casefold_text(out, letter, n) <= CASEFOLD_SIZE(n));
    }
}

static struct system_entry *entry(int64_t id, const char *name, const char *dns, const char *ip,
                                  const char *description)
{
    struct system_entry *made = system_entry_new(&(struct system_entry_facts){
        .system_id = id, .name = name, .dns = dns, .ip = ip, .description = description});

    assert_non_null(made);
    return made;
}

TEST(ranks_over_all_names)
{
    static const struct {
        const char *query;
        enum match_rank rank;
    } row[] = {
        {"web01", MATCH_EXACT},
        {" WEB01 ", MATCH_EXACT},
        {"web01.acme.test", MATCH_EXACT},
        {"10.0.0.5", MATCH_EXACT},
        {"web", MATCH_PREFIX},
        {"10.0", MATCH_PREFIX},
        {"web ledger", MATCH_PREFIX},
        {"acme", MATCH_WORD_START},
        {"ledger", MATCH_WORD_START},
        {"ledger web", MATCH_WORD_START},
        {"edger", MATCH_INSIDE},
        {"eb01", MATCH_INSIDE},
        {"ledger edger", MATCH_INSIDE},
        {"web01 nowhere", MATCH_NOT},
        {"testledger", MATCH_NOT}, /* not across two texts */
        {"", MATCH_EXACT},
    };
    struct system_query inside;
    struct system_entry *one = entry(1, "Web01", "web01.acme.test", "10.0.0.5", "Ledger of the north");

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct system_query query;
        assert_int_equal(system_query_make(row[i].query, &query), 0);
        if (system_entry_rank(one, &query, MATCH_NOT) != row[i].rank)
            fail_msg("'%s': %d, not %d", row[i].query, (int)system_entry_rank(one, &query, MATCH_NOT),
                     (int)row[i].rank);
        system_query_free(&query);
    }
    assert_int_equal(system_query_make("edger", &inside),
                     0); /* no better than what is of use: not searched */
    assert_int_equal(system_entry_rank(one, &inside, MATCH_INSIDE), MATCH_INSIDE);
    assert_int_equal(system_entry_rank(one, &inside, MATCH_WORD_START), MATCH_NOT);
    system_query_free(&inside);
    assert_string_equal(one->text, "Web01");
    assert_string_equal(system_entry_text(one, one->dns), "web01.acme.test");
    assert_null(system_entry_text(one, one->network));
    system_entry_unref(one);
}

/* A name alone ranks as plain_rank() says. */
TEST(agrees_with_the_plain_rank)
{
    static const char letters[] = "ab -.1";
    char name[12], typed[12];

    srand(3);
    for (int turn = 0; turn < 50000; turn++) {
        size_t nn = 1 + (size_t)rand() % 10, nt = (size_t)rand() % 6;
        struct system_query query;
        struct system_entry *one;
        for (size_t i = 0; i < nn; i++)
            name[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
        for (size_t i = 0; i < nt; i++)
            typed[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
        name[nn] = typed[nt] = '\0';
        if (strspn(typed, " ") == nt)
            continue;
        one = entry(1, name, NULL, NULL, NULL);
        assert_int_equal(system_query_make(typed, &query), 0);
        if (system_entry_rank(one, &query, MATCH_NOT) != plain_rank(typed, name))
            fail_msg("'%s' in '%s': %d, not %d", typed, name, (int)system_entry_rank(one, &query, MATCH_NOT),
                     (int)plain_rank(typed, name));
        system_query_free(&query);
        system_entry_unref(one);
    }
}

/* ---- catalogues ---- */

#define MANY 20000

static void make_name(char out[48], unsigned i)
{
    static const char *const roles[] = {"web", "db", "app", "file", "mail", "print", "build"};
    static const char *const sites[] = {"ber", "muc", "lon", "nyc", "sin"};

    (void)snprintf(out, 48, "%s-%s-%05u", roles[i % 7], sites[i / 7 % 5], i);
}

static struct account_list *accounts_on(unsigned n, unsigned step)
{
    struct account_list *list = account_list_new();

    assert_non_null(list);
    for (unsigned i = 0; i < n; i += step) {
        char name[48];
        struct account row = {.kind = KIND_LOCAL, .system_id = i + 1, .account_id = 2 * i, .system = name};
        make_name(name, i);
        row.account = "root";
        assert_int_equal(account_list_add(list, &row), 0);
        row.account_id++;
        assert_int_equal(account_list_add(list, &row), 0);
    }
    return list;
}

static struct system_index *book_of(unsigned n)
{
    struct directory_list *systems = directory_list_new(), *platforms = directory_list_new(),
                          *workgroups = directory_list_new();
    struct system_index_sources from = {&plain, systems, platforms, workgroups};
    struct system_index *index;

    assert_true(systems && platforms && workgroups);
    assert_int_equal(directory_list_add(
                         platforms,
                         &(struct directory_row){
                             .id = 2, .name = "Linux", .port = 22, .session_type = "SSH", .ssh_keys = true}),
                     0);
    assert_int_equal(
        directory_list_add(
            platforms,
            &(struct directory_row){.id = 25, .name = "Windows", .port = 3389, .session_type = "RDP"}),
        0);
    assert_int_equal(directory_list_add(workgroups, &(struct directory_row){.id = 1, .name = "Default"}), 0);
    for (unsigned i = n; i-- > 0;) {
        char name[48], dns[80], ip[24], description[64];
        struct directory_row row = {
            .id = i + 1, .platform_id = i % 3 ? 2 : 25, .workgroup_id = 1, .name = name};
        make_name(name, i);
        (void)snprintf(dns, sizeof(dns), "%s.corp.example.com", name);
        (void)snprintf(ip, sizeof(ip), "10.%u.%u.%u", i / 62500, i / 250 % 250, i % 250 + 1);
        (void)snprintf(description, sizeof(description), "rack %u, row %u", i % 97, i % 13);
        row.host = name;
        row.dns = dns;
        row.ip = ip;
        row.description = description;
        assert_int_equal(directory_list_add(systems, &row), 0);
    }
    index = system_index_make(&from);
    assert_non_null(index);
    directory_list_free(systems);
    directory_list_free(platforms);
    directory_list_free(workgroups);
    return index;
}

static struct catalogue *catalogue_of(unsigned n, unsigned step, const struct system_index *index)
{
    struct account_list *list = accounts_on(n, step);
    struct catalogue *made = catalogue_make(
        &(struct catalogue_sources){.conf = &plain, .index = index, .lists = &list, .nlists = 1});

    assert_non_null(made);
    account_list_unref(list);
    return made;
}

static size_t search(const struct catalogue *catalogue, const char *typed, size_t limit, bool rdp, bool shell,
                     struct catalogue_hit **hits)
{
    struct system_query query;
    struct catalogue_filter wish = {.query = &query, .rdp = rdp, .shell = shell, .limit = limit};
    size_t n;

    assert_int_equal(system_query_make(typed, &query), 0);
    assert_int_equal(catalogue_search(catalogue, &wish, hits, &n), 0);
    system_query_free(&query);
    return n;
}

struct expected {
    const struct catalogue_row *row;
    enum match_rank rank;
};

static int by_expectation(const void *x, const void *y)
{
    const struct expected *a = x, *b = y;

    return a->rank != b->rank ? (int)a->rank - (int)b->rank
                              : system_entry_compare(a->row->entry, b->row->entry);
}

static bool shown(const struct system_entry *one, bool rdp, bool shell)
{
    return one->method == METHOD_RDP ? rdp : one->method == METHOD_SHELL ? shell : rdp || shell;
}

/* Every row is looked at, nothing is left out, then all is sorted: the slow way must agree. */
TEST(agrees_with_brute_force)
{
    static const char *const queries[] = {
        "",     "web",   "WEB ber",      "00", "10.0.1",    "rack 7", "9",
        "corp", "muc-0", "db-lon-00050", "x",  "row 1 web", "-",      "example.com 12"};
    struct system_index *index = book_of(700);
    struct catalogue *catalogue = catalogue_of(900, 3, index); /* some the index does not know */
    struct expected *all = calloc(catalogue->n, sizeof(*all));

    assert_non_null(all);
    assert_int_equal(catalogue->n, 300);
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++)
        for (size_t limit = 0; limit < 400; limit = limit * 3 + 1)
            for (int types = 0; types < 4; types++) {
                struct catalogue_hit *hits;
                bool rdp = types & 1, shell = types & 2;
                size_t n = search(catalogue, queries[q], limit, rdp, shell, &hits), expected = 0;
                for (size_t i = 0; i < catalogue->n; i++) {
                    struct system_query query;
                    struct system_entry *bare = catalogue->row[i].entry;
                    enum match_rank rank;
                    assert_int_equal(system_query_make(queries[q], &query), 0);
                    query.signature = (struct casefold_signature){0}; /* no shortcut */
                    rank = system_entry_rank(bare, &query, MATCH_NOT);
                    system_query_free(&query);
                    if (rank != MATCH_NOT && shown(bare, rdp, shell))
                        all[expected++] = (struct expected){&catalogue->row[i], rank};
                }
                if (!rdp && !shell)
                    expected = n = 0;
                qsort(all, expected, sizeof(*all), by_expectation);
                assert_int_equal(n, expected < limit + 1 ? expected : limit + 1);
                for (size_t i = 0; i < n; i++) {
                    assert_ptr_equal(hits[i].row, all[i].row);
                    assert_int_equal(hits[i].rank, all[i].rank);
                }
                free(hits);
            }
    free(all);
    catalogue_unref(catalogue);
    system_index_free(index);
}

TEST(counts_accounts_once)
{
    struct account_list *list = accounts_on(2, 1);
    struct account
        again = {.kind = KIND_DOMAIN_LINKED, .system_id = 1, .account_id = 0, .system = "s", .account = "a"},
        database = {.kind = KIND_DATABASE, .system_id = 9, .account_id = 9, .system = "d", .account = "a"};
    struct catalogue *made;

    assert_int_equal(account_list_add(list, &again), 0);
    assert_int_equal(account_list_add(list, &database), 0);
    made = catalogue_make(&(struct catalogue_sources){.conf = &plain, .lists = &list, .nlists = 1});
    assert_int_equal(made->n, 2);
    assert_int_equal(made->row[0].accounts, 2);
    assert_int_equal(made->row[1].accounts, 2);
    catalogue_unref(made);
    account_list_unref(list);
}

static const struct system_entry *with_platform(const struct conf_vault *conf, int64_t platform_id,
                                                int64_t port, struct system_index **index)
{
    struct directory_list systems = {.n = 1}, platforms = {0};
    static struct directory_row rows[] = {
        {.id = 2, .name = "Linux", .session_type = "SSH", .port = 22},
        {.id = 3, .name = "Windows Server", .session_type = "rdp", .port = 3389},
        {.id = 4, .name = "Appliance"},
        {.id = 5, .name = "Oracle", .port = 1521},
        {.id = 6, .name = "Old Windows", .port = 3389}};
    struct directory_row system = {.id = 1, .name = "s", .platform_id = platform_id, .port = port};

    systems.rows = &system;
    platforms = (struct directory_list){.n = sizeof(rows) / sizeof(rows[0]), .rows = rows};
    *index = system_index_make(&(struct system_index_sources){conf, &systems, &platforms, NULL});
    assert_non_null(*index);
    return system_index_entry(*index, 1);
}

TEST(judges_the_method)
{
    static char map_appliance[] = "appl*:shell", map_linux[] = "2:rdp", map_oracle[] = "ORACLE:shell",
                map_unknown[] = "77:rdp";
    static char *maps[] = {map_appliance, map_linux, map_oracle, map_unknown};
    static const struct {
        int64_t platform, port;
        bool mapped;
        enum jump_method method;
        bool other;
        int64_t shown;
    } row[] = {
        {2, 0, false, METHOD_SHELL, false, 22}, {2, 2222, false, METHOD_SHELL, false, 2222},
        {2, 0, true, METHOD_SHELL, false, 22}, /* the platform's own word goes first */
        {3, 0, false, METHOD_RDP, false, 3389}, {4, 0, false, METHOD_NONE, false, 0},
        {4, 0, true, METHOD_SHELL, false, 0},   {4, 22, false, METHOD_SHELL, false, 22},
        {5, 0, false, METHOD_NONE, true, 1521}, /* a database */
        {5, 0, true, METHOD_SHELL, false, 0},   {6, 0, false, METHOD_RDP, false, 3389},
        {99, 0, false, METHOD_NONE, false, 0},  {99, 3389, false, METHOD_RDP, false, 3389},
        {77, 0, true, METHOD_RDP, false, 0},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct conf_vault conf = {.name = "main", .platform_method = {maps, row[i].mapped ? 4 : 0}};
        struct system_index *index;
        const struct system_entry *one = with_platform(&conf, row[i].platform, row[i].port, &index);
        if (one->method != row[i].method || one->unreachable != row[i].other || one->port != row[i].shown)
            fail_msg("platform %lld port %lld mapped %d: method %d other %d port %d",
                     (long long)row[i].platform, (long long)row[i].port, row[i].mapped, one->method,
                     one->unreachable, one->port);
        system_index_free(index);
    }
}

TEST(keeps_to_the_network)
{
    struct system_index *index = book_of(30);
    struct catalogue *catalogue = catalogue_of(60, 1, index);
    struct system_query query;
    struct catalogue_filter wish = {
        .query = &query, .rdp = true, .shell = true, .limit = 100, .network = "DEFAULT"};
    struct catalogue_hit *hits;
    size_t n;

    assert_int_equal(system_query_make("", &query), 0);
    assert_int_equal(catalogue_search(catalogue, &wish, &hits, &n), 0);
    assert_int_equal(n, 30); /* of the others the network is not known */
    free(hits);
    wish.network = "Elsewhere";
    assert_int_equal(catalogue_search(catalogue, &wish, &hits, &n), 0);
    assert_int_equal(n, 0);
    free(hits);
    system_query_free(&query);
    catalogue_unref(catalogue);
    system_index_free(index);
}

/* All that a user's catalogue of 20,000 systems takes, the index included. */
TEST(a_row_stays_small)
{
    size_t before = mallinfo2().uordblks, after;
    struct system_index *index = book_of(MANY);
    struct catalogue *catalogue = catalogue_of(MANY, 1, index);
    size_t bytes =
        sizeof(*index) + index->n * sizeof(struct system_entry *) + catalogue->n * sizeof(*catalogue->row);

    for (size_t i = 0; i < index->n; i++)
        bytes += system_entry_size(index->entry[i]) + 16; /* and what malloc keeps for itself */
    after = mallinfo2().uordblks;                         /* 0 where the allocator is another */
    print_message("%zu bytes for each system counted, %zu measured\n", bytes / MANY, (after - before) / MANY);
    assert_int_equal(catalogue->n, MANY);
    assert_true(bytes / MANY <= 300);
    assert_true(after < before || (after - before) / MANY <= 300);
    catalogue_unref(catalogue);
    system_index_free(index);
}

/* No limit is asserted: how fast it is depends on the machine. The numbers are printed for whoever reads
 * them. */
TEST(a_search_is_quick)
{
    static const char *const queries[] = {"web-ber-00", "mail muc", "10.0.12.", "db-lon-04711",
                                          "a",          "corp",     ""};
    struct system_index *index = book_of(MANY);
    struct catalogue *catalogue = catalogue_of(MANY, 1, index);

    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        uint64_t began = clock_measure_us(), took;
        size_t n = 0;
        for (int i = 0; i < 20; i++) {
            struct catalogue_hit *hits;
            n = search(catalogue, queries[q], 200, true, true, &hits);
            free(hits);
        }
        took = clock_measure_us() - began;
        print_message("'%s': %zu hits, %u us\n", queries[q], n, (unsigned)(took / 20));
    }
    catalogue_unref(catalogue);
    system_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_letters),           cmocka_unit_test(folding_fits),
        cmocka_unit_test(ranks_over_all_names),    cmocka_unit_test(agrees_with_the_plain_rank),
        cmocka_unit_test(agrees_with_brute_force), cmocka_unit_test(counts_accounts_once),
        cmocka_unit_test(judges_the_method),       cmocka_unit_test(keeps_to_the_network),
        cmocka_unit_test(a_row_stays_small),       cmocka_unit_test(a_search_is_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
