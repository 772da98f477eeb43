/*
 * problem.h - a fault as application/problem+json (RFC 9457), the one form of every error answer.
 */
#ifndef JG_HANDLERS_PROBLEM_H
#define JG_HANDLERS_PROBLEM_H

#include "base/buf.h"
#include "base/fault.h"

#define PROBLEM_TYPE "application/problem+json"

void problem_write(struct buf *, const struct fault *, const char *request_id);
/* Retry-After in seconds for this fault; 0 = none is sent. */
unsigned problem_retry_after(const struct fault *);

#endif
