/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assets.c - pages and their files.
 *
 * Files below /assets/HASH/ are of one build and are kept by browsers for ever; another HASH is not found, so
 * that a page of an older build is not given scripts of this one. Pages are kept by no cache.
 */
#include "reports/web/assets.h"

#include "base/text.h"
#include "reports/web/web_internal.h"

#include <string.h>

#define FOR_EVER "public, max-age=31536000, immutable"

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".ico", "image/x-icon"},
};

static const char *type_of(const char *name)
{
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static const struct asset *find(const char *name)
{
    for (size_t i = 0; i < assets_count; i++)
        if (strcmp(assets[i].name, name) == 0)
            return &assets[i];
    return NULL;
}

/* Accept-Encoding names gzip, and does not forbid it. */
static bool takes_gzip(const struct http_req *req)
{
    const char *at = http_header(req, "Accept-Encoding");

    for (; at && *at; at += strcspn(at, ","), at += strspn(at, ", \t")) {
        size_t n = strcspn(at, ",; \t"), all = strcspn(at, ",");
        const char *q = memmem(at, all, "q=", 2);

        if (text_equal_nocase_n(at, n, "gzip", 4))
            return !q || strncmp(q, "q=0", 3) != 0 ||
                   (q[3] == '.' && strspn(q + 4, "0") < strcspn(q + 4, ", \t"));
    }
    return false;
}

void asset_send(struct web_request *r, const char *name, int status, const char *cache)
{
    const struct asset *a = find(name);
    bool gzip;

    if (!a) {
        web_fail_with(r, PROBLEM_NOT_FOUND, "there is no such file in this build");
        return;
    }
    gzip = takes_gzip(r->req);
    if (gzip)
        (void)buf_append(&r->body, a->gzip, (size_t)(a->gzip_end - a->gzip));
    else
        (void)buf_append(&r->body, a->plain, (size_t)(a->plain_end - a->plain));
    (void)buf_str(&r->headers,
                  gzip ? "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n" : "Vary: Accept-Encoding\r\n");
    web_send(r, status, type_of(name), cache);
}

void asset_start(struct web_request *r)
{
    const char *name = r->segment[1];
    const char *ending = strrchr(name, '.');

    if (strcmp(r->segment[0], assets_hash) != 0 || (ending && strcmp(ending, ".html") == 0))
        web_fail_with(r, PROBLEM_NOT_FOUND, "there is no such file in this build");
    else
        asset_send(r, name, 200, FOR_EVER);
}

/* Pages are one file; what they show is asked for by its scripts. */
void page_start(struct web_request *r)
{
    bool records = strncmp(r->req->path, "/records/", 9) == 0;

    if (records && !query_dataset_exists(r->segment[0]))
        asset_send(r, "not-found.html", 404, "no-store");
    else if (strcmp(r->req->path, "/collector") == 0 && !(r->allow & REPORTS_ADMIN))
        asset_send(r, "index.html", 403, "no-store");
    else
        asset_send(r, "index.html", 200, "no-store");
}

void sign_in_page_start(struct web_request *r)
{
    asset_send(r, "sign-in.html", 200, "no-store");
}

static bool is_call(const char *path)
{
    return strncmp(path, "/api/", 5) == 0 || strncmp(path, "/feed/", 6) == 0 ||
           strncmp(path, "/assets/", 8) == 0;
}

void unknown_start(struct web_request *r)
{
    if (is_call(r->req->path) || !find("not-found.html") ||
        (r->req->method != HTTP_GET_ && r->req->method != HTTP_HEAD_))
        web_fail_with(r, PROBLEM_NOT_FOUND, "there is no such path");
    else
        asset_send(r, "not-found.html", 404, "no-store");
}
