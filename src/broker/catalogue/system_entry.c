/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system_entry.c - the text of a system, laid out for searching, and its rank for a query.
 *
 * Behind the struct are the texts that are shown, then the searched text: name, host, DNS name, address, each
 * once, then the description, all folded, with line ends between them. A typed word holds no line end, so it
 * is found within one of the texts or not at all.
 *
 * Ranks go over all names of a system: exact when the whole query is one of the names; prefix when all words
 * are found and the first one begins a name; word start when each begins a word somewhere; else inside. A
 * word found in the description alone is at best a word start.
 */
#include "broker/catalogue/system_entry.h"

#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES        255
#define DESCRIPTION_MAX_BYTES 120

struct part {
    const char *text;
    size_t len;
};

enum { NAME, HOST, DNS, IP, NPARTS_NAMES, DESCRIPTION = NPARTS_NAMES, NETWORK, NPARTS };

static void collect(const struct system_entry_facts *facts, struct part part[NPARTS])
{
    const char *text[NPARTS] = {
        [NAME] = facts->name,
        [HOST] = facts->host,
        [DNS] = facts->dns,
        [IP] = facts->ip,
        [DESCRIPTION] = facts->description,
        [NETWORK] = facts->network,
    };

    if (!facts->ip && text_is_ip(facts->name))
        text[IP] = facts->name;
    for (size_t i = 0; i < NPARTS; i++)
        part[i] = (struct part){text[i],
                                utf8_fit(text[i], i == DESCRIPTION ? DESCRIPTION_MAX_BYTES : NAME_MAX_BYTES)};
}

/* Part i is equal, without case, to one before it. */
static bool is_repeated(const struct part *part, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (casefold_equal_n(part[k].text, part[k].len, part[i].text, part[i].len))
            return true;
    return false;
}

/* Appends one text and its NUL; returns its place. */
static uint16_t put(char *text, size_t *used, const struct part *part, size_t i)
{
    size_t at = *used;

    if (part[i].len == 0)
        return 0;
    memcpy(text + at, part[i].text, part[i].len);
    text[at + part[i].len] = '\0';
    *used += part[i].len + 1;
    return (uint16_t)at;
}

struct folded {
    char text[NPARTS * CASEFOLD_SIZE(NAME_MAX_BYTES + 1)];
    size_t len, names_len;
};

static void casefold_parts(struct folded *out, const struct part *part)
{
    size_t n = 0;

    for (size_t i = 0; i <= DESCRIPTION; i++) {
        if (i == DESCRIPTION)
            out->names_len = n;
        if (part[i].len == 0 || (i < NPARTS_NAMES && is_repeated(part, i)))
            continue;
        if (n)
            out->text[n++] = '\n';
        n += casefold_text(out->text + n, part[i].text, part[i].len);
    }
    out->len = n;
}

static void fill(struct system_entry *entry, const struct system_entry_facts *facts, const struct part *part,
                 const struct folded *folded)
{
    size_t used = 0;

    *entry = (struct system_entry){
        .refs = 1,
        .system_id = facts->system_id,
        .port = facts->port > 0 && facts->port <= 65535 ? (uint16_t)facts->port : 0,
        .method = (uint8_t)facts->method,
        .unreachable = facts->unreachable,
        .keys = (uint8_t)facts->keys,
        .folded_len = (uint32_t)folded->len,
        .names_len = (uint32_t)folded->names_len,
    };
    entry->text[0] = '\0';
    (void)put(entry->text, &used, part, NAME);
    used += used == 0;
    entry->host = put(entry->text, &used, part, HOST);
    entry->dns = put(entry->text, &used, part, DNS);
    entry->ip = put(entry->text, &used, part, IP);
    entry->description = put(entry->text, &used, part, DESCRIPTION);
    entry->network = put(entry->text, &used, part, NETWORK);
    entry->folded = (uint16_t)used;
    memcpy(entry->text + used, folded->text, folded->len);
    casefold_sign(&entry->signature, folded->text, folded->len);
}

struct system_entry *system_entry_new(const struct system_entry_facts *facts)
{
    struct part part[NPARTS];
    struct folded folded;
    size_t size = sizeof(struct system_entry) + 1;
    struct system_entry *entry;

    collect(facts, part);
    casefold_parts(&folded, part);
    if (part[HOST].len == part[NAME].len && memcmp(part[HOST].text, part[NAME].text, part[NAME].len) == 0)
        part[HOST].len = 0; /* the same text as the name */
    for (size_t i = 0; i < NPARTS; i++)
        size += part[i].len ? part[i].len + 1 : 0;
    entry = malloc(size + folded.len);
    if (entry)
        fill(entry, facts, part, &folded);
    return entry;
}

