/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_digest.c - SHA-256 over a session in canonical order, without its URLs.
 *
 * URLs are signed again in each answer. Each text is preceded by its length, each list by its number of
 * elements. Events keep the report's order; of persons, attributes, shells and the values of an event the
 * order says nothing, so they are sorted.
 */
#include "reports/store/store_internal.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct hasher {
    EVP_MD_CTX *context;
    size_t used;
    bool failed;
    unsigned char bytes[4096];
};

static void flush(struct hasher *h)
{
    h->failed |= EVP_DigestUpdate(h->context, h->bytes, h->used) != 1;
    h->used = 0;
}

static void hash_bytes(struct hasher *h, const void *bytes, size_t n)
{
    if (n > sizeof(h->bytes) - h->used)
        flush(h);
    if (n > sizeof(h->bytes)) {
        h->failed |= EVP_DigestUpdate(h->context, bytes, n) != 1;
        return;
    }
    memcpy(h->bytes + h->used, bytes, n);
    h->used += n;
}

/* The same bytes on every machine. */
static void hash_int(struct hasher *h, int64_t value)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
    hash_bytes(h, bytes, sizeof(bytes));
}

static void hash_text(struct hasher *h, const char *text)
{
    size_t n = text ? strlen(text) : 0;

    hash_int(h, text ? (int64_t)n : -1);
    if (n)
        hash_bytes(h, text, n);
}

static int by_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int by_int(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_pair(const void *a, const void *b)
{
    const struct record_pair *const *x = a, *const *y = b;
    int order = by_text((*x)->name, (*y)->name);

    return order ? order : by_text((*x)->value, (*y)->value);
}

static int by_person(const void *a, const void *b)
{
    const struct record_person *const *x = a, *const *y = b;
    int order = by_int((*x)->gsnumber, (*y)->gsnumber);

    order = order ? order : by_text((*x)->username, (*y)->username);
    order = order ? order : by_text((*x)->private_ip, (*y)->private_ip);
    return order ? order : by_text((*x)->public_ip, (*y)->public_ip);
}

static int by_attribute(const void *a, const void *b)
{
    const struct record_attribute *const *x = a, *const *y = b;
    int order = by_text((*x)->code_name, (*y)->code_name);

    order = order ? order : by_text((*x)->display_name, (*y)->display_name);
    return order ? order : by_text((*x)->value, (*y)->value);
}

static int by_instance(const void *a, const void *b)
{
    const struct record_shell *const *x = a, *const *y = b;

    return by_int((*x)->instance, (*y)->instance);
}

static void hash_pair(struct hasher *h, const void *element)
{
    const struct record_pair *p = element;

    hash_text(h, p->name);
    hash_text(h, p->value);
}

static void hash_person(struct hasher *h, const void *element)
{
    const struct record_person *p = element;
    const char *const texts[] = {
        p->username, p->public_ip,    p->private_ip,          p->hostname,
        p->os,       p->display_name, p->public_display_name, p->private_display_name};

    hash_int(h, p->gsnumber);
    hash_int(h, p->rep_id);
    hash_int(h, p->seconds_involved);
    hash_int(h, (p->session_owner ? 1 : 0) + (p->invited ? 2 : 0));
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        hash_text(h, texts[i]);
}

static void hash_attribute(struct hasher *h, const void *element)
{
    const struct record_attribute *a = element;

    hash_text(h, a->display_name);
    hash_text(h, a->code_name);
    hash_text(h, a->value);
}

static void hash_shell(struct hasher *h, const void *element)
{
    hash_int(h, ((const struct record_shell *)element)->instance);
}

/* Elements of an array in the order of `compare`. */
static void hash_sorted(struct hasher *h, const void *array, size_t n, size_t size,
                        int (*compare)(const void *, const void *),
                        void (*hash)(struct hasher *, const void *))
{
    const void *few[32], **sorted = few;

    hash_int(h, (int64_t)n);
    if (n > sizeof(few) / sizeof(*few))
        sorted = calloc(n, sizeof(*sorted));
    if (!sorted) {
        h->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = (const char *)array + i * size;
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), compare);
    for (size_t i = 0; i < n; i++)
        hash(h, sorted[i]);
    if (sorted != few)
        free(sorted);
}

static void hash_event(struct hasher *h, const struct record_event *e)
{
    const char *const texts[] = {e->type,        e->performed_by,     e->performed_by_type,
                                 e->destination, e->destination_type, e->body,
                                 e->filename};

    hash_int(h, e->timestamp);
    hash_int(h, e->performed_by_gsnumber);
    hash_int(h, e->destination_gsnumber);
    hash_int(h, e->filesize);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        hash_text(h, texts[i]);
    hash_sorted(h, e->data, e->ndata, sizeof(*e->data), by_pair, hash_pair);
    hash_int(h, (int64_t)e->ninfo);
    for (size_t i = 0; i < e->ninfo; i++) {
        hash_text(h, e->info[i].category);
        hash_text(h, e->info[i].field);
        hash_text(h, e->info[i].value);
        hash_int(h, e->info[i].row);
    }
}

static void hash_session(struct hasher *h, const struct record_session *r)
{
    const char *const texts[] = {r->lsid,
                                 r->type,
                                 r->duration,
                                 r->jumpoint_name,
                                 r->jump_group_name,
                                 r->jump_group_type,
                                 r->external_key,
                                 r->primary_customer,
                                 r->primary_rep};
    const int64_t numbers[] = {r->lseq,
                               r->start,
                               r->end,
                               r->jumpoint_id,
                               r->jump_group_id,
                               r->primary_customer_gsnumber,
                               r->primary_rep_gsnumber,
                               r->file_transfers,
                               r->file_moves,
                               r->file_deletes};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        hash_text(h, texts[i]);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        hash_int(h, numbers[i]);
    hash_sorted(h, r->attributes, r->nattributes, sizeof(*r->attributes), by_attribute, hash_attribute);
    hash_sorted(h, r->customers, r->ncustomers, sizeof(*r->customers), by_person, hash_person);
    hash_sorted(h, r->representatives, r->nrepresentatives, sizeof(*r->representatives), by_person,
                hash_person);
    hash_sorted(h, r->shells, r->nshells, sizeof(*r->shells), by_instance, hash_shell);
    hash_int(h, (int64_t)r->nevents);
    for (size_t i = 0; i < r->nevents; i++)
        hash_event(h, &r->events[i]);
}

int session_digest(struct report_store *s, const struct record_session *r, char hex[65])
{
    struct hasher h = {.context = s->digest};
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex2(s->digest, s->sha256, NULL) != 1)
        return -ENOMEM;
    hash_session(&h, r);
    flush(&h);
    if (h.failed || EVP_DigestFinal_ex(s->digest, digest, NULL) != 1)
        return -ENOMEM;
    text_hex(hex, digest, 32);
    return 0;
}
