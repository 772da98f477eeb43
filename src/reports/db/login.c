/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login.c - a connection string that is shared and may be replaced; see login.h.
 */
#include "reports/db/login.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct db_login {
    pthread_mutex_t mutex; /* of both below */
    unsigned references;
    char *text;
};

void db_login_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

struct db_login *db_login_new(const char *connect)
{
    struct db_login *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->references = 1;
    l->text = strdup(connect);
    if (l->text && !pthread_mutex_init(&l->mutex, NULL))
        return l;
    db_login_wipe(l->text);
    free(l);
    return NULL;
}

struct db_login *db_login_ref(struct db_login *l)
{
    if (!l)
        return NULL;
    (void)pthread_mutex_lock(&l->mutex);
    l->references++;
    (void)pthread_mutex_unlock(&l->mutex);
    return l;
}

void db_login_unref(struct db_login *l)
{
    if (!l)
        return;
    (void)pthread_mutex_lock(&l->mutex);
    unsigned left = --l->references;
    (void)pthread_mutex_unlock(&l->mutex);
    if (left)
        return;
    (void)pthread_mutex_destroy(&l->mutex);
    db_login_wipe(l->text);
    free(l);
}

void db_login_renew(struct db_login *l, char *connect)
{
    (void)pthread_mutex_lock(&l->mutex);
    char *old = l->text;
    l->text = connect;
    (void)pthread_mutex_unlock(&l->mutex);
    db_login_wipe(old);
}

char *db_login_text(struct db_login *l)
{
    (void)pthread_mutex_lock(&l->mutex);
    char *text = strdup(l->text);
    (void)pthread_mutex_unlock(&l->mutex);
    return text;
}
