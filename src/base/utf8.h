/*
 * utf8.h - single letters of UTF-8, and what kind a letter is.
 */
#ifndef JG_BASE_UTF8_H
#define JG_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum letter_kind {
    LETTER_PLAIN,
    LETTER_BLANK,   /* every blank of Unicode, U+00A0 among them */
    LETTER_CONTROL, /* C0, DEL, C1, and the separators of lines and paragraphs */
    LETTER_HIDDEN,  /* without width, or turning the direction of writing: two texts with and without it look
                       alike */
    LETTER_MARK /* combines with the letter before it: an accent of a decomposed letter, a part of Hangul */
};

/* Decodes the letter at text into *out; returns its bytes, 0 = no sound UTF-8. n is at least 1. */
size_t utf8_decode(const char *text, size_t n, uint32_t *out);
/* Writes the letter; returns its bytes. */
size_t utf8_encode(char out[4], uint32_t letter);
enum letter_kind letter_kind(uint32_t letter);

/* The letter at text and its kind; *len is its bytes, 1 for a byte that is no UTF-8 (a control then). */
enum letter_kind letter_kind_at(const char *text, size_t n, size_t *len);
/* Length of the blanks and hidden letters with which the text begins or, up to `n`, ends. */
size_t letters_blank_before(const char *text, size_t n);
size_t letters_blank_behind(const char *text, size_t n);

#endif
