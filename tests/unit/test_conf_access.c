/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_access.c - the configuration of Privileged Identity: its keys, its [access] sections, what a
 * reload takes, and ten thousand sections.
 *
 * In the rows, VAULT has ten lines: a listener (1-2), a client (3-5), the vault (6-10).
 */
#include "check.h"
#include "conf/conf_change.h"
#include "conf/conf_values.h"
#include "conf_fixture.h"

#include <stdlib.h>
#include <string.h>

#define ENDS                                                                                                 \
    "[listener main]\naddress = 127.0.0.1:8443\n[client pra]\ntoken_sha256 = " FIXTURE_TOKEN                 \
    "\nallow = broker\n"
#define TYPE  ENDS "[vault erpm]\ntype = privileged_identity\nurl = https://erpm.example\n"
#define VAULT TYPE "login_name = svc\nprovisional = yes\n"
#define WHO   "users = CORP\\ann\nhosts = *\n"
#define ROOT  "[access root]\nstored_system = web1\nstored_account = root\n"
#define SAFE  "[vault safe]\nurl = https://safe.example/public/v3\napi_key_file = @DIR@/key\n"
#define LONG  "1234567890123456789012345678901234567890123456789012345678901234"

TEST(defaults_are_those_of_the_type)
{
    struct fixture *f = *state;

    assert_loads(f, VAULT SAFE);
    const struct conf_vault *v = &f->conf->vaults[0], *safe = &f->conf->vaults[1];
    assert_int_equal(v->provisional, PROVISIONAL_YES);
    assert_string_equal(v->base_path, "/ERPMWebService");
    assert_string_equal(v->profile, "json-v2");
    assert_null(v->profile_file);
    assert_null(v->authenticator);
    assert_int_equal(v->token_max_age_ms, MINUTES(10));
    assert_int_equal(v->session_idle_ms, MINUTES(5));
    assert_int_equal(v->max_duration_ms, HOURS(8));
    assert_int_equal(v->checkout_life_ms, 0);
    assert_int_equal(v->settle_ms, SECONDS(30));
    assert_true(v->repeat_checkout);
    assert_false(v->checkin_each);
    assert_int_equal(v->spin, SPIN_NO);
    assert_int_equal(v->spin_delay_ms, 0);
    assert_int_equal(v->max_answer, 64 * 1024);
    assert_int_equal(v->connections, 8);
    assert_string_equal(v->reason, "PRA session {session} of {user}");
    assert_int_equal(safe->session_idle_ms, MINUTES(10));
    assert_int_equal(safe->max_answer, 16 << 20);
    assert_int_equal(safe->connections, 64);
    assert_string_equal(safe->reason, "");
    assert_loads(f, VAULT "session_idle = 1m\nreason = x\nconnections = 9\nmax_answer = 8k\nspin = all\n"
                          "checkin_calls = each\nrepeat_checkout = no\n");
    v = &f->conf->vaults[0];
    assert_int_equal(v->session_idle_ms, MINUTES(1));
    assert_string_equal(v->reason, "x");
    assert_int_equal(v->connections, 9);
    assert_int_equal(v->max_answer, 8192);
    assert_int_equal(v->spin, SPIN_ALL);
    assert_true(v->checkin_each);
    assert_false(v->repeat_checkout);
}

TEST(an_access_section_is_read)
{
    struct fixture *f = *state;

    (void)fixture_file(f, "users", "CORP\\bob\n", 0644);
    assert_loads(f, VAULT ROOT
                 "stored_type = 12\nstored_custom_type = X\nusername = .\\root\nlabel = The root\n"
                 "users = CORP\\ann bob CORP\\*\nusers_file = @DIR@/users\nhosts = web1 *.corp.test\n"
                 "[access adm]\nvault = erpm\nshared_list = Domain admins\nshared_system = corp.test\n"
                 "shared_account = CORP\\adm\n" WHO);
    const struct conf_access *a = &f->conf->accesses[0], *b = &f->conf->accesses[1];
    assert_int_equal(f->conf->naccesses, 2);
    assert_string_equal(a->name, "root");
    assert_int_equal(a->stored_type, 12);
    assert_string_equal(a->stored_custom_type, "X");
    assert_int_equal(a->users.n, 3);
    assert_int_equal(a->hosts.n, 2);
    assert_string_equal(a->label, "The root");
    assert_string_equal(b->shared_list, "Domain admins");
    assert_int_equal(b->stored_type, 1);
    assert_null(b->username);
    assert_ptr_equal(conf_access_vault(f->conf, a), &f->conf->vaults[0]);
    assert_ptr_equal(conf_access_vault(f->conf, b), &f->conf->vaults[0]);
}

