/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer_form.c - the form of an answer; see answer_form.h.
 *
 * The names of the flags are not known, so a flag is known by a part of its name. The service may wrap its
 * answers: signs are looked for in the object that holds `answer` and in those around it, and where no answer
 * is wanted (a check-in, a spin) in all of them. There silence means that it is done, so what may be a sign
 * of failure counts as one: the call is repeated.
 */
#include "backends/privileged_identity/answer_form.h"

#include "backends/pra/xml.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH          32
#define TEXT_MAX       4096 /* of the words of an answer; more is left out */
#define NAME_MAX_BYTES 256

bool pi_is_checkout(enum pi_operation op)
{
    return op == PI_CHECKOUT_STORED || op == PI_CHECKOUT_SHARED;
}

bool pi_has_effects(enum pi_operation op)
{
    return op != PI_SIGN_IN && op != PI_SIGN_OUT && op != PI_LIST_STORED && op != PI_LIST_SHARED;
}

bool pi_is_secret(enum pi_operation op)
{
    return op == PI_SIGN_IN || pi_is_checkout(op);
}

static void add_words(struct pi_said *said, const char *words)
{
    size_t room = TEXT_MAX - said->text.len, n = strlen(words);

    if (!n || room < 4)
        return;
    if (said->text.len)
        (void)buf_str(&said->text, "; ");
    (void)buf_append(&said->text, words, n < room - 2 ? n : room - 2); /* `failed` is looked at in the end */
}

/* ---- members ---- */

/* The member at `a.b.c`, n bytes of it. */
static const cJSON *member_at(const cJSON *tree, const char *path, size_t n, bool any_case)
{
    char name[NAME_MAX_BYTES];

    while (tree && n) {
        const char *dot = memchr(path, '.', n);
        size_t len = dot ? (size_t)(dot - path) : n;

        if (!text_copy_n(name, sizeof(name), path, len))
            return NULL;
        tree = any_case ? json_get_nocase(tree, name) : json_get(tree, name);
        path += dot ? len + 1 : len;
        n -= dot ? len + 1 : len;
    }
    return tree;
}

const cJSON *pi_form_value(const struct pi_row *row, const cJSON *tree)
{
    return row->answer ? member_at(tree, row->answer, strlen(row->answer), false) : NULL;
}

static bool has_content(const cJSON *value)
{
    return value && !cJSON_IsNull(value) && !(cJSON_IsString(value) && !*value->valuestring);
}

static bool holds_password(const cJSON *value)
{
    const cJSON *child;

    if (value->string && strcasecmp(value->string, "Password") == 0 && has_content(value))
        return true;
    cJSON_ArrayForEach(child, value) if (holds_password(child)) return true;
    return false;
}

/* ---- signs ---- */

static bool name_has(const cJSON *member, const char *part)
{
    return member->string && strcasestr(member->string, part);
}

static void look_at_member(struct pi_said *said, const cJSON *member)
{
    bool of_failure = name_has(member, "error") || name_has(member, "fault") || name_has(member, "exception");

    if (name_has(member, "success") || name_has(member, "succeeded")) {
        said->failed |= cJSON_IsFalse(member);
        said->succeeded |= cJSON_IsTrue(member);
    }
    if (of_failure)
        said->failed |= cJSON_IsTrue(member) || (cJSON_IsNumber(member) && member->valuedouble != 0) ||
                        (cJSON_IsString(member) && *member->valuestring);
}

/* The text of the innermost object that has one stays. */
static void look_at_object(struct pi_said *said, const cJSON *object)
{
    const cJSON *member, *text = json_get_nocase(object, "OperationMessage");

    cJSON_ArrayForEach(member, object) look_at_member(said, member);
    if (!cJSON_IsString(text) || !*text->valuestring)
        text = json_get_nocase(object, "Message");
    if (cJSON_IsString(text) && *text->valuestring) {
        buf_clear(&said->text);
        add_words(said, text->valuestring);
    }
}

