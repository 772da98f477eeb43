/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c - addresses, networks, URLs and certificate names.
 *
 * Strict where leniency would surprise: a listener takes an IP literal only (a name may resolve to several
 * addresses, or to another one tomorrow), a URL must not carry a user or password (that would be a secret in
 * the configuration), and a certificate name that looks like an address or a mailbox must say its kind, since
 * `10.0.0.1` taken for a DNS name would silently never match.
 */
#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789.-_"

static int refuse_address(char why[ADDRESS_WHY_SIZE], const char *text)
{
    (void)text_copy(why, ADDRESS_WHY_SIZE, text);
    return -EINVAL;
}

static void lower_ascii(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

/* IPv4 or IPv6 literal without brackets, in its canonical form; false when it is none. */
static bool canonical_ip(const char *text, char *out, size_t size)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, text, &four) == 1)
        return inet_ntop(AF_INET, &four, out, (socklen_t)size) != NULL;
    if (inet_pton(AF_INET6, text, &six) == 1)
        return inet_ntop(AF_INET6, &six, out, (socklen_t)size) != NULL;
    return false;
}

bool address_is_loopback(const char *host)
{
    struct in6_addr six;
    struct in_addr four;

    if (text_equal_nocase(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

/*
 * HOST, HOST:PORT, [IPV6], [IPV6]:PORT within n letters. `*port` is the text after the colon, or NULL. False
 * when brackets or lengths are wrong.
 */
static bool split_host(const char *text, size_t n, char host[ADDRESS_HOST_SIZE], const char **port)
{
    const char *end = text + n, *host_end, *start = text;

    *port = NULL;
    if (n && *text == '[') {
        start = text + 1;
        host_end = memchr(text, ']', n);
        if (!host_end || !memchr(start, ':', (size_t)(host_end - start)))
            return false;
        if (host_end + 1 < end && host_end[1] != ':')
            return false;
        *port = host_end + 1 < end ? host_end + 2 : NULL;
    } else {
        host_end = memchr(text, ':', n);
        if (host_end)
            *port = host_end + 1;
        else
            host_end = end;
    }
    return host_end > start && text_copy_n(host, ADDRESS_HOST_SIZE, start, (size_t)(host_end - start));
}

static bool read_port(const char *text, size_t n, int64_t min, uint16_t *out)
{
    char digits[8];
    int64_t port;

    if (!text_copy_n(digits, sizeof(digits), text, n) || !text_only(digits, "0123456789") ||
        !text_int(digits, min, 65535, &port))
        return false;
    *out = (uint16_t)port;
    return true;
}

int address_split(const char *text, char host[ADDRESS_HOST_SIZE], uint16_t *port, char why[ADDRESS_WHY_SIZE])
{
    char written[ADDRESS_HOST_SIZE];
    const char *digits;

    if (!split_host(text, strlen(text), written, &digits) || !digits)
        return refuse_address(
            why, "needs an IP address and a port, such as 127.0.0.1:8443 or [::1]:8443, or unix:/PATH");
    if (strcmp(written, "*") == 0)
        return refuse_address(why, "needs an IP address; for all of this machine write 0.0.0.0 or [::]");
    if (!canonical_ip(written, host, ADDRESS_HOST_SIZE))
        return refuse_address(
            why, "needs an IP address, not a name; for this machine alone write 127.0.0.1 or [::1]");
    if ((text[0] == '[') != (strchr(host, ':') != NULL))
        return refuse_address(why, "needs brackets around an IPv6 address, and around no other");
    if (!read_port(digits, strlen(digits), 0, port))
        return refuse_address(why, "needs a port from 0 to 65535 after the last colon");
    return 0;
}

/* ---- networks ---- */

/* Every address as one of IPv6. `*offset`: bits before those that the text counts. */
static bool address_bytes(const char *text, uint8_t out[ADDRESS_BYTES], unsigned *offset)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *offset = 0;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memcpy(out, mapped, sizeof(mapped));
    *offset = 8 * sizeof(mapped);
    return inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;

    return memcmp(a, b, bits / 8) == 0 && (!rest || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

int address_network(const char *text, struct address_network *out, char why[ADDRESS_WHY_SIZE])
{
    const char *slash = strchr(text, '/');
    uint8_t masked[ADDRESS_BYTES] = {0};
    char ip[ADDRESS_HOST_SIZE];
    unsigned offset;
    int64_t bits;

    if (!text_copy_n(ip, sizeof(ip), text, slash ? (size_t)(slash - text) : strlen(text)) ||
        !address_bytes(ip, out->address, &offset))
        return refuse_address(why, "needs IP addresses or networks, such as 192.0.2.7 or 10.0.0.0/8");
    bits = 8 * ADDRESS_BYTES - offset;
    if (slash && (!text_only(slash + 1, "0123456789") || !text_int(slash + 1, 0, bits, &bits)))
        return refuse_address(why, "needs a prefix length after the slash: at most 32, for IPv6 128");
    out->bits = offset + (unsigned)bits;
    memcpy(masked, out->address, out->bits / 8);
    if (out->bits % 8)
        masked[out->bits / 8] = (uint8_t)(out->address[out->bits / 8] & (0xff00U >> (out->bits % 8)));
    if (memcmp(masked, out->address, sizeof(masked)) != 0)
        return refuse_address(why, "has a network with bits set behind its prefix length");
    return 0;
}

bool address_in_network(const struct address_network *network, const char *ip)
{
    uint8_t address[ADDRESS_BYTES];
    unsigned offset;

    return address_bytes(ip, address, &offset) && prefix_equal(address, network->address, network->bits);
}

static bool plain_ascii(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

int address_split_url(const char *text, struct address_url *out, char why[ADDRESS_WHY_SIZE])
{
    const char *mark = strstr(text, "://"), *port;
    size_t authority;

    if (!mark || !text_copy_n(out->scheme, sizeof(out->scheme), text, (size_t)(mark - text)))
        return refuse_address(why, "needs an address that begins with its scheme, such as https://");
    if (!plain_ascii(text))
        return refuse_address(why, "must be plain ASCII without blanks; write other characters as %XX");
    if (strpbrk(text, "?#"))
        return refuse_address(why, "must not have a query (?) or a fragment (#)");
    lower_ascii(out->scheme);
    mark += 3;
    authority = strcspn(mark, "/");
    out->path = mark + authority;
    if (memchr(mark, '@', authority))
        return refuse_address(why, "must not hold a user or password: secrets do not belong into this file");
    if (!split_host(mark, authority, out->host, &port))
        return refuse_address(why, "needs a host name or an IP address (IPv6 in brackets) after ://");
    lower_ascii(out->host);
    if (mark[0] == '[' ? !text_is_ip(out->host) : !text_only(out->host, HOST_LETTERS))
        return refuse_address(why, "has a host name with letters that host names cannot have");
    out->port = 0;
    if (port && !read_port(port, (size_t)(out->path - port), 1, &out->port))
        return refuse_address(why, "needs a port from 1 to 65535 after the host");
    return 0;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Letters that need no percent form are written without one, in place: RFC 3986, 6.2.2.2. */
static void decode_unreserved(char *text)
{
    char *to = text;

    while (*text) {
        int high = *text == '%' ? hex_value(text[1]) : -1, low = high >= 0 ? hex_value(text[2]) : -1;
        char letter = (char)(high * 16 + low);

        if (low >= 0 && (isalnum((unsigned char)letter) || (letter && strchr("-._~", letter)))) {
            *to++ = letter;
            text += 3;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

void address_url_identity(const char *text, char out[ADDRESS_IDENTITY_SIZE])
{
    char why[ADDRESS_WHY_SIZE], ip[ADDRESS_HOST_SIZE];
    struct address_url url;

    *out = '\0';
    if (!text || address_split_url(text, &url, why))
        return;
    size_t host = strlen(url.host), path = strlen(url.path);
    unsigned port = url.port ? url.port : strcmp(url.scheme, "http") == 0 ? 80 : 443;

    if (host > 1 && url.host[host - 1] == '.') /* the name with its root */
        host--;
    while (path && url.path[path - 1] == '/')
        path--;
    if (canonical_ip(url.host, ip, sizeof(ip)) && text_copy(url.host, sizeof(url.host), ip))
        host = strlen(ip);
    if (snprintf(out, ADDRESS_IDENTITY_SIZE, "%s://%.*s:%u%.*s", url.scheme, (int)host, url.host, port,
                 (int)path, url.path) >= ADDRESS_IDENTITY_SIZE)
        *out = '\0';
    decode_unreserved(out);
    lower_ascii(out);
}

/* ---- subject alternative names ---- */

static int san_dns(const char *name, char out[ADDRESS_SAN_SIZE], char why[ADDRESS_WHY_SIZE])
{
    char host[ADDRESS_HOST_SIZE];

    if (!text_copy(host, sizeof(host), name))
        return refuse_address(why, "is too long for a DNS name");
    lower_ascii(host);
    if (text_is_ip(host))
        return refuse_address(why, "looks like an IP address; write IP: before it");
    if (strchr(host, '@'))
        return refuse_address(why, "looks like a mail address; write email: before it");
    if (strchr(host, '*'))
        return refuse_address(why, "is compared exactly; a pattern with * would never match");
    if (!text_only(host, HOST_LETTERS))
        return refuse_address(why, "needs DNS:name, URI:..., email:... or IP:...");
    (void)snprintf(out, ADDRESS_SAN_SIZE, "DNS:%s", host);
    return 0;
}

static int san_ip(const char *address, char out[ADDRESS_SAN_SIZE], char why[ADDRESS_WHY_SIZE])
{
    char ip[ADDRESS_HOST_SIZE];

    if (!canonical_ip(address, ip, sizeof(ip)))
        return refuse_address(why, "needs an IPv4 or IPv6 address after IP:");
    (void)snprintf(out, ADDRESS_SAN_SIZE, "IP:%s", ip);
    return 0;
}

static int san_uri(const char *uri, char out[ADDRESS_SAN_SIZE], char why[ADDRESS_WHY_SIZE])
{
    if (strchr(uri, ':') && plain_ascii(uri) &&
        snprintf(out, ADDRESS_SAN_SIZE, "URI:%s", uri) < ADDRESS_SAN_SIZE)
        return 0;
    return refuse_address(why,
                          "needs a URI with its scheme after URI:, such as URI:spiffe://example.com/pra");
}

static int san_email(const char *mail, char out[ADDRESS_SAN_SIZE], char why[ADDRESS_WHY_SIZE])
{
    if (strchr(mail, '@') && plain_ascii(mail) &&
        snprintf(out, ADDRESS_SAN_SIZE, "email:%s", mail) < ADDRESS_SAN_SIZE)
        return 0;
    return refuse_address(why, "needs a mail address after email:");
}

int address_normal_san(const char *text, char out[ADDRESS_SAN_SIZE], char why[ADDRESS_WHY_SIZE])
{
    static const struct {
        const char *prefix;
        int (*normal)(const char *, char[ADDRESS_SAN_SIZE], char[ADDRESS_WHY_SIZE]);
    } kinds[] = {{"DNS:", san_dns}, {"IP:", san_ip}, {"URI:", san_uri}, {"email:", san_email}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strlen(text) >= n && text_equal_nocase_n(text, n, kinds[i].prefix, n))
            return kinds[i].normal(text + n, out, why);
    }
    return san_dns(text, out, why);
}
