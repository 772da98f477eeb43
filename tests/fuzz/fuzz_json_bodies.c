/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json_bodies.c - the bodies and targets of requests through the reader of each row of the route table.
 *
 * The first byte chooses the row. A row that reads a body gets the rest as JSON, as strictly as the router
 * parses it; a row that looks at path and query gets the rest as a target. A refusal must bring an error code
 * with words that are clean UTF-8, since they go into an answer and a log line; an acceptance must have read
 * a session whose user has a name.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/utf8.h"
#include "handlers/gateway.h"
#include "handlers/url_target.h"

#include <string.h>

static void check_refusal(const struct fault *f)
{
    FUZZ_ASSERT(fault_is_set(f) && f->detail[0]);
    FUZZ_ASSERT(fault_status(f) >= 400 && fault_status(f) < 600);
    FUZZ_ASSERT(utf8_valid(f->detail, strlen(f->detail)));
}

static void read_body(const struct route *route, const char *text, size_t len)
{
    struct fault fault = {0};
    union route_args args;
    const char *why = NULL;
    cJSON *tree = json_parse(text, len, READ_DEPTH, 0, &why);

    memset(&args, 0, sizeof(args));
    FUZZ_ASSERT(tree || why);
    FUZZ_ASSERT(!tree == !!json_check(text, len, READ_DEPTH, 0));
    if (cJSON_IsObject(tree)) {
        if (!route_read(route, tree, &args, &fault))
            check_refusal(&fault);
        else if (route->session)
            FUZZ_ASSERT(args.by.session.username && *args.by.session.username);
    }
    cJSON_Delete(tree);
}

static void look_at(const struct route *route, char *target)
{
    struct fault fault = {0};
    union route_args args;
    char *question = strchr(target, '?');
    struct http_req req = {.path = target, .method_name = "GET"};
    struct request_context ctx = {.route = route, .req = &req};

    memset(&args, 0, sizeof(args));
    if (question) {
        *question = '\0';
        req.query = question + 1;
    }
    if (url_target_fits(route->path, target) && !route->read_target(&ctx, &args, &fault))
        check_refusal(&fault);
    free(ctx.target);
}

/* As the server lets targets through: visible ASCII. */
static bool is_target(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    const struct route *route = &routes[fuzz_byte(&in) % (routes_count() - 1)];
    char *text;
    size_t len;

    if (route->read_target) {
        text = fuzz_string(&in);
        if (is_target(text))
            look_at(route, text);
    } else {
        text = fuzz_text(&in, &len);
        if (route->method == HTTP_POST_)
            read_body(route, text, len);
    }
    free(text);
    return 0;
}
