/*
 * address.h - addresses, URLs and certificate names of the configuration, split or made canonical.
 *
 * Pure functions on texts: nothing is resolved, nothing is opened. Each explains in `why` what it wants, in
 * words that complete "`key` …".
 */
#ifndef JG_BASE_ADDRESS_H
#define JG_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_WHY_SIZE  256
#define ADDRESS_HOST_SIZE 256
#define ADDRESS_SAN_SIZE  320

struct address_url {
    char scheme[8];               /* lower case */
    char host[ADDRESS_HOST_SIZE]; /* without brackets, lower case */
    uint16_t port;                /* 0 = the scheme's own */
    const char *path;             /* within the text; "" or "/…" */
};

/* All: 0 or -EINVAL and why. */
int address_split_url(const char *text, struct address_url *out, char why[ADDRESS_WHY_SIZE]);
#define ADDRESS_IDENTITY_SIZE 2304 /* an address is shorter in the configuration */
/*
 * The same text for every spelling of one address: scheme, host and path in lower case (the vault's server
 * does not tell cases of a path apart), the port always there, no slash at the end, and no percent form of a
 * letter that needs none. "" if it is no address.
 */
void address_url_identity(const char *text, char out[ADDRESS_IDENTITY_SIZE]);
/* `127.0.0.1:8443`, `[::1]:8443`; the host comes out canonical. */
int address_split(const char *text, char host[ADDRESS_HOST_SIZE], uint16_t *port, char why[ADDRESS_WHY_SIZE]);
/* "gw.example" -> "DNS:gw.example"; prefixes DNS: URI: email: IP:. */
int address_normal_san(const char *text, char out[ADDRESS_SAN_SIZE], char why[ADDRESS_WHY_SIZE]);

#define ADDRESS_BYTES 16 /* of an IPv6 address; an IPv4 address is mapped into it (::ffff:a.b.c.d) */

struct address_network {
    uint8_t address[ADDRESS_BYTES];
    unsigned bits; /* of it that count */
};

/* `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`; bits behind the prefix must be 0. */
int address_network(const char *text, struct address_network *out, char why[ADDRESS_WHY_SIZE]);
/* Whether an IPv4 or IPv6 literal is in the network; false for any other text (a Unix socket's peer). */
bool address_in_network(const struct address_network *, const char *ip);

/* 127.0.0.0/8, ::1, or the name localhost. */
bool address_is_loopback(const char *host);

#endif
