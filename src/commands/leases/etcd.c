/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd.c - see etcd.h.
 *
 * The end of a lease is the step RELEASE (stores/etcd_steps.c) in a transaction that expects no member. The
 * request keeps its owner, which is dead: the first gateway that starts adopts it and checks it in.
 */
#include "commands/leases/etcd.h"

#include "base/container_of.h"
#include "commands/cluster/members.h"
#include "commands/unit_command.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_steps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct leases_etcd *etcd_of(struct offline_store *store)
{
    return CONTAINER_OF(store, struct leases_etcd, store);
}

static int fail(const struct leases_etcd *e, int err, char why[OFFLINE_WHY_SIZE])
{
    (void)snprintf(why, OFFLINE_WHY_SIZE, "%.300s", e->calls.why);
    return err;
}

static int read_rows(struct offline_store *store, const struct store_reader *reader, void *arg,
                     char why[OFFLINE_WHY_SIZE])
{
    struct leases_etcd *e = etcd_of(store);
    int err = store_calls_rows(&e->calls, reader, arg);

    return err ? fail(e, err, why) : 0;
}

/* ---- no gateway lives ---- */

static int fence(struct leases_etcd *e, const struct cluster_member *m, char why[OFFLINE_WHY_SIZE])
{
    char next[ETCD_OWNER_SIZE];
    bool held;

    (void)snprintf(next, sizeof(next), "%s@0", m->node);
    int err = store_calls_fence(&e->calls, m->node, m->epoch, m->mod, next, &held);

    if (err)
        return fail(e, err, why);
    if (held)
        return 0;
    (void)snprintf(why, OFFLINE_WHY_SIZE, "the gateway %s of the cluster runs", m->node);
    return -EBUSY;
}

/* Waits for as long as a gateway may be silent. */
static int take(struct offline_store *store, char why[OFFLINE_WHY_SIZE])
{
    struct leases_etcd *e = etcd_of(store);
    struct cluster_view v;
    int code = cluster_look_twice(&e->calls, &v), err = code ? -EIO : 0;

    (void)snprintf(why, OFFLINE_WHY_SIZE, "nothing was released");
    if (!err && v.has_moved) {
        etcd_moved_explain(&v.moved, why);
        err = -EBUSY;
    }
    for (size_t i = 0; !err && i < v.n; i++) {
        if (!v.all[i].writes)
            continue;
        (void)snprintf(why, OFFLINE_WHY_SIZE,
                       "the gateway %s of the cluster runs: release the leases there, or at any gateway that "
                       "runs (POST /v1/leases/ID/release)",
                       v.all[i].node);
        err = -EBUSY;
    }
    for (size_t i = 0; !err && i < v.n; i++)
        if (!v.all[i].dead)
            err = fence(e, &v.all[i], why);
    return err;
}

/* ---- the end of a lease ---- */

static int write_release(struct leases_etcd *e, const struct store_step *step, const char *owner)
{
    const struct etcd_compare alone = {.kind = ETCD_NONE_IN, .key = "m/", .to = "m0"};
    const struct etcd_self self = {.node = e->calls.conf->node, .owner = owner};
    struct etcd_writer w = store_calls_writer(&e->calls);
    struct etcd_shape shape;
    struct etcd_keys keys;
    int err = etcd_keys_of(&keys, step, self.node);

    (void)buf_char(w.out, '{');
    etcd_write_compares(&w, &alone, 1);
    (void)buf_str(w.out, ",\"success\":[");
    if (!err)
        err = etcd_step_write(&w, &self, step, &keys, &shape);
    (void)buf_str(w.out, "]}");
    return err ? err : w.out->failed ? -ENOMEM : 0;
}

static int end_lease(struct offline_store *store, const struct request_row *request,
                     const struct lease_row *lease, char why[OFFLINE_WHY_SIZE])
{
    struct leases_etcd *e = etcd_of(store);
    struct store_step step = {.kind = STEP_RELEASE, .request = *request, .lease = *lease, .instead = ""};
    bool alone = false, released = false;
    size_t n;

    step.request.state = REQUEST_RETURNING;
    step.request.next_wall_ms = 0;
    int err = write_release(e, &step, request->owner);

    if (err) {
        (void)snprintf(why, OFFLINE_WHY_SIZE, "%s", strerror(-err));
        return err;
    }
    err = store_calls_txn(&e->calls, &alone);
    if (err)
        return fail(e, err, why);
    if (!alone) {
        (void)snprintf(why, OFFLINE_WHY_SIZE, "a gateway of the cluster has started meanwhile: use that one");
        return -EBUSY;
    }
    (void)etcd_chain_answer(etcd_response(e->calls.answer, 0), &released, &n);
    return released ? 0 : -ENOENT;
}

/* ---- --node ---- */

int leases_etcd_find_node(struct leases_etcd *e, const char *node, bool *is)
{
    struct cluster_view v;
    int code = cluster_look(&e->calls, &v);

    *is = !code && cluster_member_of(&v, node);
    return code;
}

/* ---- life ---- */

int leases_etcd_open(struct leases_etcd *e, const struct command_args *args)
{
    *e = (struct leases_etcd){.store = {.read = read_rows, .take = take, .end = end_lease}};
    unit_command_run(args->conf, false);
    int code = store_command_begin(&e->command, args);

    if (!code && store_calls_open(&e->calls, e->command.loop, &e->command.conf->store))
        code = command_failed(e->calls.why);
    e->store.loop = e->command.loop;
    return code;
}

void leases_etcd_close(struct leases_etcd *e)
{
    store_calls_close(&e->calls);
    store_command_end(&e->command);
}
