/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_types.c - types of the configuration of session reports that no other program has: time zones,
 * working hours, names of hosts, passwords in scrypt form, the origin that browsers see.
 */
#include "base/address.h"
#include "conf/table/conf_table.h"
#include "reports/conf/password.h"
#include "reports/conf/reports_sections.h"
#include "reports/store/working_hours.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int zone_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (!working_hours_zone_exists(text))
        return conf_refuse(why, "needs a name of the time zone database, such as Europe/Berlin or UTC");
    return conf_text_set(row, object, text);
}

static int hours_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    char reason[160] = "";
    struct working_hours *hours = working_hours_new("UTC", text, reason, sizeof(reason));

    if (!hours)
        return conf_refuse(why, "needs days and hours, such as mon-fri 07:00-19:00, sat 08:00-12:00: %s",
                           reason);
    working_hours_free(hours);
    return conf_text_set(row, object, text);
}

/* In lower case, as the store compares names. */
static int host_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    char host[256];
    size_t n = strlen(text);

    if (n >= sizeof(host) || strpbrk(text, " \t/"))
        return conf_refuse(why, "needs the name of a host, as sessions of the site have it");
    for (size_t i = 0; i <= n; i++)
        host[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    return conf_text_set(row, object, host);
}

static int password_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (!password_valid(text))
        return conf_refuse(why, "needs the text that `jumpgate-reports user add NAME` prints "
                                "($scrypt$ln=14,r=8,p=5$...), never the password itself");
    return conf_text_set(row, object, text);
}

/* https://HOST[:PORT]: cookies of the page are for TLS alone. */
static int origin_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct address_url url;
    char origin[ADDRESS_HOST_SIZE + 32];
    bool ip6;

    if (address_split_url(text, &url, why))
        return -EINVAL;
    if (strcmp(url.scheme, "https") != 0 || (*url.path && strcmp(url.path, "/") != 0))
        return conf_refuse(why, "needs https://HOST or https://HOST:PORT, without a path");
    ip6 = strchr(url.host, ':');
    (void)snprintf(origin, sizeof(origin), "https://%s%s%s", ip6 ? "[" : "", url.host, ip6 ? "]" : "");
    if (url.port && url.port != 443)
        (void)snprintf(origin + strlen(origin), sizeof(origin) - strlen(origin), ":%u", url.port);
    return conf_text_set(row, object, origin);
}

#define TEXT_TYPE(title, parser)                                                                             \
    {                                                                                                        \
        .what = (title), .parse = (parser), .print = conf_text_print, .clear = conf_text_clear,              \
    }

const struct conf_type reports_zone = TEXT_TYPE("time zone", zone_parse);
const struct conf_type reports_hours = TEXT_TYPE("days and hours", hours_parse);
const struct conf_type reports_host = TEXT_TYPE("host name", host_parse);
const struct conf_type reports_password = TEXT_TYPE("password in scrypt form", password_parse);
const struct conf_type reports_origin = TEXT_TYPE("URL without a path", origin_parse);