static void look_at_objects(struct pi_said *said, const struct pi_row *row)
{
    const char *path = row->answer ? row->answer : "";

    if (cJSON_IsObject(said->tree))
        look_at_object(said, said->tree);
    for (const char *dot = path; (dot = strchr(dot, '.')); dot++) {
        const cJSON *inner = member_at(said->tree, path, (size_t)(dot - path), false);

        if (cJSON_IsObject(inner))
            look_at_object(said, inner);
    }
}

static bool is_sign_of_trouble(const cJSON *member)
{
    bool of_success = name_has(member, "success") || name_has(member, "succeeded");
    bool of_failure = name_has(member, "error") || name_has(member, "fault") || name_has(member, "exception");

    if (of_success && cJSON_IsString(member))
        return strcasecmp(member->valuestring, "false") == 0;
    return of_failure && member->child; /* an array or an object that is not empty */
}

static void look_everywhere(struct pi_said *said, const cJSON *value)
{
    const cJSON *child;

    if (cJSON_IsObject(value))
        look_at_object(said, value);
    cJSON_ArrayForEach(child, value)
    {
        said->failed |= is_sign_of_trouble(child);
        look_everywhere(said, child);
    }
}

static bool is_value(const cJSON *member, const char *wanted)
{
    char text[64];
    int64_t whole;

    if (cJSON_IsString(member))
        return strcasecmp(member->valuestring, wanted) == 0;
    if (cJSON_IsBool(member))
        return strcasecmp(cJSON_IsTrue(member) ? "true" : "false", wanted) == 0;
    if (!cJSON_IsNumber(member))
        return false;
    if (json_int(member, &whole))
        (void)snprintf(text, sizeof(text), "%" PRId64, whole);
    else
        (void)snprintf(text, sizeof(text), "%g", member->valuedouble);
    return strcmp(text, wanted) == 0;
}

static void look_at_ok(struct pi_said *said, const struct pi_row *row)
{
    const char *equals = row->ok ? strchr(row->ok, '=') : NULL;
    const cJSON *member;
    bool holds;

    if (!row->ok)
        return;
    member = member_at(said->tree, row->ok, equals ? (size_t)(equals - row->ok) : strlen(row->ok), true);
    if (equals)
        holds = is_value(member, equals + 1);
    else
        holds = cJSON_IsTrue(member) || (cJSON_IsNumber(member) && member->valuedouble != 0) ||
                (cJSON_IsString(member) && *member->valuestring);
    said->failed |= !holds;
    said->succeeded |= holds;
}

/* ---- faults ---- */

static const char *const fault_members[] = {"ExceptionMessage", "Message", "Detail", "Fault"};
#define NFAULT_MEMBERS (sizeof(fault_members) / sizeof(fault_members[0]))

/* The texts of a fault in JSON, which may be nested. */
static void read_fault(struct pi_said *said, const cJSON *value)
{
    static const char *const inner[] = {"Reason", "Text"};

    if (cJSON_IsString(value))
        add_words(said, value->valuestring);
    if (!cJSON_IsObject(value))
        return;
    for (size_t i = 0; i < NFAULT_MEMBERS; i++)
        read_fault(said, json_get_nocase(value, fault_members[i]));
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
        read_fault(said, json_get_nocase(value, inner[i]));
}

static bool is_json_fault(struct pi_said *said, enum pi_operation op, const char *text, size_t len)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(text, len, DEPTH, JSON_MEND | (pi_is_secret(op) ? JSON_SECRET : 0), &outcome);
    bool is = false;

    said->no_memory |= outcome.err == -ENOMEM;
    for (size_t i = 0; cJSON_IsObject(tree) && i < NFAULT_MEMBERS; i++)
        is |= json_get_nocase(tree, fault_members[i]) != NULL;
    if (is) {
        said->has_secret = holds_password(tree);
        read_fault(said, tree);
    }
    cJSON_Delete(tree);
    return is;
}

static bool xml_root(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "Envelope") == 0 || strcmp(name, "Fault") == 0;
}

