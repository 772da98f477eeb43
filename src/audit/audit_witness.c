/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_witness.c - the check-outs of a trail without an end; see audit_witness.h.
 *
 * Read backwards, an end comes before its check-out: ends are remembered, and a check-out without one is a
 * claim at once. An end is remembered as a 64-bit hash of the request or lease; a collision would hide a
 * claim, and is not expected among millions of ends.
 *
 * Nearly all lines are of no interest or an end, so they are searched for a few texts and not parsed. A quote
 * in a value is escaped, so a member's name with its quotes and colon occurs only at the member.
 */
#include "audit/audit_witness.h"

#include "audit/audit_chain.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/uthash_nofail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_MIN 130 /* the earliest place of `event` in a line, */
#define EVENT_MAX 180 /* and the latest */
#define FNV_BASIS 1469598103934665603U
#define FNV_PRIME 1099511628211U

struct end {
    uint64_t hash;
    UT_hash_handle hh;
};

struct audit_witness {
    void (*claim)(void *arg, const struct audit_claim *);
    void *arg;
    struct end *ends;
};

struct piece {
    const char *at; /* NULL = not there */
    size_t n;
};

struct audit_witness *audit_witness_new(void (*claim)(void *arg, const struct audit_claim *), void *arg)
{
    struct audit_witness *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->claim = claim;
    w->arg = arg;
    return w;
}

void audit_witness_free(struct audit_witness *w)
{
    struct end *end, *next;

    if (!w)
        return;
    HASH_ITER(hh, w->ends, end, next)
    {
        HASH_DEL(w->ends, end);
        free(end);
    }
    free(w);
}

/* ---- ends ---- */

static uint64_t add_hash(uint64_t h, struct piece p)
{
    for (size_t i = 0; i < p.n; i++)
        h = (h ^ (unsigned char)p.at[i]) * FNV_PRIME;
    return (h ^ 0xff) * FNV_PRIME; /* where one text ends */
}

/* Never 0. */
static uint64_t end_hash(struct piece a, struct piece b)
{
    uint64_t h = add_hash(add_hash(FNV_BASIS, a), b);

    return h ? h : 1;
}

static struct end *find_end(const struct audit_witness *w, uint64_t hash)
{
    struct end *end;

    HASH_FIND(hh, w->ends, &hash, sizeof(hash), end);
    return end;
}

static int add_end(struct audit_witness *w, uint64_t hash)
{
    if (find_end(w, hash))
        return 0;
    struct end *end = calloc(1, sizeof(*end));

    if (!end)
        return -ENOMEM;
    end->hash = hash;
    HASH_ADD(hh, w->ends, hash, sizeof(hash), end);
    if (end->hh.tbl)
        return 0;
    free(end);
    return -ENOMEM;
}

/* ---- members, as they are written ---- */

/* The text behind `name`, which has its quotes and colon and a text's opening quote; up to the next `end`.
 */
static struct piece member_value(const char *line, size_t n, const char *name, char end)
{
    const char *at = memmem(line, n, name, strlen(name));
    struct piece p = {NULL, 0};

    if (!at)
        return p;
    p.at = at + strlen(name);
    const char *stop = memchr(p.at, end, (size_t)(line + n - p.at));

    p.n = (size_t)((stop ? stop : line + n) - p.at);
    return p;
}

static struct piece text_member(const char *line, size_t n, const char *name)
{
    return member_value(line, n, name, '"');
}

static bool member_is(struct piece p, const char *text)
{
    return p.at && p.n == strlen(text) && memcmp(p.at, text, p.n) == 0;
}

static uint64_t request_of(const char *line, size_t n)
{
    struct piece id = member_value(line, n, "\"vault_request_id\":", '\n');
    size_t digits = 0;

    while (digits < id.n && id.at[digits] >= '0' && id.at[digits] <= '9')
        digits++;
    id.n = digits;
    return digits ? end_hash(text_member(line, n, "\"vault\":\""), id) : 0;
}

static uint64_t lease_of(const char *line, size_t n)
{
    return end_hash((struct piece){"lease", 5}, text_member(line, n, "\"lease_id\":\""));
}

/* ---- claims ---- */

static int make_claim(struct audit_witness *w, const char *line, size_t n)
{
    struct json_outcome read;
    cJSON *o = json_read(line, n, 4, JSON_DUPLICATES_OK, &read);
    int64_t id = json_number(o, "vault_request_id");
    char name[24];

    (void)snprintf(name, sizeof(name), "%" PRId64, id);
    if (id > 0)
        w->claim(w->arg,
                 &(struct audit_claim){.lease_id = json_text(o, "lease_id"),
                                       .credential_id = json_text(o, "credential_id"),
                                       .vault = json_text(o, "vault"),
                                       .run_as = json_text(o, "run_as"),
                                       .vault_url = json_text(o, "vault_url"),
                                       .user = json_text(o, "user"),
                                       .domain = json_text(o, "domain"),
                                       .session = json_text(o, "session"),
                                       .request_name = name,
                                       .created_wall_ms = clock_vault_date(json_text(o, "time")),
                                       .expires_wall_ms = clock_vault_date(json_text(o, "expires_at"))});
    cJSON_Delete(o);
    return read.err == -ENOMEM ? read.err : 0;
}

/* It has a request at the vault: with its secret, or kept for its approver. */
static bool holds_request(const char *line, size_t n)
{
    return member_is(text_member(line, n, "\"outcome\":\""), "ok") ||
           member_is(text_member(line, n, "\"code\":\""), "approval_pending");
}

/* A person's own request, which was adopted, is none of the gateway's to give back. */
static int on_checkout(struct audit_witness *w, const char *line, size_t n)
{
    uint64_t request = request_of(line, n);

    if (request && holds_request(line, n) && !member_is(text_member(line, n, "\"adopted\":\""), "yes") &&
        !find_end(w, request) && !find_end(w, lease_of(line, n)))
        return make_claim(w, line, n);
    return 0;
}

static int on_reconcile(struct audit_witness *w, const char *line, size_t n)
{
    struct piece found = text_member(line, n, "\"found\":\"");

    return member_is(found, "never_happened") || member_is(found, "lapsed") ? add_end(w, lease_of(line, n))
                                                                            : 0;
}

int audit_witness_line(struct audit_witness *w, const char *line, size_t n)
{
    if (n <= EVENT_MIN)
        return 0;
    const char *rest = line + EVENT_MIN; /* in front of it are numbers and hashes */
    size_t left = n - EVENT_MIN, front = left < EVENT_MAX - EVENT_MIN ? left : EVENT_MAX - EVENT_MIN;
    struct piece event = text_member(rest, front, "\",\"event\":\"");

    if (member_is(event, "checkin")) {
        uint64_t request = request_of(rest, left);
        return request ? add_end(w, request) : 0;
    }
    if (member_is(event, "reconcile"))
        return on_reconcile(w, rest, left);
    if (member_is(event, "checkout"))
        return on_checkout(w, line, n);
    return 0;
}

bool audit_line_tag(const char *line, size_t n, char tag[ID_TAG_SIZE])
{
    struct piece id = text_member(line, n, "\"lease_id\":\"");
    char text[ID_SIZE];

    if (id.n != ID_SIZE - 1)
        return false;
    memcpy(text, id.at, ID_SIZE - 1);
    text[ID_SIZE - 1] = '\0';
    return id_tag(text, tag);
}
