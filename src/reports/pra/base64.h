/*
 * base64.h - base64 of a report back into text.
 */
#ifndef JG_REPORTS_PRA_BASE64_H
#define JG_REPORTS_PRA_BASE64_H

#include "base/buf.h"

/* Appends the decoded text: blanks between the digits are skipped, bytes that are no UTF-8 become U+FFFD, NUL
 * goes; a group of digits that is cut at the end is left out. 0, -EINVAL (no base64), -ENOMEM, -EMSGSIZE. */
int base64_text(struct buf *out, const char *base64);
/* The same for bytes: what is no letter becomes U+FFFD, NUL goes. */
int mended_text(struct buf *out, const char *bytes, size_t n);

#endif
