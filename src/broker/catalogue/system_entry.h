/*
 * system_entry.h - one managed system as a search sees it: names, address, method, and the text that is
 * searched.
 *
 * A system entry is one small piece of memory, never changed after it was made and shared by count: the
 * directory of a vault holds one for each system, and the catalogues of the users point to them. A system
 * without a row in a directory gets a system entry with its name alone.
 */
#ifndef JG_BROKER_CATALOGUE_SYSTEM_ENTRY_H
#define JG_BROKER_CATALOGUE_SYSTEM_ENTRY_H

#include "backends/backend.h"
#include "base/casefold.h"
#include "broker/identity/session.h"

/* How well a system fits the typed query; less is better. */
enum match_rank { MATCH_EXACT, MATCH_PREFIX, MATCH_WORD_START, MATCH_INSIDE, MATCH_NOT };

/* The standard ports of the methods. */
#define PORT_RDP 3389
#define PORT_SSH 22

/* Whether the accounts of a system may have SSH keys. */
enum ssh_keys { SSH_KEYS_UNKNOWN, SSH_KEYS_NONE, SSH_KEYS_POSSIBLE };

struct system_entry {
    unsigned refs;
    uint32_t folded_len, names_len; /* searched text in all; its part before the description */
    int64_t system_id;
    struct casefold_signature signature; /* of the searched text */
    uint16_t port;                       /* 0 = not known */
    uint8_t method;                      /* METHOD_RDP, METHOD_SHELL; METHOD_NONE = not known */
    bool unreachable;                    /* known to be reached by neither method */
    uint8_t keys;                        /* enum ssh_keys */
    uint16_t host, dns, ip, description, network, folded; /* places in the text; 0 = not known */
    char text[];                                          /* the name first */
};

/* The members of a system entry before it is made; texts other than the name may be NULL. */
struct system_entry_facts {
    int64_t system_id;
    const char *name, *host, *dns, *ip, *description, *network;
    int64_t port;
    enum jump_method method;
    bool unreachable;
    enum ssh_keys keys;
};

struct system_entry *system_entry_new(const struct system_entry_facts *); /* NULL = out of memory */
struct system_entry *system_entry_ref(struct system_entry *);
void system_entry_unref(struct system_entry *); /* NULL is fine */

static inline const char *system_entry_text(const struct system_entry *entry, uint16_t place)
{
    return place ? entry->text + place : NULL;
}

size_t system_entry_size(const struct system_entry *); /* bytes */
/* Order of a list: the name without case, then as written, then the id. */
int system_entry_compare(const struct system_entry *, const struct system_entry *);

/* The typed query, split and folded once for many system entries. */
#define SYSTEM_QUERY_WORDS 16
struct system_query {
    char *folded; /* trimmed */
    size_t len;
    size_t nwords;
    struct system_query_word {
        const char *at;
        size_t len;
    } word[SYSTEM_QUERY_WORDS];
    struct casefold_signature signature;
};

/* 0 or -ENOMEM. Of more than SYSTEM_QUERY_WORDS words the last ones count as one, with the blanks between. */
int system_query_make(const char *typed, struct system_query *);
void system_query_free(struct system_query *);
/*
 * How well the system entry fits; MATCH_EXACT for an empty query. A rank that is not better than `useful` may
 * be returned as MATCH_NOT.
 */
enum match_rank system_entry_rank(const struct system_entry *, const struct system_query *,
                                  enum match_rank useful);

#endif
