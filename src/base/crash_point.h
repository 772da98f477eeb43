/*
 * crash_point.h - named places where a test can end the process as if the power had failed.
 *
 * Only in builds with JG_CRASH_POINTS (never in a release): JG_KILL_AT=name ends the process with SIGKILL at
 * the place of that name, JG_KILL_AT=name:3 the third time it passes there. JG_KILL_LIST=1 prints each name
 * to stderr the first time it is passed, so that a test can enumerate them and leave none out.
 */
#ifndef JG_BASE_CRASH_POINT_H
#define JG_BASE_CRASH_POINT_H

#ifdef JG_CRASH_POINTS
void crash_point(const char *name);
#else
#define crash_point(name) ((void)0)
#endif

#endif
