/*
 * access.h - the map of a vault of Privileged Identity: who may get which credential on which endpoints.
 *
 * One identity signs in for everybody, so the gateway decides by this map, which is made of the [access]
 * sections of the configuration. What is not in it does not exist. Nothing that the vault says widens it.
 *
 * A map is made whole, is never changed, and makes no call. Users are found by a hash, so that the cost of a
 * question follows from the sections that name the user and not from all of them.
 *
 *   pi_access_new -> pi_access_find, pi_access_judge, ... -> pi_access_free
 *
 * Two sections for one credential are one credential with both rights. A credential is the same in whatever
 * ASCII case it is written.
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_ACCESS_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_ACCESS_H

#include "backends/backend.h"
#include "base/buf.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PI_KEY_SIZE 40 /* "stored." or "shared." and 32 hexadecimal digits */

struct pi_access;

/* Its texts live as long as the map. */
struct pi_credential {
    bool shared;                       /* an entry of a list, else a stored one */
    const char *system, *full_account; /* in the vault's own spelling */
    const char *list;                  /* NULL where it is stored */
    const char *custom_type;           /* "" = none; of a stored one, as `type` */
    uint64_t type;
    const char *account;   /* without its domain */
    char *domain;          /* NULL = a local account */
    const char *username;  /* typed at the endpoint */
    const char *label;     /* NULL = derived */
    char key[PI_KEY_SIZE]; /* the account key */
};

/* A session, as a question to the map. The forms are those that `match` selects. */
struct pi_session {
    const char *username, *domain; /* domain: NULL or "" = none */
    const char *const *forms;
    size_t nforms;
};

enum pi_entitlement {
    PI_ENTITLED,
    PI_NOT_ENTITLED, /* the credential is there, and not for this user here */
    PI_NO_CREDENTIAL,
};

/* What a find has found, and why not more. */
struct pi_found {
    const struct pi_credential **list; /* in the order of the configuration */
    size_t n;
    size_t by_user, by_host; /* sections left out: they do not name the user; not the host */
    size_t named;            /* sections that name the user */
    const char *section[ENTITLED_SECTIONS_MAX]; /* the first of them */
};

/* The map of the vault, with its files of users read. Mistakes become lines `file:line: message`. 0, -EINVAL,
 * -ENOMEM. */
int pi_access_new(const struct conf *, const struct conf_vault *, struct pi_access **out, struct buf *errors);
void pi_access_free(struct pi_access *); /* NULL is fine */

size_t pi_access_count(const struct pi_access *); /* credentials */
const struct pi_credential *pi_access_at(const struct pi_access *, size_t i);
/* NULL = the map has no such credential. */
const struct pi_credential *pi_access_credential(const struct pi_access *, const char *account_key);
/* 0 or -ENOMEM. The caller frees with pi_found_free(). */
int pi_access_find(const struct pi_access *, const struct pi_session *, struct pi_found *);
void pi_found_free(struct pi_found *);
/* 0 and the entitlement, or -ENOMEM. */
int pi_access_judge(const struct pi_access *, const struct pi_session *, const char *account_key,
                    enum pi_entitlement *);

/* The account key of the credential of a section. 0 or -ENOMEM. */
int pi_access_key(const struct conf_access *, char out[PI_KEY_SIZE]);

/* The request key: the sign-in name and the credential. 0 or -ENOMEM. */
int pi_request_key(const char *login_name, const char *authenticator, const struct pi_credential *,
                   char out[PI_KEY_SIZE]);

#endif
