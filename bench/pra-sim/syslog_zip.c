/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog_zip.c - the archive of the Syslog report, sound or wrong; see syslog.h.
 */
#include "pra-sim/syslog.h"

#include "pra-sim/month_streams.h"
#include "pra-sim/spoil.h"
#include "pra-sim/zip.h"

#include <stdio.h>
#include <time.h>

#define DAY_S      INT64_C(86400)
#define DAYS       14
#define BOMB       (UINT64_C(300) << 20)
#define MEMBERS    UINT64_C(5000)
#define MEMBER_MAX ((size_t)128 << 20)

static void add_day(struct dispatch *d, struct zip *z, int64_t day_s, bool today)
{
    const struct month *m = d->site->month;
    uint64_t from = stream_until(m, STREAM_SYSLOG, day_s - 1),
             to = stream_until(m, STREAM_SYSLOG, day_s + DAY_S - 1);
    uint64_t now = stream_until(m, STREAM_SYSLOG, site_now(d->site) / 1000);
    struct buf text = BUF_INIT(MEMBER_MAX), packed = BUF_INIT(MEMBER_MAX);
    time_t seconds = (time_t)day_s;
    struct tm tm = {0};
    char name[64] = "messages";

    syslog_lines(d->site, from, to < now ? to : now, &text);
    if (today) {
        zip_add(z, name, text.data ? text.data : "", text.len);
    } else {
        if (gmtime_r(&seconds, &tm))
            (void)strftime(name, sizeof(name), "messages-%Y%m%d.gz", &tm);
        zip_gzip(&packed, text.data ? text.data : "", text.len);
        if (d->opts.fault == SPOIL_ZIP_GZIP)
            packed.len /= 2;
        zip_add(z, name, packed.data ? packed.data : "", packed.len);
    }
    z->out->failed |= text.failed || packed.failed;
    buf_free(&text);
    buf_free(&packed);
}

static void add_names(struct zip *z)
{
    static const char *const names[] = {"../../etc/cron.d/evil",
                                        "/etc/passwd",
                                        "C:\\Windows\\evil.log",
                                        "logs/",
                                        "logs/messages",
                                        "..",
                                        "",
                                        "twice",
                                        "twice",
                                        "white space.log",
                                        "a/../../b.gz"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        zip_add(z, names[i], "x\n", names[i][0] == 'l' && !names[i][5] ? 0 : 2);
}

static void add_many(struct zip *z, uint64_t n)
{
    char name[32];

    for (uint64_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "messages.%llu", (unsigned long long)i);
        zip_add(z, name, "\n", 1);
    }
}

static void add_fault(struct dispatch *d, struct zip *z)
{
    uint64_t size = d->opts.size;

    switch (d->opts.fault) {
    case SPOIL_ZIP_BOMB: zip_add_zeros(z, "messages.1", size ? size : BOMB, false); break;
    case SPOIL_ZIP_GZIP_BOMB: zip_add_zeros(z, "messages.1.gz", size ? size : BOMB, true); break;
    case SPOIL_ZIP_MEMBERS: add_many(z, size ? size : MEMBERS); break;
    case SPOIL_ZIP_NAMES: add_names(z); break;
    default: break;
    }
}

void syslog_zip(struct dispatch *d)
{
    static const char *const types[] = {"application/zip", "application/octet-stream"};
    struct zip z = zip_start(&d->answer->body);
    int64_t today = site_now(d->site) / 1000 / DAY_S * DAY_S;
    size_t before;

    z.wrong_crc = d->opts.fault == SPOIL_ZIP_CRC;
    z.encrypted = d->opts.fault == SPOIL_ZIP_ENCRYPTED;
    z.big_sizes = d->opts.fault == SPOIL_ZIP_SIZES;
    d->answer->status = 200;
    d->answer->content_type = types[d->site->knob[KNOB_SYSLOG_TYPE]];
    (void)buf_str(&d->answer->headers, "Content-Disposition: attachment; filename=\"syslog.zip\"\r\n");
    for (int i = DAYS - 1; i >= 0 && d->site->month && d->opts.fault != SPOIL_ZIP_EMPTY; i--)
        add_day(d, &z, today - i * DAY_S, i == 0);
    add_fault(d, &z);
    before = d->answer->body.len;
    zip_end(&z);
    if (d->opts.fault == SPOIL_ZIP_DIRECTORY)
        d->answer->body.len = before;
}
