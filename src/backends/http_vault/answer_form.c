/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer_form.c - the body of an answer, and whether it is an HTML page.
 *
 * A proxy, a firewall, a load balancer or a web server may answer in the vault's place, with any status and
 * mostly with an HTML page. No vault writes one: an answer that calls itself HTML, or whose body begins with
 * `<`, is of something in front of it.
 *
 * Not here: the forms of a vault's own refusals (its folder).
 */
#include "backends/http_vault/http_vault.h"

#include <ctype.h>
#include <string.h>

const char *http_vault_trimmed(const struct buf *body, size_t *len)
{
    const char *text = body->data ? body->data : "";
    size_t n = body->len;

    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        n -= 3;
    }
    while (n && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    while (n && isspace((unsigned char)text[n - 1]))
        n--;
    *len = n;
    return text;
}

static bool calls_itself_html(const char *type)
{
    /* The vault's own types, in its spelling, are not searched. */
    if (!strcmp(type, "application/json; charset=utf-8") || !strcmp(type, "application/json"))
        return false;
    return strcasestr(type, "text/html") || strcasestr(type, "application/xhtml");
}

bool http_vault_is_page(const struct call *http)
{
    size_t len;
    const char *text = http_vault_trimmed(&http->body_in, &len);

    if (http->status == 204) /* it has no body */
        return false;
    return calls_itself_html(http->value[CALL_CONTENT_TYPE]) || (len && *text == '<');
}