static const struct {
    const char *text;
    unsigned line;
    const char *message;
} mistakes[] = {
    /* the vault */
    {TYPE "login_name = svc\n", 7, "`type` = privileged_identity is provisional"},
    {TYPE "login_name = svc\nprovisional = no\n", 10, "`type` = privileged_identity is provisional"},
    {TYPE "provisional = yes\n", 6, "[vault erpm] lacks `login_name`"},
    {VAULT "provisional = maybe\n", 11, "`provisional` is set twice"},
    {VAULT "api_key_file = @DIR@/key\n", 11, "`api_key_file` is a key of Password Safe"},
    {VAULT "oauth_client_id = x\n", 11, "`oauth_client_id` is a key of Password Safe"},
    {VAULT "oauth_client_secret_file = @DIR@/key\n", 11,
     "`oauth_client_secret_file` is a key of Password Safe"},
    {VAULT "oauth_shared_identity = no\n", 11, "`oauth_shared_identity` is a key of Password Safe"},
    {VAULT "run_as = {username}\n", 11, "`run_as` is a key of Password Safe"},
    {VAULT "run_as_password_file = @DIR@/key\n", 11, "`run_as_password_file` is a key of Password Safe"},
    {VAULT "user_map = a:b\n", 11, "`user_map` is a key of Password Safe"},
    {VAULT "domain_map = a:b\n", 11, "`domain_map` is a key of Password Safe"},
    {VAULT "directory_user = a\n", 11, "`directory_user` is a key of Password Safe"},
    {VAULT "ask_policy = no\n", 11, "`ask_policy` is a key of Password Safe"},
    {VAULT "approval_wait = 0s\n", 11, "`approval_wait` is a key of Password Safe"},
    {VAULT "sessions_per_user = 4\n", 11, "`sessions_per_user` is a key of Password Safe"},
    {VAULT "restrict_network = no\n", 11, "`restrict_network` is a key of Password Safe"},
    {VAULT "platform_method = 4:rdp\n", 11, "`platform_method` is a key of Password Safe"},
    {ENDS SAFE "provisional = yes\n", 9, "`provisional` is a key of Privileged Identity; [vault safe] needs"},
    {ENDS SAFE "base_path = /x\n", 9, "`base_path` is a key of Privileged Identity"},
    {ENDS SAFE "profile = rest\n", 9, "`profile` is a key of Privileged Identity"},
    {ENDS SAFE "profile_file = @DIR@/key\n", 9, "`profile_file` is a key of Privileged Identity"},
    {ENDS SAFE "login_name = x\n", 9, "`login_name` is a key of Privileged Identity"},
    {ENDS SAFE "login_password_file = @DIR@/key\n", 9,
     "`login_password_file` is a key of Privileged Identity"},
    {ENDS SAFE "authenticator = x\n", 9, "`authenticator` is a key of Privileged Identity"},
    {ENDS SAFE "token_max_age = 1m\n", 9, "`token_max_age` is a key of Privileged Identity"},
    {ENDS SAFE "max_duration = 1h\n", 9, "`max_duration` is a key of Privileged Identity"},
    {ENDS SAFE "checkout_life = 1h\n", 9, "`checkout_life` is a key of Privileged Identity"},
    {ENDS SAFE "settle = 1m\n", 9, "`settle` is a key of Privileged Identity"},
    {ENDS SAFE "repeat_checkout = no\n", 9, "`repeat_checkout` is a key of Privileged Identity"},
    {ENDS SAFE "checkin_calls = one\n", 9, "`checkin_calls` is a key of Privileged Identity"},
    {ENDS SAFE "spin = no\n", 9, "`spin` is a key of Privileged Identity"},
    {ENDS SAFE "spin_delay = 0s\n", 9, "`spin_delay` is a key of Privileged Identity"},
    {VAULT "login_password = x\n", 11, "`login_password` in [vault erpm] would put a secret into this file"},
    {VAULT "username_form = upn\n", 11, "`username_form` = upn is not possible"},
    {VAULT "settle = 9s\n", 11, "`settle` must not be shorter than `call_timeout`"},
    {VAULT "checkout_life = 119s\n", 11, "`checkout_life` must not be shorter than two minutes"},
    {VAULT "minute = 1s\ncheckout_life = 1s\n", 12, "`checkout_life` must not be shorter than two minutes"},
    {VAULT "call_timeout = 31s\n", 11, "`settle` must not be shorter than `call_timeout`"},
    {VAULT "base_path = ERPM\n", 11, "`base_path` needs a path such as /ERPMWebService"},
    {VAULT "base_path = /\n", 11, "`base_path` needs a path"},
    {VAULT "base_path = /a/\n", 11, "`base_path` needs a path"},
    {VAULT "base_path = /a?b\n", 11, "`base_path` needs a path"},
    {VAULT "base_path = /a/../b\n", 11, "`base_path` needs a path"},
    {VAULT "profile = json-v3\n", 11, "`profile` knows only: json-v2 rest json-v1"},
    {VAULT "spin = yes\n", 11, "`spin` knows only: no stored shared all"},
    {VAULT "checkin_calls = two\n", 11, "`checkin_calls` knows only: one each"},
    {VAULT "client_key = @DIR@/key\n", 11, "`client_key` needs `client_certificate` beside it"},
    {VAULT "authenticator = a\tb\n", 11, "`authenticator` must not contain control characters"},
    {VAULT "authenticator = " LONG LONG LONG LONG "x\n", 11,
     "`authenticator` must not be longer than 256 letters"},
    {VAULT "default_domain = a\\b\n", 11, "`default_domain`: `a\\b` must not contain a backslash"},
    {VAULT "[store]\ntype = etcd\nendpoints = https://e:1\n", 7,
     "a vault of type privileged_identity needs [store] type = sqlite"},
    {VAULT "[vault two]\ntype = privileged_identity\nurl = https://ERPM.example:443\nlogin_name = "
           "SVC\nprovisional = yes\n",
     13, "[vault two] is [vault erpm] in line 8 again"},
    {ENDS "[vault e]\ntype = privileged_identity\nlogin_name = s\nprovisional = yes\nurl = https://h/p\n", 10,
     "`url` must not have a path"},
    {ENDS "[vault e]\ntype = privileged_identity\nlogin_name = s\nprovisional = yes\nurl = http://h\n", 10,
     "`url` must be https"},
    {ENDS
     "[vault e]\ntype = privileged_identity\nlogin_name = s\nprovisional = yes\nurl = http://127.0.0.1:1\n",
     10, "`url` must be https; for a simulator on this machine set"},
    /* the map */
    {ENDS SAFE ROOT WHO, 9, "[access root] needs a [vault NAME] section with type = privileged_identity"},
    {VAULT "[access root]\n" WHO, 11, "[access root] names no credential"},
    {VAULT "[access root]\nstored_system = a\n" WHO, 11,
     "[access root] lacks `stored_account` beside `stored_system`"},
    {VAULT "[access root]\nstored_account = a\n" WHO, 11,
     "[access root] lacks `stored_system` beside `stored_account`"},
    {VAULT "[access root]\nstored_type = 1\n" WHO, 11,
     "[access root] lacks `stored_system` beside `stored_type`"},
    {VAULT "[access root]\nshared_list = a\nshared_account = b\n" WHO, 11,
     "[access root] lacks `shared_system`"},
    {VAULT "[access root]\nshared_system = a\nshared_account = b\n" WHO, 11,
     "[access root] lacks `shared_list`"},
    {VAULT ROOT "shared_list = a\n" WHO, 14, "`shared_list` beside `stored_system`"},
    {VAULT "[access root]\nshared_list = a\nshared_system = b\nshared_account = c\nstored_type = 1\n" WHO, 12,
     "`shared_list` beside `stored_type`"},
    {VAULT ROOT "hosts = *\n", 11, "[access root] lacks `users`"},
    {VAULT ROOT "users = ann\n", 11, "[access root] lacks `hosts`, such as"},
    {VAULT ROOT "users = ann\nhosts =\n", 15, "`hosts` has no value"},
    {VAULT ROOT "users = *\nhosts = *\n", 14, "`users`: `*` would be everybody"},
    {VAULT ROOT "users = *\\ann\nhosts = *\n", 14, "`users`: `*\\ann` has no domain before the backslash"},
    {VAULT ROOT "users = \\ann\nhosts = *\n", 14, "`users`: `\\ann` has no domain before the backslash"},
    {VAULT ROOT "users = CORP\\\nhosts = *\n", 14, "`users`: `CORP\\` has no user behind the backslash"},
    {VAULT ROOT "users = CORP\\a*\nhosts = *\n", 14, "`users`: `CORP\\a*` is no pattern"},
    {VAULT ROOT "users = a*\nhosts = *\n", 14, "`users`: `a*` is no pattern"},
    {VAULT ROOT "users = CORP\\a\\b\nhosts = *\n", 14, "`users`: `CORP\\a\\b` must not contain a backslash"},
    {VAULT ROOT "users = ann\u200b\nhosts = *\n", 14,
     "`users`: `ann\\u200b` must not contain letters without width"},
    {VAULT ROOT "users = CORP\\ann corp\\ANN\nhosts = *\n", 14, "`users` names `corp\\ANN` twice"},
    {VAULT ROOT "users_file = @DIR@/none\nhosts = *\n", 14, "`users_file`: cannot read"},
    {VAULT ROOT "label = a\tb\n" WHO, 14, "`label` must not contain control characters"},
    {VAULT ROOT "vault = epm\n" WHO, 14, "`vault`: there is no [vault epm]; did you mean `erpm`?"},
    {VAULT SAFE ROOT "vault = safe\n" WHO, 17, "`vault`: [vault safe] is no Privileged Identity"},
    {VAULT
     "[vault two]\ntype = privileged_identity\nurl = https://two\nlogin_name = s\nprovisional = yes\n" ROOT
         WHO,
     16, "[access root] lacks `vault`, such as: vault = erpm; there are 2"},
    {VAULT ROOT WHO ROOT WHO, 16, "section [access root] occurs twice; first in line 11"},
};

