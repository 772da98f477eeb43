/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialer.c - libcurl's multi interface on the loop.
 *
 * libcurl says which sockets to watch (on_socket) and when to be called again (on_timer); the loop calls
 * curl_multi_socket_action(). After every such call the finished connects are read (curl_multi_info_read),
 * because after the last one has timed out libcurl asks for no further call.
 *
 * Two functions set all options of a connection, set_options() and set_tls_options(): verification of name
 * and chain is always on, the environment (http_proxy, no_proxy) is not used, and the only trusted
 * authorities, for the vault and for a proxy reached over TLS, are those of ca_file or, without one, the
 * system's bundle. CURLOPT_CAPATH is cleared for that reason, and because libcurl parses the bundle once per
 * multi handle only when no directory is set.
 *
 * Names: a resolved address is used again for NAME_KEPT_MS after a successful connect, and until a connect
 * fails. A connect to a kept address that fails, or has no TCP connection after half of the connect timeout,
 * is repeated at once with the name resolved again, in the time that is left. Where a name has several
 * addresses, libcurl tries all of them within that time. With `single` no address is kept.
 * libcurl resolves a name in a thread, which a connection that ends meanwhile leaves behind until the name
 * server has answered or was given up: the loop waits for no thread.
 *
 * Invariants: libcurl is never entered from its own callbacks. A callback never reports failure to libcurl,
 * which would end every transfer of the handle: a socket that cannot be watched ends in the connect timeout
 * instead. The deadline has a place of its own among the timers, so that starting it cannot fail: a connect
 * whose next step was lost would keep its place in the pool for ever.
 *
 * Not here: what a connection is used for.
 */
#include "loop/upstream/dialer.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/upstream/tls_session_cache.h"

#include <arpa/inet.h>
#include <curl/mprintf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define DAY_S        (24L * 3600)
#define NAME_KEPT_MS (10u * 1000u)
#define AGAIN_MS     100u /* after a call at its time, which libcurl has refused */

#define REQUEST_RECORD 2048

struct dialer_files {
    char *proxy, *ca_file, *certificate, *key; /* NULL = none */
    long connect_timeout_ms;
};

struct dialer {
    CURLM *multi;
    struct loop *loop;
    struct deadline timer;
    size_t sockets; /* number of struct sock not yet freed */
    bool tls, closing;
    bool address; /* the host of the URL is an address, not a name */
    bool single;  /* the name is resolved for each connection */
    const char *kind;
    char *name, *url, *host;
    struct dialer_files *files;
    struct tls_session_cache tls_session_cache;
    bool reloaded; /* at reloaded_ms; libcurl may still hold older authorities */
    uint64_t reloaded_ms;
    uint64_t name_kept_until_ms;
    void (*closed)(void *arg);
    void *arg;
};

struct sock { /* a socket libcurl asked to watch while it opens a connection */
    uv_poll_t poll;
    struct dialer *dialer;
    curl_socket_t fd;
};

static bool dialer_step(struct dialer *d, curl_socket_t fd, int flags);

const char *dialer_host(const struct dialer *d)
{
    return d->host;
}

uv_loop_t *dialer_uv(const struct dialer *d)
{
    return loop_uv(d->loop);
}

bool dialer_is_tls(const struct dialer *d)
{
    return d->tls;
}

static void dialer_free(struct dialer *d)
{
    tls_session_cache_forget(&d->tls_session_cache);
    free(d->name);
    free(d->url);
    curl_free(d->host);
    dialer_files_free(d->files);
    free(d);
}

/* ---- sockets ---- */

static void finish_close(struct dialer *d)
{
    void (*closed)(void *) = d->closed;
    void *arg = d->arg;

    dialer_free(d);
    closed(arg);
}

static void on_sock_closed(uv_handle_t *handle)
{
    struct sock *s = handle->data;
    struct dialer *d = s->dialer;

    free(s);
    if (--d->sockets == 0 && d->closing)
        finish_close(d);
}

