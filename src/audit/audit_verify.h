/*
 * audit_verify.h - reads an audit trail line by line and says what was done to it.
 *
 *   audit_verify_new -> (audit_verify_file -> audit_verify_line ...) ... -> audit_verify_end -> free
 *
 * Files come oldest first. Each defect is reported once, with file, line and number; a line that is out of
 * place does not make the ones behind it wrong. A note reports what is unusual and no defect: a line that a
 * crash cut off and the gateway closed off, a gap that the trail itself records. Lines that the head knows
 * and no file has are a defect, in whichever file they would be; so is a trail without a line. Without memory
 * nothing more is remarked, and there is no verdict.
 *
 * Not here: opening files, sorting them, finding the head (audit_command.c).
 */
#ifndef JG_AUDIT_AUDIT_VERIFY_H
#define JG_AUDIT_AUDIT_VERIFY_H

#include "audit/audit_chain.h"

#include <stdbool.h>

struct audit_verify;

struct audit_remark {
    bool note;        /* else a defect */
    const char *file; /* NULL = of the trail as a whole */
    uint64_t line;    /* 0 = of the file as a whole */
    uint64_t seq;     /* 0 = not known */
    const char *text;
};

struct audit_summary {
    uint64_t files, lines; /* lines that are sound */
    uint64_t first_seq, last_seq;
    uint64_t defects, notes;
    char first_time[AUDIT_TIME_SIZE], last_time[AUDIT_TIME_SIZE]; /* "" = no line */
};

/* `head` NULL = there is none. NULL when out of memory. */
struct audit_verify *audit_verify_new(const struct audit_head *head,
                                      void (*on_remark)(void *arg, const struct audit_remark *), void *arg);
void audit_verify_file(struct audit_verify *, const char *name); /* the name outlives the verifier */
void audit_verify_line(struct audit_verify *, const char *line, size_t n); /* line end included */
/* More of a line that is too long to be sound, and whose beginning was given to audit_verify_line(). */
void audit_verify_rest(struct audit_verify *, const char *piece, size_t n);
/* A defect of the file as it is kept, at the line given last. */
void audit_verify_harm(struct audit_verify *, const char *text);
/* Bytes were expected and none came. */
void audit_verify_empty(struct audit_verify *);
/* 0, or -ENOMEM: part of the trail was not verified, and the summary says nothing. */
int audit_verify_end(struct audit_verify *, struct audit_summary *) __attribute__((warn_unused_result));
void audit_verify_free(struct audit_verify *); /* NULL is fine */

#endif
