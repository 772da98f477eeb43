/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info.c - the source that is asked first: the site's clock, version and permissions (get_api_info).
 *
 * Others begin when its first call has ended, however it has: where the account may not ask, or the site is
 * away, the clock is that of the `Date` header of any answer.
 */
#include "reports/collect/collect_internal.h"

#include "base/jsonw.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define INFO_INTERVAL_S 600
#define PERMISSIONS_MAX 65536

static void take_permissions(struct collect_site *site, const struct report_info *info)
{
    struct buf out = BUF_INIT(PERMISSIONS_MAX);
    struct jsonw w = jsonw_start(&out);

    jsonw_object(&w, NULL);
    for (size_t i = 0; i < info->npermissions; i++)
        jsonw_str(&w, info->permissions[i].name, info->permissions[i].value);
    jsonw_end(&w);
    const char *text = out.failed ? NULL : buf_cstr(&out);
    char *copy = text ? strdup(text) : NULL;
    if (copy && (!site->permissions || strcmp(copy, site->permissions) != 0)) {
        free(site->permissions);
        site->permissions = copy;
        site->put_wanted = true;
    } else {
        free(copy);
    }
    buf_free(&out);
}

static void info_take(struct source *s, const struct report_info *info)
{
    struct collect_site *site = s->site;

    site->info_time_ms = info->has_time ? info->time_ms : 0;
    if (strcmp(site->api_version, info->api_version) != 0) {
        text_copy(site->api_version, sizeof(site->api_version), info->api_version);
        site->put_wanted = true;
    }
    take_permissions(site, info);
    memcpy(site->grants, info->grants, sizeof(site->grants));
    site->command_denied = info->grants[REPORT_ASK_ATTRIBUTES] == REPORT_GRANT_NO;
    for (int i = 0; i < COLLECT_NSOURCES; i++) {
        struct source *other = &site->sources[i];
        if (other->denied && other->row->ask >= 0 && info->grants[other->row->ask] == REPORT_GRANT_YES)
            source_schedule(other, 0);
    }
}

static void greet(struct collect_site *site)
{
    if (site->greeted)
        return;
    site->greeted = true;
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        source_release(&site->sources[i]);
}

static void info_begin(struct source *s)
{
    struct report_site *site = s->site->site;

    s->site->info_time_ms = 0;
    source_asked(s, site->ops->info(site, source_call(s)));
}

static void info_ended(struct source *s, const struct report_outcome *o)
{
    struct collect_site *site = s->site;

    if (site->info_time_ms && o->sent_ms) {
        site->has_info_time = true;
        clock_set_skew(site, site->info_time_ms - (o->sent_ms + (int64_t)(o->took_ms / 2)),
                       site->info_time_ms);
    } else if (!report_end_is_whole(o->end)) {
        site->has_info_time = false;
    }
    /* While the site is Off, this is its one try a day. */
    if (!site->collector->stopping && (report_end_is_whole(o->end) || site->word != COLLECT_OFF))
        greet(site);
    if (report_end_is_whole(o->end)) {
        source_succeeded(s, SOURCE_INTERVAL);
        return;
    }
    site->command_denied |= o->end == REPORT_DENIED;
    source_failed(s, o);
}

static int64_t info_interval(const struct collect_site *site)
{
    (void)site;
    return INFO_INTERVAL_S;
}

const struct source_row info_row = {.name = "info",
                                    .urgency = REPORT_LIVE,
                                    .ask = REPORT_ASK_INFO,
                                    .interval = info_interval,
                                    .begin = info_begin,
                                    .info = info_take,
                                    .ended = info_ended};