static void on_sock(uv_poll_t *poll, int status, int events)
{
    struct sock *s = poll->data;
    int flags = 0;

    if (status >= 0 && !loop_step(s->dialer->loop, LOOP_DIALS))
        return; /* reported again in the next iteration */
    if (status < 0)
        flags |= CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    (void)dialer_step(s->dialer, s->fd, flags);
}

static struct sock *sock_new(struct dialer *d, curl_socket_t fd)
{
    struct sock *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (uv_poll_init_socket(loop_uv(d->loop), &s->poll, fd)) {
        free(s);
        return NULL;
    }
    s->poll.data = s;
    s->dialer = d;
    s->fd = fd;
    d->sockets++;
    return s;
}

/* How far opening is. While a name is resolved, libcurl waits for bytes of its own thread. */
static void note_progress(CURL *easy, curl_socket_t fd, int what)
{
    struct vault_conn *vc = NULL;
    curl_off_t named = 0;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &vc) || !vc)
        return;
    vc->dialing = what == CURL_POLL_REMOVE ? CURL_SOCKET_BAD : fd;
    if ((what == CURL_POLL_IN || what == CURL_POLL_INOUT) &&
        !curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &named) && named)
        vc->tcp_open = true;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct dialer *d = arg;
    struct sock *s = assigned;

    note_progress(easy, fd, what);
    if (what == CURL_POLL_REMOVE) {
        if (s)
            uv_close((uv_handle_t *)&s->poll, on_sock_closed);
        return 0;
    }
    if (!s) {
        s = sock_new(d, fd);
        if (s && curl_multi_assign(d->multi, fd, s)) {
            uv_close((uv_handle_t *)&s->poll, on_sock_closed); /* libcurl would not say when to close it */
            s = NULL;
        }
        if (!s) {
            log_warn("upstream_poll", "kind=%s name=%s error=%s", d->kind, d->name,
                     "socket cannot be polled");
            return 0;
        }
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (uv_poll_start(&s->poll, events, on_sock))
        log_warn("upstream_poll", "kind=%s name=%s error=%s", d->kind, d->name, "socket cannot be polled");
    return 0;
}

/* ---- time ---- */

static void on_deadline(struct deadline *deadline)
{
    struct dialer *d = CONTAINER_OF(deadline, struct dialer, timer);

    if (!dialer_step(d, CURL_SOCKET_TIMEOUT, 0))
        timer_set(loop_timers(d->loop), deadline, AGAIN_MS, on_deadline); /* libcurl would not ask again */
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct dialer *d = arg;

    (void)multi;
    if (d->closing)
        return 0;
    if (timeout_ms < 0)
        timer_stop(loop_timers(d->loop), &d->timer);
    else
        timer_set(loop_timers(d->loop), &d->timer, (uint64_t)timeout_ms, on_deadline);
    return 0;
}

/* ---- entering libcurl ---- */

static bool repeat_connect(struct dialer *d, struct vault_conn *vc);

static void note_name(struct dialer *d, struct vault_conn *vc, CURLcode result)
{
    timer_stop(loop_timers(d->loop), &vc->half_time);
    if (result)
        d->name_kept_until_ms = 0;
    else if (!vc->name_kept)
        d->name_kept_until_ms = clock_now(loop_clock(d->loop)) + NAME_KEPT_MS;
}

static void reap_connects(struct dialer *d)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(d->multi, &left))) {
        CURLcode result = msg->data.result; /* the message is invalid after the next call */
        struct vault_conn *vc = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &vc);
        if (result == CURLE_SSL_CONNECT_ERROR)
            tls_session_cache_distrust(&d->tls_session_cache, clock_now(loop_clock(d->loop)));
        note_name(d, vc, result);
        if (!result || !repeat_connect(d, vc))
            vault_conn_on_opened(vc, result);
    }
}

static bool dialer_step(struct dialer *d, curl_socket_t fd, int flags)
{
    int running;

    CURLMcode result = curl_multi_socket_action(d->multi, fd, flags, &running);
    if (result)
        log_error("upstream_multi", "kind=%s name=%s error=%s", d->kind, d->name,
                  curl_multi_strerror(result));
    reap_connects(d);
    return !result;
}

