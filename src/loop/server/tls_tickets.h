/*
 * tls_tickets.h - the keys of session tickets: ours, replaced by the clock, wiped when their time is over.
 *
 * A ticket lets a client resume a session without a full handshake, and holds what the handshake found out,
 * its certificate among it. Whoever has the key can read and forge tickets, so keys live in secret memory, a
 * new one takes over with each tls_tickets_rotate(), the one before still opens tickets for one more period,
 * and the one before that is wiped. Keys belong to one TLS context: a new context, with another CA or
 * revocation list, honours no ticket of the old one.
 */
#ifndef JG_LOOP_SERVER_TLS_TICKETS_H
#define JG_LOOP_SERVER_TLS_TICKETS_H

#include <openssl/ssl.h>

#define TLS_TICKETS_PERIOD_S 3600

struct tls_tickets;

/* NULL when out of memory or random numbers. */
struct tls_tickets *tls_tickets_new(SSL_CTX *); /* sets itself as the context's keeper of keys */
void tls_tickets_free(struct tls_tickets *);    /* after the last connection; NULL is fine */
/* Without random numbers the keys stay as they are: -EIO. */
int tls_tickets_rotate(struct tls_tickets *);

#endif
