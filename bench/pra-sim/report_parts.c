/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_parts.c - parts of reports; see report_parts.h.
 */
#include "pra-sim/report_parts.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *part_lsid_text(const struct dispatch *d, const char *lsid, char out[LSID_TEXT])
{
    int form = d->site->knob[KNOB_LSID_FORM];

    if (form < LSID_DASHES)
        (void)text_copy(out, LSID_TEXT, lsid);
    else
        (void)snprintf(out, LSID_TEXT,
                       form == LSID_BRACES ? "{%.8s-%.4s-%.4s-%.4s-%.12s}" : "%.8s-%.4s-%.4s-%.4s-%.12s",
                       lsid, lsid + 8, lsid + 12, lsid + 16, lsid + 20);
    for (char *c = out; form == LSID_UPPER && *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return out;
}

void part_time(struct dispatch *d, struct xml *x, const char *name, int64_t wall_ms)
{
    int form = d->site->knob[KNOB_SESSION_TIME];
    char iso[TIME_ISO];

    if (form == SESSION_TIME_UNIX) {
        xml_leaf_int(x, name, wall_ms / 1000);
        return;
    }
    time_iso(wall_ms, iso);
    xml_open(x, name);
    if (form != SESSION_TIME_ISO)
        xml_attribute_int(x, form == SESSION_TIME_TS ? "ts" : "timestamp", wall_ms / 1000);
    xml_text(x, iso);
    xml_close(x);
}

void part_duration(struct xml *x, int64_t ms)
{
    char text[32];
    long long s = ms > 0 ? ms / 1000 : 0;

    (void)snprintf(text, sizeof(text), "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    xml_leaf(x, "duration", text);
}

void part_actor(struct xml *x, const char *element, const char *type, int64_t gsnumber, const char *name)
{
    xml_open(x, element);
    xml_attribute(x, "type", type);
    xml_attribute_int(x, "gsnumber", gsnumber);
    xml_text(x, name);
    xml_close(x);
}

void part_value(struct xml *x, const char *name, const char *value)
{
    xml_open(x, "value");
    xml_attribute(x, "name", name);
    xml_attribute(x, "value", value);
    xml_close(x);
}

void part_open_event(struct xml *x, const char *type, int64_t wall_ms)
{
    xml_open(x, "event");
    xml_attribute_int(x, "timestamp", wall_ms / 1000);
    xml_attribute(x, "event_type", type);
}

void part_link(struct dispatch *d, struct xml *x, const char *name, const char *lsid, const char *what)
{
    uint64_t number = ++d->site->signatures;
    const char *host = d->call->host ? d->call->host : d->site->hostname;
    char text[512];

    if (strlen(host) > 255) /* of no DNS name */
        host = d->site->hostname;

    (void)snprintf(text, sizeof(text),
                   "https://%s/session_download?lsid=l%%3D%s%%3Bh%%3D%016llx%016llx%%3Bt%%3D%lld&what=%s",
                   host, lsid, (unsigned long long)month_chance(number, 1),
                   (unsigned long long)month_chance(number, 2), (long long)(site_now(d->site) / 1000), what);
    xml_leaf(x, name, text);
}
