/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer_form.c - did the vault itself write this answer? The one place that decides it.
 *
 * A proxy, a firewall, a load balancer or the web server in front of the vault's API may answer in the
 * vault's place, with any status and mostly with an HTML page (docs/password-safe.md). A refusal is genuine
 * when
 *
 *   - it is no HTML page (http_vault/answer_form.c);
 *   - its body has a form that the vault uses for this status (the table below);
 *   - the operation's row gives this status a meaning (operations.c).
 *
 * A 2xx that is no page is genuine only if the operation's reader understands it (parse.c).
 *
 * Not here: what a refusal means (errors.c).
 */
#include "backends/password_safe/internal.h"
#include "base/json.h"

#include <ctype.h>
#include <string.h>

#define DEPTH       32
#define CODE_DIGITS 4

/* The form of a body, as a bit. */
enum form {
    FORM_NONE = 1,    /* nothing, or blanks alone */
    FORM_PAGE = 2,    /* HTML, or any other markup */
    FORM_CODE = 4,    /* four digits: 4031 */
    FORM_STRING = 8,  /* a JSON string, also one with a code */
    FORM_OBJECT = 16, /* a JSON object with a reason */
    FORM_TEXT = 32,   /* text without quotes */
    FORM_ANY = FORM_NONE | FORM_CODE | FORM_STRING | FORM_OBJECT | FORM_TEXT
};

/* The forms of the vault's refusals, by status. A status that is not here is never a genuine refusal. */
static const struct {
    int status;
    unsigned forms;
} refusals[] = {
    {400, FORM_CODE | FORM_STRING | FORM_OBJECT | FORM_TEXT},
    {401, FORM_ANY},
    {403, FORM_CODE | FORM_STRING | FORM_OBJECT},
    {404, FORM_STRING | FORM_OBJECT},
    {409, FORM_CODE | FORM_STRING | FORM_OBJECT},
    {429, FORM_ANY},
};

/* The members in which the vault puts its reason. */
static const char *const members[] = {"Message", "error_description", "error", "Code"};

/* The answer of the API's web server to an unknown path, in the vault's own form. */
static const char no_route[] = "No HTTP resource was found";

static bool is_code(const char *text, size_t len)
{
    for (size_t i = 0; len == CODE_DIGITS && i < len; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return len == CODE_DIGITS;
}

/* A quoted string, and nothing behind it. */
static bool is_string(const char *text, size_t len)
{
    size_t i = 1;

    while (i < len && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return i + 1 == len;
}

static bool begins_with_code(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits == CODE_DIGITS && !isalnum((unsigned char)text[digits]);
}

/* `Message` as the vault's framework spells it, or a sub-code in a member of any spelling. */
static bool has_reason(const char *text, size_t len, bool secret)
{
    const char *why;
    cJSON *tree =
        json_parse(text, len, DEPTH, JSON_DUPLICATES_OK | JSON_MEND | (secret ? JSON_SECRET : 0), &why);
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, members[0]));
    bool found = message && strncasecmp(message, no_route, strlen(no_route)) != 0;

    for (size_t i = 0; cJSON_IsObject(tree) && i < sizeof(members) / sizeof(members[0]); i++) {
        const cJSON *member = json_get_nocase(tree, members[i]);
        const char *text_of = cJSON_GetStringValue(member);

        found |= cJSON_IsNumber(member) || (text_of && begins_with_code(text_of));
    }
    cJSON_Delete(tree);
    return found;
}

static unsigned form_of(const struct call *http)
{
    size_t len;
    const char *text = http_vault_trimmed(&http->body_in, &len);

    if (http_vault_is_page(http))
        return FORM_PAGE;
    if (!len)
        return FORM_NONE;
    if (is_code(text, len))
        return FORM_CODE;
    if (*text == '"')
        return is_string(text, len) ? FORM_STRING : 0;
    if (*text == '{')
        return has_reason(text, len, http->body_in.secret) ? FORM_OBJECT : 0;
    return *text == '[' ? 0 : FORM_TEXT;
}

static bool has_meaning(const struct ps_op *op, int status)
{
    switch (status) {
    case 400: return op->on_400 != VAULT_FAILED;
    case 403: return op->on_403 != VAULT_FAILED;
    case 404: return op->on_404 != VAULT_FAILED;
    case 409: return op->on_409 != VAULT_FAILED;
    default: return true;
    }
}

static bool has_form(const struct call *http, unsigned also)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].status == http->status)
            return (refusals[i].forms | also) & form_of(http);
    return false;
}

bool ps_is_genuine_refusal(const struct ps_op *op, const struct call *http)
{
    return has_meaning(op, http->status) && has_form(http, 0);
}

bool ps_is_foreign_refusal(const struct call *http)
{
    return !has_form(http, FORM_NONE);
}

bool ps_is_signin_refusal(const struct call *http)
{
    return !http->err && (http->status == 401 || http->status == 403) && !http_vault_is_page(http);
}

/* Nothing of the object is used, so it is not parsed: a letter in it that JSON does not allow refuses no
 * user. */
bool ps_is_signin_success(const struct call *http)
{
    size_t len;
    const char *text = http_vault_trimmed(&http->body_in, &len);

    return !http_vault_is_page(http) && len >= 2 && *text == '{' && text[len - 1] == '}';
}
