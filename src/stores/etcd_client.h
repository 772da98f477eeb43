/*
 * etcd_client.h - calls to the members of an etcd cluster over its JSON gateway.
 *
 * One call is one POST and its JSON answer. A call goes to the member that answered last; where that member
 * gives no answer, a broken one, or says that it has no leader, the same bytes go to the next one, once
 * around. So a call is a read, or a transaction that cannot be applied twice.
 *
 * With a user the client signs in when a member says 401, and where a fresh connection is closed without an
 * answer, which some versions do with an old token; the call is then repeated, once. A call without an
 * answer in time drops the token that it went with: a member of a restored backup answers none with a token
 * of before, and does not refuse it. The next try signs in, at the next member. A sign-in costs etcd
 * some 100 ms of CPU, so there is one at a time: the calls that need it wait for it, and a call that went
 * with an older token than the last one is only repeated.
 *
 * Rules: etcd_call() returns 0 and later calls done() exactly once, or -errno and never calls it. done()
 * never comes before etcd_call() has returned. After etcd_cancel() it never comes.
 */
#ifndef JG_STORES_ETCD_CLIENT_H
#define JG_STORES_ETCD_CLIENT_H

#include "base/memory/secret.h"
#include "loop/upstream/upstream.h"
#include "stores/etcd_refusal.h"

#include <cJSON.h>
#include <sys/queue.h>

struct etcd_client;

#define ETCD_ENDPOINTS_MAX 8
#define ETCD_ANY           (-1)

struct etcd_client_opts {
    const char *const *endpoints; /* scheme://host:port */
    size_t nendpoints;
    size_t first;        /* which one is tried first */
    const char *ca_file; /* NULL = the system's store */
    const char *client_certificate, *client_key;
    const char *user; /* NULL = none */
    const struct secret *password;
    uint64_t timeout_ms; /* of one try at one member */
    /* NULL, or called when the cluster is another one than before, or is as it was before: a backup was
     * restored. Every answer may be of that other history. It cancels no call. */
    void (*restored)(void *arg);
    void *arg;
};

struct etcd_call {
    /* the caller's */
    const char *path; /* "/v3/kv/txn" */
    struct buf body;  /* JSON; the caller's, valid until done() */
    void (*done)(struct etcd_call *);
    void *user; /* the caller's */
    /* Responses in the answer of a transaction whose comparisons hold, and of one whose do not. An answer
     * with another number is a broken one. ETCD_ANY = whatever comes. */
    int then, otherwise;
    bool plain; /* the answer is neither a range nor a transaction: its form is the caller's to judge */

    /* in done() */
    int err; /* 0 = `answer`; -EACCES (sign-in, or permission, refused), -EKEYREJECTED (the certificate of
                each member is for another name), -ENOSPC (its quota is reached: a transaction has been done
                or has not, and is not done later), -EREMOTEIO (refused otherwise; also a token just after
                its sign-in),
                -EMSGSIZE (the answer is larger than a client takes; no other member is asked), -EPROTO,
                -ENOMEM, or why no member was reached */
    bool unknown;  /* a member may have done it without an answer; with err: or may do it yet */
    cJSON *answer; /* whole (etcd_answer_is_whole()); NULL with err. Freed after done() */
    char why[200];
    const struct etcd_refusal *refusal; /* why a member has refused it; NULL = it has not, or not known */

    /* private */
    struct etcd_client *client;
    struct call call;
    struct buf headers;
    size_t endpoint, tries, misnamed;
    int64_t revision;           /* of the cluster at least, when the call was sent */
    uint64_t token;             /* number of the token that it went with; 0 = none */
    LIST_ENTRY(etcd_call) link; /* of those that wait for the sign-in */
    bool signed_in, waiting;
};

struct etcd_client *etcd_client_new(struct loop *, const struct etcd_client_opts *, char why[256]);
/* Calls in flight are cancelled by their owners before. */
void etcd_client_close(struct etcd_client *, void (*closed)(void *arg), void *arg);

int etcd_call(struct etcd_client *, struct etcd_call *) __attribute__((warn_unused_result));
void etcd_cancel(struct etcd_call *); /* any number of times */
/* The member that answered last, and how often that has changed. */
const char *etcd_client_endpoint(const struct etcd_client *);
uint64_t etcd_client_changes(const struct etcd_client *);
int64_t etcd_client_revision(const struct etcd_client *); /* the highest that was seen */

#endif