TEST(every_mistake_is_refused_at_its_line)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        case_label("%s", mistakes[i].text + strlen(ENDS));
        assert_mistake(*state, mistakes[i].text, mistakes[i].line, mistakes[i].message);
    }
}

/* ---- a reload ---- */

static struct conf *load(struct fixture *f, const char *text)
{
    assert_loads(f, text);
    struct conf *conf = f->conf;
    f->conf = NULL;
    return conf;
}

static void assert_change(struct fixture *f, const char *before, const char *after, const char *names,
                          const char *reason)
{
    struct conf *now = load(f, before), *next = load(f, after);
    struct conf_change change;

    case_label("%s -> %s", before + strlen(ENDS), after + strlen(ENDS));
    assert_int_equal(conf_compare(now, next, &change), 0);
    assert_string_equal(change.names.len ? buf_cstr(&change.names) : "", names);
    assert_string_equal(change.reasons.len ? buf_cstr(&change.reasons) : "", reason);
    if (!*reason) {
        size_t n = next->naccesses;
        conf_exchange(now, next);
        assert_int_equal(now->naccesses, n);
        assert_string_equal(now->digest, next->digest);
    }
    conf_change_free(&change);
    conf_free(now);
    conf_free(next);
}

TEST(a_reload_takes_the_map_and_all_but_what_makes_the_vault)
{
    static const char adm[] =
        VAULT "[access adm]\nshared_list = l\nshared_system = s\nshared_account = a\n" WHO;
    static const struct {
        const char *key, *value;
        bool restart;
    } keys[] = {
        {"base_path", "/x", true},      {"profile", "rest", true},        {"authenticator", "CORP", true},
        {"token_max_age", "1m", false}, {"max_duration", "1h", false},    {"checkout_life", "1h", false},
        {"settle", "1m", false},        {"repeat_checkout", "no", false}, {"checkin_calls", "each", false},
        {"spin", "all", false},         {"spin_delay", "1m", false},      {"default_domain", "CORP", false},
        {"reason", "x", false},         {"match", "hostname", false},
    };
    char text[1024], wanted[128];

    assert_change(*state, VAULT ROOT WHO, VAULT ROOT "users = CORP\\bob\nhosts = web1\n",
                  "access root.users, access root.hosts", "");
    assert_change(*state, VAULT ROOT WHO, adm, "access root (removed), access adm (new), accesses (order)",
                  "");
    assert_change(*state, VAULT ROOT WHO, VAULT, "access root (removed)", "");
    assert_change(*state, VAULT, VAULT ROOT WHO, "access root (new)", "");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        (void)snprintf(text, sizeof(text), VAULT "%s = %s\n", keys[i].key, keys[i].value);
        (void)snprintf(wanted, sizeof(wanted),
                       keys[i].restart
                           ? "[vault erpm] `%s` cannot change while the gateway runs; restart it\n"
                           : "vault erpm.%s",
                       keys[i].key);
        assert_change(*state, VAULT, text, keys[i].restart ? "" : wanted, keys[i].restart ? wanted : "");
    }
    assert_int_equal(conf_section_change("access root"), CONF_CHANGES);
    assert_int_equal(conf_section_change("vault erpm"), CONF_NEEDS_RESTART);
}

