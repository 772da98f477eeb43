/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_mistakes.c - every way to be wrong gets its own message at its own line, and all come at once.
 *
 * In the rows, `@GOOD@` is eight lines long: a listener (1-2), a client (3-5), a vault (6-8).
 */
#include "check.h"
#include "conf_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GATEWAY "@GOOD@\n[gateway]\n"
#define CLIENT  "@GOOD@\n[client two]\nallow = broker\n"
#define VAULT   "@GOOD@\n"
#define TWIN    "[vault two]\nurl = "
#define LISTEN  "@GOOD@\n[listener two]\n"
#define THIRTY  "123456789012345678901234567890"
#define NINETY  THIRTY THIRTY THIRTY

struct row {
    const char *text;
    unsigned line;
    const char *message;
};

static void run_mistakes(struct fixture *f, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_mistake(f, rows[i].text, rows[i].line, rows[i].message);
}

/* Laid out by hand: the formatter makes tables of texts unreadable. */
/* clang-format off */
#define RUN(rows) run_mistakes(*state, (rows), sizeof(rows) / sizeof((rows)[0]))

TEST(values_of_one_key)
{
    static const struct row rows[] = {
        { GATEWAY "list_cache = 15\n", 10, "`list_cache` needs a duration with its unit, such as" },
        { GATEWAY "list_cache = s\n", 10, "`list_cache` needs a duration" },
        { GATEWAY "list_cache = 1.5s\n", 10, "`list_cache` needs a duration" },
        { GATEWAY "list_cache = -1s\n", 10, "`list_cache` needs a duration" },
        { GATEWAY "list_cache = 2h\n", 10, "`list_cache` must be from 0s to 1h; found `2h`" },
        { GATEWAY "list_cache = 99999999999999999999s\n", 10, "`list_cache` must be from" },
        { GATEWAY "list_cache = 18446744073709551615h\n", 10, "`list_cache` must be from" },
        /* wraps around to 34 minutes in 64 bits */
        { GATEWAY "list_cache = 5124095576031h\n", 10, "`list_cache` must be from" },
        { GATEWAY "max_body = 64q\n", 10, "`max_body` needs a size in bytes, such as" },
        { GATEWAY "max_body = 1G\n", 10, "`max_body` must be from 256 to 64M; found `1G`" },
        { GATEWAY "max_inflight = 0\n", 10, "`max_inflight` must be from 1 to 1000000; found `0`" },
        { GATEWAY "max_inflight = ten\n", 10, "`max_inflight` needs a whole number; found `ten`" },
        { GATEWAY "max_inflight =\n", 10, "`max_inflight` has no value" },
        { GATEWAY "audit_syslog = tcp:127.0.0.1:514\n", 10, "`audit_syslog` must be unix:/PATH" },
        { GATEWAY "audit_syslog = unix:log\n", 10, "`audit_syslog` must be unix:/PATH" },
        { GATEWAY "audit_syslog = unix:/" NINETY THIRTY "\n", 10, "`audit_syslog` must be unix:/PATH (107 letters of path at most)" },
        { GATEWAY "audit_syslog = udp:collector:514\n", 10, "`audit_syslog` needs an IP address, not a name" },
        { GATEWAY "audit_syslog = udp:127.0.0.1:0\n", 10, "`audit_syslog` needs a port from 1 to 65535" },
        { GATEWAY "audit_syslog_format = rfc5425\n", 10, "`audit_syslog_format` knows only: auto rfc3164 rfc5424; did" },
        { GATEWAY "log_level = inof\n", 10,
          "`log_level` knows only: error warn info debug; did you mean `info`?" },
        { GATEWAY "release_on_stop = maybe\n", 10, "`release_on_stop` knows only: no yes" },
        { CLIENT "rate = 200\n", 11, "`rate` needs a rate such as 200/s" },
        { CLIENT "rate = 0/s\n", 11, "`rate` needs a rate" },
        { CLIENT "peer_uid = root\n", 11, "`peer_uid` needs a numeric user id" },
        { CLIENT "peer_uid = 4294967295\n", 11, "`peer_uid` needs a numeric user id" },
        { "[client x]\nallow = brokr\n", 2,
          "`allow` knows only: broker operate observe; did you mean `broker`?" },
        { "[client x]\nallow = broker broker\n", 2, "`allow` names `broker` twice" },
        { CLIENT "certificate_san = 10.0.0.1\n", 11,
          "`certificate_san` looks like an IP address; write IP:" },
        { CLIENT "certificate_san = a@b.c\n", 11, "`certificate_san` looks like a mail address" },
        { CLIENT "certificate_san = *.example\n", 11, "`certificate_san` is compared exactly" },
        { CLIENT "certificate_san = IP:1.2.3\n", 11, "`certificate_san` needs an IPv4 or IPv6 address" },
        { CLIENT "certificate_san = URI:nothing\n", 11, "`certificate_san` needs a URI with its scheme" },
        { VAULT "match = hostname host\n", 9, "`match` knows only: hostname computer_name name" },
        { VAULT "run_as = {user}\n", 9,
          "`run_as` has an unknown placeholder `{user}`; known are: username domain; did you mean "
          "`username`?" },
        { VAULT "run_as = {username\n", 9, "`run_as` has a lone brace" },
        { VAULT "run_as = username}\n", 9, "`run_as` has a lone brace" },
        { VAULT "run_as = {username} {username}\n", 9, "`run_as` names a template twice" },
        { VAULT "run_as = {username}1 {username}2 {username}3 {username}4 {username}5 {username}6 "
          "{username}7 {username}8 {username}9\n", 9,
          "`run_as` takes at most 8 templates" },
        { VAULT "user_map = ann\n", 9, "`user_map` wants pairs LEFT:RIGHT, and `ann` is none" },
        { VAULT "user_map = ann:\n", 9, "`user_map` wants pairs LEFT:RIGHT" },
        { VAULT "user_map = C\\ann:x c\\ANN:y\n", 9, "`user_map` names `c\\ANN` twice" },
        { VAULT "platform_method = Linux:ssh\n", 9, "`platform_method` knows only: rdp shell" },
        { VAULT "hide = svc-* SVC-*\n", 9, "`hide` names `SVC-*` twice" },
        { VAULT "kinds = local domain\n", 9, "`kinds` knows only: local domain_linked" },
        { VAULT "display = {user}\n", 9, "`display` has an unknown placeholder `{user}`" },
        { VAULT "reason = for {username}\n", 9, "`reason` has an unknown placeholder `{username}`" },
        { VAULT "type = privileged_identify\n", 9, "`type` knows only: password_safe privileged_identity; did you mean" },
        { VAULT "proxy = proxy.example:3128\n", 9, "`proxy` needs an address that begins with its scheme" },
        { VAULT "proxy = http://u:p@proxy.example:3128\n", 9, "`proxy` must not hold a user or password" },
        { VAULT "proxy = http://proxy.example\n", 9, "`proxy` needs http://HOST:PORT" },
        { LISTEN "unix_mode = 999\n", 10, "`unix_mode` needs permissions in octal" },
    };
    RUN(rows);
}

