/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line of the load tool; see options.h.
 */
#include "load/options.h"

#include "base/text.h"

#include <getopt.h>
#include <string.h>

const char options_usage[] =
    "usage: jumpgate-load --address HOST:PORT|unix:PATH --token-file FILE [options]\n"
    "       jumpgate-load --handshakes N --certificate FILE --key FILE [--resume]\n"
    "       jumpgate-load --serve --certificate FILE --key FILE\n"
    "  --clients N        connections, each one request at a time (16)\n"
    "  --seconds N        length of the measurement (5)\n"
    "  --warmup N         seconds before it (1)\n"
    "  --users N          different users (100)\n"
    "  --hosts N          different hosts (100)\n"
    "  --first N          number of the first user and host (1)\n"
    "  --user-format F    user name, with one %u (user%u)\n"
    "  --host-format F    host name, with one %u (host%u)\n"
    "  --domain D         domain of the users (none)\n"
    "  --hold MS          time between check-out and release (0)\n"
    "  --op NAME[=N]      find, search, get or checkout, N times as often as the others; repeatable\n"
    "                     (checkout: check-out and release)\n"
    "  --rate N           open loop: N turns per second, latency from the intended start\n"
    "  --timeout MS       deadline that the gateway is told (none)\n"
    "  --truth FILE       JSON array: the password of each host, compared with each answer\n"
    "  --path P           what `get` asks for (/livez), and\n"
    "  --status N         the right answer to it (200)\n"
    "  --tls --ca FILE    TLS to the gateway, verified by these authorities\n"
    "  --reconnect        a connection of its own for each request\n"
    "  --resume           connections after a client's first resume its TLS session\n"
    "  --every N          a line of figures every N seconds of the measurement\n"
    "  --handshakes N     no gateway: N TLS handshakes in memory, and what they cost\n"
    "  --serve            no clients: the least TLS server there is, to compare with\n"
    "  --keep             a session of its own for each check-out, never released\n"
    "  --count N          end after N turns\n"
    "  --first-turn N     number of the first turn: another run's sessions are left alone (0)\n";

/* Exactly one conversion, %u with an optional width. */
static bool good_format(const char *f)
{
    const char *p = strchr(f, '%');

    if (!p)
        return false;
    p += 1 + strspn(p + 1, "0123456789");
    return *p == 'u' && !strchr(p, '%') && strlen(f) < 64;
}

/* NAME or NAME=WEIGHT */
static bool parse_op(struct load *l, const char *text)
{
    size_t n = strcspn(text, "=");
    int64_t weight = 1;

    if (text[n] && !text_int(text + n + 1, 1, 1000, &weight))
        return false;
    for (size_t i = 0; i <= STEP_CHECKOUT; i++) {
        if (strlen(load_step_names[i]) != n || strncmp(load_step_names[i], text, n) != 0)
            continue;
        l->weight[i] = (unsigned)weight;
        return true;
    }
    return false;
}

static bool take_text(struct options *o, int option, const char *value)
{
    switch (option) {
    case 'a': o->address = value; return link_parse(&o->load->to, value);
    case 't': o->token_file = value; return true;
    case 'U': o->load->user_format = value; return good_format(value);
    case 'H': o->load->host_format = value; return good_format(value);
    case 'd': o->load->domain = value; return strlen(value) < 64;
    case 'o': return parse_op(o->load, value);
    case 'V': o->truth_file = value; return true;
    case 'p': o->load->path = value; return value[0] == '/' && strlen(value) < 4096;
    case 'A': o->ca_file = value; return true;
    case 'C': o->certificate_file = value; return true;
    case 'K': o->key_file = value; return true;
    default: return false;
    }
}

static bool take_flag(struct options *o, int option)
{
    switch (option) {
    case 'k': o->load->keep = true; return true;
    case 'L': o->tls = true; return true;
    case 'x': o->load->reconnect = true; return true;
    case 'R': o->load->resume = true; return true;
    case 'b': o->serve = true; return true;
    default: return false;
    }
}

static bool take_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case 'c': return text_int(value, 1, 100000, &o->clients);
    case 's': return text_int(value, 1, 604800, &o->seconds);
    case 'w': return text_int(value, 0, 600, &o->warmup);
    case 'u': return text_int(value, 1, 1000000, &o->users);
    case 'h': return text_int(value, 1, 1000000, &o->hosts);
    case 'f': return text_int(value, 0, 1000000, &o->first);
    case 'l': return text_int(value, 0, 3600000, &o->hold);
    case 'r': return text_int(value, 1, 1000000, &o->rate);
    case 'T': return text_int(value, 1, 600000, &o->timeout);
    case 'N': return text_int(value, 0, 100000000, &o->first_turn);
    case 'n': return text_int(value, 1, 100000000, &o->count);
    case 'S': return text_int(value, 100, 599, &o->status);
    case 'e': return text_int(value, 1, 3600, &o->every);
    case 'M': return text_int(value, 1, 1000000, &o->handshakes);
    default: return value ? take_text(o, option, value) : take_flag(o, option);
    }
}

/* What belongs together is there together. */
static bool consistent(const struct options *o)
{
    if (o->handshakes || o->serve)
        return o->certificate_file && o->key_file;
    return o->address && o->token_file && o->tls == (o->ca_file != NULL) && !(o->rate && o->first_turn);
}

bool options_parse(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {
        {"address", 1, NULL, 'a'},
        {"token-file", 1, NULL, 't'},
        {"clients", 1, NULL, 'c'},
        {"seconds", 1, NULL, 's'},
        {"warmup", 1, NULL, 'w'},
        {"users", 1, NULL, 'u'},
        {"hosts", 1, NULL, 'h'},
        {"first", 1, NULL, 'f'},
        {"hold", 1, NULL, 'l'},
        {"user-format", 1, NULL, 'U'},
        {"host-format", 1, NULL, 'H'},
        {"domain", 1, NULL, 'd'},
        {"op", 1, NULL, 'o'},
        {"rate", 1, NULL, 'r'},
        {"timeout", 1, NULL, 'T'},
        {"truth", 1, NULL, 'V'},
        {"keep", 0, NULL, 'k'},
        {"count", 1, NULL, 'n'},
        {"first-turn", 1, NULL, 'N'},
        {"path", 1, NULL, 'p'},
        {"status", 1, NULL, 'S'},
        {"tls", 0, NULL, 'L'},
        {"ca", 1, NULL, 'A'},
        {"reconnect", 0, NULL, 'x'},
        {"resume", 0, NULL, 'R'},
        {"every", 1, NULL, 'e'},
        {"handshakes", 1, NULL, 'M'},
        {"certificate", 1, NULL, 'C'},
        {"key", 1, NULL, 'K'},
        {"serve", 0, NULL, 'b'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!take_option(o, option, optarg))
            return false;
    return optind == argc && consistent(o);
}
