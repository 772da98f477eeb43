/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers.c - what the form and the words of an answer mean; see answers.h.
 *
 * A failure is certain to have done nothing only where the service says so: in its own form, with the words
 * of `conflict`, `approval`, `absent` or `denied`, or by refusing the token. One that comes with a password
 * is not believed.
 *
 * Words like `success` may stand in a sentence that denies them. The built-in words for a success therefore
 * do not count beside a negation; those of a profile file count as they are written.
 */
#include "backends/privileged_identity/answers.h"

#include "backends/pra/pra.h"
#include "backends/privileged_identity/answer_form.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 12

/* ---- words ---- */

static bool has_class(const struct pi_profile *p, enum pi_class class, const char *text)
{
    for (size_t i = 0; i < p->texts[class].n; i++)
        if (strcasestr(text, p->texts[class].item[i]))
            return true;
    return false;
}

static bool is_checkin(enum pi_operation op)
{
    return op == PI_CHECKIN_STORED || op == PI_CHECKIN_SHARED;
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '@';
}

/* The name stands before `name` and a backslash; NULL = there is no backslash. */
static bool is_own_domain(const char *text, const char *name, const char *authenticator)
{
    size_t n = authenticator ? strlen(authenticator) : 0;

    if (name == text || name[-1] != '\\')
        return true;
    return n && (size_t)(name - text) > n && strncasecmp(name - 1 - n, authenticator, n) == 0;
}

/* A sign-in name as a word of its own, of its own domain where one is named. */
static bool names_identity(const char *text, const struct pi_http *http)
{
    size_t n = http->login_name ? strlen(http->login_name) : 0;

    for (const char *p = text; n && (p = strcasestr(p, http->login_name)); p++) {
        bool begins = p == text || !(is_of_name(p[-1]) || p[-1] == '.');
        bool ends = !is_of_name(p[n]) && !(p[n] == '.' && is_of_name(p[n + 1])) && p[n] != '\\';

        if (begins && ends && is_own_domain(text, p, http->authenticator))
            return true;
    }
    return false;
}

static enum pi_class class_of(const struct pi_profile *p, enum pi_operation op, const struct pi_http *http,
                              const char *text)
{
    bool is_conflict = has_class(p, PI_CLASS_CONFLICT, text);

    /* Where another holder has it, this gateway has it no more; not so where that holder is its own name. */
    if (is_checkin(op) && (has_class(p, PI_CLASS_GONE, text) || (is_conflict && !names_identity(text, http))))
        return PI_CLASS_GONE;
    if (is_checkin(op) && is_conflict)
        return PI_CLASS_NONE;
    for (enum pi_class class = PI_CLASS_MFA; class <= PI_CLASS_DENIED; class ++)
        if (has_class(p, class, text))
            return class;
    return PI_CLASS_NONE;
}

static bool says_done(const struct pi_profile *p, const char *text)
{
    static const char *const negations[] = {"not ", "n't ",   "unsuccess", "incomplete",
                                            "fail", "cannot", "unable"};

    if (strcasecmp(text, "ok") == 0)
        return true;
    for (size_t i = 0; !p->replaced[PI_CLASS_DONE] && i < sizeof(negations) / sizeof(negations[0]); i++)
        if (strcasestr(text, negations[i]))
            return false;
    return has_class(p, PI_CLASS_DONE, text);
}

/* ---- what the service said ---- */

