/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the control socket: listening on it, and calls over it; see control.h.
 *
 * A Unix socket's path is limited to 107 bytes, and a state directory may be longer. So the directory is
 * opened, and the socket is bound and connected to as /proc/self/fd/N/control.sock. The file itself is in the
 * state directory.
 *
 * A command waits for one answer at a time, so libcurl's easy interface is enough: only this file and
 * loop/upstream/ use libcurl. The connection is kept for the next call. Proxies of the environment are
 * ignored, redirects are not followed, and http over this one socket is the only protocol.
 *
 * A refused connect is distinguished from every other failure: the gateway does not run, and a command may
 * work without it.
 */
#include "commands/control.h"

#include "handlers/clients.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES (32U << 20) /* a page is at most half of it */

int control_directory(const char *state_dir)
{
    int fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

void control_path(int directory, char out[CONTROL_PATH_SIZE])
{
    (void)snprintf(out, CONTROL_PATH_SIZE, "/proc/self/fd/%d/control.sock", directory);
}

int control_listen(struct http_server *server, int directory, char why[CONTROL_WHY_SIZE])
{
    char path[CONTROL_PATH_SIZE], address[128];
    struct http_listen_opts opts = {
        .name = CONTROL_LISTENER, .host = path, .is_unix = true, .unix_mode = 0600, .separate = true};

    control_path(directory, path);
    return http_listen(server, &opts, address, why);
}

/* ---- calls ---- */

struct control_client {
    CURL *easy;
    struct curl_slist *headers;
    char path[CONTROL_PATH_SIZE];
    char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct control_answer *answer = arg;

    return buf_append(&answer->body, data, size * n) ? 0 : n * size;
}

#define SET(option, value) (curl_easy_setopt(c->easy, option, value) == CURLE_OK)

static bool set_up(struct control_client *c, uint64_t timeout_ms)
{
    c->headers = curl_slist_append(NULL, "Content-Type: application/json");
    return c->headers && SET(CURLOPT_UNIX_SOCKET_PATH, c->path) && SET(CURLOPT_PROTOCOLS_STR, "http") &&
           SET(CURLOPT_PROXY, "") && SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_PATH_AS_IS, 1L) &&
           SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms) && SET(CURLOPT_ERRORBUFFER, c->error) &&
           SET(CURLOPT_HTTPHEADER, c->headers) && SET(CURLOPT_WRITEFUNCTION, on_body);
}

struct control_client *control_client_new(int directory, uint64_t timeout_ms)
{
    struct control_client *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    control_path(directory, c->path);
    c->easy = curl_easy_init();
    if (c->easy && set_up(c, timeout_ms))
        return c;
    control_client_free(c);
    return NULL;
}

/* libcurl calls it at least once a second. */
static int on_progress(void *stop, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
    (void)dltotal;
    (void)dlnow;
    (void)ultotal;
    (void)ulnow;
    return atomic_load((const atomic_bool *)stop);
}

bool control_client_stop_on(struct control_client *c, const atomic_bool *stop)
{
    return SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, stop) &&
           SET(CURLOPT_NOPROGRESS, 0L);
}

bool control_client_wait(struct control_client *c, uint64_t timeout_ms)
{
    return SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
}

void control_client_free(struct control_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    free(c);
}

static bool prepare_call(struct control_client *c, const char *method, const char *url, const char *body,
                         struct control_answer *answer)
{
    bool post = strcmp(method, "POST") == 0;

    if (!SET(CURLOPT_URL, url) || !SET(CURLOPT_WRITEDATA, answer))
        return false;
    return post ? SET(CURLOPT_POST, 1L) && SET(CURLOPT_POSTFIELDS, body ? body : "") &&
                      SET(CURLOPT_POSTFIELDSIZE, body ? (long)strlen(body) : 0L)
                : SET(CURLOPT_HTTPGET, 1L);
}

static int call_failed(struct control_client *c, CURLcode rc, struct control_answer *answer)
{
    long err = 0;

    (void)curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &err);
    (void)snprintf(answer->why, sizeof(answer->why), "%s", *c->error ? c->error : curl_easy_strerror(rc));
    if (rc == CURLE_COULDNT_CONNECT && (err == ENOENT || err == ECONNREFUSED))
        return -ECONNREFUSED;
    if (rc == CURLE_COULDNT_CONNECT && (err == EACCES || err == EPERM)) {
        (void)snprintf(answer->why, sizeof(answer->why),
                       "not allowed to; run this as the user the gateway runs as, or as root");
        return -EACCES;
    }
    return rc == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : rc == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

/* What failed before there was a call, or behind it. */
static int ask_failed(int err, struct control_answer *answer)
{
    (void)snprintf(answer->why, sizeof(answer->why), "%s", strerror(-err));
    return err;
}

int control_client_ask(struct control_client *c, const char *method, const char *target, const char *body,
                       struct control_answer *answer)
{
    char url[HTTP_MAX_TARGET + 32];
    long status = 0;

    *answer = (struct control_answer){.body = BUF_INIT(ANSWER_BYTES)};
    c->error[0] = '\0';
    if (snprintf(url, sizeof(url), "http://control%s", target) >= (int)sizeof(url))
        return ask_failed(-ENAMETOOLONG, answer);
    if (!prepare_call(c, method, url, body, answer))
        return ask_failed(-ENOMEM, answer);
    CURLcode rc = curl_easy_perform(c->easy);
    if (rc != CURLE_OK)
        return call_failed(c, rc, answer);
    if (curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        return ask_failed(-EIO, answer);
    answer->status = (int)status;
    return 0;
}

void control_answer_free(struct control_answer *answer)
{
    buf_free(&answer->body);
}
