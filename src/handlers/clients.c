/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients.c - identifies the caller and limits its rate.
 *
 * A token is never compared as text: its SHA-256 is compared with the hashes of the file, all of them,
 * without an early end. Certificate names come verified from the TLS layer as "DNS:…", "URI:…", "email:…",
 * "IP:…"; DNS names have no case, the others are compared as they are. The uid of a Unix peer comes from the
 * kernel.
 *
 * Not here: what a client may do (permissions are checked by the router).
 */
#include "handlers/clients.h"

#include "base/digest.h"
#include "base/memory/secret.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct conf_client control_conf = {
    .name = "control", .peer_uid = -1, .allow = PERMIT_OPERATE | PERMIT_OBSERVE};

struct clients {
    const struct clock *clock;
    struct client control;
    size_t n;
    struct client row[];
};

/* A bucket holds at least one request: with a rate under 1/s no request would pass otherwise. */
static double bucket_size(const struct conf_client *c)
{
    return c->rate_per_s > 1 ? c->rate_per_s : 1;
}

struct clients *clients_new(const struct conf *conf, const struct clock *clock)
{
    struct clients *cs = calloc(1, sizeof(*cs) + conf->nclients * sizeof(cs->row[0]));
    if (!cs)
        return NULL;
    cs->clock = clock;
    cs->control = (struct client){.conf = &control_conf};
    cs->n = conf->nclients;
    for (size_t i = 0; i < cs->n; i++)
        cs->row[i] = (struct client){.conf = &conf->clients[i],
                                     .bucket = {bucket_size(&conf->clients[i]), clock_now(clock)}};
    return cs;
}

void clients_inherit(struct clients *cs, const struct clients *before)
{
    for (size_t i = 0; i < cs->n; i++)
        for (size_t k = 0; k < before->n; k++) {
            struct client *now = &cs->row[i];
            const struct client *was = &before->row[k];

            if (strcmp(now->conf->name, was->conf->name) != 0)
                continue;
            now->bucket.tokens = fmin(was->bucket.tokens, now->bucket.tokens);
            now->bucket.filled_ms = was->bucket.filled_ms;
        }
}

void clients_free(struct clients *cs)
{
    free(cs);
}

/* The token of the one `Authorization: Bearer TOKEN` line, or NULL. Two such lines count as none. */
static const char *bearer_token(const struct http_req *req)
{
    static const char scheme[] = "Bearer";
    const char *value = http_header(req, "Authorization");
    size_t n = sizeof(scheme) - 1;

    if (!value || http_header_count(req, "Authorization") != 1 || strlen(value) <= n)
        return NULL;
    if (!text_equal_nocase_n(value, n, scheme, n) || value[n] != ' ')
        return NULL;
    value += n + strspn(value + n, " ");
    return *value ? value : NULL;
}

static bool san_equal(const char *wanted, const char *shown)
{
    static const char dns[] = "DNS:";
    if (!strncmp(wanted, dns, sizeof(dns) - 1))
        return text_equal_nocase(wanted, shown);
    return !strcmp(wanted, shown);
}

static bool san_shown(const char *wanted, const struct http_peer *peer)
{
    for (size_t i = 0; i < peer->nsans; i++)
        if (san_equal(wanted, peer->sans[i]))
            return true;
    return false;
}

static bool uid_shown(int64_t wanted, const struct http_peer *peer)
{
    return peer->is_unix && wanted == (int64_t)peer->uid;
}

/* `hash` is NULL where there is no token. */
static bool client_matches(const struct conf_client *c, const uint8_t *hash, const struct http_peer *peer)
{
    bool token = !c->has_token || (hash && bytes_equal(hash, c->token_sha256, DIGEST_SIZE));
    bool san = !c->certificate_san || san_shown(c->certificate_san, peer);
    bool uid = c->peer_uid < 0 || uid_shown(c->peer_uid, peer);
    bool named = c->has_token || c->certificate_san ||
                 c->peer_uid >= 0; /* a section without any identity matches no caller */
    return token & san & uid & named;
}

static bool is_control(const struct http_peer *peer)
{
    return strcmp(peer->listener, CONTROL_LISTENER) == 0;
}

/* Root is permitted: it can read the whole process anyway. */
static bool may_control(const struct http_peer *peer)
{
    return peer->is_unix && (peer->uid == 0 || peer->uid == geteuid());
}

int clients_find(struct clients *cs, const struct http_req *req, struct client **found)
{
    uint8_t hash[DIGEST_SIZE] = {0};

    *found = NULL;
    if (is_control(req->peer)) {
        *found = may_control(req->peer) ? &cs->control : NULL;
        return 0;
    }
    const char *token = bearer_token(req);
    int err = token ? digest_sha256(token, strlen(token), hash) : 0;
    for (size_t i = 0; i < cs->n && !err; i++) {
        bool match = client_matches(cs->row[i].conf, token ? hash : NULL, req->peer);
        if (match && !*found)
            *found = &cs->row[i];
    }
    wipe(hash, sizeof(hash));
    return err;
}

void clients_token_digest(const struct http_req *req, char out[TOKEN_DIGEST_SIZE])
{
    const char *token = bearer_token(req);
    uint8_t hash[DIGEST_SIZE] = {0};

    (void)text_copy(out, TOKEN_DIGEST_SIZE, "-");
    if (token && digest_sha256(token, strlen(token), hash) == 0)
        text_hex(out, hash, (TOKEN_DIGEST_SIZE - 1) / 2);
    wipe(hash, sizeof(hash));
}

bool clients_know(const struct clients *cs, const struct http_peer *peer)
{
    if (is_control(peer))
        return may_control(peer);
    for (size_t i = 0; i < cs->n; i++)
        if (client_matches(cs->row[i].conf, NULL, peer))
            return true;
    return false;
}

unsigned clients_take(struct clients *cs, struct client *c)
{
    double rate = c->conf->rate_per_s;

    return rate > 0 ? token_bucket_take(&c->bucket, rate, bucket_size(c->conf), clock_now(cs->clock)) : 0;
}
