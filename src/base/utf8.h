/*
 * utf8.h - UTF-8 (RFC 3629), and what kind a letter is.
 *
 * The only decoder of the program and its only table of letters. Surrogates, overlong forms and what is
 * beyond U+10FFFF are not well formed. `n` is the number of bytes at hand and at least 1 where a letter is
 * read.
 */
#ifndef JG_BASE_UTF8_H
#define JG_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define UTF8_REPLACEMENT 0xfffdU /* in place of what is no letter */

/* Decodes the letter at text into *out; returns its bytes, 0 = not well formed. */
size_t utf8_decode(const char *text, size_t n, uint32_t *out);
/* The same, but a byte that begins no letter is U+FFFD of length 1. */
size_t utf8_letter(const char *text, size_t n, uint32_t *out);
/*
 * Bytes at text, at least one, that are one letter or the beginning of one; *whole is the length that the
 * first byte announces, 0 where no letter begins with it. Equal = a well-formed letter.
 */
size_t utf8_run(const char *text, size_t n, size_t *whole);
bool utf8_valid(const char *text, size_t n);
/* Writes the letter; returns its bytes. */
size_t utf8_encode(char out[4], uint32_t letter);

/* Letters of a well-formed text. */
size_t utf8_count(const char *text);
/* Bytes of the longest beginning of at most `max` bytes that ends with a whole letter; NULL has none. */
size_t utf8_fit(const char *text, size_t max);
/* For a terminal: hidden letters as \u202e (beyond U+FFFF \U000e0041), bytes that are no UTF-8 as U+FFFD. */
void utf8_visible(struct buf *out, const char *text, size_t n);

enum letter_kind {
    LETTER_PLAIN,
    LETTER_BLANK,   /* every blank of Unicode, U+00A0 among them */
    LETTER_CONTROL, /* C0, DEL, C1, and the separators of lines and paragraphs */
    LETTER_HIDDEN,  /* without width, or a mark of writing direction: a text with it looks like the text
                       without it */
    LETTER_MARK /* combines with the letter before it: an accent of a decomposed letter, a part of Hangul */
};

enum letter_kind letter_kind(uint32_t letter);
/* A terminal obeys it, or it changes or hides what is around it: controls, hidden letters, and the one
 * mark without a shape. */
bool letter_is_hidden(uint32_t letter);

/* The letter at text and its kind; *len is its bytes, 1 for a byte that is no UTF-8 (a control then). */
enum letter_kind letter_kind_at(const char *text, size_t n, size_t *len);
/* Length of the blanks and hidden letters with which the text begins or, up to `n`, ends. */
size_t letters_blank_before(const char *text, size_t n);
size_t letters_blank_behind(const char *text, size_t n);

#endif
