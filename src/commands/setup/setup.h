/*
 * setup.h - shared by the files of `jumpgate setup`, the first run: from a few answers to a gateway that can
 * be started.
 *
 *     command.c        the order: answers, plan, files, check, what is next
 *     questions.c      what is asked, on the terminal or by flags, and which answers are good
 *     answers.c        the answers
 *     secrets.c        where a secret comes from: a file, standard input, the terminal without echo
 *     plan.c           files and folders that will be: shown, made, removed again
 *     certificates.c   keys, certificates, requests
 *     texts.c          configuration, drop-in of the unit, what the operator does next
 *     trial.c          the secrets as the gateway's user gets them, while the configuration is tried
 *
 * Ownership: struct setup owns all answers, secrets and files; the command frees it in one place.
 *
 * Invariants: no file is overwritten; a secret is in secret memory, in its file, and in no other place.
 */
#ifndef JG_COMMANDS_SETUP_SETUP_H
#define JG_COMMANDS_SETUP_SETUP_H

#include "base/buf.h"
#include "base/memory/secret.h"
#include "commands/line/command_line.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define SETUP_WHY_SIZE 512
#define SETUP_FILES    32
#define SETUP_TEXT_MAX (64U * 1024)

/* In the order in which they are asked. */
enum setup_key {
    SETUP_VAULT_URL,
    SETUP_VAULT_CA,
    SETUP_SIGN_IN, /* "api-key", "oauth" */
    SETUP_API_KEY,
    SETUP_OAUTH_ID,
    SETUP_OAUTH_SECRET,
    SETUP_OAUTH_SHARED, /* "yes": all act as that one user, and that is meant */
    SETUP_DURATION,
    SETUP_LISTEN,
    SETUP_CLIENT,
    SETUP_CLIENT_BY, /* "uid", "token", "certificate" */
    SETUP_CLIENT_UID,
    SETUP_CERTIFICATE, /* "own-ca", "request" */
    SETUP_SERVER_NAMES,
    SETUP_PRA_URL,
    SETUP_PRA_CA,
    SETUP_PRA_ID,
    SETUP_PRA_SECRET,
    SETUP_USER,
    SETUP_HOST,
    SETUP_NKEYS
};

struct setup_file {
    char *path;
    mode_t mode;
    bool to_gateway;    /* its group is the gateway's */
    bool folder;        /* made where it is missing */
    bool replaces;      /* the untouched configuration of the package */
    bool to_unit;       /* systemd passes it to the gateway */
    bool trial;         /* removed once the configuration is tried */
    bool made, aside;   /* it is there by us; what it replaces is beside it */
    const char *secret; /* what is shown in place of its content; NULL = no secret */
    struct buf data;
};

struct setup_plan {
    struct setup_file files[SETUP_FILES];
    size_t n;
    gid_t group; /* of the gateway; (gid_t)-1 = groups stay as they come */
};

#define SETUP_GATEWAY_GROUP "jumpgate"
#define SETUP_CLIENTS_GROUP "jumpgate-clients"

struct setup {
    const struct command_args *args;
    char root[256];             /* before every path; "" = the machine's own */
    char *answers[SETUP_NKEYS]; /* NULL = none */
    struct secret secrets[SETUP_NKEYS];
    struct secret token; /* of the client */
    char token_sha256[65];
    struct setup_plan plan;
    bool asked; /* a question was asked on the terminal */
};

/* answers.c. An answer, or "". */
const char *setup_answer(const struct setup *, enum setup_key);
bool setup_is(const struct setup *, enum setup_key, const char *answer);
bool setup_is_unix(const struct setup *);   /* the listener is a Unix socket */
bool setup_has_group(const struct setup *); /* the group of those who may open it is there */

/* questions.c: takes the flags, asks for the rest where `terminal`. 0 or the exit code; said on stderr. May
 * be called again: answers that are there are the defaults then. */
int setup_ask_all(struct setup *, bool terminal);

/* secrets.c: 0, or -errno and why. `path` "-" is standard input. */
int setup_secret_file(struct secret *, const char *path, char why[SETUP_WHY_SIZE]);
bool setup_is_line(const struct secret *); /* no control character is in it */
/* One line of the terminal: 0, -ENODATA at its end, -EINTR after ^C. `echo` false = it is not shown. */
int setup_read_line(struct secret *, bool echo);
/* A random text, and the digest that the configuration has of it. */
int setup_make_token(struct setup *);

/* plan.c. The texts of paths are formats; the root is put before them. */
void setup_folder(struct setup *, mode_t mode, bool to_gateway, const char *path);
/* Takes the content. NULL = out of memory, or too many. */
struct setup_file *setup_add(struct setup *, mode_t mode, struct buf *data, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool setup_plan_possible(struct setup *, char why[SETUP_WHY_SIZE]); /* nothing is in the way */
void setup_plan_show(const struct setup *, FILE *);
/* All of it, or nothing is left of it and `why` says what failed. */
bool setup_plan_make(struct setup *, char why[SETUP_WHY_SIZE]);
void setup_plan_undo(struct setup *);
void setup_plan_keep(struct setup *); /* what was replaced and what was for the trial goes */
void setup_plan_free(struct setup *);

/* certificates.c: adds the files of keys and certificates. 0 or -errno. */
int setup_certificates(struct setup *);

/* texts.c: adds configuration and drop-in. 0 or -ENOMEM. */
int setup_texts(struct setup *);

/* trial.c: the directory of credentials with which the configuration is tried. 0 or -errno. */
int setup_trial(struct setup *); /* adds it to the plan where one of its own is needed */
bool setup_trial_credentials(const struct setup *, char out[PATH_MAX]);
void setup_say_next(const struct setup *, FILE *);

#endif
