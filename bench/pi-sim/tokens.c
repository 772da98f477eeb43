/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens.c - issue, age and end of tokens; see tokens.h.
 */
#include "pi-sim/tokens.h"

#include "base/text.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_LONG 2000
#define TOKEN_SIZE (TOKEN_LONG + 1)

const char *const token_state_names[] = {"alive", "aged", "idled", "signed_out", "replaced", "ended"};

struct tokens *tokens_new(void)
{
    return calloc(1, sizeof(struct tokens));
}

void tokens_free(struct tokens *ts)
{
    struct token *t, *next;

    if (!ts)
        return;
    HASH_ITER(by_text, ts->by_text, t, next)
    {
        HASH_DELETE(by_text, ts->by_text, t);
        wipe(t->text, strlen(t->text));
        free(t->text);
        free(t);
    }
    free(ts);
}

/* ---- the text ---- */

static void letters(char *out, size_t n, const unsigned char *random, size_t nrandom)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i++)
        out[i] = base64[(random[i % nrandom] + i / nrandom * 7) % 64];
    out[n] = '\0';
}

/* Each shape has at least 36 random bits; only `short` and `blank` are no tokens that a client should take.
 */
static int make_text(enum knob_token_shape shape, char out[TOKEN_SIZE])
{
    unsigned char random[42];
    char hex[33];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return -1;
    switch (shape) {
    case SHAPE_BASE64:
        letters(out, 42, random, sizeof(random));
        memcpy(out + 42, "==", 3);
        return 0;
    case SHAPE_LONG: letters(out, TOKEN_LONG, random, sizeof(random)); return 0;
    case SHAPE_SHORT: letters(out, 6, random, sizeof(random)); return 0;
    case SHAPE_BLANK:
        letters(out, 30, random, sizeof(random));
        out[12] = ' ';
        return 0;
    case SHAPE_GUID: break;
    }
    text_hex(hex, random, 16);
    (void)snprintf(out, TOKEN_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return 0;
}

/* ---- life ---- */

static void age(const struct vault *v, struct token *t)
{
    const struct vault_settings *s = &v->settings;
    uint64_t now = vault_now(v);

    if (t->state != TOKEN_ALIVE)
        return;
    if (s->token_life_ms && now - t->issued_ms >= s->token_life_ms)
        t->state = TOKEN_AGED;
    else if (s->token_idle_ms && now - t->used_ms >= s->token_idle_ms)
        t->state = TOKEN_IDLED;
}

size_t tokens_alive(struct vault *v, const struct identity *i)
{
    size_t n = 0;

    for (struct token *t = v->tokens->by_text; t; t = t->by_text.next) {
        age(v, t);
        n += t->state == TOKEN_ALIVE && (!i || t->identity == i);
    }
    return n;
}

/* The hash keeps the order of issue, so the first one alive is the oldest. */
static void end_oldest(struct vault *v, const struct identity *i)
{
    for (struct token *t = v->tokens->by_text; t; t = t->by_text.next) {
        if (t->state != TOKEN_ALIVE || t->identity != i)
            continue;
        t->state = TOKEN_REPLACED;
        return;
    }
}

struct token *tokens_issue(struct vault *v, struct identity *i, enum face face)
{
    struct token *t = calloc(1, sizeof(*t));
    char text[TOKEN_SIZE];

    if (!t || make_text((enum knob_token_shape)v->settings.knob[KNOB_TOKEN_SHAPE], text)) {
        free(t);
        return NULL;
    }
    t->text = strdup(text);
    wipe(text, sizeof(text));
    if (!t->text) {
        free(t);
        return NULL;
    }
    while (v->settings.tokens && tokens_alive(v, i) >= v->settings.tokens)
        end_oldest(v, i);
    t->number = ++v->tokens->issued;
    t->identity = i;
    t->face = face;
    t->issued_ms = t->used_ms = vault_now(v);
    HASH_ADD_KEYPTR(by_text, v->tokens->by_text, t->text, strlen(t->text), t);
    return t;
}

struct token *tokens_find(struct vault *v, const char *text)
{
    struct token *t;

    HASH_FIND(by_text, v->tokens->by_text, text, strlen(text), t);
    if (t)
        age(v, t);
    return t;
}

struct token *tokens_use(struct vault *v, const char *text, enum face face)
{
    struct token *t = tokens_find(v, text);

    if (!t || t->state != TOKEN_ALIVE || !t->identity->enabled)
        return NULL;
    if (v->settings.knob[KNOB_TOKEN_FACES] && t->face != face)
        return NULL;
    t->used_ms = vault_now(v);
    t->calls++;
    return t;
}

void tokens_end(struct token *t, enum token_state how)
{
    if (t->state == TOKEN_ALIVE)
        t->state = how;
}

size_t tokens_end_all(struct vault *v, const struct identity *i)
{
    size_t n = 0;

    for (struct token *t = v->tokens->by_text; t; t = t->by_text.next) {
        age(v, t);
        if (t->state != TOKEN_ALIVE || (i && t->identity != i))
            continue;
        tokens_end(t, TOKEN_ENDED);
        n++;
    }
    return n;
}
