/*
 * etcd_asking.h - one question under way; for etcd_ask*.c alone.
 */
#ifndef JG_STORES_ETCD_ASKING_H
#define JG_STORES_ETCD_ASKING_H

#include "stores/etcd_ask.h"
#include "stores/etcd_reads.h"
#include "stores/etcd_rows.h"

/* A row that was found, and where what belongs to it is read next. */
struct finding {
    struct store_found found; /* first */
    char next[ETCD_KEY_SIZE]; /* "" = nothing */
};

struct etcd_asking {
    LIST_ENTRY(etcd_asking) link;
    struct etcd_asker *asker;
    struct store_question *q;
    struct etcd_reads reads;
    struct deadline until, again;
    void (*begin)(struct etcd_asking *); /* from the beginning */
    int (*next)(struct etcd_asking *);   /* after the reads: 0 = more reads, 1 = all is found, -errno */
    enum store_answer answer;
    struct finding *last; /* found */
    int64_t epoch;        /* of the gateway that has asked; 0 = it has not joined as yet */
    uint64_t sent_us;
    unsigned limit; /* LIST, MARK: rows to a page; half as many where an answer was larger than the client
                       takes */
    char cursor[STORE_CURSOR_SIZE]; /* LIST: as it was asked; MARK: where the page begins */
    char expected[ETCD_KEY_SIZE];   /* SESSION: the request that is read at once; "" = none */
};

void etcd_asking_free(struct etcd_asking *);
void etcd_asking_finish(struct etcd_asking *, enum store_answer);
void etcd_asking_again(struct etcd_asking *); /* from the beginning, a little later */
/* One that cannot be read is logged. 0 or -errno. */
int etcd_asking_read_row(const struct etcd_asking *, struct etcd_kv *, bool is_lease, struct etcd_row *);
/* The n-th row of a read. 1 = there is none. One that cannot be read is logged. */
int etcd_asking_row_at(const struct etcd_asking *, const cJSON *range, int n, bool is_lease,
                       struct etcd_row *);
/* All rows of a range. 0 or -errno. */
int etcd_asking_take_rows(struct etcd_asking *, const cJSON *range, bool is_lease);
/* A lease, whose request is read next. 0 or -errno. */
int etcd_asking_found_lease(struct etcd_asking *, const struct etcd_row *);
int etcd_asking_set_request(const struct etcd_asking *, struct store_found *, const struct etcd_row *);
void etcd_asking_on_until(struct deadline *); /* of `until` */
void etcd_found_free(struct store_found_list *);
/* Another row: `l` NULL = a request alone. 0 or -errno. */
int etcd_asking_found(struct etcd_asking *, const struct request_row *, const struct lease_row *l);
/* One finding for each h/ of the request, of whose lease the id is known; `with_leases`: the rest is read
 * next. */
int etcd_asking_take_holders(struct etcd_asking *, const struct request_row *, const cJSON *holds,
                             bool with_leases);
struct etcd_reads etcd_asking_no_reads(const struct etcd_asking *);
/* The next page begins with this key. 0 or -EUCLEAN. */
int etcd_asking_set_cursor(const struct etcd_asking *, struct etcd_kv *, char cursor[STORE_CURSOR_SIZE]);
/* All keys that begin with this one. */
int etcd_asking_add_range(struct etcd_asking *, const char *key);
/* 0, -errno, or 1: there is nothing to read. */
int etcd_asking_send(struct etcd_asking *, int (*next)(struct etcd_asking *));
/* Reads what belongs to each finding, and ends. As above. */
int etcd_asking_fill(struct etcd_asking *);
/* The gateway is not what it was when it asked: the answer is that. */
bool etcd_asking_is_fenced(struct etcd_asking *);

bool etcd_list_is_cursor(const char *);
int etcd_list_begin(struct etcd_asking *);

#endif
