/* SPDX-License-Identifier: Apache-2.0 */
/*
 * questions.c - what setup has to know; see setup.h.
 *
 * A row is one question: its flag, its words on the terminal, its default, when it matters, and how an answer
 * is judged. Values that become keys of the configuration are judged by the rows of the configuration's own
 * table. A bad answer on the terminal is asked again with the reason; a bad flag ends the command.
 *
 * All questions may be asked a second time: an answer that is there is then the default, a secret that is
 * there is kept by an empty line, and what a flag has answered is not asked.
 */
#include "commands/setup/setup.h"

#include "base/text.h"
#include "conf/conf_sections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define API_PATH "/BeyondTrust/api/public/v3"

/* ---- judging; `why` completes "`answer` …" ---- */

/* Does the value fit the key of the configuration? */
static bool fits(enum conf_section section, const char *key, const char *text, char why[SETUP_WHY_SIZE])
{
    const struct conf_row *row = conf_row_find(&conf_gateway_table, section, key);
    void *object = calloc(1, conf_gateway_table.sections[section].size);
    char reason[CONF_WHY_SIZE] = "out of memory";
    int err = object ? row->type->parse(row, text, object, reason) : -ENOMEM;

    if (object)
        row->type->clear(row, object);
    free(object);
    if (err)
        (void)snprintf(why, SETUP_WHY_SIZE, "%s", reason);
    return !err;
}

/* Would the configuration read it back as it is? */
static bool is_plain(const char *text, char why[SETUP_WHY_SIZE])
{
    size_t n = strlen(text);
    bool plain = !n || (!strchr(" #;", text[0]) && text[n - 1] != ' ');

    for (size_t i = 0; i < n; i++)
        plain = plain && (unsigned char)text[i] >= ' ' && text[i] != 0x7f &&
                !(text[i] == ' ' && strchr("#;", text[i + 1]));
    if (!plain)
        (void)snprintf(why, SETUP_WHY_SIZE,
                       "has a control character, a blank at an end, or what begins a comment");
    return plain;
}

/* `text` may be the answer that it replaces. */
static bool keep(struct setup *s, enum setup_key key, const char *text)
{
    char *copy = strdup(text);

    free(s->answers[key]);
    s->answers[key] = copy;
    return copy;
}

static void forget(struct setup *s, enum setup_key key)
{
    free(s->answers[key]);
    s->answers[key] = NULL;
    secret_clear(&s->secrets[key]);
}

/* `vault.example.com` and `https://vault.example.com` become the address of the API. */
static bool take_vault_url(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    char url[1024];
    bool scheme = strstr(text, "://");
    const char *host = scheme ? strstr(text, "://") + 3 : text;
    size_t n = strcspn(host, "/");
    bool path = host[n] && host[n + 1];

    if (snprintf(url, sizeof(url), "%s%.*s%s", scheme ? "" : "https://",
                 path ? (int)strlen(text) : (int)(n + (size_t)(host - text)), text,
                 path ? "" : API_PATH) >= (int)sizeof(url)) {
        (void)snprintf(why, SETUP_WHY_SIZE, "is too long");
        return false;
    }
    if (strncasecmp(url, "https://", 8) != 0) {
        (void)snprintf(why, SETUP_WHY_SIZE, "must be https: the API key is sent to it");
        return false;
    }
    return fits(SECTION_VAULT, "url", url, why) && keep(s, key, url);
}

static bool take_pra_url(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    char url[512];

    if (!*text)
        return keep(s, key, "");
    (void)snprintf(url, sizeof(url), "%s%s", strstr(text, "://") ? "" : "https://", text);
    if (strncasecmp(url, "https://", 8) != 0) {
        (void)snprintf(why, SETUP_WHY_SIZE, "must be https: the client secret is sent to it");
        return false;
    }
    return fits(SECTION_PRA, "url", url, why) && keep(s, key, url);
}

