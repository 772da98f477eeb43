/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts.c - what setup writes in words: configuration, drop-in of the unit, the next steps; see
 * setup.h.
 *
 * The configuration has only what was answered, each section with a line that says what it is. Secrets are
 * files of root's: systemd passes them as credentials, and the drop-in has one line for each.
 */
#include "commands/setup/setup.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

#define FIRST_FREE_PORT 1024

/* The secrets of the gateway: their file, which is also the credential's name. */
static const struct secret_row {
    enum setup_key key;
    const char *file, *shown;
} secrets[] = {
    {SETUP_API_KEY, "api-key", "API key"},
    {SETUP_OAUTH_SECRET, "oauth-secret", "OAuth client secret"},
    {SETUP_PRA_SECRET, "pra-secret", "client secret of the PRA site"},
};
#define NSECRETS (sizeof(secrets) / sizeof(secrets[0]))

static const char *port_of(const struct setup *s)
{
    const char *colon = strrchr(setup_answer(s, SETUP_LISTEN), ':');

    return colon ? colon + 1 : "";
}

/* ---- configuration ---- */

static void write_listener(const struct setup *s, struct buf *out)
{
    const char *root = s->root;

    buf_printf(out, "\n; Where clients connect.\n[listener broker]\naddress = %s\n",
               setup_answer(s, SETUP_LISTEN));
    if (setup_is_unix(s)) {
        buf_str(out, "unix_mode = 0660\n");
        if (setup_has_group(s))
            buf_str(out, "unix_group = jumpgate-clients   ; its members may open the socket\n");
        return;
    }
    buf_printf(
        out,
        "tls_certificate = %s/etc/jumpgate/tls/server.pem\ntls_key = $CREDENTIALS_DIRECTORY/server.key\n",
        root);
    if (setup_is(s, SETUP_CLIENT_BY, "certificate"))
        buf_printf(out, "client_ca = %s/etc/jumpgate/tls/ca.pem   ; only clients with a certificate of it\n",
                   root);
}

static void write_client(const struct setup *s, struct buf *out)
{
    const char *name = setup_answer(s, SETUP_CLIENT);

    buf_printf(out, "\n; Who may call.\n[client %s]\n", name);
    if (setup_is(s, SETUP_CLIENT_BY, "uid"))
        buf_printf(out, "peer_uid = %s\n", setup_answer(s, SETUP_CLIENT_UID));
    else if (setup_is(s, SETUP_CLIENT_BY, "certificate"))
        buf_printf(out, "certificate_san = URI:urn:jumpgate:client:%s\n", name);
    else
        buf_printf(out, "token_sha256 = %s   ; of secrets/client-%s.token\n", s->token_sha256, name);
    buf_str(out, "allow = broker\n");
}

static void write_vault(const struct setup *s, struct buf *out)
{
    buf_printf(
        out,
        "\n; The Password Safe that has the credentials.\n[vault safe]\ntype = password_safe\nurl = %s\n",
        setup_answer(s, SETUP_VAULT_URL));
    if (*setup_answer(s, SETUP_VAULT_CA))
        buf_printf(out, "ca_file = %s/etc/jumpgate/tls/vault-ca.pem\n", s->root);
    if (setup_is(s, SETUP_SIGN_IN, "api-key"))
        buf_str(out, "api_key_file = $CREDENTIALS_DIRECTORY/api-key\n");
    else
        buf_printf(out,
                   "oauth_client_id = %s\noauth_client_secret_file = $CREDENTIALS_DIRECTORY/oauth-secret\n"
                   "oauth_shared_identity = yes   ; every PRA user acts as that one user\n",
                   setup_answer(s, SETUP_OAUTH_ID));
}

static void write_site(const struct setup *s, struct buf *out)
{
    if (!*setup_answer(s, SETUP_PRA_URL))
        return;
    buf_printf(out,
               "\n; The PRA site: a lease ends with its session.\n[pra site]\nurl = %s\nclient_id = %s\n",
               setup_answer(s, SETUP_PRA_URL), setup_answer(s, SETUP_PRA_ID));
    buf_str(out, "client_secret_file = $CREDENTIALS_DIRECTORY/pra-secret\n");
    if (*setup_answer(s, SETUP_PRA_CA))
        buf_printf(out, "ca_file = %s/etc/jumpgate/tls/pra-ca.pem\n", s->root);
}

static int add_configuration(struct setup *s)
{
    struct buf out = BUF_INIT(SETUP_TEXT_MAX);
    struct setup_file *f;

    buf_str(&out, "; Written by `jumpgate setup`. `jumpgate config --defaults` has every key there is;\n"
                  "; `jumpgate check` names all mistakes at once.\n\n[gateway]\n");
    buf_printf(&out, "release_duration = %s   ; how long a lease lasts when the caller names no duration\n",
               setup_answer(s, SETUP_DURATION));
    if (*s->root)
        buf_printf(&out, "state_dir = %s/var/lib/jumpgate\n", s->root);
    write_listener(s, &out);
    write_client(s, &out);
    write_vault(s, &out);
    write_site(s, &out);
    f = setup_add(s, 0640, &out, "/etc/jumpgate/jumpgate.conf");
    buf_free(&out);
    if (!f)
        return -ENOMEM;
    f->to_gateway = true;
    f->replaces = true;
    return 0;
}

