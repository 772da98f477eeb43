/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_conf.c - the configuration of session reports: its table, every rule between keys, what
 * follows from other keys, what a reload may change, and the files made of the table.
 *
 * In a text @DIR@ stands for a directory of the test's own, @SITE@ for a sound [pra main], @WEB@ for a sound
 * [web], @CERT@ for its certificate and key.
 */
#include "check.h"
#include "conf/table/conf_compare.h"
#include "conf_table_rules.h"
#include "reports/conf/password.h"
#include "reports/conf/reports_sections.h"
#include "tls_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRYPT "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN  "ab530a13e45914982b79f9b7e3fba994cfd1f3fb22f71cea1afbf02b460c6d1d"

static char dir[64];
static struct reports_conf *conf;
static struct buf errors;

static void put(const char *name, const char *text, mode_t mode)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int setup(void **state)
{
    char key[TLS_FILES_PATH];

    if (tls_files_setup(state))
        return -1;
    (void)snprintf(dir, sizeof(dir), "/tmp/test-reports-conf-XXXXXX");
    errors = BUF_INIT(1 << 20);
    if (!mkdtemp(dir))
        return -1;
    put("secret", "hush\n", 0600);
    return chmod(tls_file("server", ".key", key), 0600);
}

static int teardown(void **state)
{
    static const char *const names[] = {"secret", "open", "reports.conf"};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    buf_free(&errors);
    reports_conf_free(conf);
    return rmdir(dir) || tls_files_teardown(state);
}

static void put_replaced(struct buf *out, const char *text)
{
    char cert[TLS_FILES_PATH], key[TLS_FILES_PATH];

    for (; *text; text++) {
        if (strncmp(text, "@DIR@", 5) == 0) {
            (void)buf_str(out, dir);
            text += 4;
        } else if (strncmp(text, "@SITE@", 6) == 0) {
            (void)buf_printf(out,
                             "[pra main]\nurl = https://PRA.example.com\nclient_id = abc\n"
                             "client_secret_file = %s/secret\n",
                             dir);
            text += 5;
        } else if (strncmp(text, "@WEB@", 5) == 0) {
            put_replaced(out, "[web]\naddress = 127.0.0.1:8444\n@CERT@");
            text += 4;
        } else if (strncmp(text, "@CERT@", 6) == 0) {
            (void)buf_printf(out, "tls_certificate = %s\ntls_key = %s\n", tls_file("server", ".crt", cert),
                             tls_file("server", ".key", key));
            text += 5;
        } else {
            (void)buf_char(out, *text);
        }
    }
}

static int load(const char *text)
{
    struct buf whole = BUF_INIT(1 << 20);
    char path[128];
    int err;

    put_replaced(&whole, "[reports]\nstate_dir = @DIR@\n");
    put_replaced(&whole, text);
    put("reports.conf", buf_cstr(&whole), 0600);
    buf_free(&whole);
    (void)snprintf(path, sizeof(path), "%s/reports.conf", dir);
    reports_conf_free(conf);
    conf = NULL;
    buf_clear(&errors);
    err = reports_conf_load(path, REPORTS_FILES_ALL, &conf, &errors);
    assert_true((err == 0) == (conf != NULL));
    return err;
}

static void assert_said(const char *message)
{
    const char *text = errors.len ? buf_cstr(&errors) : "";

    if (!strstr(text, message))
        fail_msg("`%s` is not said, but:\n%s", message, text);
}

static void assert_loads(const char *text)
{
    if (load(text))
        fail_msg("should load: %s\n%s", text, buf_cstr(&errors));
}

/* ---- the table ---- */

TEST(the_table_keeps_its_rules)
{
    assert_table_rules(&reports_table);
}

TEST(what_is_generated_is_current)
{
    assert_current("../../conf/reports.conf", reports_conf_print_defaults);
    assert_current("../../docs/reports-configuration.md", reports_conf_print_doc);
}

