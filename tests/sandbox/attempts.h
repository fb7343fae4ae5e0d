/* SPDX-License-Identifier: MIT */
/* Actions that rapl-execd never takes, and that its sandbox must prevent. */
#ifndef RAPL_TEST_ATTEMPTS_H
#define RAPL_TEST_ATTEMPTS_H

/*
 * Tries each action and prints its result on stderr: "D! try STAGE NAME ERRNO", with 0 for success.
 * Files are those that the test made in TRY_FOLDER/STAGE (TRY_FOLDER: environment). apart: tries
 * each in a child process, so that success has no consequences.
 */
void attempts_make(const char *stage, int apart);

#endif
