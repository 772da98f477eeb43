/*
 * casefold.h - texts without case, prepared for searching.
 *
 * Folding makes UTF-8 lower-case letter by letter (all scripts that have case), joins letters with the marks
 * behind them and leaves out hidden letters (utf8.h), so that two texts that differ in these alone fold to
 * the same bytes. It is for searching endpoints: people are compared by base/person.h. What is no UTF-8 stays
 * as it is. A signature is 128 bits over the pairs of neighbouring bytes of a folded text: where a word is
 * inside a text, the word's signature is inside the text's.
 */
#ifndef JG_BASE_CASEFOLD_H
#define JG_BASE_CASEFOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most that folding may make of n bytes. */
#define CASEFOLD_SIZE(n) ((n)*3 / 2 + 1)

/* Folds n bytes; returns the length. `out` has room for CASEFOLD_SIZE(n) and is not terminated. */
size_t casefold_text(char *out, const char *text, size_t n);
/* Equal without case; NULL equals nothing. */
bool casefold_equal(const char *a, const char *b);
/* Has it neither marks of their own nor hidden letters: is folding about case alone? */
bool casefold_is_plain(const char *text);
/* The letter that a folded letter and a mark behind it are together; 0 = there is none. */
uint32_t casefold_join(uint32_t letter, uint32_t mark);
bool casefold_equal_n(const char *a, size_t an, const char *b, size_t bn);

struct casefold_signature {
    uint64_t bits[2];
};

/* Adds a text to a signature; one of fewer than two bytes adds nothing. */
void casefold_sign(struct casefold_signature *, const char *folded, size_t n);

static inline bool casefold_may_contain(const struct casefold_signature *text,
                                        const struct casefold_signature *word)
{
    return (text->bits[0] & word->bits[0]) == word->bits[0] &&
           (text->bits[1] & word->bits[1]) == word->bits[1];
}

/* A letter or digit, or any part of a letter beyond ASCII. */
static inline bool casefold_is_word(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z');
}

#endif