/* With every `#key = value` switched on, what remains wrong are files and choices that exclude each other. */
TEST(example_keys_are_all_known)
{
    static const char *const never[] = {"unknown", "lacks", "; found `", "neither", "needs "};
    struct buf text = BUF_INIT(1 << 20), all = BUF_INIT(1 << 20);
    char *line, *rest = NULL;

    reports_conf_print_defaults(&text);
    assert_non_null(buf_cstr(&text));
    for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strcmp(line, "[reports]") != 0 && strncmp(line, "#state_dir", 10) != 0)
            (void)buf_printf(&all, "%s\n", line[0] == '#' && line[1] != ' ' ? line + 1 : line);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
    (void)load(buf_cstr(&all));
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (errors.len && strstr(buf_cstr(&errors), never[i]))
            fail_msg("%s", errors.data);
    buf_free(&text);
    buf_free(&all);
}

/* ---- values ---- */

TEST(defaults_are_those_of_the_contract)
{
    assert_loads("@SITE@@WEB@[user ann]\npassword = " SCRYPT "\n");
    assert_int_equal(errors.len, 0);
    const struct reports_main *m = &conf->reports;
    const struct reports_site *s = &conf->sites[0];

    assert_true(m->collect);
    assert_int_equal(m->backfill_ms, HOURS(24) * 30L);
    assert_int_equal(m->keep_ms, HOURS(24) * 400L);
    assert_int_equal(m->keep_syslog_ms, HOURS(24) * 90L);
    assert_int_equal(m->recheck.n, 2);
    assert_int_equal(m->recheck.ms[0], MINUTES(30));
    assert_int_equal(m->recheck.ms[1], HOURS(24));
    assert_int_equal(m->readers, 2);
    assert_string_equal(s->host_name, "pra.example.com");
    assert_string_equal(s->time_zone, "UTC");
    assert_string_equal(s->working_hours, "mon-fri 07:00-19:00");
    assert_int_equal(s->fetch, 31);
    assert_int_equal(s->hourly, 5000);
    assert_int_equal(s->max_answer, 1UL << 30);
    assert_string_equal(conf->web.public_url, "https://127.0.0.1:8444");
    assert_string_equal(conf->web.address.host, "127.0.0.1");
    assert_int_equal(conf->web.address.port, 8444);
    assert_int_equal(conf->web.lock_out_ms, MINUTES(15));
    assert_non_null(strstr(conf->database.path, "/reports.db"));
    assert_non_null(strstr(conf->reports.audit_file, "/audit.jsonl"));
    assert_int_equal(conf->users[0].allow, REPORTS_VIEW);
    assert_true(conf->users[0].enabled);
    assert_int_equal(conf->users[0].sites.n, 0);
}

TEST(a_site_takes_zone_and_hours_of_reports)
{
    assert_loads("time_zone = Europe/Berlin\nworking_hours = mon 08:00-09:00\n@SITE@[pra far]\n"
                 "url = https://far.example.com\nclient_id = x\nclient_secret_file = @DIR@/secret\n"
                 "time_zone = America/New_York\nhost_name = FAR\n");
    assert_string_equal(conf->sites[0].time_zone, "Europe/Berlin");
    assert_string_equal(conf->sites[0].working_hours, "mon 08:00-09:00");
    assert_string_equal(conf->sites[1].time_zone, "America/New_York");
    assert_string_equal(conf->sites[1].host_name, "far");
}

TEST(an_explicit_default_changes_no_digest)
{
    char digest[65];

    assert_loads("@SITE@");
    memcpy(digest, conf->digest, sizeof(digest));
    assert_loads("keep = 9600h\n@SITE@host_name = pra.example.com\n");
    assert_string_equal(conf->digest, digest);
    assert_loads("keep = 399d\n@SITE@");
    assert_string_not_equal(conf->digest, digest);
}

/* ---- mistakes ---- */