struct system_entry *system_entry_ref(struct system_entry *entry)
{
    entry->refs++;
    return entry;
}

void system_entry_unref(struct system_entry *entry)
{
    if (entry && --entry->refs == 0)
        free(entry);
}

size_t system_entry_size(const struct system_entry *entry)
{
    return sizeof(*entry) + entry->folded + entry->folded_len;
}

static size_t name_len(const struct system_entry *entry)
{
    const char *folded = entry->text + entry->folded;
    const char *end = memchr(folded, '\n', entry->folded_len);

    return end ? (size_t)(end - folded) : entry->folded_len;
}

int system_entry_compare(const struct system_entry *a, const struct system_entry *b)
{
    size_t an = name_len(a), bn = name_len(b);
    int order = memcmp(a->text + a->folded, b->text + b->folded, an < bn ? an : bn);

    if (!order)
        order = (an > bn) - (an < bn);
    if (!order)
        order = strcmp(a->text, b->text);
    return order ? order : (a->system_id > b->system_id) - (a->system_id < b->system_id);
}

/* ---- queries ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void split(struct system_query *query)
{
    const char *at = query->folded, *end = query->folded + query->len;

    while (at < end) {
        struct system_query_word *word = &query->word[query->nwords++];
        word->at = at;
        while (at < end && (!is_blank(*at) || query->nwords == SYSTEM_QUERY_WORDS))
            at++;
        word->len = (size_t)(at - word->at);
        casefold_sign(&query->signature, word->at, word->len);
        while (at < end && is_blank(*at))
            at++;
    }
}

int system_query_make(const char *typed, struct system_query *query)
{
    size_t n = strlen(typed);

    *query = (struct system_query){0};
    while (n && is_blank(*typed)) {
        typed++;
        n--;
    }
    while (n && is_blank(typed[n - 1]))
        n--;
    query->folded = malloc(CASEFOLD_SIZE(n));
    if (!query->folded)
        return -ENOMEM;
    query->len = casefold_text(query->folded, typed, n);
    split(query);
    return 0;
}

void system_query_free(struct system_query *query)
{
    free(query->folded);
    *query = (struct system_query){0};
}

/* One of the names begins with the word. */
static bool is_prefix(const struct system_entry *entry, const struct system_query_word *word)
{
    const char *at = entry->text + entry->folded, *end = at + entry->names_len;

    while ((size_t)(end - at) >= word->len) {
        if (memcmp(at, word->at, word->len) == 0)
            return true;
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return false;
        at++;
    }
    return false;
}

/* The best rank of a word that begins no name. */
static enum match_rank rank_within(const struct system_entry *entry, const struct system_query_word *word)
{
    const char *text = entry->text + entry->folded, *end = text + entry->folded_len, *at = text;
    enum match_rank best = MATCH_NOT;

    while ((at = memmem(at, (size_t)(end - at), word->at, word->len))) {
        if ((at == text || !casefold_is_word(at[-1])) && casefold_is_word(*at))
            return MATCH_WORD_START;
        best = MATCH_INSIDE;
        at++;
    }
    return best;
}

static bool is_exact(const struct system_entry *entry, const struct system_query *query)
{
    const char *text = entry->text + entry->folded, *end = text + entry->names_len;

    for (const char *at = text; at < end && query->len;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);
        if (n == query->len && memcmp(at, query->folded, n) == 0)
            return true;
        at += n + 1;
    }
    return query->len == 0;
}

enum match_rank system_entry_rank(const struct system_entry *entry, const struct system_query *query,
                                  enum match_rank useful)
{
    enum match_rank worst = MATCH_EXACT, first = MATCH_EXACT;

    if (!casefold_may_contain(&entry->signature, &query->signature))
        return MATCH_NOT;
    for (size_t i = 0; i < query->nwords && worst != MATCH_NOT; i++) {
        enum match_rank rank = MATCH_PREFIX;
        if (!is_prefix(entry, &query->word[i])) {
            if (i == 0 && useful <= MATCH_WORD_START)
                return MATCH_NOT; /* better ranks begin with a prefix */
            rank = rank_within(entry, &query->word[i]);
        }
        if (i == 0)
            first = rank;
        if (rank > worst)
            worst = rank;
    }
    if (first <= MATCH_PREFIX && worst != MATCH_NOT && is_exact(entry, query))
        return MATCH_EXACT;
    return worst < MATCH_NOT && first == MATCH_PREFIX ? MATCH_PREFIX : worst;
}
