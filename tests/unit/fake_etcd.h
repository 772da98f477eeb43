/*
 * fake_etcd.h - etcd's key-value store behind its JSON gateway, in memory, without a network.
 *
 * Written after etcd 3.4: revisions of the store and of each key, versions, a transaction whose comparisons,
 * the nested ones too, are made before anything is written, and whose writes have one revision; answers leave
 * out what is zero or false, and write 64-bit numbers as texts. It refuses what etcd refuses: an empty key,
 * too many operations, a key that a transaction may write twice. tests/unit/test_fake_etcd.c asks it and a
 * real etcd the same.
 *
 * Not here: history and watches, leases of etcd, users' roles; members, networks and their faults, which are
 * the caller's (tests/sim/etcd_sim.c).
 */
#ifndef JG_TESTS_FAKE_ETCD_H
#define JG_TESTS_FAKE_ETCD_H

#include "base/buf.h"

#include <stdint.h>

struct fake_etcd;

struct fake_etcd *fake_etcd_new(void);
void fake_etcd_free(struct fake_etcd *);

/* One POST: its HTTP status, and the JSON of its answer. */
int fake_etcd_call(struct fake_etcd *, const char *path, const char *body, struct buf *answer);
/* From now on a call needs the token of a sign-in of this user; fake_etcd_call() does not look at it. */
void fake_etcd_enable_auth(struct fake_etcd *, const char *user, const char *password);
/* NULL = the call has none. */
bool fake_etcd_token_is_good(const struct fake_etcd *, const char *token);
void fake_etcd_forget_tokens(struct fake_etcd *);

/* Called for each key that is written, or that goes (value NULL); `before`: its value until then, NULL = it
 * was not there. */
typedef void fake_etcd_watcher(void *arg, const char *key, const char *value, const char *before);
void fake_etcd_watch(struct fake_etcd *, fake_etcd_watcher *, void *arg);

/* All keys and the revision, as a backup has them; and an etcd that is restored from one, as the cluster of
 * before or, as `etcdctl snapshot restore` makes it with a token, as another one. Nothing is watched then. */
struct fake_etcd *fake_etcd_copy(const struct fake_etcd *);
void fake_etcd_restore(struct fake_etcd *, const struct fake_etcd *backup, bool other_cluster);

int64_t fake_etcd_revision(const struct fake_etcd *);
/* Each key that begins so, in order. Key and value end with a NUL that is not counted. */
void fake_etcd_each(const struct fake_etcd *, const char *prefix,
                    void (*fn)(void *arg, const char *key, const char *value), void *arg);
/* Writes a key as another client does; NULL = it goes. */
void fake_etcd_put(struct fake_etcd *, const char *key, const char *value);
/* The value of a key; NULL = it is not there. Valid until the next call. */
const char *fake_etcd_get(const struct fake_etcd *, const char *key);

#endif
