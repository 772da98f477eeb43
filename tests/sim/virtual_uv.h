/*
 * virtual_uv.h - libuv as far as src/loop/ uses it, without a kernel: the program defines these functions, so
 * the linker takes them instead of the library's.
 *
 * A loop has handles and virtual sockets. No time passes in it and nothing blocks: the owner of the world
 * calls loop_iterate() while virtual_uv_pending() says that there is something to do. A socket belongs to the
 * client's side; what it gets is read by the loop in its next iteration, and what the gateway writes comes to
 * sent() at once.
 */
#ifndef JG_TESTS_SIM_VIRTUAL_UV_H
#define JG_TESTS_SIM_VIRTUAL_UV_H

#include "base/buf.h"

#include <uv.h>

struct virtual_socket {
    int fd;         /* set by virtual_uv_offer() */
    struct buf in;  /* what has arrived and is not read */
    bool eof, lost; /* after that: the end, or a reset */
    void (*sent)(struct virtual_socket *, const char *bytes, size_t n);
    void (*closed)(struct virtual_socket *, bool reset); /* by the gateway */
    /* private */
    uv_stream_t *stream; /* the gateway's end; NULL = it is closed or was never opened */
    bool reading;
};

/* The socket has a descriptor from now on, which uv_tcp_open() takes. */
void virtual_uv_offer(uv_loop_t *, struct virtual_socket *);
/* The client's side is gone: nothing is called any more. */
void virtual_uv_forget(uv_loop_t *, struct virtual_socket *);
/* Would an iteration of this loop do anything? */
bool virtual_uv_pending(const uv_loop_t *);

#endif