TEST(addresses_and_urls)
{
    static const struct row rows[] = {
        { LISTEN "address = 8443\n", 10, "`address` needs an IP address and a port" },
        { LISTEN "address = localhost:8443\n", 10, "`address` needs an IP address, not a name" },
        { LISTEN "address = *:8443\n", 10, "`address` needs an IP address; for all of this machine" },
        { LISTEN "address = ::1:8443\n", 10, "`address` needs an IP address" },
        { LISTEN "address = [127.0.0.1]:8443\n", 10, "`address` needs an IP address" },
        { LISTEN "address = [::1]8443\n", 10, "`address` needs an IP address and a port" },
        { LISTEN "address = 127.0.0.1:65536\n", 10, "`address` needs a port from 0 to 65535" },
        { LISTEN "address = 127.0.0.1:+1\n", 10, "`address` needs a port from 0 to 65535" },
        { LISTEN "address = unix:run/x.sock\n", 10, "`address` needs an absolute path after unix:" },
        { LISTEN "address = unix:/" NINETY "12345678901234567\n", 10,
          "`address` has a path too long for a Unix socket" },
        { "[vault v]\nurl = vault.example\n", 2, "`url` needs an address that begins with its scheme" },
        { "[vault v]\nurl = ftp://vault.example\n", 2, "`url` needs an https:// address" },
        { "[vault v]\nurl = https://\n", 2, "`url` needs a host name" },
        { "[vault v]\nurl = https://a b/\n", 2, "`url` must be plain ASCII without blanks" },
        { "[vault v]\nurl = https://k:s@vault.example/\n", 2, "`url` must not hold a user or password" },
        { "[vault v]\nurl = https://vault.example/?a=b\n", 2, "`url` must not have a query" },
        { "[vault v]\nurl = https://vault.example:0/\n", 2, "`url` needs a port from 1 to 65535" },
        { "[vault v]\nurl = https://[::1/\n", 2, "`url` needs a host name or an IP address" },
        { "[vault v]\nurl = http://vault.example/public/v3\n", 2,
          "`url` must be https: plain http is possible" },
        { "[vault v]\nurl = http://vault.example/public/v3\ninsecure_http = yes\n", 2,
          "`url` must be https" },
        { "[vault v]\nurl = http://127.0.0.1:1/public/v3\n", 2, "`url` must be https; for a simulator" },
    };
    RUN(rows);
}