/* ---- one connection ---- */

static CURLcode on_tls_context(CURL *easy, void *context, void *arg)
{
    SSL_CTX *ctx = context;

    (void)easy;
    (void)arg;
    /* A vault may ask for the client certificate late: by post-handshake authentication or renegotiation. */
    SSL_CTX_set_post_handshake_auth(ctx, 1);
    SSL_CTX_clear_options(ctx, SSL_OP_NO_RENEGOTIATION);
    /* One read system call per answer; vault_conn_more() asks for what is buffered. */
    SSL_CTX_set_read_ahead(ctx, 1);
    /* A request fits into one record; a smaller record is a smaller buffer to allocate and wipe each time. */
    SSL_CTX_set_max_send_fragment(ctx, REQUEST_RECORD);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

#define SET(easy, option, value)                                                                             \
    do {                                                                                                     \
        if (curl_easy_setopt(easy, option, value))                                                           \
            return -EIO;                                                                                     \
    } while (0)

/*
 * libcurl keeps the parsed authorities for a day, or for this time: no longer than since the last reload, so
 * that a changed file takes effect with it.
 */
static long authorities_age_s(const struct dialer *d)
{
    uint64_t age_s = (clock_now(loop_clock(d->loop)) - d->reloaded_ms) / 1000;

    return !d->reloaded || age_s > DAY_S ? DAY_S : (long)age_s;
}

static int set_tls_options(const struct dialer *d, CURL *easy, const struct tls_session_share *share)
{
    const struct dialer_files *f = d->files;

    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_CAPATH, NULL);
    SET(easy, CURLOPT_CA_CACHE_TIMEOUT, authorities_age_s(d));
    if (f->ca_file)
        SET(easy, CURLOPT_CAINFO, f->ca_file);
    SET(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
    SET(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_PROXY_CAPATH, NULL);
    if (f->ca_file)
        SET(easy, CURLOPT_PROXY_CAINFO, f->ca_file);
    if (f->certificate) {
        SET(easy, CURLOPT_SSLCERT, f->certificate);
        SET(easy, CURLOPT_SSLKEY, f->key ? f->key : f->certificate);
    }
    if (d->tls)
        SET(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    if (share)
        SET(easy, CURLOPT_SHARE, tls_session_cache_curl(share));
    return 0;
}

static int set_options(const struct dialer *d, struct vault_conn *vc)
{
    CURL *easy = vc->easy;

    SET(easy, CURLOPT_URL, d->url);
    SET(easy, CURLOPT_CONNECT_ONLY, 1L);
    SET(easy, CURLOPT_PRIVATE, vc);
    SET(easy, CURLOPT_ERRORBUFFER, vc->error);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* or removing it waits for the thread that resolves its name */
    SET(easy, CURLOPT_FRESH_CONNECT, 1L);
    SET(easy, CURLOPT_BUFFERSIZE, 1024L); /* libcurl's own buffer is not used after opening */
    SET(easy, CURLOPT_PROXY, d->files->proxy ? d->files->proxy : "");
    SET(easy, CURLOPT_NOPROXY, "");
    vc->wrapped = d->files->proxy && strncasecmp(d->files->proxy, "https://", 8) == 0;
    if (d->files->proxy)
        SET(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    return set_tls_options(d, easy, vc->tls_share);
}

/* libcurl uses its cached address, however old (-1), or resolves the name (0). */
static int start_connect(struct dialer *d, struct vault_conn *vc, uint64_t timeout_ms)
{
    vc->tcp_open = false;
    SET(vc->easy, CURLOPT_DNS_CACHE_TIMEOUT, vc->name_kept ? -1L : 0L);
    SET(vc->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    return curl_multi_add_handle(d->multi, vc->easy) ? -ENOMEM : 0;
}

/* False if no repeat is possible: the connect has failed. */
static bool repeat_connect(struct dialer *d, struct vault_conn *vc)
{
    uint64_t spent = clock_now(loop_clock(d->loop)) - vc->dialed_ms;
    uint64_t limit = (uint64_t)d->files->connect_timeout_ms;

    if (!vc->name_kept || spent >= limit)
        return false;
    log_debug("upstream_redial", "kind=%s name=%s why=%s", d->kind, d->name, vc->error);
    vc->name_kept = false;
    if (curl_multi_remove_handle(d->multi, vc->easy))
        return false;
    vc->error[0] = '\0';
    return start_connect(d, vc, limit - spent) == 0;
}

/* A resolution is not interrupted: libcurl would wait for its thread. */
static void on_half_time(struct deadline *deadline)
{
    struct vault_conn *vc = CONTAINER_OF(deadline, struct vault_conn, half_time);
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    curl_off_t named = 0;

    if (curl_easy_getinfo(vc->easy, CURLINFO_NAMELOOKUP_TIME_T, &named) || !named)
        return;
    if (vc->dialing != CURL_SOCKET_BAD && getpeername(vc->dialing, (struct sockaddr *)&peer, &size) == 0)
        return; /* the TCP connection is open; its TLS is slow */
    dialer_doubt(vc->dialer);
    if (!repeat_connect(vc->dialer, vc))
        vault_conn_on_opened(vc, CURLE_COULDNT_CONNECT);
}

void dialer_doubt(struct dialer *d)
{
    d->name_kept_until_ms = 0;
}

static void drop_handle(struct vault_conn *vc)
{
    curl_easy_cleanup(vc->easy);
    vc->easy = NULL;
    tls_session_cache_drop(vc->tls_share);
    vc->tls_share = NULL;
}

int dialer_add(struct dialer *d, struct vault_conn *vc)
{
    uint64_t now = clock_now(loop_clock(d->loop)), limit = (uint64_t)d->files->connect_timeout_ms;

    vc->easy = curl_easy_init();
    if (!vc->easy)
        return -ENOMEM;
    if (d->tls)
        vc->tls_share = tls_session_cache_take(&d->tls_session_cache, now);
    vc->dialed_ms = now;
    vc->dialing = CURL_SOCKET_BAD;
    vc->name_kept = !d->single && now < d->name_kept_until_ms && (!d->address || d->files->proxy);
    int err = set_options(d, vc);
    if (!err)
        err = start_connect(d, vc, limit);
    if (!err && vc->name_kept)
        err = timer_start(loop_timers(d->loop), &vc->half_time, limit / 2, on_half_time);
    if (err)
        dialer_remove(d, vc);
    return err;
}

void dialer_remove(struct dialer *d, struct vault_conn *vc)
{
    timer_stop(loop_timers(d->loop), &vc->half_time);
    CURLMcode result = curl_multi_remove_handle(d->multi, vc->easy);

    if (result)
        log_error("upstream_multi", "kind=%s name=%s error=%s", d->kind, d->name,
                  curl_multi_strerror(result));
    drop_handle(vc);
}

/* ---- life ---- */

static int copy_text(char **to, const char *from)
{
    if (!from || !*from)
        return 0;
    *to = strdup(from);
    return *to ? 0 : -ENOMEM;
}

/* -EINVAL is of the URL, not of this process. A part that is absent is no failure: *to stays NULL. */
static int url_part(CURLU *u, CURLUPart part, CURLUcode absent, char **to)
{
    CURLUcode code = curl_url_get(u, part, to, part == CURLUPART_PORT ? CURLU_NO_DEFAULT_PORT : 0);

    if (!code || code == absent)
        return 0;
    return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* What libcurl and the Host: value need, from a URL without user information that may have a path. */
static int split_url(struct dialer *d, CURLU *u, char **scheme, char **port)
{
    char *user = NULL;
    int err = url_part(u, CURLUPART_USER, CURLUE_NO_USER, &user);

    if (!err && user)
        err = -EINVAL;
    curl_free(user);
    if (!err)
        err = url_part(u, CURLUPART_SCHEME, CURLUE_OK, scheme);
    if (!err)
        err = url_part(u, CURLUPART_HOST, CURLUE_OK, &d->host);
    return err ? err : url_part(u, CURLUPART_PORT, CURLUE_NO_PORT, port);
}

/* scheme://host:port for libcurl, and the Host: value. */
static int take_parts(struct dialer *d, const char *scheme, const char *port)
{
    struct in_addr in;

    d->tls = text_equal_nocase(scheme, "https");
    d->address = d->host[0] == '[' || inet_pton(AF_INET, d->host, &in) == 1;
    if (!d->tls && !text_equal_nocase(scheme, "http"))
        return -EINVAL;
    if (port) {
        char *with_port = curl_maprintf("%s:%s", d->host, port);
        curl_free(d->host);
        d->host = with_port;
    }
    char *base = d->host ? curl_maprintf("%s://%s/", scheme, d->host) : NULL;
    int err = base ? copy_text(&d->url, base) : -ENOMEM;
    curl_free(base);
    return err;
}

static int take_url(struct dialer *d, const char *url)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *port = NULL;

    if (!u)
        return -ENOMEM;
    CURLUcode code = curl_url_set(u, CURLUPART_URL, url, 0);
    int err = code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : code ? -EINVAL : split_url(d, u, &scheme, &port);
    if (!err)
        err = take_parts(d, scheme, port);
    curl_free(scheme);
    curl_free(port);
    curl_url_cleanup(u);
    return err;
}

static int take_opts(struct dialer *d, const struct upstream_opts *opts, char why[256])
{
    int err = take_url(d, opts->url);

    if (err == -EINVAL)
        text_copy(why, 256, "the URL is not http(s)://host[:port] without user information");
    d->kind = opts->kind;
    if (!err)
        err = copy_text(&d->name, opts->name ? opts->name : "-");
    if (!err) {
        d->files = dialer_files_new(opts);
        err = d->files ? 0 : -ENOMEM;
    }
    return err;
}

struct dialer_files *dialer_files_new(const struct upstream_opts *opts)
{
    struct dialer_files *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->connect_timeout_ms = opts->connect_timeout_ms ? (long)opts->connect_timeout_ms : 5000L;
    if (!copy_text(&f->proxy, opts->proxy) && !copy_text(&f->ca_file, opts->ca_file) &&
        !copy_text(&f->certificate, opts->client_certificate) && !copy_text(&f->key, opts->client_key))
        return f;
    dialer_files_free(f);
    return NULL;
}

void dialer_files_free(struct dialer_files *f)
{
    if (!f)
        return;
    free(f->proxy);
    free(f->ca_file);
    free(f->certificate);
    free(f->key);
    free(f);
}

void dialer_reload(struct dialer *d, struct dialer_files *files)
{
    dialer_files_free(d->files);
    d->files = files;
    tls_session_cache_forget(&d->tls_session_cache);
    d->reloaded = true;
    d->reloaded_ms = clock_now(loop_clock(d->loop));
    dialer_doubt(d);
}

static int multi_start(struct dialer *d)
{
    d->multi = curl_multi_init();
    if (!d->multi)
        return -ENOMEM;
    if (timer_reserve(loop_timers(d->loop), &d->timer) ||
        curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
        curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d) ||
        curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
        curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d)) {
        curl_multi_cleanup(d->multi);
        timer_unreserve(loop_timers(d->loop), &d->timer);
        return -ENOMEM;
    }
    return 0;
}

struct dialer *dialer_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    struct dialer *d = calloc(1, sizeof(*d));

    text_copy(why, 256, "out of memory");
    if (!d)
        return NULL;
    d->loop = loop;
    d->single = opts->single;
    if (take_opts(d, opts, why) || multi_start(d)) {
        dialer_free(d);
        return NULL;
    }
    why[0] = '\0';
    return d;
}

void dialer_close(struct dialer *d, void (*closed)(void *arg), void *arg)
{
    d->closing = true;
    d->closed = closed;
    d->arg = arg;
    d->sockets++; /* held here, so that the end comes once and after cleanup */
    timer_unreserve(loop_timers(d->loop), &d->timer);
    curl_multi_cleanup(d->multi);
    if (--d->sockets == 0)
        finish_close(d);
}