static int xml_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    (void)depth;
    (void)attributes;
    ((struct pi_said *)ctx)->has_secret |= strcasecmp(name, "Password") == 0;
    return 0;
}

static int xml_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    static const char *const names[] = {"faultstring", "Text", "Message", "Reason"};
    struct pi_said *said = ctx;

    (void)depth;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            add_words(said, text);
    return said->text.failed ? -ENOMEM : 0;
}

static bool is_xml_fault(struct pi_said *said, const char *body, size_t len)
{
    static const struct pra_xml_reader reader = {.root = xml_root, .begin = xml_begin, .end = xml_end};
    char why[PRA_TEXT_SIZE];
    struct pra_xml *xml = pra_xml_new(&reader, said);

    if (!xml) {
        said->no_memory = true;
        return false;
    }
    pra_xml_feed(xml, body, len);
    enum pra_fault fault = pra_xml_end(xml, why);
    pra_xml_free(xml);
    said->no_memory |= fault == PRA_NO_MEMORY;
    return fault == PRA_OK;
}

/* ---- all of it ---- */

static const char *trimmed(const struct pi_http *http, size_t *len)
{
    const char *text = http->len ? http->body : "";

    *len = http->len;
    if (*len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 && *len > 3 && text[3] == '<') { /* before XML */
        text += 3;
        *len -= 3;
    }
    for (; *len && isspace((unsigned char)*text); text++)
        --*len;
    while (*len && isspace((unsigned char)text[*len - 1]))
        --*len;
    return text;
}

static bool is_good(int status)
{
    return status >= 200 && status < 300;
}

/* A fault with 401 or 403 is about the identity: answers.c. */
static bool may_be_fault(int status)
{
    return status == 400 || status == 401 || status == 403 || status == 500;
}

static enum pi_form form_of(struct pi_said *said, enum pi_operation op, const struct pi_http *http)
{
    bool fault = may_be_fault(http->status);
    size_t len;
    const char *text = trimmed(http, &len);

    if (strcasestr(http->type, "text/html") || strcasestr(http->type, "application/xhtml"))
        return PI_FORM_PAGE;
    if (len && *text == '<')
        return is_xml_fault(said, text, len) ? fault ? PI_FORM_FAULT : PI_FORM_FOREIGN : PI_FORM_PAGE;
    if (fault)
        return is_json_fault(said, op, text, len) ? PI_FORM_FAULT : PI_FORM_FOREIGN;
    if (!is_good(http->status))
        return PI_FORM_FOREIGN;
    if (!len)
        return PI_FORM_EMPTY;
    struct json_outcome outcome;
    said->tree = json_read(text, len, DEPTH, pi_is_secret(op) ? JSON_SECRET : JSON_MEND, &outcome);
    said->no_memory |= outcome.err == -ENOMEM;
    said->why = outcome.why;
    return said->tree ? PI_FORM_JSON : PI_FORM_FOREIGN;
}

void pi_form_read(const struct pi_row *row, enum pi_operation op, const struct pi_http *http,
                  struct pi_said *said)
{
    *said = (struct pi_said){.text = pi_is_secret(op) ? BUF_SECRET(TEXT_MAX) : BUF_INIT(TEXT_MAX)};
    said->form = form_of(said, op, http);
    if (said->form == PI_FORM_JSON) {
        said->has_secret =
            holds_password(said->tree) || (pi_is_checkout(op) && has_content(pi_form_value(row, said->tree)));
        if (pi_has_effects(op) && !pi_is_secret(op))
            look_everywhere(said, said->tree);
        else
            look_at_objects(said, row);
        if (op == PI_SIGN_IN && cJSON_IsString(said->tree))
            add_words(said, said->tree->valuestring);
    } else if (said->form != PI_FORM_FAULT) {
        buf_clear(&said->text);
    }
    if (said->form == PI_FORM_JSON || said->form == PI_FORM_EMPTY)
        look_at_ok(said, row);
    said->no_memory |= said->text.failed;
}

void pi_form_free(struct pi_said *said)
{
    cJSON_Delete(said->tree);
    buf_free(&said->text);
}