TEST(sections_and_keys)
{
    static const struct row rows[] = {
        { "@GOOD@\n[gatway]\nx = y\n", 9, "unknown section [gatway]; did you mean `gateway`?" },
        { "@GOOD@\n[nonsense]\n", 9, "unknown section [nonsense]\n" },
        { "@GOOD@\n[gateway one]\n", 9, "section [gateway] takes no name" },
        { "@GOOD@\n[client]\n", 9, "section [client] needs a name: [client NAME]" },
        { "@GOOD@\n[client a/b]\n", 9, "the name of a section has 1 to 63 letters" },
        { "@GOOD@\n[client a b]\n", 9, "the name of a section has 1 to 63 letters" },
        { "@GOOD@\n[client 1234567890123456789012345678901234567890123456789012345678901234]\n", 9,
          "the name of a section has 1 to 63 letters" },
        { "@GOOD@\n[gateway]\n[gateway]\n", 10, "section [gateway] occurs twice; first in line 9" },
        { "@GOOD@\n[client pra]\nallow = broker\n", 9, "section [client pra] occurs twice; first in line 3" },
        { "@GOOD@\n[gateway\n", 9, "the section header has no closing bracket" },
        { GATEWAY "realease_duration = 1h\n", 10,
          "unknown key `realease_duration` in [gateway]; did you mean `release_duration`?" },
        { GATEWAY "api_key_file = x\n", 10,
          "unknown key `api_key_file` in [gateway]; it belongs into [vault]" },
        { GATEWAY "zzzzzz = x\n", 10, "unknown key `zzzzzz` in [gateway]\n" },
        { LISTEN "tls_cert = x\n", 10,
          "unknown key `tls_cert` in [listener two]; did you mean `tls_certificate`?" },
        { GATEWAY "list_cache = 1s\nlist_cache = 1s\n", 11,
          "`list_cache` is set twice in this section; first in line 10" },
        { "list_cache = 1s\n@GOOD@\n", 1, "`list_cache` stands before the first section" },
        { GATEWAY "list_cache\n", 10, "neither a [section], a key = value, nor a comment" },
        { GATEWAY "list_cache", 10, "neither a [section], a key = value, nor a comment" },
        { GATEWAY "log_file = a\x01z\n", 10, "the line holds a control character" },
        { GATEWAY "log_file = a\xffz\n", 10, "the line is not valid UTF-8" },
    };
    RUN(rows);
}

