/*
 * etcd_adopt_parts.h - an adoption, for the files that it is made of: etcd_adopt.c (fence, rows), and below
 * it etcd_adopt_ends.c (ends of leases that the dead gateway has named).
 */
#ifndef JG_STORES_ETCD_ADOPT_PARTS_H
#define JG_STORES_ETCD_ADOPT_PARTS_H

#include "stores/etcd_adopt.h"
#include "stores/etcd_ends.h"
#include "stores/etcd_reads.h"

#define BATCH_ROWS 100

struct batch_row {
    char *key, *value; /* as it is to be */
    size_t len;        /* of the value */
    int64_t mod;       /* of the row as it was read */
    bool is_held;      /* it may have leases */
    bool is_ours;
    size_t first, nleases; /* among the leases that are read */
};

/* Rows of one transaction. */
struct batch {
    LIST_ENTRY(batch) link;
    struct etcd_adoption *a;
    struct etcd_call call;
    struct deadline again;
    struct etcd_reads leases;
    struct batch_row rows[BATCH_ROWS];
    size_t n;
};

enum adopt_state {
    ADOPT_LOOKS,
    ADOPT_FENCES,
    ADOPT_TAKES,
    ADOPT_CHECKS,
    ADOPT_SCANS,
    ADOPT_ENDS,
    ADOPT_LEAVES
};

struct etcd_adoption_work {
    enum adopt_state state, then; /* `then`: after the look */
    cJSON *ends;                  /* that the dead one has named (etcd_ends.h); NULL = none */
    struct etcd_reads holds;      /* of these */
    void (*checked)(struct etcd_adoption *, int err);
    uint64_t taken, until_ms; /* their records, once they are told of, and how long these are waited for */
    struct etcd_call call;
    struct deadline again;
    int64_t mod; /* of m/NODE or d/NODE@EPOCH as it was read */
    char owner[ETCD_OWNER_SIZE], lack[ETCD_LACK_SIZE];
    size_t part;
    unsigned page;   /* rows to a page: half as many where the answer is larger than the client takes */
    struct buf next; /* key after the last page, without the prefix */
    bool last_page, must_rescan, must_leave;
    LIST_HEAD(, batch) batches;
};

/* Reads the key of the dead one, into `call`; and takes what it has named. 0 or -errno; the second -ESTALE
 * where the key is another one by now. */
int etcd_adopt_look(struct etcd_adoption *);
int etcd_adopt_read_look(struct etcd_adoption *);
/* Tells of the ends that have happened. 0 = `checked` comes; 1 = that is done; -errno = later. */
int etcd_adopt_check_ends(struct etcd_adoption *);
/* Are their records on disk? d/NODE@E is all that names them until then. */
bool etcd_adopt_is_recorded(const struct etcd_adoption *);
/* Appends what this version does not know of d/NODE@E, and the ends, as long as it is to name them. */
void etcd_adopt_write_more(const struct etcd_adoption *, struct buf *);

#endif
