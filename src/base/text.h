/*
 * text.h - small functions on strings, all of them bounded.
 */
#ifndef JG_BASE_TEXT_H
#define JG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies what fits, always terminates; false when cut. */
bool text_copy(char *to, size_t size, const char *from);
bool text_copy_n(char *to, size_t size, const char *from, size_t n);
/* Whole text as decimal integer within [min, max]. */
bool text_int(const char *text, int64_t min, int64_t max, int64_t *out);
/* ASCII case only. */
bool text_equal_nocase(const char *a, const char *b);
bool text_equal_nocase_n(const char *a, size_t an, const char *b, size_t bn);
/* Only characters of `allowed`, and not empty. */
bool text_only(const char *text, const char *allowed);
/* Percent-encodes everything but unreserved characters (RFC 3986) into out; false when it did not fit. */
bool text_url_encode(char *out, size_t size, const char *text);
/* Decodes %XX and, if `plus`, + in place. False on a bad escape or an encoded NUL. */
bool text_url_decode(char *text, bool plus);
/* Edit distance, at most 63 letters each, for "did you mean". */
unsigned text_distance(const char *a, const char *b);
bool text_is_ip(const char *text); /* IPv4 or IPv6 literal, brackets allowed around IPv6 */
/* Decimal digits with leading zeros up to `width`, not terminated; returns their end. At most 20, or `width`.
 */
char *text_digits(char *out, uint64_t value, unsigned width);
/* Length of the run from p of printable ASCII that JSON takes as it is: neither quote nor backslash. */
size_t text_plain_run(const char *p, size_t n);
/* Hex of n bytes; out holds 2n+1. */
void text_hex(char *out, const void *bytes, size_t n);
bool text_unhex(void *out, size_t n, const char *hex); /* exactly 2n hex digits */

#endif
