/*
 * etcd_txn.h - transactions of etcd's JSON gateway: their text, and the answers.
 *
 * A step is a chain of alternatives. Each compares keys and, where all comparisons hold, does its operations;
 * otherwise the next one is tried. Where none holds, keys are read:
 *
 *     {compare, success, failure: [{compare, success, failure: [ ... failure: [reads]}]}]}
 *
 * etcd evaluates the comparisons of a transaction, the nested ones included, before it writes anything: steps
 * of one transaction do not see each other.
 *
 * Keys are given without the prefix of the cluster.
 */
#ifndef JG_STORES_ETCD_TXN_H
#define JG_STORES_ETCD_TXN_H

#include "base/buf.h"

#include <cJSON.h>
#include <stdint.h>

enum etcd_compare_kind {
    ETCD_ABSENT,
    ETCD_THERE,
    ETCD_VALUE,     /* over `from` and under `to` */
    ETCD_IS,        /* its value is `from` */
    ETCD_NONE_IN,   /* no key from `key` up to, without, `to` */
    ETCD_MOD,       /* last changed by revision `mod`; 0 = absent */
    ETCD_NOT_SINCE, /* absent, or last changed before revision `mod` */
    ETCD_CREATED,   /* made by revision `mod` */
    ETCD_OLDER_IN   /* all keys from `key` up to, without, `to` were made before revision `mod` */
};

struct etcd_compare {
    enum etcd_compare_kind kind;
    const char *key, *from, *to;
    int64_t mod;
};

enum etcd_op_kind {
    ETCD_PUT,
    ETCD_DELETE,
    ETCD_GET,
    ETCD_IF /* only where `key` is there: `then`, none of which is ETCD_IF */
};

struct etcd_op {
    enum etcd_op_kind kind;
    const char *key;
    const char *value; /* of ETCD_PUT */
    const char *to; /* of ETCD_GET and ETCD_DELETE: all keys up to, without, this one; NULL = the key alone */
    unsigned limit; /* of ETCD_GET: so many keys at most; 0 = all */
    const struct etcd_op *then;
    size_t nthen;
};

#define ETCD_COMPARES_MAX 6
#define ETCD_OPS_MAX      8

struct etcd_alternative {
    struct etcd_compare compares[ETCD_COMPARES_MAX];
    size_t ncompares;
    struct etcd_op ops[ETCD_OPS_MAX];
    size_t nops;
};

/* Everything is appended to `out`, whose `failed` tells of a failure. */
struct etcd_writer {
    struct buf *out;
    const char *prefix;
};

/* Names in quotes are the gateway's: "compare":[…] and so on, with commas between the elements. */
void etcd_write_compares(const struct etcd_writer *, const struct etcd_compare *, size_t n);
void etcd_write_ops(const struct etcd_writer *, const struct etcd_op *, size_t n);
/* A chain as one operation. */
void etcd_write_chain(const struct etcd_writer *, const struct etcd_alternative *, size_t n,
                      const struct etcd_op *reads, size_t nreads);
/* A whole request to /v3/kv/range: at most `limit` keys from `from`, which may hold a NUL, up to `to`. */
void etcd_write_range(const struct etcd_writer *, const char *from, size_t n, const char *to, unsigned limit);

/* A whole transaction that only reads; at most ETCD_READS_MAX operations. */
#define ETCD_READS_MAX 100
void etcd_write_reads(const struct etcd_writer *, const struct etcd_op *reads, size_t n);

/* ---- answers ---- */

/*
 * Is it an answer of etcd, and is nothing of it missing? It has the revision; its lists are lists, its rows
 * have key, base64 and revisions; a range has as many rows as it counts, unless there are more; and a
 * transaction, and each one within it, has its responses: `then` where its comparisons hold, `otherwise`
 * where they do not (negative = any number). Of what is left out, a row in the middle of a list would else
 * be its end, and a list would be empty.
 */
bool etcd_answer_is_whole(const cJSON *answer, int then, int otherwise);

/* The answer of the alternative that held (*held), the *n-th one, or of the reads. `answer` is that of the
 * chain. NULL = it is no answer of a chain. */
const cJSON *etcd_chain_answer(const cJSON *answer, bool *held, size_t *n);
/* Number of the responses, and the n-th one with its wrapping name removed; NULL = there is none. */
int etcd_responses(const cJSON *answer);
const cJSON *etcd_response(const cJSON *answer, int n);
/* Is a response the answer to a read? */
bool etcd_is_range(const cJSON *response);
/* The n-th key and value of a read; false = there is none. They stand in the answer, as bytes in the place of
 * its base64, and are not appended to. */
struct etcd_kv {
    struct buf key, value; /* key with its prefix */
    int64_t created, mod;
};
bool etcd_kv_read(const cJSON *range, int n, struct etcd_kv *);
/* The value of the first key of a read, NUL-terminated; "" = there is none, or it does not fit. */
void etcd_small_value(const cJSON *range, char *to, size_t size);
/* Revision in the head of an answer; 0 = none. */
int64_t etcd_revision(const cJSON *answer);

#endif
