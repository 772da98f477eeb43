/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_peer.c - who is at the other end of the control socket, for the audit records.
 *
 * Only the gateway's own user and root may use that socket (clients.h). Their two names are looked up once,
 * at the start: a look-up may wait for a directory, and the sandbox of a running gateway keeps some kinds of
 * look-up out. A uid without a name has none in the records either.
 */
#include "base/text.h"
#include "handlers/clients.h"
#include "handlers/gateway.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

static void name_user(uid_t uid, char out[CONTROL_NAME_SIZE])
{
    const struct passwd *row = getpwuid(uid);

    if (!row || !text_copy(out, CONTROL_NAME_SIZE, row->pw_name))
        *out = '\0';
}

void control_peers_init(struct control_peers *peers)
{
    name_user(geteuid(), peers->own);
    name_user(0, peers->root);
}

void control_peer_set(const struct control_peers *peers, const struct http_peer *peer, struct session *s)
{
    if (!peer->is_unix || strcmp(peer->listener, CONTROL_LISTENER) != 0)
        return;
    s->has_peer = true;
    s->peer_uid = peer->uid;
    s->peer_user = peer->uid == geteuid() ? peers->own : peer->uid == 0 ? peers->root : NULL;
}
