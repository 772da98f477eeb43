/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.c - the table of what the web answers. To add a call: a row here, and its start function.
 *
 * Permissions are bits of a user's `allow`; in rows with ACCESS_READER, of a reader's.
 */
#include "reports/web/web_internal.h"

/* clang-format off */
const struct web_route web_routes[] = {
    /* path                               method        access         permit            flags                         operation         start */
    { "/",                                HTTP_GET_,    ACCESS_PAGE,   0,                0,                            "page",           page_start },
    { "/records/{dataset}",               HTTP_GET_,    ACCESS_PAGE,   0,                0,                            "page",           page_start },
    { "/sessions/{host_name}/{lsid}",     HTTP_GET_,    ACCESS_PAGE,   0,                0,                            "page",           page_start },
    { "/collector",                       HTTP_GET_,    ACCESS_PAGE,   0,                0,                            "page",           page_start },
    { "/sign-in",                         HTTP_GET_,    ACCESS_ANYONE, 0,                0,                            "sign_in_page",   sign_in_page_start },
    { "/assets/{hash}/{name}",            HTTP_GET_,    ACCESS_ANYONE, 0,                ROUTE_QUIET | ROUTE_DRAINING, "asset",          asset_start },
    { "/api/sign-in",                     HTTP_POST_,   ACCESS_ANYONE, 0,                ROUTE_JSON | ROUTE_BARE,      "sign_in",        sign_in_start },
    { "/api/sign-out",                    HTTP_POST_,   ACCESS_USER,   0,                ROUTE_BARE,                   "sign_out",       sign_out_start },
    { "/api/me",                          HTTP_GET_,    ACCESS_USER,   0,                ROUTE_BARE,                   "me",             me_start },
    { "/api/tiles",                       HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     ROUTE_BARE,                   "tiles",          tiles_start },
    { "/api/tiles/{id}",                  HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     ROUTE_QUIET,                  "tile",           tile_start },
    { "/api/records/{dataset}",           HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     0,                            "records",        records_start },
    { "/api/records/{dataset}/columns",   HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     ROUTE_BARE,                   "columns",        columns_start },
    { "/api/values/{dataset}/{column}",   HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     0,                            "values",         values_start },
    { "/api/sessions/{host_name}/{lsid}", HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     0,                            "session",        session_start },
    { "/api/sessions/{host_name}/{lsid}/events", HTTP_GET_, ACCESS_USER, REPORTS_VIEW,   0,                            "session_events", events_start },
    { "/api/export/{file}",               HTTP_GET_,    ACCESS_USER,   REPORTS_EXPORT,   0,                            "export",         export_start },
    { "/api/layout",                      HTTP_GET_,    ACCESS_USER,   REPORTS_VIEW,     ROUTE_BARE,                   "layout",         layout_get_start },
    { "/api/layout",                      HTTP_PUT_,    ACCESS_USER,   REPORTS_VIEW,     ROUTE_JSON | ROUTE_BARE,      "layout_put",     layout_put_start },
    { "/api/layout",                      HTTP_DELETE_, ACCESS_USER,   REPORTS_VIEW,     ROUTE_BARE,                   "layout_delete",  layout_delete_start },
    { "/api/collector",                   HTTP_GET_,    ACCESS_USER,   REPORTS_ADMIN,    ROUTE_BARE,                   "collector",      collector_start },
    { "/feed/{dataset}",                  HTTP_GET_,    ACCESS_READER, REPORTS_FEED,     0,                            "feed",           feed_start },
    { "/livez",                           HTTP_GET_,    ACCESS_ANYONE, 0,                ROUTE_QUIET | ROUTE_DRAINING, "livez",          livez_start },
    { "/readyz",                          HTTP_GET_,    ACCESS_ANYONE, 0,                ROUTE_QUIET | ROUTE_DRAINING, "readyz",         readyz_start },
    { "/status",                          HTTP_GET_,    ACCESS_READER, REPORTS_OBSERVE,  ROUTE_QUIET | ROUTE_DRAINING, "status",         status_start },
    { "/metrics",                         HTTP_GET_,    ACCESS_READER, REPORTS_OBSERVE,  ROUTE_QUIET | ROUTE_DRAINING, "metrics",        metrics_start },
    { NULL,                               HTTP_GET_,    ACCESS_NONE,   0,                ROUTE_DRAINING,               "unknown",        unknown_start },
};
/* clang-format on */

size_t web_routes_count(void)
{
    return sizeof(web_routes) / sizeof(web_routes[0]);
}
