/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.c - the built-in profiles; see profile.h.
 *
 * The rows are those of public clients, and guesses by their pattern. The names of `json-v1` and `rest` are
 * those of `json-v2` where nothing else was seen.
 */
#include "backends/privileged_identity/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CREDENTIAL_SHARED                                                                                    \
    "{\"AuthenticationToken\":\"{token}\",\"Comment\":\"{comment}\",\"SharedCredentialIdentifier\":"         \
    "{\"AccountName\":\"{account}\",\"SharedCredentialListName\":\"{list}\",\"SystemName\":\"{system}\"}}"
#define CREDENTIAL_STORED                                                                                    \
    "{\"AuthenticationToken\":\"{token}\",\"Comment\":\"{comment}\",\"AccountIdentificationInfo\":"          \
    "{\"AccountName\":\"{account}\",\"AccountStore\":{\"CustomTypeName\":\"{custom_type}\","                 \
    "\"TargetName\":\"{system}\",\"Type\":\"{type}\"},\"PasswordList\":\"\"}}"
#define LOGIN                                                                                                \
    "{\"LoginType\":\"{login_type}\",\"Username\":\"{user}\",\"Password\":\"{password}\","                   \
    "\"Authenticator\":\"{authenticator}\"}"
#define LOGOUT "{\"AuthenticationToken\":\"{token}\"}"

/* What is the same in every face. */
static const struct {
    const char *path, *body, *answer; /* path NULL = the face's own */
} operations[PI_NOPERATIONS] = {
    [PI_SIGN_IN] = {NULL, LOGIN, NULL},
    [PI_SIGN_OUT] = {NULL, LOGOUT, NULL},
    [PI_CHECKOUT_STORED] = {"AccountStoreOps_StoredCredential_CheckOut", CREDENTIAL_STORED, "Password"},
    [PI_CHECKIN_STORED] = {"AccountStoreOps_StoredCredential_CheckIn", CREDENTIAL_STORED, NULL},
    [PI_CHECKOUT_SHARED] = {"AccountStoreOps_SharedCredential_CheckOut", CREDENTIAL_SHARED, "Password"},
    [PI_CHECKIN_SHARED] = {"AccountStoreOps_SharedCredential_CheckIn", CREDENTIAL_SHARED, NULL},
};

static const struct face {
    const char *name, *base, *sign_in, *sign_out, *token;
    enum pi_certainty certainty[PI_NOPERATIONS]; /* the others are PI_NONE */
} faces[] = {
    {"json-v2",
     "/json/V2/AuthService.svc/",
     "DoLogin2",
     "DoLogout",
     "OperationMessage",
     {[PI_SIGN_IN] = PI_SEEN,
      [PI_SIGN_OUT] = PI_SEEN,
      [PI_CHECKOUT_STORED] = PI_SEEN,
      [PI_CHECKIN_STORED] = PI_GUESSED,
      [PI_CHECKOUT_SHARED] = PI_SEEN,
      [PI_CHECKIN_SHARED] = PI_SEEN}},
    {"rest",
     "/AuthService.svc/REST/",
     "Login",
     "Logout",
     "",
     {[PI_SIGN_IN] = PI_SEEN,
      [PI_SIGN_OUT] = PI_SEEN,
      [PI_CHECKOUT_STORED] = PI_GUESSED,
      [PI_CHECKIN_STORED] = PI_GUESSED,
      [PI_CHECKOUT_SHARED] = PI_GUESSED,
      [PI_CHECKIN_SHARED] = PI_GUESSED}},
    {"json-v1",
     "/AuthService_JSON.svc/",
     "DoLogin",
     "DoLogout",
     "",
     {[PI_SIGN_IN] = PI_SEEN,
      [PI_SIGN_OUT] = PI_SEEN,
      [PI_CHECKOUT_STORED] = PI_GUESSED,
      [PI_CHECKIN_STORED] = PI_GUESSED,
      [PI_CHECKOUT_SHARED] = PI_GUESSED,
      [PI_CHECKIN_SHARED] = PI_GUESSED}},
};

#define WORDS_MAX 5

static const char *const words[PI_NCLASSES][WORDS_MAX] = {
    [PI_CLASS_GONE] = {"not checked out", "no active check", "already checked in"},
    [PI_CLASS_MFA] = {"mfa", "multi-factor", "one-time", "second factor"},
    [PI_CLASS_TOKEN] = {"authentication token", "invalid token", "token expired", "not logged in",
                        "session expired"},
    [PI_CLASS_CONFLICT] = {"checked out", "check-out by", "in use by"},
    [PI_CLASS_APPROVAL] = {"must request", "approval", "request is pending", "password request"},
    [PI_CLASS_ABSENT] = {"not found", "does not exist", "no such", "unknown account", "unknown system"},
    [PI_CLASS_DENIED] = {"denied", "not authorized", "permission", "not allowed"},
    [PI_CLASS_DONE] = {"success", "complete", "checked in"},
};

const char *pi_profile_name(size_t i)
{
    return i < sizeof(faces) / sizeof(faces[0]) ? faces[i].name : NULL;
}

/* ---- rows ---- */

void pi_row_clear(struct pi_row *row)
{
    free(row->path);
    free(row->body_text);
    free(row->answer);
    free(row->ok);
    cJSON_Delete(row->body);
    *row = (struct pi_row){.certainty = PI_NONE};
}