/* ---- many ---- */

static char *many(size_t n, size_t first)
{
    struct buf text = BUF_INIT(16 << 20);

    (void)buf_str(&text, VAULT);
    for (size_t i = first; i < first + n; i++)
        (void)buf_printf(&text,
                         "[access number-%zu]\nstored_system = web%zu.corp.test\nstored_account = root\n"
                         "users = CORP\\ann CORP\\user%zu\nhosts = web%zu *.web%zu.corp.test\n",
                         i, i, i, i, i);
    char *out = strndup(text.data, text.len);
    assert_non_null(out);
    assert_false(text.failed);
    buf_free(&text);
    return out;
}

/* None of it takes a time that grows with the square: the whole suite would stand still. */
TEST(ten_thousand_sections_are_read_and_compared)
{
    struct fixture *f = *state;
    char *before = many(10000, 0), *after = many(10000, 1), *beyond = many(20001, 0);
    struct conf_change change;

    struct conf *now = NULL, *next = NULL;
    assert_int_equal(fixture_load_bytes(f, before, strlen(before)), 0);
    now = f->conf;
    f->conf = NULL;
    assert_int_equal(fixture_load_bytes(f, after, strlen(after)), 0);
    next = f->conf;
    f->conf = NULL;
    assert_int_equal(now->naccesses, 10000);
    assert_int_equal(conf_compare(now, next, &change), 0);
    assert_string_equal(buf_cstr(&change.names),
                        "access number-0 (removed), access number-10000 (new), accesses (order)");
    conf_change_free(&change);
    conf_free(now);
    conf_free(next);
    assert_int_not_equal(fixture_load_bytes(f, beyond, strlen(beyond)), 0);
    assert_non_null(
        strstr(buf_cstr(&f->errors), ": more than 20000 sections; this one and those after it are not read"));
    free(before);
    free(after);
    free(beyond);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ROW(defaults_are_those_of_the_type),
        ROW(an_access_section_is_read),
        ROW(every_mistake_is_refused_at_its_line),
        ROW(a_reload_takes_the_map_and_all_but_what_makes_the_vault),
        ROW(ten_thousand_sections_are_read_and_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
