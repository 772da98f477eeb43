/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts.c - the usual texts and those that replace them; see texts.h.
 */
#include "pi-sim/texts.h"

#include "sim/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *usual;
} rows[TEXT_COUNT] = {
    [TEXT_LOGIN] = {"login", "Login failed. The user name or password is incorrect."},
    [TEXT_LOCKED] = {"locked", "Login failed. The account is locked out."},
    [TEXT_MFA] = {"mfa", "A multi-factor authentication code is required."},
    [TEXT_TOKEN] = {"token", "The authentication token is invalid or has expired."},
    [TEXT_CONFLICT] = {"conflict",
                       "The password of {account} on {system} is currently checked out by {who}."},
    [TEXT_APPROVAL] = {"approval", "You must request access to the password of {account} first."},
    [TEXT_ABSENT] = {"absent", "The account {account} was not found on system {system}."},
    [TEXT_DENIED] = {"denied", "Access denied. {identity} lacks the permission for {account}."},
    [TEXT_NOT_HELD] = {"not_held", "The password of {account} on {system} is not checked out."},
    [TEXT_NOT_YOURS] = {"not_yours", "The password of {account} on {system} is checked out by {who}."},
    [TEXT_NO_PASSWORD] = {"no_password", "No password is stored for {account} on {system}."},
    [TEXT_UNREACHABLE] = {"unreachable", "The system {system} cannot be reached."},
    [TEXT_COMMENT] = {"comment", "The comment is too long."},
    [TEXT_BAD_BODY] = {"bad_body", "Object reference not set to an instance of an object."},
    [TEXT_DONE] = {"done", "The operation completed successfully."},
};

int texts_set(struct texts *t, const char *name, const char *text)
{
    for (size_t i = 0; i < TEXT_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return strings_replace(&t->own[i], text && *text ? text : NULL);
    return -EINVAL;
}

/* The name that a placeholder at `p` stands for, and the placeholder's length; NULL = it is none. */
static const char *placeholder(const char *p, const struct text_names *names, size_t *n)
{
    const struct {
        const char *mark, *name;
    } marks[] = {{"{who}", names->who},
                 {"{account}", names->account},
                 {"{system}", names->system},
                 {"{identity}", names->identity}};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        *n = strlen(marks[i].mark);
        if (strncmp(p, marks[i].mark, *n) == 0)
            return marks[i].name ? marks[i].name : "";
    }
    return NULL;
}

void texts_put(const struct texts *t, enum text which, const struct text_names *names, struct buf *out)
{
    for (const char *p = t->own[which] ? t->own[which] : rows[which].usual; *p;) {
        size_t n;
        const char *name = placeholder(p, names, &n);
        if (name)
            (void)buf_str(out, name);
        else
            (void)buf_char(out, *p);
        p += name ? n : 1;
    }
}

void texts_free(struct texts *t)
{
    for (size_t i = 0; i < TEXT_COUNT; i++)
        free(t->own[i]);
    *t = (struct texts){0};
}
