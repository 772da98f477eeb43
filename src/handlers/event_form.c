/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_form.c - the fields of an outbound event.
 *
 * The body is copied once and cut at its ampersands; names are decoded to be compared, values only of fields
 * that are looked at. A byte 0 and an escaped one are refused where they are decoded, since texts end there.
 */
#include "handlers/event_form.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const field_names[EVENT_NFIELDS] = {
    [EVENT_NAME] = "event",
    [EVENT_LSID] = "lsid",
    [EVENT_TIMESTAMP] = "timestamp",
    [EVENT_VERSION] = "version",
    [EVENT_APPLIANCE] = "appliance_id",
};

static bool is_form(const char *type)
{
    size_t n = type ? strcspn(type, "; \t") : 0;

    return !type || text_equal_nocase_n(type, n, "application/x-www-form-urlencoded", 33);
}

static enum pra_event_kind kind_of(const char *name)
{
    static const char *const families[] = {"support_conference_", "access_session_"};
    const char *rest = NULL;

    if (!name || !*name)
        return PRA_EVENT_NONE;
    for (size_t i = 0; !rest && i < sizeof(families) / sizeof(families[0]); i++) {
        size_t n = strlen(families[i]);
        if (strlen(name) > n && text_equal_nocase_n(name, n, families[i], n))
            rest = name + n;
    }
    if (!rest)
        return PRA_EVENT_OTHER;
    if (text_equal_nocase(rest, "end"))
        return PRA_EVENT_END;
    return text_equal_nocase(rest, "begin") || text_equal_nocase(rest, "start") ? PRA_EVENT_BEGIN
                                                                                : PRA_EVENT_OTHER;
}

static bool refuse_form(char why[EVENT_WHY_SIZE], const char *text)
{
    (void)text_copy(why, EVENT_WHY_SIZE, text);
    return false;
}

static int field_of(const char *name)
{
    for (int i = 0; i < EVENT_NFIELDS; i++)
        if (strcmp(field_names[i], name) == 0)
            return i;
    return -1;
}

/* One `name=value`, ended by a 0 in place of its ampersand. */
static bool read_field(struct event_form *form, char *field, char why[EVENT_WHY_SIZE])
{
    char *value = strchr(field, '=');
    int i;

    if (value)
        *value++ = '\0';
    if (!text_url_decode(field, true))
        return refuse_form(why, "the name of a field has a bad % escape");
    i = field_of(field);
    if (i < 0)
        return true;
    if (form->value[i]) {
        (void)snprintf(why, EVENT_WHY_SIZE, "the field `%s` is there twice", field_names[i]);
        return false;
    }
    if (value && !text_url_decode(value, true)) {
        (void)snprintf(why, EVENT_WHY_SIZE, "the field `%s` has a bad %% escape", field_names[i]);
        return false;
    }
    form->value[i] = value ? value : "";
    return true;
}

static bool read_fields(struct event_form *form, char why[EVENT_WHY_SIZE])
{
    size_t n = 0;

    for (char *field = form->text, *next; field; field = next) {
        next = strchr(field, '&');
        if (next)
            *next++ = '\0';
        if (!*field)
            continue;
        if (++n > EVENT_FIELDS_MAX) {
            (void)snprintf(why, EVENT_WHY_SIZE, "the form has more than %d fields", EVENT_FIELDS_MAX);
            return false;
        }
        if (!read_field(form, field, why))
            return false;
    }
    return true;
}

bool event_form_read(struct event_form *form, const char *body, size_t n, const char *type,
                     char why[EVENT_WHY_SIZE])
{
    bool good;

    *form = (struct event_form){.kind = PRA_EVENT_NONE};
    if (!n)
        return refuse_form(why, "there is no body; a form with the field `event` is required");
    if (!is_form(type))
        return refuse_form(why,
                           "the body is no form; Content-Type must be application/x-www-form-urlencoded");
    if (memchr(body, '\0', n))
        return refuse_form(why, "the body holds a byte 0");
    form->text = strndup(body, n);
    if (!form->text) {
        form->no_memory = true;
        return refuse_form(why, "out of memory");
    }
    good = read_fields(form, why);
    form->kind = kind_of(form->value[EVENT_NAME]);
    if (good && form->kind == PRA_EVENT_NONE)
        return refuse_form(why,
                           "the form has no field `event`; is the recipient's message an outbound event?");
    return good;
}

void event_form_free(struct event_form *form)
{
    free(form->text);
    form->text = NULL;
}