static const struct mistake {
    const char *text, *said;
} mistakes[] = {
    {"@SITE@[pra two]\nurl = https://pra.EXAMPLE.com\nclient_id = x\nclient_secret_file = @DIR@/secret\n",
     ":8: [pra two] has the host name `pra.example.com` of [pra main] in line 3"},
    {"@SITE@host_name = a\n[pra two]\nurl = https://b.example\nclient_id = x\nclient_secret_file = "
     "@DIR@/secret\nhost_name = A\n",
     "has the host name `a`"},
    {"[pra main]\nurl = http://pra.example.com\nclient_id = x\nclient_secret_file = @DIR@/secret\n",
     "`url` must be https: plain http is possible to this machine only"},
    {"[pra main]\nurl = http://127.0.0.1:1\nclient_id = x\nclient_secret_file = @DIR@/secret\n",
     "set insecure_http = yes as well"},
    {"[pra main]\nurl = https://pra.example.com/api\nclient_id = x\nclient_secret_file = @DIR@/secret\n",
     "must not have a path"},
    {"[pra main]\nurl = https://pra.example.com\n", "[pra main] lacks `client_id`"},
    {"@SITE@client_secret = hush\n", "would put a secret into this file"},
    {"@SITE@rate = 21/s\n", "from 1/m to 20/s"},
    {"@SITE@ratte = 5/s\n", "did you mean `rate`"},
    {"@SITE@fetch = sessions teem\n", "did you mean `team`"},
    {"[listener main]\naddress = 127.0.0.1:1\n", "section [listener] belongs into jumpgate.conf"},
    {"[client pra]\n", "section [client] belongs into jumpgate.conf"},
    {"[vault main]\n", "section [vault] belongs into jumpgate.conf"},
    {"[gateway]\n", "section [gateway] needs a name"},
    {"[gateway a]\naudit = audit.jsonl*\n", "must be an absolute path"},
    {"[gateway a]\naudit = /var/log/*/audit.jsonl\n", "in the name of the file only"},
    {"[gateway a]\naudit = /x/a*\n[gateway b]\naudit = /x/a*\n", "reads the trail of [gateway a] in line 3"},
    {"time_zone = Europe/Atlantis\n", "needs a name of the time zone database"},
    {"working_hours = someday 07:00-19:00\n", "needs days and hours"},
    {"working_hours = mon-fri 25:00-26:00\n", "needs days and hours"},
    {"backfill = 30\n", "needs a duration with its unit, such as 10s, 15m, 2h or 30d"},
    {"backfill = 3651d\n", "must be from 0s to 3650d"},
    {"recheck = 24h 30m\n", "needs each duration longer than the one before it"},
    {"recheck = 1s 2s 3s 4s 5s 6s 7s 8s 9s\n", "at most 8"},
    {"readers = 0\n", "must be from 1 to 16"},
    {"collekt = no\n", "did you mean `collect`"},
    {"[user ann]\nallow = view\n", "[user ann] has no way to sign in"},
    {"[user ann]\npassword = hunter2\n", "never the password itself"},
    {"[user ann]\npassword = $scrypt$ln=16,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
     "never the password itself"},
    {"[user ann]\npassword = " SCRYPT "\nsites = nowhere\n", "there is no section [pra nowhere]"},
    {"[user ann]\ncertificate_san = a.example\n[user bob]\ncertificate_san = DNS:a.example\n",
     "same certificate as [user ann]"},
    {"[reader siem]\nallow = feed\n", "[reader siem] lacks `token_sha256`"},
    {"[reader siem]\ntoken_sha256 = " TOKEN "\n", "[reader siem] lacks `allow`"},
    {"[reader siem]\ntoken = x\nallow = feed\n", "write the SHA-256 of the token"},
    {"[reader a]\ntoken_sha256 = " TOKEN "\nallow = feed\n[reader b]\ntoken_sha256 = " TOKEN
     "\nallow = feed\n",
     "same token as [reader a]"},
    {"[web]\naddress = 127.0.0.1:1\n", "[web] lacks `tls_certificate`"},
    {"@WEB@client_crl = @DIR@/secret\n", "`client_crl` needs `client_ca`"},
    {"@WEB@public_url = http://reports.example.com\n", "needs https://HOST"},
    {"@WEB@public_url = https://reports.example.com/x\n", "needs https://HOST"},
    {"[database]\ntype = oracle\n", "knows only: sqlite postgresql sqlserver"},
    {"[database]\npassword = hush\n", "would put a secret into this file"},
    {"[database]\ntype = postgresql\nuser = x\noptions = SSLmode=require; PWD = hush\n",
     "`options` must not contain a password"},
    {"[database]\ntype = postgresql\noptions = {Password=hush};\n", "`options` must not contain a password"},
    {"[database]\ntype = postgresql\npassword_file = @DIR@/secret\n", "`password_file` needs `user`"},
    {"[database]\npath = @DIR@/secret\n@SITE@", "is the file of `client_secret_file`"},
    {"[database]\npath = @DIR@/collector.lock\n", "is a file of the state directory"},
    {"log_file = @DIR@/reports.db\n", "is the database"},
    {"audit_file = @DIR@/reports.conf\n", "is the configuration"},
};

