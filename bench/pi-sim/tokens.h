/*
 * tokens.h - what a sign-in hands out: tokens of identities, that age, idle out, and are ended.
 *
 * A dead token is remembered, so that a client that goes on using it can be told from one that never had it.
 */
#ifndef PI_SIM_TOKENS_H
#define PI_SIM_TOKENS_H

#include "pi-sim/vault.h"
#include "sim/hash.h"

enum token_state { TOKEN_ALIVE, TOKEN_AGED, TOKEN_IDLED, TOKEN_SIGNED_OUT, TOKEN_REPLACED, TOKEN_ENDED };

extern const char *const token_state_names[];

struct token {
    char *text;
    uint64_t number;
    struct identity *identity;
    enum face face; /* that issued it */
    enum token_state state;
    uint64_t issued_ms, used_ms, calls;
    bool refusal_answered; /* conduct: the client knows that it is dead */
    uint64_t refused_ms;   /* since then, on the loop's clock */
    UT_hash_handle by_text;
};

struct tokens {
    struct token *by_text; /* in the order of issue */
    uint64_t issued;
};

struct tokens *tokens_new(void);
void tokens_free(struct tokens *);

/* NULL = out of memory or randomness. */
struct token *tokens_issue(struct vault *, struct identity *, enum face);
/* Ages it; does not count as use. NULL = never issued. */
struct token *tokens_find(struct vault *, const char *text);
/* The same for a call: alive and good on that face, and used now. NULL = refused. */
struct token *tokens_use(struct vault *, const char *text, enum face);
void tokens_end(struct token *, enum token_state);
/* All that are alive, or those of one identity; how many. */
size_t tokens_end_all(struct vault *, const struct identity *);
size_t tokens_alive(struct vault *, const struct identity *); /* NULL = of all */

#endif
