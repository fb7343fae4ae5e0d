/* SPDX-License-Identifier: MIT */
/* Things that a program of ours never does, and that its lock is to keep it from. */
#ifndef RAPL_TEST_ATTEMPTS_H
#define RAPL_TEST_ATTEMPTS_H

/*
 * Tries each thing and tells how it ended, on stderr: "D! try STAGE NAME ERRNO", 0 if it was
 * done. Files are those of TRY_FOLDER/STAGE of the environment, as the
 * test made them. apart: in a child each, so that what succeeds has no consequences.
 */
void attempts_make(const char *stage, int apart);

#endif
