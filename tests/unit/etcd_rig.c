/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_rig.c - see the header. Requests are read by their Content-Length, which the upstream always sends;
 * etcd is asked in HTTP/1.0, so that its answer ends with the connection.
 */
#include "etcd_rig.h"

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATE_US 60000
#define FULL    "{\"message\":\"etcdserver: mvcc: database space exceeded\"}"

/* ---- sockets ---- */

/* 0 = at any port. */
static int listen_at(int *port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)*port)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(listen(fd, 64), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int connect_to(int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t out = send(fd, bytes, n, MSG_NOSIGNAL);

        if (out <= 0)
            return false;
        bytes += out;
        n -= (size_t)out;
    }
    return true;
}

/* Everything up to the end, NUL-terminated. */
static char *read_all(int fd, size_t *len)
{
    size_t cap = 1 << 16;
    char *all = malloc(cap);
    ssize_t n;

    assert_non_null(all);
    *len = 0;
    while ((n = recv(fd, all + *len, cap - *len - 1, 0)) > 0) {
        *len += (size_t)n;
        if (*len + 1 < cap)
            continue;
        cap *= 2;
        char *larger = realloc(all, cap);

        assert_non_null(larger);
        all = larger;
    }
    all[*len] = '\0';
    return all;
}

/* NULL = etcd is not there. */
static char *ask_etcd(int port, const char *path, const char *body, size_t n, size_t *len)
{
    char head[512];
    int fd = connect_to(port);

    if (fd < 0)
        return NULL;
    (void)snprintf(head, sizeof head,
                   "POST %s HTTP/1.0\r\nGrpc-Metadata-hasleader: true\r\nContent-Length: %zu\r\n\r\n", path,
                   n);
    bool sent = send_all(fd, head, strlen(head)) && send_all(fd, body, n);
    char *answer = sent ? read_all(fd, len) : NULL;

    (void)close(fd);
    return answer;
}

char *etcd_rig_ask(const struct etcd_rig *rig, const char *path, const char *body)
{
    size_t len;

    return ask_etcd(rig->port, path, body, strlen(body), &len);
}

/* ---- etcd ---- */

static bool is_installed(void)
{
    return system("command -v etcd >/dev/null 2>&1") == 0;
}

static void run_etcd(const struct etcd_rig *rig)
{
    char peer[64], cluster[80];
    int log = open("/dev/null", O_WRONLY);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(peer, sizeof peer, "http://127.0.0.1:%d", rig->peer_port);
    (void)snprintf(cluster, sizeof cluster, "a=%s", peer);
    (void)dup2(log, 1);
    (void)dup2(log, 2);
    (void)execlp("etcd", "etcd", "--name", "a", "--data-dir", rig->dir, "--listen-client-urls", rig->url,
                 "--advertise-client-urls", rig->url, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, (char *)NULL);
    _exit(127);
}

static bool answers(const struct etcd_rig *rig)
{
    char *answer = etcd_rig_ask(rig, "/v3/kv/range", "{\"key\":\"eA==\"}");
    bool good = answer && (strstr(answer, "\"revision\"") || strstr(answer, "user name is empty"));

    free(answer);
    return good;
}

void etcd_rig_restart(struct etcd_rig *rig)
{
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid == 0)
        run_etcd(rig);
    for (int i = 0; i < 600 && !answers(rig); i++)
        usleep(50000);
    assert_true(answers(rig));
}

bool etcd_rig_start(struct etcd_rig *rig)
{
    if (!is_installed()) {
        assert_null(getenv("CI")); /* scripts/install-dependencies installs it */
        print_message("skipped: etcd is not installed\n");
        return false;
    }
    rig->port = rig->peer_port = 0;
    (void)close(listen_at(&rig->port));
    (void)close(listen_at(&rig->peer_port));
    (void)snprintf(rig->url, sizeof rig->url, "http://127.0.0.1:%d", rig->port);
    (void)snprintf(rig->dir, sizeof rig->dir, "%s/jumpgate-etcd-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    etcd_rig_restart(rig);
    return true;
}

void etcd_rig_kill(struct etcd_rig *rig)
{
    (void)kill(rig->pid, SIGKILL);
    (void)waitpid(rig->pid, NULL, 0);
}

void etcd_rig_end(struct etcd_rig *rig)
{
    char command[96];

    etcd_rig_kill(rig);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", rig->dir);
    assert_int_equal(system(command), 0);
}

static void base64(char *to, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16 |
                        (i + 1 < n ? (unsigned)(unsigned char)text[i + 1] << 8 : 0) |
                        (i + 2 < n ? (unsigned)(unsigned char)text[i + 2] : 0);

        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < n ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < n ? digits[bits & 63] : '=';
    }
    *to = '\0';
}

void etcd_rig_delete(const struct etcd_rig *rig, const char *from, const char *to)
{
    char first[128], last[128], body[320];

    base64(first, from);
    base64(last, to);
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\",\"range_end\":\"%s\"}", first, last);
    char *answer = etcd_rig_ask(rig, "/v3/kv/deleterange", body);

    assert_non_null(answer);
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
}

/* ---- the proxy ---- */

struct etcd_proxy {
    int fd, port, own_port; /* `port` is etcd's */
    atomic_bool ending;
    pthread_t acceptor;
    pthread_mutex_t lock;
    atomic_int threads;
    enum etcd_fault (*fault)(void *arg, const char *path);
    void *arg;
};