TEST(every_mistake_is_said)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        case_label("%s", mistakes[i].text);
        if (load(mistakes[i].text) == 0)
            fail_msg("loads, but should not: %s", mistakes[i].text);
        assert_said(mistakes[i].said);
        assert_null(strstr(buf_cstr(&errors), "hush"));
        assert_null(strstr(buf_cstr(&errors), "hunter2"));
    }
}

static const struct mistake warnings[] = {
    {"collect = no\n", "there is nothing to do"},
    {"", "no [pra NAME] section: nothing is collected"},
    {"keep = 10d\n@SITE@", "`backfill` is longer than `keep`"},
    {"@SITE@@WEB@", "the page lets no one in"},
    {"@SITE@@WEB@[user ann]\ncertificate_san = a.example\n", "[web] has no `client_ca`"},
    {"@SITE@@WEB@[user ann]\npassword = " SCRYPT "\n[database]\ntype = postgresql\nuser = x\n",
     "without `read_user` the page reads with the login that writes"},
    {"@SITE@[web]\naddress = 0.0.0.0:8444\n@CERT@[user ann]\npassword = " SCRYPT "\n",
     "no browser can sign in"},
    {"@SITE@[web]\naddress = [::]:8444\n@CERT@[user ann]\npassword = " SCRYPT "\n", "no browser can sign in"},
    {"@SITE@[database]\nserver = db.example.com\n", "`server` has no effect with `type` sqlite"},
};

TEST(every_warning_is_said)
{
    for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++) {
        case_label("%s", warnings[i].text);
        assert_loads(warnings[i].text);
        assert_said(": warning: ");
        assert_said(warnings[i].said);
    }
}

/* ---- files ---- */

TEST(a_secret_that_others_read_is_warned_of)
{
    put("open", "hush\n", 0644);
    assert_loads(
        "[pra main]\nurl = https://pra.example.com\nclient_id = abc\nclient_secret_file = @DIR@/open\n");
    assert_said("holds a secret and can be read by others");
    assert_int_not_equal(
        load("[pra main]\nurl = https://pra.example.com\nclient_id = abc\nclient_secret_file = @DIR@/none\n"),
        0);
    assert_said("cannot read");
}

TEST(all_mistakes_at_once)
{
    assert_int_not_equal(load("readers = 0\n@SITE@rate = 0/s\n[user ann]\n"), 0);
    assert_said("readers");
    assert_said("rate");
    assert_said("no way to sign in");
}

/* ---- a reload ---- */

static const struct {
    const char *text, *changes, *refused;
} reloads[] = {
    {"keep = 300d\n@SITE@", "reports.keep", NULL},
    {"@SITE@[pra two]\nurl = https://b.example\nclient_id = x\nclient_secret_file = @DIR@/secret\n",
     "pra two (new)", NULL},
    {"@SITE@[user ann]\npassword = " SCRYPT "\n", "user ann (new)", NULL},
    {"@SITE@[reader a]\ntoken_sha256 = " TOKEN "\nallow = feed\n", "reader a (new)", NULL},
    {"", "pra main (removed)", NULL},
    {"collect = no\n@SITE@", NULL, "[reports] `collect` cannot change while the program runs; restart it"},
    {"@SITE@[database]\npath = @DIR@/other.db\n", NULL, "[database] `path` cannot change"},
    {"@SITE@@WEB@", NULL, "[web] `address` cannot change"},
};

