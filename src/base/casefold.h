/*
 * casefold.h - case folding of texts for the search of endpoints.
 *
 * Folding converts UTF-8 to lower case letter by letter (all scripts that have case), composes a letter with
 * the marks behind it, and removes hidden letters (utf8.h): texts that differ in these alone fold to the same
 * bytes. Bytes that are not UTF-8 are kept. A signature is 128 bits over the pairs of neighbouring bytes of a
 * folded text: if a text contains a word, the text's signature contains the word's.
 *
 * Not here: the comparison of people's names (base/person.h).
 */
#ifndef JG_BASE_CASEFOLD_H
#define JG_BASE_CASEFOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest length of n folded bytes. */
#define CASEFOLD_SIZE(n) ((n)*3 / 2 + 1)

/* Folds n bytes; returns the length. `out` has room for CASEFOLD_SIZE(n) and is not terminated. */
size_t casefold_text(char *out, const char *text, size_t n);
/* True = both fold to the same bytes; NULL equals nothing. */
bool casefold_equal(const char *a, const char *b);
/* True = no combining marks and no hidden letters: folding changes the case alone. */
bool casefold_is_plain(const char *text);
/* The composed letter of a folded letter and a mark behind it; 0 = there is none. */
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
