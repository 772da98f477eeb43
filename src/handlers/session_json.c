/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_json.c - reads `session`, the common member of every operation's body.
 *
 * Unknown members are ignored, optional ones may be null, and an empty text in an optional name counts as
 * absent, since callers forward empty fields. What is required depends on the operation (`needs`). The result
 * is a view into the parsed body.
 *
 * A person's name is taken exactly as sent or refused (base/person.h). The name of an endpoint is only looked
 * up: blanks and invisible characters at its ends are cut off.
 */
#include "handlers/session_json.h"

#include "base/lsid.h"
#include "base/person.h"
#include "base/utf8.h"
#include "handlers/json_fields.h"

#include <string.h>

#define ID_MAX         128
#define NAME_MAX_CHARS 256

const char *const session_methods[] = {"rdp", "shell", "web", "tunnel", "jump_client", "other", NULL};

/* An optional name of an endpoint, cut to size: NULL also for "". */
static bool read_name(const struct json_fields *m, const char *name, const char **out)
{
    char *text;
    size_t n;

    if (!json_field_text_mutable(m, name, 0, NAME_MAX_CHARS, &text))
        return false;
    n = text ? strlen(text) : 0;
    if (n) {
        n -= letters_blank_behind(text, n);
        text[n] = '\0';
        text += letters_blank_before(text, n);
    }
    *out = text && *text ? text : NULL;
    return true;
}

/* A person's name or domain: an unusable one is refused, never corrected. NULL also for "". */
static bool read_person(const struct json_fields *m, const char *name, enum person_part part,
                        const char **out)
{
    unsigned flags = part == PERSON_NAME ? FIELD_REQUIRED | FIELD_NOT_EMPTY : 0;
    const char *text, *why;

    if (!json_field_text(m, name, flags, NAME_MAX_CHARS, &text))
        return false;
    *out = text && *text ? text : NULL;
    why = *out ? person_refusal(part, *out) : NULL;
    if (why)
        fault_set(m->fault, FAULT_INVALID_REQUEST, "%s.%s: %s", m->path, name, why);
    return !why;
}

/* Optional; what is there must have the form, since a session is ended by it. */
static bool read_lsid(const struct json_fields *session, const char **out)
{
    char key[LSID_SIZE];

    if (!json_field_text(session, "lsid", 0, ID_MAX, out))
        return false;
    if (!*out || lsid_normal(*out, key))
        return true;
    fault_set(session->fault, FAULT_INVALID_REQUEST,
              "session.lsid: must be 32 hex digits, or 8-4-4-4-12 with dashes, with or without braces");
    return false;
}

static bool read_user(const struct json_fields *session, struct session *out)
{
    struct json_fields user = {.path = "session.user", .fault = session->fault};
    return json_field_object(session, "user", FIELD_REQUIRED, &user.object) &&
           read_person(&user, "username", PERSON_NAME, &out->username) &&
           read_person(&user, "domain", PERSON_DOMAIN, &out->domain);
}

static bool read_jump_item(const struct json_fields *session, struct session *out)
{
    struct json_fields item = {.path = "session.jump_item", .fault = session->fault};
    int method = METHOD_NONE - METHOD_RDP;

    if (!json_field_object(session, "jump_item", 0, &item.object))
        return false;
    if (!item.object)
        return true;
    if (!json_field_word(&item, "method", session_methods, method, &method) ||
        !read_name(&item, "computer_name", &out->computer_name) ||
        !read_name(&item, "hostname", &out->hostname) || !read_name(&item, "ip_address", &out->ip_address) ||
        !read_name(&item, "name", &out->name) || !json_field_int(&item, "port", 1, 65535, 0, &out->port) ||
        !read_name(&item, "application", &out->application) ||
        !read_name(&item, "network_id", &out->network_id))
        return false;
    out->method = (enum jump_method)(method + METHOD_RDP);
    return true;
}

static bool names_endpoint(const struct session *s)
{
    return s->computer_name || s->hostname || s->ip_address || s->name || s->application;
}

bool session_read(const cJSON *body, unsigned needs, struct session *out, struct fault *fault)
{
    struct json_fields top = {.object = body, .path = "", .fault = fault};
    struct json_fields session = {.path = "session", .fault = fault};
    unsigned id_flags = FIELD_NOT_EMPTY | (needs & SESSION_ID ? FIELD_REQUIRED : 0U);

    *out = (struct session){0};
    if (!json_field_object(&top, "session", FIELD_REQUIRED, &session.object) ||
        !json_field_text(&session, "id", id_flags, ID_MAX, &out->id) || !read_lsid(&session, &out->lsid) ||
        !read_user(&session, out) || !read_jump_item(&session, out))
        return false;
    if (needs & SESSION_ENDPOINT && !names_endpoint(out)) {
        fault_set(
            fault, FAULT_INVALID_REQUEST,
            "session.jump_item: at least one of computer_name, hostname, ip_address, name or application "
            "is required");
        return false;
    }
    return true;
}
