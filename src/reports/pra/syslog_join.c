/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog_join.c - segments of a message, joined; see syslog_join.h.
 *
 * Messages that are not whole are few at a time: one for each process that writes. They are kept in a list,
 * the newest first; the oldest goes when there are too many, or too many bytes. A segment that is there
 * already begins the message again.
 */
#include "reports/pra/syslog_join.h"

#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#define MESSAGES_MAX 256
#define BYTES_MAX    (4u << 20)
#define MESSAGE_MAX  (1u << 20)

struct message {
    TAILQ_ENTRY(message) link;
    struct buf key, head;
    unsigned total, here;
    struct buf segments[SYSLOG_SEGMENTS_MAX]; /* by number; max 0 = it has not come */
    size_t bytes;
};

struct syslog_joins {
    TAILQ_HEAD(messages, message) messages;
    size_t n, bytes;
    uint64_t given_up;
    struct buf head, payload; /* of the one that is whole */
};

struct syslog_joins *syslog_joins_new(void)
{
    struct syslog_joins *j = calloc(1, sizeof(*j));

    if (j)
        TAILQ_INIT(&j->messages);
    return j;
}

static void drop(struct syslog_joins *j, struct message *m)
{
    TAILQ_REMOVE(&j->messages, m, link);
    j->n--;
    j->bytes -= m->bytes;
    for (unsigned i = 0; i < m->total; i++)
        buf_free(&m->segments[i]);
    buf_free(&m->key);
    buf_free(&m->head);
    free(m);
}

void syslog_joins_free(struct syslog_joins *j)
{
    struct message *m;

    if (!j)
        return;
    while ((m = TAILQ_FIRST(&j->messages)))
        drop(j, m);
    buf_free(&j->head);
    buf_free(&j->payload);
    free(j);
}

static struct message *find(struct syslog_joins *j, const struct syslog_segment *s)
{
    struct message *m;

    TAILQ_FOREACH(m, &j->messages, link)
    {
        if (m->key.len == s->key_len && !memcmp(m->key.data, s->key, s->key_len))
            return m;
    }
    return NULL;
}

static void give_up(struct syslog_joins *j, struct message *m)
{
    j->given_up++;
    drop(j, m);
}

static struct message *begin(struct syslog_joins *j, const struct syslog_segment *s)
{
    struct message *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->total = s->total;
    m->key = BUF_INIT(MESSAGE_MAX);
    m->head = BUF_INIT(MESSAGE_MAX);
    TAILQ_INSERT_HEAD(&j->messages, m, link);
    j->n++;
    if (buf_append(&m->key, s->key, s->key_len)) {
        drop(j, m);
        return NULL;
    }
    while (j->n > MESSAGES_MAX)
        give_up(j, TAILQ_LAST(&j->messages, messages));
    return m;
}

/* Puts the segment in its place. */
static int put(struct syslog_joins *j, struct message *m, const struct syslog_segment *s)
{
    struct buf *at = &m->segments[s->number - 1];

    *at = BUF_INIT(MESSAGE_MAX);
    if ((!m->here || s->number == 1) && (buf_clear(&m->head), buf_append(&m->head, s->head, s->head_len)))
        return -ENOMEM;
    if (buf_append(at, s->payload, s->len))
        return -ENOMEM;
    m->here++;
    m->bytes += s->len;
    j->bytes += s->len;
    return 0;
}

static int join(struct syslog_joins *j, struct message *m)
{
    int err;

    buf_free(&j->head);
    buf_free(&j->payload);
    j->head = BUF_INIT(MESSAGE_MAX);
    j->payload = BUF_INIT(BYTES_MAX * 2);
    err = buf_append(&j->head, m->head.data, m->head.len);
    for (unsigned i = 0; i < m->total && !err; i++)
        err = buf_append(&j->payload, m->segments[i].data, m->segments[i].len);
    drop(j, m);
    return err ? -ENOMEM : 1;
}

int syslog_join(struct syslog_joins *j, const struct syslog_segment *s, const char **head, size_t *head_len,
                const char **payload, size_t *len)
{
    struct message *m = find(j, s);
    int err;

    if (m && (m->total != s->total || m->segments[s->number - 1].max)) {
        give_up(j, m);
        m = NULL;
    }
    if (!m)
        m = begin(j, s);
    if (!m)
        return -ENOMEM;
    err = put(j, m, s);
    if (err)
        return err;
    if (m->here < m->total) {
        while (j->bytes > BYTES_MAX)
            give_up(j, TAILQ_LAST(&j->messages, messages));
        return 0;
    }
    err = join(j, m);
    *head = j->head.data;
    *head_len = j->head.len;
    *payload = j->payload.data;
    *len = j->payload.len;
    return err;
}

uint64_t syslog_joins_left(const struct syslog_joins *j)
{
    return j->given_up + j->n;
}
