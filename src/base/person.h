/*
 * person.h - the names of people and of their domains: the one place where they are compared and judged.
 *
 * Two names are the same person's when they are equal in ASCII case and otherwise byte for byte. Names are
 * never folded for identity: `Kim` with U+212A is not `kim`, and ZOË is not Zoë. Where a name is (part of) a
 * key person_key() writes it as bytes that compare. Folding (base/casefold.h) is for searching endpoints.
 */
#ifndef JG_BASE_PERSON_H
#define JG_BASE_PERSON_H

#include <stdbool.h>
#include <stddef.h>

bool person_same(const char *a, const char *b);
bool person_same_n(const char *a, size_t an, const char *b, size_t bn);
/* Writes the name as bytes that are equal where the names are the same, with a NUL; returns what is behind
 * it. */
char *person_key(char *to, const char *name);
/* Writes `domain\name`, or the name alone where there is no domain (NULL or ""); at most size - 1 bytes and a
 * NUL. */
void person_write(char *to, size_t size, const char *domain, const char *name);

enum person_part {
    PERSON_NAME, /* a user name without domain */
    PERSON_DOMAIN,
    PERSON_FULL /* a user of the vault, with a domain or without */
};

/*
 * What keeps the text from standing for a person, as the end of a sentence: "must not begin or end with a
 * blank". NULL = nothing. person_refusal() is what a caller is refused for; person_unwritable() is that and
 * what cannot be put into a vault's sign-in.
 */
const char *person_refusal(enum person_part, const char *name);
const char *person_unwritable(enum person_part, const char *name);

#endif
