/*
 * audit_source.h - the lines of an audit file, whatever it is kept in: plain or gzip; file, pipe, standard
 * input.
 *
 *   audit_source_open -> audit_source_line ... [-> audit_source_again -> audit_source_line ...] -> close
 *
 * Gzip is known by its first bytes, not by the name; several gzip members one after the other are one text.
 * Text is unpacked as it is read, AUDIT_PIECE_MAX bytes at a time: neither a line without end nor a small
 * file that unpacks to a large one takes more memory. A longer line comes in pieces.
 *
 * All functions block.
 *
 * Not here: what a line says (audit_chain.h).
 */
#ifndef JG_AUDIT_AUDIT_SOURCE_H
#define JG_AUDIT_AUDIT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AUDIT_PIECE_MAX    65536   /* longest piece of a line; a sound line is shorter */
#define AUDIT_SOURCE_AGAIN 1048576 /* bytes of text after which a pipe can still begin again */

struct audit_source;

struct audit_source_id {
    dev_t device;
    ino_t inode;
};

struct audit_piece {
    const char *text; /* valid until the next call; with its line end, where it has one */
    size_t n;
    bool rest; /* goes on in the line that the piece before began */
};

/* "-" = standard input. 0 or -errno (-EISDIR for a directory). */
int audit_source_open(struct audit_source **, const char *name);
void audit_source_close(struct audit_source *); /* NULL is fine */

/* 1 = a piece, 0 = the end, -errno = it cannot be read further. */
int audit_source_line(struct audit_source *, struct audit_piece *);
/* Begins again with the first line. 0, -EOVERFLOW: more was read from a pipe than is kept, or -errno. */
int audit_source_again(struct audit_source *);

bool audit_source_is_file(const struct audit_source *); /* a regular file */
/* Which file it is; two names of one file have the same identity. */
struct audit_source_id audit_source_id(const struct audit_source *);
uint64_t audit_source_bytes(const struct audit_source *); /* read so far, before unpacking */
/* After the end: why the gzip data are not whole; NULL = they are, or it is plain text. */
const char *audit_source_harm(const struct audit_source *);
/* Another form of compression that the first bytes show and that is not unpacked ("xz"); NULL = none. */
const char *audit_source_packed(const struct audit_source *);

#endif
