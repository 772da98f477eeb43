/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - opens and closes the store of a running gateway; see store.h.
 */
#include "commands/run/store.h"

#include "base/log.h"
#include "base/memory/secret.h"
#include "commands/store_access.h"
#include "stores/etcd.h"
#include "stores/sqlite.h"
#include "stores/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a file in the state directory ---- */

static bool open_file(struct run_store *rs, struct loop *loop, const char *state_dir, bool rebuild,
                      char why[RUN_STORE_WHY])
{
    rs->store = sqlite_store_open(loop, state_dir, rebuild, &rs->rebuilt, why);
    if (!rs->store)
        return false;
    if (rs->rebuilt)
        log_warn(
            "store_rebuilt", "state_dir=%s hint=%s", state_dir,
            "the damaged file was moved aside; leases that only it knew are looked for by the audit trail");
    else if (rebuild)
        log_info("store_not_rebuilt", "hint=%s", "it is whole; --rebuild can be left out");
    return true;
}

/* ---- etcd ---- */

/* A file that a crash has cut short is of a gateway that has not joined yet. */
int run_store_instance(const char *state_dir, char out[ID_SIZE], char why[RUN_STORE_WHY])
{
    char path[4096], text[ID_SIZE + 1] = "", tag[ID_TAG_SIZE];
    int err = 0;

    if (snprintf(path, sizeof(path), "%s/instance", state_dir) >= (int)sizeof(path))
        err = -ENAMETOOLONG;
    int fd = err ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (!err && fd < 0)
        err = -errno;
    ssize_t n = err ? 0 : pread(fd, text, ID_SIZE, 0);

    if (n < 0)
        err = -errno;
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (!err && !id_tag(text, tag)) {
        err = id_new(text);
        text[ID_SIZE - 1] = '\n';
        if (!err && (pwrite(fd, text, ID_SIZE, 0) != ID_SIZE || fsync(fd)))
            err = -EIO;
        text[ID_SIZE - 1] = '\0';
    }
    if (fd >= 0)
        (void)close(fd);
    if (err)
        (void)snprintf(why, RUN_STORE_WHY, "%.200s: %.80s", path, strerror(-err));
    else
        memcpy(out, text, ID_SIZE);
    return err;
}

static void on_opened(void *arg, const char *why)
{
    struct run_store *rs = arg;

    if (*why)
        rs->failed(rs->arg, why);
    else
        log_info("store_joined", "store=%s", rs->store->ops->name);
}

/* What the store copies: valid until it is open. */
struct etcd_texts {
    char instance[ID_SIZE], config_digest[CONF_DIGEST_SIZE];
    struct secret password;
    struct etcd_vault *vaults;
    char (*digests)[CONF_DIGEST_SIZE];
};

static void free_texts(struct etcd_texts *t)
{
    secret_clear(&t->password);
    free(t->vaults);
    free(t->digests);
}

/* The vaults as all gateways of the cluster must have them. */
static int list_vaults(struct etcd_texts *t, const struct conf *conf)
{
    int err = 0;

    t->vaults = calloc(conf->nvaults + 1, sizeof(*t->vaults));
    t->digests = calloc(conf->nvaults + 1, sizeof(*t->digests));
    if (!t->vaults || !t->digests)
        return -ENOMEM;
    for (size_t i = 0; i < conf->nvaults && !err; i++) {
        err = conf_vault_digest(&conf->vaults[i], t->digests[i]);
        t->vaults[i] = (struct etcd_vault){
            .name = conf->vaults[i].name, .url = conf->vaults[i].url, .digest = t->digests[i]};
    }
    return err ? err : conf_cluster_digest(conf, t->config_digest);
}

static int open_store(struct run_store *rs, struct loop *loop, const struct conf *conf, struct etcd_texts *t,
                      char why[RUN_STORE_WHY])
{
    char fault[ETCD_STORE_WHY] = "out of memory";
    struct etcd_store_opts opts = {.prefix = conf->store.prefix,
                                   .node = conf->store.node,
                                   .instance = t->instance,
                                   .ttl_ms = conf->store.ttl_ms,
                                   .version = JG_VERSION,
                                   .config_digest = t->config_digest,
                                   .nvaults = conf->nvaults};
    int err = run_store_instance(conf->gateway.state_dir, t->instance, why);

    if (!err)
        err = store_access(&conf->store, &opts.client, &t->password, why);
    if (err)
        return err;
    err = list_vaults(t, conf);
    opts.vaults = t->vaults;
    if (!err && !(rs->store = etcd_store_open(loop, &opts, on_opened, rs, fault)))
        err = -ENOMEM;
    if (err)
        (void)snprintf(why, RUN_STORE_WHY, "%s", fault);
    return err;
}

static bool open_etcd(struct run_store *rs, struct loop *loop, const struct conf *conf,
                      char why[RUN_STORE_WHY])
{
    struct etcd_texts texts = {.instance = ""};

    rs->lock = state_lock(conf->gateway.state_dir, NULL, why);
    int err = rs->lock < 0 ? rs->lock : open_store(rs, loop, conf, &texts, why);

    free_texts(&texts);
    if (err && rs->lock >= 0) {
        (void)close(rs->lock);
        rs->lock = -1;
    }
    errno = -err;
    return !err;
}

/* ---- both ---- */

bool run_store_open(struct run_store *rs, struct loop *loop, const struct conf *conf, bool rebuild,
                    char why[RUN_STORE_WHY])
{
    rs->lock = -1;
    return conf->store.type == STORE_ETCD ? open_etcd(rs, loop, conf, why)
                                          : open_file(rs, loop, conf->gateway.state_dir, rebuild, why);
}

/* The directory is given up last: the next gateway on it is the same node. */
static void on_closed(void *arg)
{
    struct run_store *rs = arg;

    if (rs->lock >= 0)
        (void)close(rs->lock);
    rs->lock = -1;
    rs->closed(rs->closed_arg);
}

bool run_store_close(struct run_store *rs, void (*closed)(void *arg), void *arg)
{
    struct store *store = rs->store;

    if (!store)
        return false;
    rs->store = NULL;
    rs->closed = closed;
    rs->closed_arg = arg;
    store->ops->close(store, on_closed, rs);
    return true;
}
