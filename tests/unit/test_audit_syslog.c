/* SPDX-License-Identifier: Apache-2.0 */
/* Audit lines as syslog messages: the two forms, byte for byte, and which is taken where. */
#include "check.h"

#include "audit/audit_chain.h"
#include "audit/audit_syslog.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct audit_syslog s;
static char got[AUDIT_LINE_MAX + 1024];

/* One line, as the trail writes it: of 2026-11-01T09:05:07.123Z. */
static struct buf line_of(const char *members)
{
    struct buf b = BUF_INIT(1 << 16);
    struct audit_link at;

    audit_link_none(&at);
    at.seq = 41;
    assert_int_equal(audit_line_write(&b, &at, 1793523907123, members, strlen(members)), 0);
    return b;
}

static int receiver(char address[160])
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/tmp/jg-syslog-%ld", (long)getpid());
    (void)unlink(to.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    (void)snprintf(address, 160, "unix:%s", to.sun_path);
    return fd;
}

static void send_over_unix(enum audit_syslog_form form, const struct buf *line)
{
    char address[160];
    int fd = receiver(address);

    audit_syslog_open(&s, address, form);
    audit_syslog_send(&s, line->data, line->len);
    ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    got[n] = '\0';
    assert_int_equal(s.sent, 1);
    audit_syslog_close(&s);
    (void)close(fd);
    (void)unlink(address + 5);
}

static void check_message(const char *head, const struct buf *line)
{
    char wanted[sizeof(got)];

    (void)snprintf(wanted, sizeof(wanted), "%s%.*s", head, (int)line->len - 1, line->data);
    assert_string_equal(got, wanted);
}

TEST(rfc_3164_has_local_time_and_no_host)
{
    struct buf line = line_of("\"event\":\"checkout\"");
    char head[128];

    assert_int_equal(setenv("TZ", "XXX-2", 1), 0); /* two hours ahead */
    tzset();
    send_over_unix(AUDIT_SYSLOG_RFC3164, &line);
    (void)snprintf(head, sizeof(head), "<109>Nov  1 11:05:07 jumpgate[%ld]: ", (long)getpid());
    check_message(head, &line);
    buf_free(&line);
}

TEST(rfc_5424_has_host_number_and_event)
{
    struct buf line = line_of("\"event\":\"an_event_with_a_name_that_is_too_long_for_it\"");
    char head[512], host[256];

    assert_int_equal(gethostname(host, sizeof(host)), 0);
    send_over_unix(AUDIT_SYSLOG_AUTO, &line);
    (void)snprintf(head, sizeof(head),
                   "<109>1 2026-11-01T09:05:07.123Z %s jumpgate %ld an_event_with_a_name_that_is_too "
                   "[meta sequenceId=\"42\"][origin software=\"jumpgate\" swVersion=\"" JG_VERSION "\"] ",
                   host, (long)getpid());
    check_message(head, &line);
    buf_free(&line);
}

TEST(the_form_follows_the_place)
{
    static const struct {
        const char *address;
        enum audit_syslog_form form;
        bool rfc3164;
    } rows[] = {
        {"unix:/dev/log", AUDIT_SYSLOG_AUTO, true},
        {"/dev/log", AUDIT_SYSLOG_AUTO, true},
        {"unix:/run/systemd/journal/dev-log", AUDIT_SYSLOG_AUTO, true},
        {"unix:/dev/log", AUDIT_SYSLOG_RFC5424, false},
        {"unix:/run/collector", AUDIT_SYSLOG_AUTO, false},
        {"udp:127.0.0.1:514", AUDIT_SYSLOG_AUTO, false},
        {"udp:127.0.0.1:514", AUDIT_SYSLOG_RFC3164, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        audit_syslog_open(&s, rows[i].address, rows[i].form);
        assert_int_equal(s.rfc3164, rows[i].rfc3164);
        assert_true(s.fd >= 0);
        audit_syslog_close(&s);
    }
}

static void send_over_udp(const char *family)
{
    struct buf line = line_of("\"event\":\"checkout\"");
    bool v6 = *family == '[';
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *at = v6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    socklen_t size = v6 ? sizeof(six) : sizeof(four);
    int fd = socket(at->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char address[64];

    assert_int_equal(bind(fd, at, size), 0);
    assert_int_equal(getsockname(fd, at, &size), 0);
    (void)snprintf(address, sizeof(address), "udp:%s:%u", family, ntohs(v6 ? six.sin6_port : four.sin_port));
    audit_syslog_open(&s, address, AUDIT_SYSLOG_AUTO);
    audit_syslog_send(&s, line.data, line.len);
    assert_true(recv(fd, got, sizeof(got), 0) > 0);
    assert_int_equal(s.sent, 1);
    audit_syslog_close(&s);
    (void)close(fd);
    buf_free(&line);
}

TEST(udp_reaches_both_families)
{
    send_over_udp("127.0.0.1");
    send_over_udp("[::1]");
}

TEST(what_cannot_be_sent_is_counted)
{
    struct buf line = line_of("\"event\":\"checkout\"");
    static const char *const addresses[] = {"unix:/tmp/jg-no-such-socket", "udp:nonsense"};

    for (size_t i = 0; i < 2; i++) {
        audit_syslog_open(&s, addresses[i], AUDIT_SYSLOG_AUTO);
        audit_syslog_send(&s, line.data, line.len);
        assert_int_equal(s.sent, 0);
        assert_int_equal(s.dropped, 1);
        audit_syslog_close(&s);
    }
    audit_syslog_open(&s, NULL, AUDIT_SYSLOG_AUTO);
    audit_syslog_send(&s, line.data, line.len);
    assert_int_equal(s.dropped, 0);
    buf_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_3164_has_local_time_and_no_host),
        cmocka_unit_test(rfc_5424_has_host_number_and_event),
        cmocka_unit_test(the_form_follows_the_place),
        cmocka_unit_test(udp_reaches_both_families),
        cmocka_unit_test(what_cannot_be_sent_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