TEST(what_is_missing)
{
    static const struct row rows[] = {
        { "", 1, "no [listener NAME] section" },
        { "", 1, "no [client NAME] section" },
        { "[gateway]\n", 1, "no [vault NAME] section" },
        { LISTEN, 9, "[listener two] lacks `address`" },
        { "@GOOD@\n[client two]\npeer_uid = 1\n", 9, "[client two] lacks `allow`" },
        { CLIENT, 9, "[client two] has no identity" },
        { "[vault v]\napi_key_file = @DIR@/key\n", 1, "[vault v] lacks `url`" },
        { "[vault v]\nurl = https://a/public/v3\n", 1, "[vault v] has no way to sign in" },
        { "[vault v]\noauth_client_id = x\n", 2,
          "`oauth_client_id` needs `oauth_client_secret_file` beside it" },
        { "[vault v]\noauth_client_secret_file = @DIR@/key\n", 2,
          "`oauth_client_secret_file` needs `oauth_client_id` beside it" },
        { VAULT "client_certificate = @DIR@/key\n", 9, "`client_certificate` needs `client_key` beside it" },
        { LISTEN "address = 127.0.0.1:1\ntls_key = @DIR@/key\n", 11,
          "`tls_key` needs `tls_certificate` beside it" },
    };
    RUN(rows);
}

TEST(what_does_not_go_together)
{
    static const struct row rows[] = {
        { LISTEN "address = 0.0.0.0:8443\n", 10,
          "0.0.0.0:8443 can be reached by other machines and must have TLS" },
        { LISTEN "address = [::]:8443\n", 10, "[::]:8443 can be reached by other machines" },
        { LISTEN "address = 127.0.0.1:1\nclient_ca = @DIR@/key\n", 11, "`client_ca` needs TLS" },
        { LISTEN "address = 127.0.0.1:8443\n", 10,
          "127.0.0.1:8443 is already taken by [listener main] in line 2" },
        { LISTEN "address = unix:/a\nunix_owner = no-such-user\n", 11, "there is no user `no-such-user`" },
        { LISTEN "address = unix:/a\nunix_group = no-such-group\n", 11, "there is no group `no-such-group`" },
        { CLIENT "token_sha256 = " FIXTURE_TOKEN "\n", 11, "same token as [client pra] in line 4" },
        { "[client a]\npeer_uid = 1\nallow = broker\n[client b]\npeer_uid = 1\nallow = observe\n", 4,
          "[client b] has the same identity as [client a] in line 1" },
        { "[client a]\ncertificate_san = a.b\nallow = broker\n[client b]\ncertificate_san = DNS:A.b\n", 4,
          "[client b] has the same identity as [client a] in line 1" },
        { VAULT "oauth_client_id = x\noauth_client_secret_file = @DIR@/key\n", 8,
          "`api_key_file` and OAuth exclude" },
        { VAULT TWIN "HTTPS://Vault.Example.:443/beyondtrust/API/public/v3//\napi_key_file = @DIR@/key\n", 10,
          "[vault two] is [vault main] in line 7 again: same `url` and same sign-in" },
        { "[vault a]\nurl = https://v/public/v3\noauth_client_id = x\noauth_client_secret_file = @DIR@/key\n"
          "[vault b]\nurl = https://v:443/public/v3\noauth_client_id = x\n", 6,
          "[vault b] is [vault a] in line 2 again" },
        { "[vault a]\nurl = https://[::1]/public/v3\noauth_client_id = x\noauth_client_secret_file = @DIR@/key\n"
          "[vault b]\nurl = https://[0:0::1]/public/v3\noauth_client_id = x\n", 6,
          "[vault b] is [vault a] in line 2 again" },
        { VAULT TWIN "https://vault.example/Beyond%54rust/api/p%75blic/v3\napi_key_file = @DIR@/key\n"
          "run_as_password_file = @DIR@/key\n", 10,
          "[vault two] is [vault main] in line 7 again: same `url` and same sign-in" },
        { "[vault a]\nurl = https://v/public/v3\noauth_client_id = ab\noauth_client_secret_file = @DIR@/key\n"
          "[vault b]\nurl = https://v./public/v3\noauth_client_id = AB\n", 6,
          "[vault b] is [vault a] in line 2 again" },
        { "[vault v]\nurl = https://a/public/v3\noauth_client_id = x\noauth_client_secret_file = @DIR@/key\n", 3,
          "with OAuth every PRA user acts as the one application user of this client" },
        { "[vault v]\nurl = https://a/public/v3\noauth_client_id = x\noauth_client_secret_file = @DIR@/key\n"
          "oauth_shared_identity = no\n", 3, "with OAuth every PRA user acts" },
        { VAULT "session_idle = 20m\n", 9, "`session_idle` must stay below 20m" },
        { GATEWAY "catalogue_cache = 5m\ncatalogue_max_age = 1m\n", 11,
          "`catalogue_max_age` must not be shorter" },
    };
    RUN(rows);
}