/* Of each class but `gone`. `remedy` is followed by the vault's words. */
static const struct {
    enum vault_result result;
    enum fault_code code;
    bool certain; /* nothing has happened */
    const char *remedy;
} meanings[] = {
    [PI_CLASS_MFA] =
        {VAULT_REFUSED, FAULT_VAULT_REFUSED_USER, false,
         "the vault asks for a second factor: exempt this identity from MFA; no code is ever sent"},
    [PI_CLASS_TOKEN] = {VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true,
                        "the vault refuses the token of its own sign-in"},
    [PI_CLASS_CONFLICT] = {VAULT_CONFLICT, FAULT_VAULT_CONFLICT, true,
                           "another holder has this credential at the vault"},
    [PI_CLASS_APPROVAL] = {VAULT_PENDING, FAULT_APPROVAL_PENDING, true,
                           "the gateway asks this vault for no approval; request it there"},
    [PI_CLASS_ABSENT] = {VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true,
                         "the vault knows no such credential under the names of the [access] section"},
    [PI_CLASS_DENIED] = {VAULT_DENIED, FAULT_NOT_ENTITLED, true,
                         "the delegation identity lacks a permission at the vault"},
    [PI_CLASS_DONE] = {VAULT_FAILED, FAULT_VAULT_ERROR, false, ""}, /* never a failure's */
    [PI_CLASS_NONE] = {VAULT_FAILED, FAULT_VAULT_ERROR, false, "the vault refused the call"},
};

static bool is_token(const char *text)
{
    size_t n = strlen(text);

    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return n >= PI_TOKEN_MIN && n <= PI_TOKEN_MAX;
}

static const char *next_letter(const char *p)
{
    while (*p && !isalnum((unsigned char)*p))
        p++;
    return p;
}

/* The first SHOWN_MAX letters and digits of the secret one after the other, whatever stands between them: an
 * echo may be escaped, or cut. */
static bool begins_with_secret(const char *text, const char *secret)
{
    size_t n = 0;

    for (text = next_letter(text), secret = next_letter(secret); *secret && n < SHOWN_MAX; n++) {
        if (*text != *secret)
            return false;
        text = next_letter(text + 1);
        secret = next_letter(secret + 1);
    }
    return n > 0;
}

static bool holds_secret(const char *text, const char *secret)
{
    if (!secret || !*secret)
        return false;
    for (const char *p = next_letter(text); *p; p = next_letter(p + 1))
        if (begins_with_secret(p, secret))
            return true;
    return strstr(text, secret) != NULL;
}

/*
 * In the answer to a sign-in the text may be the token. In that to a check-out without a sign of failure it
 * may be the password, in a member that the row does not name: only a sentence of a known class is quoted.
 */
static bool may_quote(enum pi_operation op, const struct pi_said *said, enum pi_class class, const char *text)
{
    bool fails = said->form == PI_FORM_FAULT || said->failed;

    if (said->has_secret || !*text)
        return false;
    if (op == PI_SIGN_IN)
        return fails && !is_token(text);
    return fails || !pi_is_checkout(op) || (class != PI_CLASS_NONE && strchr(text, ' '));
}

/* An answer without a sign of failure, and without what a success has. */
static const char *remedy_of(enum pi_operation op, enum pi_class class, const struct pi_said *said)
{
    if (class != PI_CLASS_NONE || said->failed || said->form == PI_FORM_FAULT)
        return meanings[class].remedy;
    if (pi_is_checkout(op))
        return "the vault's answer holds no password";
    return pi_has_effects(op) ? "the vault's answer does not say that it is done"
                              : "the vault's answer holds no list";
}

static void set_failure(struct pi_answer *out, enum pi_operation op, const struct pi_http *http,
                        struct pi_said *said, const char *text)
{
    char words[PRA_TEXT_SIZE] = "";

    if (may_quote(op, said, out->class, text) && !holds_secret(text, http->sent))
        pra_text_clean(words, sizeof(words), text, strlen(text));
    if (op == PI_SIGN_IN && out->class != PI_CLASS_MFA) {
        out->result = VAULT_REFUSED;
        fault_set(
            &out->fault, FAULT_VAULT_REFUSED_USER,
            "the vault refuses the sign-in of the delegation identity (login_name, login_password_file, "
            "authenticator)%s%s",
            *words ? ": " : "", words);
        return;
    }
    out->result = meanings[out->class].result;
    out->unknown = pi_has_effects(op) && (!meanings[out->class].certain || said->has_secret);
    fault_set(&out->fault, meanings[out->class].code, "%s%s%s", remedy_of(op, out->class, said),
              *words ? ": " : "", words);
    out->fault.second_factor = out->class == PI_CLASS_MFA;
    out->token_refused = out->class == PI_CLASS_TOKEN;
}

