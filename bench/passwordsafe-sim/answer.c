/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - the forms in which the vault answers: nothing, a string, a number, a message, an object.
 *
 * The 403 and 409 numbers have neither quotes nor an object around them. Setting 15 chooses between JSON,
 * plain text and a JSON string.
 */
#include "passwordsafe-sim/dispatch.h"

#include <string.h>

const char dispatch_json[] = "application/json; charset=utf-8";

static struct buf *start(struct dispatch *d, int status)
{
    d->answer->status = status;
    d->answer->content_type = dispatch_json;
    buf_clear(&d->answer->body);
    return &d->answer->body;
}

struct jsonw answer_json(struct dispatch *d, int status)
{
    return jsonw_start(start(d, status));
}

void answer_empty(struct dispatch *d, int status)
{
    (void)start(d, status);
    d->answer->content_type = NULL;
}

void answer_text(struct dispatch *d, int status, const char *text)
{
    struct jsonw w = answer_json(d, status);

    jsonw_str(&w, NULL, text);
}

void answer_message(struct dispatch *d, int status, const char *text)
{
    struct jsonw w = answer_json(d, status);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "Message", text);
    jsonw_end(&w);
}

void answer_number(struct dispatch *d, int status, int number)
{
    struct jsonw w = answer_json(d, status);

    jsonw_int(&w, NULL, number);
}

void answer_code(struct dispatch *d, int code)
{
    int form = d->model->settings.settings.value[SETTING_CODE_FORM];
    struct buf *b = start(d, code == 4091 ? 409 : 403);

    if (form == 1)
        d->answer->content_type = "text/plain; charset=utf-8";
    (void)buf_printf(b, form == 2 ? "\"%d\"" : "%d", code);
}

void answer_unauthenticated(struct dispatch *d)
{
    answer_text(d, 401, "User not authenticated");
}
