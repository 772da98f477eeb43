/*
 * virtual_libc.h - the C library's calls on files and clocks as the gateway makes them, on the disk and the
 * clock of a world.
 *
 * The linker gives the program's calls to these functions (-Wl,--wrap, CMakeLists.txt); shared libraries call
 * the C library's as ever. A path below VDISK_ROOT and a descriptor that it gave go to the world's disk, all
 * others to the kernel.
 */
#ifndef JG_TESTS_SIM_VIRTUAL_LIBC_H
#define JG_TESTS_SIM_VIRTUAL_LIBC_H

#include "vdisk.h"

#include "base/clock.h"

/* From now on there is this disk and this time; NULL for both: those of the machine. */
void virtual_libc_use(struct vdisk *, const struct clock *);

#endif