/* A refusal that comes with a password is not believed, nor one beside a flag that says success: what has
 * been checked out may be in a member that the row does not name. */
static bool is_doubtful(const struct pi_profile *p, enum pi_operation op, enum pi_class class,
                        const struct pi_said *said, const char *text)
{
    if (pi_is_checkout(op) && said->succeeded && !said->failed)
        return class != PI_CLASS_CONFLICT || says_done(p, text);
    return said->has_secret && meanings[class].certain;
}

/* A failure in the service's own words. */
static void read_failure(const struct pi_profile *p, enum pi_operation op, const struct pi_http *http,
                         struct pi_said *said, const char *text, struct pi_answer *out)
{
    out->class = class_of(p, op, http, text);
    if (out->class == PI_CLASS_GONE) {
        out->result = VAULT_GONE;
        return;
    }
    if (is_doubtful(p, op, out->class, said, text))
        out->class = PI_CLASS_NONE;
    set_failure(out, op, http, said, text);
    out->holder_is_own = out->class == PI_CLASS_CONFLICT && names_identity(text, http);
    if (out->holder_is_own)
        fault_add(&out->fault, "the holder is login_name itself: where no other program uses that name, the "
                               "vault gives nothing twice, and repeat_checkout = no fits");
}

static bool keep_secret(struct pi_answer *out, struct pi_said *said, const char *text)
{
    if (secret_set(&out->secret, text, strlen(text)))
        said->no_memory = true;
    else
        out->result = VAULT_OK;
    return out->result == VAULT_OK;
}

/* The token or the password, where there is no sign of failure. */
static bool read_secret(const struct pi_row *row, enum pi_operation op, struct pi_said *said,
                        struct pi_answer *out)
{
    const char *text = cJSON_GetStringValue(pi_form_value(row, said->tree));

    if (said->failed || !text)
        return false;
    if (op == PI_SIGN_IN ? !is_token(text) : !*text || strlen(text) > PI_PASSWORD_MAX)
        return false;
    return keep_secret(out, said, text);
}

static bool read_done(const struct pi_profile *p, const struct pi_said *said, const char *text,
                      struct pi_answer *out)
{
    bool done = said->form == PI_FORM_EMPTY || cJSON_IsTrue(said->tree) || cJSON_IsNull(said->tree);

    if (cJSON_IsObject(said->tree))
        done = said->succeeded || !*text || says_done(p, text);
    if (done && !said->failed)
        out->result = VAULT_OK;
    return out->result == VAULT_OK;
}

static int add_name(struct conf_list *names, size_t room, const char *name)
{
    if (names->n == room)
        return -EINVAL;
    names->item[names->n] = strdup(name);
    if (!names->item[names->n])
        return -ENOMEM;
    names->n++;
    return 0;
}

/* An array of strings, or of objects with an AccountName. */
static bool read_list(const struct pi_row *row, struct pi_said *said, struct pi_answer *out)
{
    const cJSON *array = row->answer ? pi_form_value(row, said->tree) : said->tree, *item;
    size_t n = cJSON_IsArray(array) ? (size_t)cJSON_GetArraySize(array) : 0;

    if (said->failed || !cJSON_IsArray(array))
        return false;
    out->names.item = calloc(n + 1, sizeof(char *));
    said->no_memory |= !out->names.item;
    cJSON_ArrayForEach(item, array)
    {
        const char *name =
            cJSON_GetStringValue(cJSON_IsObject(item) ? json_get_nocase(item, "AccountName") : item);

        if (said->no_memory || !name)
            return false;
        said->no_memory |= add_name(&out->names, n, name) != 0;
    }
    if (!said->no_memory)
        out->result = VAULT_OK;
    return !said->no_memory;
}

static bool read_success(const struct pi_profile *p, enum pi_operation op, struct pi_said *said,
                         const char *text, struct pi_answer *out)
{
    const struct pi_row *row = &p->row[op];

    if (pi_is_secret(op))
        return read_secret(row, op, said, out);
    if (op == PI_LIST_STORED || op == PI_LIST_SHARED)
        return read_list(row, said, out);
    return read_done(p, said, text, out);
}

