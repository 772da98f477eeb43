/*
 * tls_tickets.h - the keys of session tickets: replaced every period, wiped when their time is over.
 *
 * A ticket lets a client resume a session without a full handshake, and holds the results of the handshake,
 * the client's certificate among them. The key reads and forges tickets, so keys are in secret memory. Each
 * tls_tickets_rotate() makes a new key; the key before still opens tickets for one period, and the key before
 * that is wiped. Keys belong to one TLS context: a new context, with another CA or revocation list, accepts
 * no ticket of the old one.
 */
#ifndef JG_LOOP_SERVER_TLS_TICKETS_H
#define JG_LOOP_SERVER_TLS_TICKETS_H

#include <openssl/ssl.h>

#define TLS_TICKETS_PERIOD_S 3600

struct tls_tickets;

/* NULL when out of memory or random numbers. */
struct tls_tickets *tls_tickets_new(SSL_CTX *); /* installs itself as the context's ticket keys */
void tls_tickets_free(struct tls_tickets *);    /* after the last connection; NULL is fine */
/* Without random numbers the keys stay as they are: -EIO. */
int tls_tickets_rotate(struct tls_tickets *);

#endif