TEST(a_reload_takes_what_it_may)
{
    for (size_t i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++) {
        struct reports_conf *now;
        struct conf_change change;

        case_label("%s", reloads[i].text);
        assert_loads("@SITE@");
        now = conf;
        conf = NULL;
        assert_loads(reloads[i].text);
        assert_int_equal(reports_conf_compare(now, conf, &change), 0);
        assert_int_equal(change.refused != 0, reloads[i].refused != NULL);
        if (reloads[i].refused)
            assert_non_null(strstr(buf_cstr(&change.reasons), reloads[i].refused));
        else
            assert_string_equal(buf_cstr(&change.names), reloads[i].changes);
        conf_change_free(&change);
        reports_conf_free(now);
    }
}

/* ---- passwords ---- */

TEST(a_password_matches_its_text_alone)
{
    char text[PASSWORD_TEXT_SIZE], other[PASSWORD_TEXT_SIZE];

    assert_int_equal(password_make("correct horse", 13, text), 0);
    assert_int_equal(password_make("correct horse", 13, other), 0);
    assert_string_not_equal(text, other);
    assert_true(password_valid(text));
    assert_true(password_matches(text, "correct horse", 13));
    assert_false(password_matches(text, "correct horsf", 13));
    assert_false(password_matches(text, "correct hors", 12));
    assert_true(password_valid(password_of_no_user));
}

TEST(texts_of_passwords_are_taken_as_they_are_made)
{
    static const char *const bad[] = {
        "",
        "$scrypt$",
        "$scrypt$ln=11,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=014,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=9,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=17$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAB$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAA=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ",
        "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        case_label("%s", bad[i]);
        assert_false(password_valid(bad[i]));
        assert_false(password_matches(bad[i], "", 0));
    }
}

TEST(a_rate_is_printed_as_it_is_read)
{
    static const struct {
        unsigned section;
        const char *text, *printed;
    } rates[] = {
        {REPORTS_PRA, "100/m", "100/m"},
        {REPORTS_PRA, "1/m", "1/m"},
        {REPORTS_PRA, "120/m", "2/s"},
        {REPORTS_PRA, "20/s", "20/s"},
        {REPORTS_READER, "90/m", "90/m"},
        {REPORTS_READER, "600/m", "10/s"},
        {REPORTS_READER, "1000000/s", "1000000/s"},
        {REPORTS_READER, "off", "off"},
    };

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const struct conf_row *row = conf_row_find(&reports_table, rates[i].section, "rate");
        union {
            struct reports_site site;
            struct reports_reader reader;
        } object = {.site = {.url = NULL}};
        struct buf out = BUF_INIT(64);
        char why[CONF_WHY_SIZE];

        case_label("%s", rates[i].text);
        assert_int_equal(row->type->parse(row, rates[i].text, &object, why), 0);
        row->type->print(row, &object, &out);
        assert_string_equal(buf_cstr(&out), rates[i].printed);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_keeps_its_rules),
        cmocka_unit_test(a_rate_is_printed_as_it_is_read),
        cmocka_unit_test(what_is_generated_is_current),
        cmocka_unit_test(example_keys_are_all_known),
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(a_site_takes_zone_and_hours_of_reports),
        cmocka_unit_test(an_explicit_default_changes_no_digest),
        cmocka_unit_test(every_mistake_is_said),
        cmocka_unit_test(every_warning_is_said),
        cmocka_unit_test(a_secret_that_others_read_is_warned_of),
        cmocka_unit_test(all_mistakes_at_once),
        cmocka_unit_test(a_reload_takes_what_it_may),
        cmocka_unit_test(a_password_matches_its_text_alone),
        cmocka_unit_test(texts_of_passwords_are_taken_as_they_are_made),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