/* ---- what the service did not say ---- */

static void read_foreign(enum pi_operation op, const struct pi_said *said, const struct pi_http *http,
                         struct pi_answer *out)
{
    const char *name = pi_operation_name(op);
    int status = http->status;

    out->result = VAULT_FAILED;
    out->unknown = pi_has_effects(op);
    if (status == 503 || status == 429)
        fault_set(&out->fault, FAULT_VAULT_UNAVAILABLE, "the vault is too busy or in maintenance (%d)",
                  status);
    else if (said->form == PI_FORM_PAGE && status != 404)
        fault_set(
            &out->fault, FAULT_VAULT_ERROR,
            "a page came instead of the vault's answer (%d) to the call %s: a proxy, a firewall or a web "
            "server in front of it wrote it, or url, base_path or profile is wrong; nothing in it is used",
            status, name);
    else if (status == 404)
        fault_set(
            &out->fault, FAULT_VAULT_ERROR,
            "the vault knows no such call (404) for %s: check url, base_path and profile, or replace the "
            "row in profile_file",
            name);
    else if (status >= 300 && status < 400)
        fault_set(&out->fault, FAULT_VAULT_ERROR, "the vault redirects the call %s (%d): check the url", name,
                  status);
    else if (said->why)
        fault_set(&out->fault, FAULT_VAULT_ERROR,
                  "the vault's answer to the call %s cannot be understood: %s", name, said->why);
    else
        fault_set(&out->fault, FAULT_VAULT_ERROR,
                  "the answer (%d) to the call %s has no form that the service uses; nothing in it is used",
                  status, name);
    out->fault.foreign = said->form == PI_FORM_PAGE;
}

/* 401 and 403 are about the identity, whatever their body, but for a page. */
static bool is_refused(const struct pi_http *http, const struct pi_said *said)
{
    return (http->status == 401 || http->status == 403) && said->form != PI_FORM_PAGE;
}

static void read_answer(const struct pi_profile *p, enum pi_operation op, const struct pi_http *http,
                        struct pi_said *said, struct pi_answer *out)
{
    const char *text = said->text.len ? buf_cstr(&said->text) : "";

    out->failed = said->failed || said->form == PI_FORM_FAULT;

    if (!text) {
        said->no_memory = true;
    } else if (is_refused(http, said)) {
        out->own = true;
        out->class = op != PI_SIGN_IN                   ? PI_CLASS_TOKEN
                     : has_class(p, PI_CLASS_MFA, text) ? PI_CLASS_MFA
                                                        : PI_CLASS_NONE;
        set_failure(out, op, http, said, text);
    } else if (said->form == PI_FORM_FOREIGN || said->form == PI_FORM_PAGE) {
        read_foreign(op, said, http, out);
    } else {
        out->own = true;
        if (said->form == PI_FORM_FAULT || !read_success(p, op, said, text, out))
            read_failure(p, op, http, said, text, out);
    }
}

void pi_answer_read(const struct pi_profile *p, enum pi_operation op, const struct pi_http *http,
                    struct pi_answer *out)
{
    struct pi_said said;

    *out = (struct pi_answer){.result = VAULT_FAILED, .class = PI_CLASS_NONE};
    pi_form_read(&p->row[op], op, http, &said);
    if (!said.no_memory)
        read_answer(p, op, http, &said, out);
    if (said.no_memory) {
        pi_answer_free(out);
        *out =
            (struct pi_answer){.result = VAULT_FAILED, .class = PI_CLASS_NONE, .unknown = pi_has_effects(op)};
        fault_set(&out->fault, FAULT_INTERNAL, "out of memory");
    }
    if (fault_is_set(&out->fault))
        out->fault.vault_status = http->status;
    pi_form_free(&said);
}

void pi_answer_free(struct pi_answer *a)
{
    secret_clear(&a->secret);
    for (size_t i = 0; i < a->names.n; i++)
        free(a->names.item[i]);
    free(a->names.item);
    a->names = (struct conf_list){.n = 0};
}
