/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_state.c - the gateways that share this one's store, in /status; see cluster_state.h.
 *
 * The store knows the other members by what each has written of itself. This gateway's own row is made here,
 * of its own figures.
 */
#include "handlers/cluster_state.h"

#include <stdio.h>
#include <string.h>

const char *const cluster_member_states[MEMBER_NSTATES] = {
    [MEMBER_ALIVE] = "alive",
    [MEMBER_SILENT] = "silent",
    [MEMBER_LEAVING] = "leaving",
    [MEMBER_ADOPTED] = "adopting",
};

const struct store_cluster *cluster_of(const struct gateway *gw)
{
    struct store_state s;

    return health_store(gw, &s) ? s.cluster : NULL;
}

void cluster_count(const struct gateway *gw, const struct store_cluster *c, size_t out[MEMBER_NSTATES])
{
    memset(out, 0, MEMBER_NSTATES * sizeof(*out));
    if (c->joined)
        out[gw->draining ? MEMBER_LEAVING : MEMBER_ALIVE]++;
    for (size_t i = 0; i < c->nmembers; i++)
        out[c->members[i].state]++;
}

/* "" where it cannot be made. */
static const char *own_digest(const struct gateway *gw, char hex[CONF_DIGEST_SIZE])
{
    if (conf_cluster_digest(gw->conf, hex))
        hex[0] = '\0';
    return hex;
}

bool cluster_config_differs(const struct gateway *gw, const struct store_cluster *c)
{
    char own[CONF_DIGEST_SIZE];
    bool differs = false;

    if (!c->nmembers || !*own_digest(gw, own))
        return false;
    for (size_t i = 0; i < c->nmembers; i++)
        differs = differs || (*c->members[i].config_digest && strcmp(c->members[i].config_digest, own) != 0);
    return differs;
}

static void write_member(struct jsonw *w, const struct store_member *m)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "node", m->node);
    jsonw_str(w, "state", cluster_member_states[m->state]);
    jsonw_int(w, "epoch", m->epoch);
    jsonw_int(w, "silent_ms", (int64_t)m->silent_ms);
    jsonw_int(w, "leases", (int64_t)m->leases);
    jsonw_str(w, "version", m->version);
    jsonw_str(w, "config_digest", m->config_digest);
    jsonw_end(w);
}

static void write_self(struct jsonw *w, const struct gateway *gw, const struct store_cluster *c)
{
    char digest[CONF_DIGEST_SIZE];
    struct broker_state broker = {0};

    broker_state(gw->broker, &broker);
    jsonw_object(w, NULL);
    jsonw_str(w, "node", c->node);
    jsonw_str(w, "state", cluster_member_states[gw->draining ? MEMBER_LEAVING : MEMBER_ALIVE]);
    jsonw_int(w, "epoch", c->epoch);
    jsonw_int(w, "silent_ms", 0);
    jsonw_int(w, "leases", (int64_t)broker.leases_active);
    jsonw_str(w, "version", JG_VERSION);
    jsonw_str(w, "config_digest", own_digest(gw, digest));
    jsonw_end(w);
}

static void write_store(struct jsonw *w, const struct store_state *s, const struct store_cluster *c)
{
    jsonw_object(w, "store");
    jsonw_str(w, "endpoint", c->endpoint);
    jsonw_str(w, "leader", c->leader);
    jsonw_int(w, "revision", c->revision);
    jsonw_int(w, "db_bytes", c->db_bytes);
    jsonw_double(w, "round_trip_ms", (double)s->last_commit_us / 1000);
    jsonw_end(w);
}

static void write_refusal(struct jsonw *w, const struct store_state *s, const struct store_cluster *c)
{
    char text[480];

    (void)snprintf(text, sizeof(text), "%s%s%s", s->why, c->refused && *c->remedy ? "; " : "",
                   c->refused ? c->remedy : "");
    jsonw_str(w, "refusal", c->refused ? text : NULL);
}

void cluster_write(const struct gateway *gw, struct jsonw *w)
{
    struct store_state s;
    const struct store_cluster *c = health_store(gw, &s) ? s.cluster : NULL;

    if (!c) {
        jsonw_null(w, "cluster");
        return;
    }
    jsonw_object(w, "cluster");
    jsonw_str(w, "node", c->node);
    jsonw_int(w, "epoch", c->epoch);
    jsonw_bool(w, "certain", c->certain);
    jsonw_int(w, "certain_left_ms", (int64_t)c->certain_left_ms);
    write_refusal(w, &s, c);
    jsonw_array(w, "members");
    if (c->joined)
        write_self(w, gw, c);
    for (size_t i = 0; i < c->nmembers; i++)
        write_member(w, &c->members[i]);
    jsonw_end(w);
    jsonw_int(w, "adoptions", (int64_t)c->adoptions);
    jsonw_int(w, "fenced", (int64_t)c->fences);
    write_store(w, &s, c);
    jsonw_end(w);
}
