/*
 * crash_point.h - named places where a test kills the process, as a power failure would end it, or stops it.
 *
 * Crash points exist only in builds with JG_CRASH_POINTS, never in a release. JG_KILL_AT=name ends the
 * process with SIGKILL at the crash point of that name, JG_KILL_AT=name:3 at its third pass. JG_STOP_AT stops
 * it in the same way with SIGSTOP, once: a test lets it go on with SIGCONT. JG_KILL_LIST=1 prints the name of
 * each crash point to stderr at its first pass, so that a test can enumerate all of them.
 */
#ifndef JG_BASE_CRASH_POINT_H
#define JG_BASE_CRASH_POINT_H

#ifdef JG_CRASH_POINTS
void crash_point(const char *name);
#else
#define crash_point(name) ((void)0)
#endif

#endif
