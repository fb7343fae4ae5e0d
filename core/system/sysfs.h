/* SPDX-License-Identifier: MIT */
/* Small files of the kernel, opened below a root and parsed strictly. */
#ifndef RAPL_SYSFS_H
#define RAPL_SYSFS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More than any number or name that the kernel prints. */
#define SYSFS_TEXT_SIZE 128

/* What the kernel's names of zones and events are made of. */
#define SYSFS_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* Whether an errno tells that process or machine ran short, and nothing of the file: it passes. */
static inline bool sysfs_ran_short(int error) {
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Opens the folder that holds sys, proc and dev. Returns a descriptor or a negative errno. */
int sysfs_open_root(const char *root);

/* Opens a regular file for reading, never outside of the root, or of any other folder in its place.
 * What is of another kind is not opened: that alone can do something. Descriptor or negative errno.
 */
int sysfs_open(int root, const char *path);

struct rapl_privilege;
/* The same; where that is not allowed, once more with the privilege (struct rapl_privilege). */
int sysfs_open_privileged(int root, const char *path, const struct rapl_privilege *privilege);

/* The same for a character device; simulated machines have regular files in their place. The kernel
 * refuses devices with EPERM, too: where CAP_SYS_RAWIO is missing (msr_open, msr.c). */
int sysfs_open_device(int root, const char *path, const struct rapl_privilege *privilege);

/* sysfs_open for a folder. */
int sysfs_open_folder(int root, const char *path);

/* The folder that this one lies in; -EXDEV where this is the root. */
int sysfs_open_outer(int root, int folder);

/* pread(2), tried again where a signal interrupts it, though not for ever. The length or a negative
 * errno. */
ssize_t sysfs_read_at(int file, void *bytes, size_t size, off_t offset);

/* Reads at offset 0 (sysfs computes the value anew at each such read) into text, NUL-terminated.
 * Returns the length or a negative errno. */
int sysfs_read(int file, char *text, size_t size);

/* Parses digits, at most one newline and NUL padding: nothing else is a number of the kernel's. */
int sysfs_parse_number(const char *text, size_t length, uint64_t *number);

/* sysfs_read and sysfs_parse_number. */
int sysfs_read_number(int file, uint64_t *number);

/* Open, read, close: a number, and one line of text without its newline. */
int sysfs_load_number(int root, const char *path, uint64_t *number);
int sysfs_load_line(int root, const char *path, char *line, size_t size);

/* The same, opened by sysfs_open_privileged(). */
int sysfs_load_number_privileged(int root, const char *path, const struct rapl_privilege *privilege,
                                 uint64_t *number);
int sysfs_load_line_privileged(int root, const char *path, const struct rapl_privilege *privilege,
                               char *line, size_t size);

#endif
