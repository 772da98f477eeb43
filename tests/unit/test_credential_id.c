/* SPDX-License-Identifier: Apache-2.0 */
/* The opaque name of an account: round trip, one spelling only, nothing made up gets through. */
#include "check.h"

#include "backends/password_safe/account_key.h"
#include "broker/identity/credential_id.h"

#include <inttypes.h>
#include <string.h>

/* What Password Safe and the gateway make of an account together. */
struct whole_id {
    char vault[CONF_NAME_MAX];
    struct ps_account_key key;
};

static void write_id(char id[CREDENTIAL_ID_SIZE], const char *vault, const struct ps_account_key *key)
{
    char text[PS_KEY_SIZE];
    struct account account = {.key = text};

    ps_account_key_write(text, key);
    assert_true(credential_id_write(id, vault, &account));
}

static bool parse_id(const char *id, struct whole_id *out)
{
    struct credential_ref ref;

    if (!credential_id_parse(id, &ref) || !ps_account_key_read(ref.account_key, &out->key))
        return false;
    memcpy(out->vault, ref.vault, sizeof(out->vault));
    return out->key.kind != KIND_NKINDS;
}

static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

TEST(writes_a_known_form)
{
    struct ps_account_key account = {.kind = KIND_DOMAIN_LINKED, .system_id = 31, .account_id = 507};
    char id[CREDENTIAL_ID_SIZE];

    write_id(id, "main", &account);
    assert_string_equal(id, "j1.main.d.31.507.0"); /* stays so: callers keep these */
    endpoint_id_write(id, "m.n", 31, "rdp");
    assert_string_equal(id, "e1.m_2En.31.rdp");
}

TEST(comes_back)
{
    const char *const vaults[] = {"main",           "a",  "two words", "dot.ted", "under_score",
                                  "m\xc3\xbcnchen", "--", "%41"};

    for (int kind = 0; kind < KIND_NKINDS; kind++)
        for (size_t i = 0; i < sizeof(vaults) / sizeof(vaults[0]); i++) {
            struct ps_account_key account = {.kind = (enum account_kind)kind,
                                             .system_id = (int64_t)i,
                                             .account_id = INT64_MAX,
                                             .application_id = kind};
            struct whole_id ref;
            char id[CREDENTIAL_ID_SIZE];
            write_id(id, vaults[i], &account);
            assert_int_equal(strspn(id, allowed), strlen(id));
            assert_true(parse_id(id, &ref));
            assert_string_equal(ref.vault, vaults[i]);
            assert_int_equal(ref.key.kind, kind);
            assert_int_equal(ref.key.system_id, i);
            assert_true(ref.key.account_id == INT64_MAX);
            assert_int_equal(ref.key.application_id, kind);
        }
}

TEST(longest_fits)
{
    struct ps_account_key account = {
        .kind = KIND_ALIAS, .system_id = INT64_MAX, .account_id = INT64_MAX, .application_id = INT64_MAX};
    char vault[CONF_NAME_MAX], id[CREDENTIAL_ID_SIZE];
    struct whole_id ref;

    memset(vault, '_', sizeof(vault) - 1);
    vault[sizeof(vault) - 1] = '\0';
    write_id(id, vault, &account);
    assert_in_range(strlen(id), 200, 256);
    assert_true(parse_id(id, &ref));
    assert_string_equal(ref.vault, vault);
}

TEST(refuses_strangers)
{
    static const char *const bad[] = {
        "",
        "j1",
        "j1.",
        "j1.main",
        "j1.main.d.31.507",
        "j1.main.d.31.507.",
        "j1.main.d.31.507.0.",
        "j1.main.d.31.507.0.0",
        "j2.main.d.31.507.0",
        "J1.main.d.31.507.0",
        "j1..d.31.507.0",
        "j1.main.x.31.507.0",
        "j1.main.dd.31.507.0",
        "j1.main..31.507.0",
        "j1.main.d.-1.507.0",
        "j1.main.d.031.507.0",
        "j1.main.d.+31.507.0",
        "j1.main.d. 31.507.0",
        "j1.main.d.31.9223372036854775808.0",
        "j1.main.d.31.507.0 ",
        "j1.main.d.3_31.507.0",
        "j1.ma_2en.d.31.507.0",
        "j1.ma_6E.d.31.507.0",
        "j1.ma_.d.31.507.0",
        "j1.ma_2.d.31.507.0",
        "j1.ma_00n.d.31.507.0",
        "j1.ma n.d.31.507.0",
        "j1.main.d.0x1f.507.0",
        "j1.main.d.-0.507.0",
        "e1.main.31.rdp",
        "j1.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.d.31.507.0",
    };
    char longer[600];
    struct whole_id ref;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse_id(bad[i], &ref))
            fail_msg("taken: %s", bad[i]);
    memset(longer, '1', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    memcpy(longer, "j1.main.d.", 10);
    assert_false(parse_id(longer, &ref));
}

/* Any one-character change is either refused or another account: no two spellings of one. */
TEST(has_one_spelling)
{
    static const char id[] = "j1.dot_2Eted.l.17.203.4";
    struct whole_id ref;
    char again[CREDENTIAL_ID_SIZE];

    for (size_t at = 0; at < sizeof(id) - 1; at++)
        for (int c = 1; c < 256; c++) {
            char changed[sizeof(id)];
            struct ps_account_key account;
            memcpy(changed, id, sizeof(id));
            changed[at] = (char)c;
            if (!parse_id(changed, &ref))
                continue;
            account = (struct ps_account_key){.kind = ref.key.kind,
                                              .system_id = ref.key.system_id,
                                              .account_id = ref.key.account_id,
                                              .application_id = ref.key.application_id};
            write_id(again, ref.vault, &account);
            assert_string_equal(again, changed);
        }
}

/* A key is any text: it comes back, in one spelling, or the id is too long to be one. */
TEST(any_key_comes_back)
{
    char key[ACCOUNT_KEY_SIZE], id[CREDENTIAL_ID_SIZE];
    struct account account = {.key = key};
    struct credential_ref ref;

    for (int c = 1; c < 256; c++) {
        (void)snprintf(key, sizeof(key), "a%c.%c", c, c);
        assert_true(credential_id_write(id, "m.n", &account));
        assert_int_equal(strspn(id, allowed), strlen(id));
        assert_true(credential_id_parse(id, &ref));
        assert_string_equal(ref.account_key, key);
    }
    for (size_t n = 1; n < ACCOUNT_KEY_SIZE; n++) {
        memset(key, 'k', n);
        key[n] = '\0';
        assert_int_equal(credential_id_write(id, "main", &account), 8 + n < CREDENTIAL_ID_SIZE);
        assert_true(!*id || (credential_id_parse(id, &ref) && !strcmp(ref.account_key, key)));
    }
    key[0] = '\0';
    assert_false(credential_id_write(id, "main", &account) || *id);
    assert_false(credential_id_parse("j1.main.", &ref) || credential_id_parse("j1.main.a_2Eb", &ref));
    assert_false(credential_id_parse("j1.main.a_61", &ref) || credential_id_parse("j1.main.a_2", &ref));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_known_form), cmocka_unit_test(comes_back),
        cmocka_unit_test(longest_fits),        cmocka_unit_test(refuses_strangers),
        cmocka_unit_test(has_one_spelling),    cmocka_unit_test(any_key_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