TEST(what_is_probably_not_meant)
{
    static const struct row rows[] = {
        { CLIENT "certificate_san = a.b\n", 11, "[client two] can never call: no listener has `client_ca`" },
        { CLIENT "peer_uid = 7\n", 11, "[client two] can never call: no listener is a Unix socket" },
        { LISTEN "address = 127.0.0.1:1\nunix_mode = 0600\n", 11, "`unix_mode` has no effect" },
        { GATEWAY "release_duration = 90s\n", 10, "`release_duration` counts in whole minutes" },
        { VAULT "minute = 1s\n", 9, "`minute` is for simulators" },
        { VAULT "oauth_shared_identity = yes\n", 9, "`oauth_shared_identity` has no effect without" },
        { VAULT "run_as = everybody\n", 9, "`run_as` template `everybody` has no {username}" },
        { VAULT "connect_timeout = 11s\n", 9, "`connect_timeout` is longer than `call_timeout`" },
        { "@GOOD@\n[vault w]\nurl = https://a/\napi_key_file = @DIR@/key\n", 10, "`url` usually ends in" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_warned(*state, rows[i].text, rows[i].line, rows[i].message);
}

/* Two listeners that take any free port are two; so are the same token with and without a certificate's. */
TEST(what_is_fine)
{
    struct fixture *f = *state;

    assert_loads(f, "@GOOD@\n[listener a]\naddress = 127.0.0.1:0\n[listener b]\naddress = 127.0.0.1:0\n");
    assert_int_equal(f->errors.len, 0);
    assert_loads(f, LISTEN "address = unix:/" NINETY "1234567890123456\n"); /* as long as it may be */
    assert_loads(f, VAULT TWIN "https://vault.example:444/BeyondTrust/api/public/v3\napi_key_file = @DIR@/key\n");
    assert_int_equal(f->errors.len, 0);
    (void)fixture_file(f, "other", "of-another-registration", 0600); /* one vault, two sign-ins */
    assert_loads(f, VAULT TWIN "https://vault.example/BeyondTrust/api/public/v3\napi_key_file = @DIR@/other\n");
    assert_int_equal(f->errors.len, 0);
    assert_loads(f, VAULT TWIN "https://vault.example/BeyondTrust/api/public/v3\noauth_client_id = x\n"
                    "oauth_client_secret_file = @DIR@/key\noauth_shared_identity = yes\n");
    assert_int_equal(f->errors.len, 0);
    assert_loads(f, "@GOOD@\n[listener u]\naddress = unix:/a\n[client a]\npeer_uid = 1\nallow = broker\n"
                    "[client b]\npeer_uid = 2\nallow = broker\n");
    assert_int_equal(f->errors.len, 0);
}

TEST(secrets_in_the_file_are_refused_unseen)
{
    static const struct row rows[] = {
        { VAULT "api_key = hunter2hunter2\n", 9,
          "`api_key` in [vault main] would put a secret into this file: put it into a file of its own "
          "and name that file with `api_key_file`" },
        { VAULT "run_as_password = hunter2hunter2\n", 9,
          "`run_as_password` in [vault main] would put a secret" },
        { VAULT "oauth_client_secret = hunter2hunter2\n", 9,
          "`oauth_client_secret` in [vault main] would put" },
        { CLIENT "token = hunter2hunter2\n", 11,
          "`token` in [client two] would put a secret into this file: write the SHA-256 of the token as "
          "`token_sha256`" },
        { CLIENT "token_sha256 = hunter2hunter2\n", 11, "`token_sha256` needs the SHA-256 of the token" },
        { VAULT "run_as_password_file = hunter2hunter2\n", 9,
          "`run_as_password_file` names no file that can be" },
        { "[vault v]\nurl = https://ann:hunter2@vault.example/\n", 2, "`url` must not hold a user or password" },
        { "[vault v]\nurl = ann:hunter2@vault.example\n", 2, "`url` needs an address that begins with its scheme" },
        { VAULT "proxy = http://ann:hunter2@proxy.example:3128\n", 9, "`proxy` must not hold a user or password" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_mistake(f, rows[i].text, rows[i].line, rows[i].message);
        assert_null(strstr(buf_cstr(&f->errors), "hunter2"));
    }
}

/* clang-format on */

TEST(all_mistakes_come_at_once_in_order)
{
    struct fixture *f = *state;
    const char *text =
        "[gateway]\nlist_cache = 1\nmax_bdy = 1k\n[listener a]\n[client b]\nallow = x\n[vault c]\n"
        "api_key_file = @DIR@/none\n";
    unsigned last = 0;
    char *line, *rest = NULL;

    assert_int_equal(fixture_load(f, text), -EINVAL);
    assert_int_equal(fixture_messages(f), 7);
    assert_non_null(buf_cstr(&f->errors));
    for (line = strtok_r(f->errors.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        unsigned at = (unsigned)strtoul(strstr(line, "test.conf:") + strlen("test.conf:"), NULL, 10);
        assert_true(at >= last);
        last = at;
    }
    assert_int_equal(last, 8);
}

/* A mistake in one key does not make others: the section is not "lacking" what is there but wrong. */
TEST(a_mistake_is_reported_once)
{
    static const char *const texts[] = {
        LISTEN "address = nowhere\n",
        "@GOOD@\n[client two]\nallow = x\npeer_uid = -\n",
        "@GOOD@\n[client pra]\n",
        "@GOOD@\n[vault w]\nurl = ftp:\napi_key_file = @DIR@/key\n",
        "@GOOD@\n[gatewy]\nunknown = key\n[listner x]\n",
    };
    static const size_t mistakes[] = {1, 2, 1, 1, 2};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(fixture_load(f, texts[i]), -EINVAL);
        if (fixture_messages(f) != mistakes[i])
            fail_msg("%s\n%s", texts[i], buf_cstr(&f->errors));
    }
}

/* ---- files that are no configuration ---- */

TEST(files_that_cannot_be_read)
{
    struct fixture *f = *state;
    struct buf errors = BUF_INIT(4096);
    struct conf *conf = NULL;

    assert_int_equal(conf_load("/nonexistent/jumpgate.conf", &conf, &errors), -ENOENT);
    assert_string_equal(buf_cstr(&errors),
                        "/nonexistent/jumpgate.conf: cannot read: No such file or directory\n");
    buf_clear(&errors);
    assert_int_equal(conf_load(f->dir, &conf, &errors), -EISDIR);
    buf_clear(&errors);
    assert_int_equal(conf_load("/dev/zero", &conf, &errors), -EMEDIUMTYPE);
    assert_non_null(strstr(buf_cstr(&errors), "/dev/zero: cannot read: it is no regular file"));
    char path[] = "/tmp/jumpgate-long-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && ftruncate(fd, 16 << 20) == 0);
    (void)close(fd);
    buf_clear(&errors);
    assert_int_equal(conf_load(path, &conf, &errors), -EMSGSIZE);
    assert_non_null(strstr(buf_cstr(&errors), ": longer than"));
    (void)unlink(path);
    assert_null(conf);
    buf_free(&errors);
}

TEST(lines_over_the_limit)
{
    struct fixture *f = *state;
    char text[16384];

    (void)snprintf(text, sizeof(text), "@GOOD@\nreason = %5000s\nretries = 11\n", "x");
    assert_mistake(f, text, 9, "the line is longer than");
    assert_mistake(f, text, 10, "`retries` must be from 0 to 10");
    assert_int_equal(fixture_messages(f), 2);
    for (int width = 4070; width < 4100; width++) { /* around the limit, nothing but this message */
        (void)snprintf(text, sizeof(text), "@GOOD@\n#%*s\n", width, "x");
        if (fixture_load(f, text)) {
            assert_int_equal(fixture_messages(f), 1);
            assert_non_null(strstr(buf_cstr(&f->errors), ":9: the line is longer than"));
        }
    }
}

TEST(very_many_sections)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(1024 * 1024);

    for (int i = 0; i < 1500; i++)
        (void)buf_printf(&text, "[client c%d]\npeer_uid = %d\nallow = broker\n", i, i);
    assert_mistake(f, buf_cstr(&text), 3001, "more than 1000 sections");
    buf_free(&text);
}

TEST(very_many_mistakes)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(64 * 1024);

    for (int i = 0; i < 1000; i++)
        (void)buf_str(&text, "nonsense\n");
    assert_mistake(f, buf_cstr(&text), 1, "neither a [section]");
    assert_int_equal(fixture_messages(f), 201);
    assert_non_null(strstr(buf_cstr(&f->errors), "only the first 200 are shown"));
    buf_free(&text);
}

/* Small fixed generator, so that a failure comes back. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

TEST(random_bytes_are_survived)
{
    static const char *const words[] = {
        "[gateway]", "[client x]", "[vault v]",  "[",        "]",     "=",    "\n",
        "\n",        ";",          "#",          " ",        "allow", "url",  "run_as",
        "{",         "}",          "{username}", "https://", "10s",   "\xff", "address",
        "unix:/",    "[::1]:",     "reason",     "rate",     "1/s",   ":"};
    struct fixture *f = *state;
    uint32_t seed = 7;
    char bytes[1024];

    for (int round = 0; round < 300; round++) {
        size_t n = 0;
        while (n < sizeof(bytes) - 16) {
            const char *word = words[next_random(&seed) % (sizeof(words) / sizeof(words[0]))];
            if (next_random(&seed) % 4 == 0) {
                bytes[n++] = (char)next_random(&seed);
                continue;
            }
            memcpy(bytes + n, word, strlen(word));
            n += strlen(word);
        }
        assert_int_equal(fixture_load_bytes(f, bytes, n), -EINVAL);
        assert_true(fixture_messages(f) <= 201);
    }
}

/* A good file with one byte changed loads or is refused with a message, and never without one. */
TEST(a_changed_byte_is_survived)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(8192);
    uint32_t seed = 11;

    (void)buf_printf(
        &text,
        "[gateway]\nlist_cache = 1s\n[listener a]\naddress = [::1]:8443\n[client b]\n"
        "token_sha256 = %s\nallow = broker observe\nrate = 5/m\n[vault c]\n"
        "url = https://v.example:443/public/v3\napi_key_file = %s/key\nrun_as = {username} {domain}x\n",
        FIXTURE_TOKEN, f->dir);
    for (int round = 0; round < 600; round++) {
        size_t at = next_random(&seed) % text.len;
        char old = text.data[at];
        text.data[at] = (char)next_random(&seed);
        if (fixture_load_bytes(f, text.data, text.len))
            assert_true(f->errors.len > 0);
        text.data[at] = old;
    }
    assert_int_equal(fixture_load_bytes(f, text.data, text.len), 0);
    buf_free(&text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(values_of_one_key),
        T(addresses_and_urls),
        T(sections_and_keys),
        T(what_is_missing),
        T(what_does_not_go_together),
        T(what_is_probably_not_meant),
        T(what_is_fine),
        T(secrets_in_the_file_are_refused_unseen),
        T(all_mistakes_come_at_once_in_order),
        T(a_mistake_is_reported_once),
        T(files_that_cannot_be_read),
        T(lines_over_the_limit),
        T(very_many_sections),
        T(very_many_mistakes),
        T(random_bytes_are_survived),
        T(a_changed_byte_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