struct proxied { /* one request */
    struct etcd_proxy *proxy;
    int fd;
    char path[128];
    char *body;
    size_t len;
};

/* Head and body of one request. False = there is none. */
static bool read_request(struct proxied *p)
{
    size_t cap = 4u << 20, have = 0, head = 0, want = SIZE_MAX;
    char *all = malloc(cap);
    const char *end, *length;
    ssize_t n;

    assert_non_null(all);
    while (have < want && (n = recv(p->fd, all + have, cap - have - 1, 0)) > 0) {
        have += (size_t)n;
        all[have] = '\0';
        if (want != SIZE_MAX || !(end = strstr(all, "\r\n\r\n")))
            continue;
        head = (size_t)(end - all) + 4;
        length = strstr(all, "Content-Length: ");
        want = head + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
    }
    bool whole = have >= want && sscanf(all, "POST %127s ", p->path) == 1;

    p->len = whole ? have - head : 0;
    p->body = malloc(p->len + 1);
    assert_non_null(p->body);
    memcpy(p->body, all + head, p->len);
    free(all);
    return whole;
}

static void answer_text(const struct proxied *p, const char *status, const char *body)
{
    char text[240];

    (void)snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                   status, strlen(body), body);
    (void)send_all(p->fd, text, strlen(text));
}

/* etcd's answer, of which the client gets one in `part`; 0 = nothing. */
static void pass_on(const struct proxied *p, unsigned part)
{
    size_t len;
    char *answer = ask_etcd(p->proxy->port, p->path, p->body, p->len, &len);

    if (answer && part)
        (void)send_all(p->fd, answer, len / part);
    free(answer);
}

static void hang_up(struct proxied *p)
{
    (void)shutdown(p->fd, SHUT_RDWR);
}

static void act(struct proxied *p, enum etcd_fault fault)
{
    switch (fault) {
    case FAULT_AFTER: pass_on(p, 0); break;
    case FAULT_CUT: pass_on(p, 2); break;
    case FAULT_LATE:
        hang_up(p);
        usleep(LATE_US);
        pass_on(p, 0);
        break;
    case FAULT_TWICE: pass_on(p, 0), pass_on(p, 1); break;
    case FAULT_401: answer_text(p, "401 Unauthorized", "{}"); break;
    case FAULT_503: answer_text(p, "503 Service Unavailable", "{}"); break;
    case FAULT_503_AFTER: pass_on(p, 0), answer_text(p, "503 Service Unavailable", "{}"); break;
    case FAULT_FULL: pass_on(p, 0), answer_text(p, "429 Too Many Requests", FULL); break;
    case SIGNED_IN: answer_text(p, "200 OK", "{\"token\":\"abc.1\"}"); break;
    case FAULT_NONE: pass_on(p, 1); break;
    default: break;
    }
}

static void *serve(void *arg)
{
    struct proxied *p = arg;
    struct etcd_proxy *proxy = p->proxy;

    if (read_request(p)) {
        (void)pthread_mutex_lock(&proxy->lock);
        enum etcd_fault fault = proxy->fault(proxy->arg, p->path);

        (void)pthread_mutex_unlock(&proxy->lock);
        act(p, fault);
    }
    hang_up(p);
    (void)close(p->fd);
    free(p->body);
    free(p);
    proxy->threads--;
    return NULL;
}

static void *accept_all(void *arg)
{
    struct etcd_proxy *proxy = arg;
    int fd;

    while ((fd = accept(proxy->fd, NULL, NULL)) >= 0 && !proxy->ending) {
        struct proxied *p = calloc(1, sizeof *p);
        pthread_t thread;

        assert_non_null(p);
        p->proxy = proxy;
        p->fd = fd;
        proxy->threads++;
        assert_int_equal(pthread_create(&thread, NULL, serve, p), 0);
        (void)pthread_detach(thread);
    }
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

struct etcd_proxy *etcd_proxy_start(const struct etcd_rig *rig,
                                    enum etcd_fault (*fault)(void *arg, const char *path), void *arg,
                                    char url[64])
{
    struct etcd_proxy *proxy = calloc(1, sizeof *proxy);

    assert_non_null(proxy);
    proxy->port = rig->port;
    proxy->fault = fault;
    proxy->arg = arg;
    assert_int_equal(pthread_mutex_init(&proxy->lock, NULL), 0);
    etcd_proxy_listen(proxy);
    (void)snprintf(url, 64, "http://127.0.0.1:%d", proxy->own_port);
    return proxy;
}

void etcd_proxy_listen(struct etcd_proxy *proxy)
{
    proxy->ending = false;
    proxy->fd = listen_at(&proxy->own_port);
    assert_int_equal(pthread_create(&proxy->acceptor, NULL, accept_all, proxy), 0);
}

void etcd_proxy_refuse(struct etcd_proxy *proxy)
{
    proxy->ending = true;
    (void)shutdown(proxy->fd, SHUT_RDWR);
    (void)pthread_join(proxy->acceptor, NULL);
    while (proxy->threads)
        usleep(1000);
    (void)close(proxy->fd);
}

void etcd_proxy_end(struct etcd_proxy *proxy)
{
    etcd_proxy_refuse(proxy);
    (void)pthread_mutex_destroy(&proxy->lock);
    free(proxy);
}