static int copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

int pi_row_copy(struct pi_row *to, const struct pi_row *from)
{
    struct pi_row row = {.certainty = from->certainty, .post = from->post, .header = from->header};
    int err = copy_text(&row.path, from->path);

    if (!err)
        err = copy_text(&row.body_text, from->body_text);
    if (!err)
        err = copy_text(&row.answer, from->answer);
    if (!err)
        err = copy_text(&row.ok, from->ok);
    if (!err && from->body && !(row.body = cJSON_Duplicate(from->body, true)))
        err = -ENOMEM;
    if (err) {
        pi_row_clear(&row);
        return err;
    }
    pi_row_clear(to);
    *to = row;
    return 0;
}

bool pi_row_allowed(const struct pi_row *row, bool guessed)
{
    return row->certainty == PI_SEEN || row->certainty == PI_OVERRIDDEN ||
           (guessed && row->certainty == PI_GUESSED);
}

static int fill_row(struct pi_row *to, const struct face *face, enum pi_operation op)
{
    struct pi_row row = {.certainty = face->certainty[op], .post = true};
    const char *path = op == PI_SIGN_IN    ? face->sign_in
                       : op == PI_SIGN_OUT ? face->sign_out
                                           : operations[op].path;
    char why[8];

    if (row.certainty == PI_NONE)
        return 0;
    row.body = pi_body_parse(op, operations[op].body, why, sizeof(why));
    if (!row.body || copy_text(&row.path, path) || copy_text(&row.body_text, operations[op].body) ||
        copy_text(&row.answer, op == PI_SIGN_IN ? face->token : operations[op].answer)) {
        pi_row_clear(&row);
        return -ENOMEM;
    }
    *to = row;
    return 0;
}

/* ---- profiles ---- */

static int fill_texts(struct conf_list *list, const char *const of_class[WORDS_MAX])
{
    list->item = calloc(WORDS_MAX, sizeof(char *));
    if (!list->item)
        return -ENOMEM;
    for (; list->n < WORDS_MAX && of_class[list->n]; list->n++)
        if (!(list->item[list->n] = strdup(of_class[list->n])))
            return -ENOMEM;
    return 0;
}

static int fill(struct pi_profile *p, const struct face *face)
{
    int err = 0;

    p->name = face->name;
    p->base = face->base;
    for (enum pi_operation op = 0; op < PI_NOPERATIONS && !err; op++)
        err = fill_row(&p->row[op], face, op);
    for (size_t i = 0; i < PI_NCLASSES && !err; i++)
        err = fill_texts(&p->texts[i], words[i]);
    return err;
}

struct pi_profile *pi_profile_new(const char *name)
{
    for (size_t i = 0; i < sizeof(faces) / sizeof(faces[0]); i++) {
        if (strcmp(faces[i].name, name) != 0)
            continue;
        struct pi_profile *p = calloc(1, sizeof(*p));
        if (p && !fill(p, &faces[i]))
            return p;
        pi_profile_free(p);
        return NULL;
    }
    return NULL;
}

void pi_profile_free(struct pi_profile *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < PI_NOPERATIONS; i++)
        pi_row_clear(&p->row[i]);
    for (size_t i = 0; i < PI_NCLASSES; i++) {
        for (size_t k = 0; k < p->texts[i].n; k++)
            free(p->texts[i].item[k]);
        free(p->texts[i].item);
    }
    free(p);
}

/* ---- as a file ---- */

static void print_row(const struct pi_row *row, enum pi_operation op, struct buf *out)
{
    (void)buf_printf(out, "\n# %s\n", pi_certainty_name(row->certainty));
    if (row->certainty == PI_NONE) {
        (void)buf_printf(out, "#[%s]\n", pi_operation_name(op));
        return;
    }
    (void)buf_printf(out, "[%s]\nmethod = %s\npath = %s\n", pi_operation_name(op), row->post ? "POST" : "GET",
                     row->path);
    if (row->body_text)
        (void)buf_printf(out, "body = %s\n", row->body_text);
    if (row->header)
        (void)buf_str(out, "token = header\n");
    if (row->answer)
        (void)buf_printf(out, "answer =%s%s\n", *row->answer ? " " : "", row->answer);
    if (row->ok)
        (void)buf_printf(out, "ok = %s\n", row->ok);
}

void pi_profile_print(const struct pi_profile *p, struct buf *out)
{
    (void)buf_printf(out,
                     "# The profile %s: its paths stand below base_path%s\n"
                     "# A profile_file holds only the rows that it replaces; each of them counts as "
                     "overridden.\n",
                     p->name, p->base);
    for (enum pi_operation op = 0; op < PI_NOPERATIONS; op++)
        print_row(&p->row[op], op, out);
    (void)buf_str(
        out, "\n# What the text of an answer means, by words that it contains, without case.\n[texts]\n");
    for (size_t i = 0; i < PI_NCLASSES; i++) {
        (void)buf_printf(out, "%s =", pi_class_name((enum pi_class)i));
        for (size_t k = 0; k < p->texts[i].n; k++)
            (void)buf_printf(out, " \"%s\"", p->texts[i].item[k]);
        (void)buf_char(out, '\n');
    }
}