static bool take_file(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    struct stat st;

    if (!*text)
        return keep(s, key, text);
    if (access(text, R_OK) != 0 || stat(text, &st) != 0)
        (void)snprintf(why, SETUP_WHY_SIZE, "cannot be read: %s", strerror(errno));
    else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        (void)snprintf(why, SETUP_WHY_SIZE, "is no file");
    else if (st.st_size >= SETUP_TEXT_MAX * 16)
        (void)snprintf(why, SETUP_WHY_SIZE, "is larger than a list of authorities can be");
    else
        return keep(s, key, text);
    return false;
}

static bool take_duration(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    char minutes[32];
    bool bare = *text && text_only(text, "0123456789");

    (void)snprintf(minutes, sizeof(minutes), "%.20s%s", text, bare ? "m" : "");
    return fits(SECTION_GATEWAY, "release_duration", minutes, why) && keep(s, key, minutes);
}

static bool take_listen(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    return fits(SECTION_LISTENER, "address", text, why) && keep(s, key, text);
}

static bool take_oauth_id(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    return fits(SECTION_VAULT, "oauth_client_id", text, why) && keep(s, key, text);
}

static bool take_pra_id(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    return fits(SECTION_PRA, "client_id", text, why) && keep(s, key, text);
}

/* It becomes a part of file names and of the certificate's name. */
static bool take_name(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    if (*text && strlen(text) < CONF_NAME_MAX && *text != '.' && *text != '-' &&
        text_only(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"))
        return keep(s, key, text);
    (void)snprintf(why, SETUP_WHY_SIZE, "must be 1 to %d letters of A-Z a-z 0-9 . _ -, the first no . or -",
                   CONF_NAME_MAX - 1);
    return false;
}

static bool is_address(const char *name)
{
    struct in6_addr out;

    return inet_pton(AF_INET, name, &out) == 1 || inet_pton(AF_INET6, name, &out) == 1;
}

/* Labels of letters, digits and hyphens; the first may be a single asterisk. */
static bool is_host_name(const char *name)
{
    const char *label = strncmp(name, "*.", 2) == 0 ? name + 2 : name;

    for (;; label++) {
        size_t n = strspn(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

        if (!n || n > 63 || *label == '-' || label[n - 1] == '-')
            return false;
        label += n;
        if (*label != '.')
            return !*label;
    }
}

/* Names and addresses, parted by blanks or commas. */
static bool take_names(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    const char *at = text + strspn(text, " ,");
    bool good = *at && strlen(text) < 400;
    char name[254];

    for (size_t n; good && *at; at += n + strspn(at + n, " ,")) {
        n = strcspn(at, " ,");
        good = text_copy_n(name, sizeof(name), at, n) && (is_address(name) || is_host_name(name));
    }
    if (good)
        return keep(s, key, text);
    (void)snprintf(why, SETUP_WHY_SIZE, "must be host names or addresses, parted by blanks");
    return false;
}

/* A name of this machine becomes its number. */
static bool take_uid(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    const struct passwd *pw = getpwnam(text);
    char number[32];
    int64_t uid;

    if (!pw && !text_int(text, 0, UINT32_MAX - 1, &uid)) {
        (void)snprintf(why, SETUP_WHY_SIZE, "is no user of this machine and no number");
        return false;
    }
    (void)snprintf(number, sizeof(number), "%lld", pw ? (long long)pw->pw_uid : (long long)uid);
    return keep(s, key, number);
}

static bool is_known_by(const struct setup *s, const char *text)
{
    return !strcmp(text, "token") || !strcmp(text, setup_is_unix(s) ? "uid" : "certificate");
}

static bool take_client_by(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    if (is_known_by(s, text))
        return keep(s, key, text);
    (void)snprintf(why, SETUP_WHY_SIZE,
                   setup_is_unix(s) ? "must be uid or token: a Unix socket has no certificates"
                                    : "must be token or certificate: over TCP there is no uid");
    return false;
}

static bool take_sign_in(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    if (!strcmp(text, "api-key") || !strcmp(text, "oauth"))
        return keep(s, key, text);
    (void)snprintf(why, SETUP_WHY_SIZE, "must be api-key or oauth");
    return false;
}

static bool take_shared(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    if (!strcmp(text, "yes"))
        return keep(s, key, text);
    (void)snprintf(
        why, SETUP_WHY_SIZE,
        "must be yes; with an API key (--sign-in api-key) each PRA user acts as itself at the vault");
    return false;
}

static bool take_certificate(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    bool request = !strcmp(text, "request");

    if (request && setup_is(s, SETUP_CLIENT_BY, "certificate")) {
        (void)snprintf(why, SETUP_WHY_SIZE,
                       "must be own-ca where the client has a certificate: that authority signs it");
        return false;
    }
    if (request || !strcmp(text, "own-ca"))
        return keep(s, key, text);
    (void)snprintf(why, SETUP_WHY_SIZE, "must be own-ca or request");
    return false;
}

/* With an API key the vault user is {domain}\{username}: setup writes no other rule. */
static bool take_user(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    const char *name = strchr(text, '\\');
    bool whole = name && name != text && name[1] && !strchr(name + 1, '\\');

    if (!*text || whole || setup_is(s, SETUP_SIGN_IN, "oauth"))
        return keep(s, key, text);
    (void)snprintf(why, SETUP_WHY_SIZE, "must be DOMAIN\\NAME: the vault user is made of both");
    return false;
}

static bool take_text(struct setup *s, enum setup_key key, const char *text, char why[SETUP_WHY_SIZE])
{
    (void)why;
    return keep(s, key, text);
}

/* ---- the rows ---- */

static bool with_key(const struct setup *s)
{
    return setup_is(s, SETUP_SIGN_IN, "api-key");
}

static bool with_oauth(const struct setup *s)
{
    return setup_is(s, SETUP_SIGN_IN, "oauth");
}

static bool with_uid(const struct setup *s)
{
    return setup_is(s, SETUP_CLIENT_BY, "uid");
}

static bool with_tls(const struct setup *s)
{
    return !setup_is_unix(s);
}

static bool with_site(const struct setup *s)
{
    return *setup_answer(s, SETUP_PRA_URL);
}

static bool with_user(const struct setup *s)
{
    return *setup_answer(s, SETUP_USER);
}

static const struct question {
    const char *flag, *ask;
    const char *fallback; /* NULL = there has to be an answer; "" = none is needed */
    bool secret;          /* the flag names a file, the terminal does not show it */
    bool (*matters)(const struct setup *);
    bool (*take)(struct setup *, enum setup_key, const char *, char why[SETUP_WHY_SIZE]);
} questions[SETUP_NKEYS] = {
    [SETUP_VAULT_URL] = {"--vault-url", "Password Safe: host name or address of its API", NULL, false, NULL,
                         take_vault_url},
    [SETUP_VAULT_CA] = {"--vault-ca",
                        "File with the authority of its certificate (empty: those of the system)", "", false,
                        NULL, take_file},
    [SETUP_SIGN_IN] = {"--sign-in", "Sign-in at Password Safe: api-key or oauth", "api-key", false, NULL,
                       take_sign_in},
    [SETUP_API_KEY] = {"--api-key-file", "Key of the API registration", NULL, true, with_key, NULL},
    [SETUP_OAUTH_ID] = {"--oauth-id", "OAuth client id of the application user", NULL, false, with_oauth,
                        take_oauth_id},
    [SETUP_OAUTH_SECRET] = {"--oauth-secret-file", "OAuth client secret", NULL, true, with_oauth, NULL},
    [SETUP_OAUTH_SHARED] = {"--oauth-shared-identity",
                            "With OAuth every PRA user may request what that one application user may. "
                            "Is that meant? yes, or ^C",
                            NULL, false, with_oauth, take_shared},
    [SETUP_DURATION] = {"--release-duration", "Release duration in minutes", "60", false, NULL,
                        take_duration},
    [SETUP_LISTEN] = {"--listen", "Where clients connect: unix:/PATH on this machine, or IP:PORT with TLS",
                      "unix:/run/jumpgate/broker.sock", false, NULL, take_listen},
    [SETUP_CLIENT] = {"--client", "Name of the client that calls", "pra", false, NULL, take_name},
    [SETUP_CLIENT_BY] = {"--client-by", NULL, "token", false, NULL, take_client_by},
    [SETUP_CLIENT_UID] = {"--client-uid", "User of this machine that calls, name or number", NULL, false,
                          with_uid, take_uid},
    [SETUP_CERTIFICATE] = {"--certificate",
                           "Certificate of this gateway: own-ca (made here) or request (signed by yours)",
                           "own-ca", false, with_tls, take_certificate},
    [SETUP_SERVER_NAMES] = {"--server-name", "Names and addresses by which clients call this gateway", NULL,
                            false, with_tls, take_names},
    [SETUP_PRA_URL] = {"--pra-url", "PRA site: host name (empty: without the link to the site)", "", false,
                       NULL, take_pra_url},
    [SETUP_PRA_CA] = {"--pra-ca", "File with the authority of its certificate (empty: those of the system)",
                      "", false, with_site, take_file},
    [SETUP_PRA_ID] = {"--pra-id", "OAuth client id of the API account at the site", NULL, false, with_site,
                      take_pra_id},
    [SETUP_PRA_SECRET] = {"--pra-secret-file", "OAuth client secret of the API account", NULL, true,
                          with_site, NULL},
    [SETUP_USER] = {"--user", "A PRA user to try it with, DOMAIN\\NAME (empty: the vault is not asked now)",
                    "", false, NULL, take_user},
    [SETUP_HOST] = {"--host", "A machine on which that user gets a credential", NULL, false, with_user,
                    take_text},
};

static const char *words_of(const struct setup *s, enum setup_key key)
{
    if (key != SETUP_CLIENT_BY)
        return questions[key].ask;
    return setup_is_unix(s) ? "How the client is known: uid (its user on this machine) or token"
                            : "How the client is known: token or certificate";
}

static const char *default_of(const struct setup *s, enum setup_key key, char host[256])
{
    if (s->answers[key] && (key != SETUP_CLIENT_BY || is_known_by(s, s->answers[key])))
        return s->answers[key];
    if (key == SETUP_CLIENT_BY && setup_is_unix(s))
        return "uid";
    if (key == SETUP_SIGN_IN && args_given(s->args, "--oauth-id"))
        return "oauth";
    if (key == SETUP_SERVER_NAMES && gethostname(host, 256) == 0) {
        host[255] = '\0';
        return host;
    }
    return questions[key].fallback;
}

/* ---- flags ---- */

static int wrong_flag(const struct setup *s, enum setup_key key, const char *given, const char *why)
{
    if (questions[key].secret)
        return args_wrong(s->args, "%s: %s", questions[key].flag, why);
    return args_wrong(s->args, "%s: `%s` %s", questions[key].flag, given, why);
}

static int take_given(struct setup *s, enum setup_key key, const char *given)
{
    const struct question *q = &questions[key];
    char why[SETUP_WHY_SIZE] = "out of memory";
    bool good = q->secret ? setup_secret_file(&s->secrets[key], given, why) == 0
                          : is_plain(given, why) && q->take(s, key, given, why);

    return good ? EXIT_DONE : wrong_flag(s, key, given, why);
}

/* A flag that has no effect is a mistake in a script. */
static int refuse_needless(const struct setup *s, enum setup_key key)
{
    return args_wrong(s->args, "%s does not go with the other answers", questions[key].flag);
}

/* ---- the terminal ---- */

static int end_of_answers(int err)
{
    fprintf(stderr, "\njumpgate: setup was not finished%s%s; nothing was written\n",
            err == -ENODATA || err == -EINTR ? "" : ": ",
            err == -ENODATA || err == -EINTR ? "" : strerror(-err));
    return EXIT_FAILED;
}

static bool is_optional(enum setup_key key)
{
    return questions[key].fallback && !*questions[key].fallback;
}

static void show_question(const struct setup *s, enum setup_key key, const char *fallback)
{
    fputs(words_of(s, key), stderr);
    if (fallback && *fallback)
        fprintf(stderr, " [%s]", fallback);
    if (s->answers[key] && *fallback && is_optional(key))
        fputs(" (- for none)", stderr);
    if (questions[key].secret)
        fputs(s->secrets[key].p ? " (not shown; empty: the same)" : " (not shown)", stderr);
    fputs(": ", stderr);
    (void)fflush(stderr);
}

static bool judge_line(struct setup *s, enum setup_key key, struct secret *line, const char *fallback)
{
    const struct question *q = &questions[key];
    char why[SETUP_WHY_SIZE] = "out of memory";
    const char *text = line->len ? line->p : fallback;

    if (q->secret && !line->len && s->secrets[key].p)
        return true;
    if (is_optional(key) && s->answers[key] && text && !strcmp(text, "-"))
        text = "";
    if (!text) {
        fputs("  an answer is needed\n", stderr);
        return false;
    }
    if (q->secret && !setup_is_line(line)) {
        fputs("  it holds a control character, such as that of an arrow key\n", stderr);
        return false;
    }
    if (q->secret) {
        secret_move(&s->secrets[key], line);
        return true;
    }
    if (is_plain(text, why) && q->take(s, key, text, why))
        return true;
    fprintf(stderr, "  `%s` %s\n", text, why);
    return false;
}

static int ask(struct setup *s, enum setup_key key)
{
    char host[256];
    const char *fallback = default_of(s, key, host);
    struct secret line = {0};
    bool good = false;

    s->asked = true;
    while (!good) {
        show_question(s, key, fallback);
        int err = setup_read_line(&line, !questions[key].secret);

        if (err)
            return end_of_answers(err);
        good = judge_line(s, key, &line, fallback);
        secret_clear(&line);
    }
    return EXIT_DONE;
}

/* ---- all of them ---- */

static int take_default(struct setup *s, enum setup_key key)
{
    char host[256];
    const char *fallback = default_of(s, key, host);

    if (!fallback)
        return args_wrong(s->args, "%s is missing", questions[key].flag);
    return take_given(s, key, fallback);
}

static int one_standard_input(const struct setup *s)
{
    const char *first = NULL;

    for (int key = 0; key < SETUP_NKEYS; key++) {
        const char *given = args_value(s->args, questions[key].flag);

        if (!questions[key].secret || !given || strcmp(given, "-") != 0)
            continue;
        if (first)
            return args_wrong(s->args, "%s and %s cannot both be -", first, questions[key].flag);
        first = questions[key].flag;
    }
    return EXIT_DONE;
}

int setup_ask_all(struct setup *s, bool terminal)
{
    int code = one_standard_input(s);

    for (int key = 0; key < SETUP_NKEYS && !code; key++) {
        const struct question *q = &questions[key];
        const char *given = args_value(s->args, q->flag);

        bool matters = !q->matters || q->matters(s);

        if (!matters)
            forget(s, (enum setup_key)key);
        if (given && (s->answers[key] || s->secrets[key].p))
            continue;
        if (!matters)
            code = given ? refuse_needless(s, (enum setup_key)key) : EXIT_DONE;
        else if (given)
            code = take_given(s, (enum setup_key)key, given);
        else
            code = terminal ? ask(s, (enum setup_key)key) : take_default(s, (enum setup_key)key);
    }
    return code;
}
