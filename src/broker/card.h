/*
 * card.h - one managed system as a search sees it: names, address, method, and the text that is searched.
 *
 * A card is one small piece of memory, never changed after it was made and shared by count: the directory of
 * a vault holds one for each system, and the catalogues of the users point to them. A system that no
 * directory tells of gets a card with its name alone.
 */
#ifndef JG_BROKER_CARD_H
#define JG_BROKER_CARD_H

#include "backends/backend.h"
#include "broker/fold.h"
#include "broker/match.h"

struct card {
    unsigned refs;
    uint32_t folded_len, names_len; /* searched text in all; its part before the description */
    int64_t system_id;
    struct fold_signature signature; /* of the searched text */
    uint16_t port;                   /* 0 = not known */
    uint8_t method;                  /* METHOD_RDP, METHOD_SHELL; METHOD_NONE = not known */
    bool other;                      /* known to be reached in neither way */
    bool keys_known, keys;           /* whether its accounts may have SSH keys */
    uint16_t host, dns, ip, description, network, folded; /* places in the text; 0 = not told */
    char text[];                                          /* the name first */
};

/* What a card is made of; texts may be NULL, but the name. */
struct card_facts {
    int64_t system_id;
    const char *name, *host, *dns, *ip, *description, *network;
    int64_t port;
    enum jump_method method;
    bool other, keys_known, keys;
};

struct card *card_new(const struct card_facts *); /* NULL = out of memory */
struct card *card_ref(struct card *);
void card_unref(struct card *); /* NULL is fine */

static inline const char *card_text(const struct card *card, uint16_t place)
{
    return place ? card->text + place : NULL;
}

size_t card_size(const struct card *); /* bytes */
/* Order of a list: the name without case, then as written, then the id. */
int card_compare(const struct card *, const struct card *);

/* What somebody typed, taken apart once for many cards. */
#define CARD_WORDS 16
struct card_query {
    char *folded; /* trimmed */
    size_t len;
    size_t nwords;
    struct card_word {
        const char *at;
        size_t len;
    } word[CARD_WORDS];
    struct fold_signature signature;
};

/* 0 or -ENOMEM. Of more than CARD_WORDS words the last ones are taken together, with the blanks between. */
int card_query_make(const char *typed, struct card_query *);
void card_query_free(struct card_query *);
/*
 * How well the card fits; MATCH_EXACT for an empty query. A rank that is not better than `useful` may be told
 * as MATCH_NOT.
 */
enum match_rank card_rank(const struct card *, const struct card_query *, enum match_rank useful);

#endif