/* ---- secrets ---- */

static int add_secret(struct setup *s, const struct secret *value, const char *file, const char *shown,
                      bool to_unit)
{
    struct buf data = BUF_SECRET(SECRET_LINE_MAX + 2);
    struct setup_file *f = NULL;

    buf_append(&data, value->p, value->len);
    buf_char(&data, '\n');
    f = setup_add(s, 0600, &data, "/etc/jumpgate/secrets/%s", file);
    if (f) {
        f->secret = shown;
        f->to_unit = to_unit;
    }
    buf_free(&data);
    return f ? 0 : -ENOMEM;
}

static int add_secrets(struct setup *s)
{
    char file[96];
    int err = 0;

    for (size_t i = 0; i < NSECRETS && !err; i++)
        if (s->secrets[secrets[i].key].p)
            err = add_secret(s, &s->secrets[secrets[i].key], secrets[i].file, secrets[i].shown, true);
    if (err || !s->token.p)
        return err;
    (void)snprintf(file, sizeof(file), "client-%s.token", setup_answer(s, SETUP_CLIENT));
    return add_secret(s, &s->token, file, "token of the client", false);
}

/* ---- the unit ---- */

/* The empty line takes back what the unit itself names. */
static int add_drop_in(struct setup *s)
{
    struct buf out = BUF_INIT(SETUP_TEXT_MAX);
    int64_t port = 0;
    struct setup_file *f;

    buf_str(
        &out,
        "# Written by `jumpgate setup`: the secrets that jumpgate.conf names.\n[Service]\nLoadCredential=\n");
    for (size_t i = 0; i < NSECRETS; i++)
        if (s->secrets[secrets[i].key].p)
            buf_printf(&out, "LoadCredential=%s:%s/etc/jumpgate/secrets/%s\n", secrets[i].file, s->root,
                       secrets[i].file);
    if (!setup_is_unix(s))
        buf_printf(&out, "LoadCredential=server.key:%s/etc/jumpgate/secrets/server.key\n", s->root);
    if (!setup_is_unix(s) && text_int(port_of(s), 1, FIRST_FREE_PORT - 1, &port))
        buf_str(&out, "# The listener's port is one of root's.\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"
                      "AmbientCapabilities=CAP_NET_BIND_SERVICE\n");
    f = setup_add(s, 0644, &out, "/etc/systemd/system/jumpgate.service.d/10-setup.conf");
    buf_free(&out);
    return f ? 0 : -ENOMEM;
}

int setup_texts(struct setup *s)
{
    int err = add_secrets(s);

    if (!err)
        err = add_configuration(s);
    return err ? err : add_drop_in(s);
}

/* ---- what is next ---- */

static void say_client(const struct setup *s, FILE *out)
{
    const char *client = setup_answer(s, SETUP_CLIENT), *names = setup_answer(s, SETUP_SERVER_NAMES);

    names += strspn(names, " ,");
    if (setup_is_unix(s))
        fprintf(out, "    address      %s\n", setup_answer(s, SETUP_LISTEN));
    else if (memchr(names, ':', strcspn(names, " ,")))
        fprintf(out, "    address      https://[%.*s]:%s\n", (int)strcspn(names, " ,"), names, port_of(s));
    else
        fprintf(out, "    address      https://%.*s:%s\n", (int)strcspn(names, " ,"), names, port_of(s));
    if (setup_is(s, SETUP_CLIENT_BY, "uid"))
        fprintf(out, "    known by     its user, uid %s\n", setup_answer(s, SETUP_CLIENT_UID));
    else if (setup_is(s, SETUP_CLIENT_BY, "certificate"))
        fprintf(out, "    certificate  %s/etc/jumpgate/tls/client-%s.pem, its key secrets/client-%s.key\n",
                s->root, client, client);
    else
        fprintf(out, "    token file   %s/etc/jumpgate/secrets/client-%s.token\n", s->root, client);
    if (!setup_is_unix(s) && setup_is(s, SETUP_CERTIFICATE, "own-ca"))
        fprintf(out, "    authority    %s/etc/jumpgate/tls/ca.pem\n", s->root);
}

void setup_say_next(const struct setup *s, FILE *out)
{
    fprintf(out, "\nThe client `%s` needs:\n", setup_answer(s, SETUP_CLIENT));
    say_client(s, out);
    if (setup_is_unix(s) && setup_has_group(s))
        fputs("    and its user in the group jumpgate-clients: usermod -aG jumpgate-clients USER\n", out);
    if (setup_is(s, SETUP_CERTIFICATE, "request"))
        fprintf(out,
                "\nHave %s/etc/jumpgate/tls/server.csr signed, and put the certificate and its chain in "
                "place of\n"
                "tls/server.pem, which is signed by its own key until then. A reload takes it.\n",
                s->root);
    if (*s->root)
        fprintf(out,
                "\nStart it:\n    CREDENTIALS_DIRECTORY=%s/etc/jumpgate/secrets \\\n"
                "        jumpgate run -c %s/etc/jumpgate/jumpgate.conf\n",
                s->root, s->root);
    else
        fputs("\nStart it:\n    systemctl daemon-reload\n    systemctl enable --now jumpgate\n", out);
}
