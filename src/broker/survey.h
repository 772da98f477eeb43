/*
 * survey.h - the same questions put to every vault on behalf of one session, and the lists that came back.
 *
 * Each vault is asked as its first run_as candidate; all its questions go out together. When the vault
 * refuses the sign-in, what came so far is dropped and the next candidate asks anew. Any other failure of one
 * question is the failure of that vault. Instead of questions, each vault's catalogue of the user may be
 * wanted; it is then the one question. The survey is over when every vault has answered or failed; it is a
 * success if one answered. Entitlement is the vault's: what it lists, counts.
 *
 * Rules: done() is called exactly once, never before survey_new() has returned, and may free the survey;
 * after survey_free() it is never called. Session, vaults and the texts of the questions outlive the survey.
 */
#ifndef JG_BROKER_SURVEY_H
#define JG_BROKER_SURVEY_H

#include "broker/catalogues.h"
#include "broker/explain.h"
#include "broker/lists.h"
#include "broker/usermap.h"

#define SURVEY_MAX 36 /* questions to one vault */

struct survey;

enum survey_state { SURVEY_ASKING, SURVEY_ANSWERED, SURVEY_FAILED };

/* One question and its answer; accounts of an answered vault are in wait.accounts (NULL = none). */
struct survey_ask {
    struct list_wait wait;        /* first */
    struct catalogue_wait search; /* instead, where catalogues are wanted */
    struct survey_vault *of;
    struct account_query query;
    uint64_t asked_ms; /* when, as the present candidate */
};

struct survey_vault {
    struct survey *survey;
    struct vault *vault;
    struct usermap users;
    enum survey_state state;
    struct survey_ask *asks;
    size_t n, open;     /* questions in all, without an answer yet */
    struct fault fault; /* of SURVEY_FAILED */
    uint64_t age_ms;
};

struct survey_opts {
    struct lists *lists;
    struct timers *timers;
    struct vault *const *vaults;
    size_t nvaults;
    const struct session *session;
    uint64_t timeout_ms;           /* how long an answer is of use */
    struct catalogues *catalogues; /* NULL = questions are asked */
    /* Writes at most SURVEY_MAX questions for that vault; returns how many. */
    size_t (*questions)(void *arg, const struct conf_vault *, struct account_query out[SURVEY_MAX]);
    void (*done)(void *arg);
    void *arg;
    struct explain_record *record; /* told of users tried and calls made; NULL = nobody */
};

struct survey {
    struct survey_opts opts;
    uint64_t ends_ms;
    size_t asking; /* vaults */
    struct deadline soon;
    size_t n;
    struct survey_vault vault[];
};

struct survey *survey_new(const struct survey_opts *); /* NULL = out of memory */
void survey_free(struct survey *);                     /* NULL is fine */
/* Time is up: what has not answered has failed. done() is not called any more. */
void survey_expire(struct survey *);
/* Why there is no answer; NULL when at least one vault answered. */
const struct fault *survey_fault(const struct survey *);
bool survey_is_whole(const struct survey *);     /* no vault failed */
uint64_t survey_age(const struct survey *);      /* of the oldest list used */
size_t survey_count_rows(const struct survey *); /* rows in all lists of vaults that answered */

#endif
