/* SPDX-License-Identifier: MIT */
/* Opens small kernel files below a root and parses them strictly. */
#ifndef RAPL_SYSFS_H
#define RAPL_SYSFS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Longer than any number or name that the kernel prints. */
#define SYSFS_TEXT_SIZE 128

/* Characters that the kernel uses in names of zones and events. */
#define SYSFS_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* Whether an errno means that the process or the machine ran short of memory or descriptors: that
 * is temporary and says nothing about the file. */
static inline bool sysfs_ran_short(int error) {
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Opens the folder that holds sys, proc and dev. Returns a descriptor or a negative errno. */
int sysfs_open_root(const char *root);

/* Opens a regular file for reading. The path never leaves root, which may be any folder. Other
 * kinds of files are refused before they are opened, because opening can have effects. Returns a
 * descriptor or a negative error. */
int sysfs_open(int root, const char *path);

struct rapl_privilege;
/* sysfs_open(); if that fails with EACCES, once more with the privilege (struct rapl_privilege). */
int sysfs_open_privileged(int root, const char *path, const struct rapl_privilege *privilege);

/* The same for a character device, and also after EPERM, which the kernel gives if CAP_SYS_RAWIO is
 * missing (msr_open, msr.c). Regular files are accepted too, for simulated machines. */
int sysfs_open_device(int root, const char *path, const struct rapl_privilege *privilege);

/* sysfs_open() for a folder. */
int sysfs_open_folder(int root, const char *path);

/* Opens the parent of a folder; -EXDEV: the folder is the root. */
int sysfs_open_outer(int root, int folder);

/* pread(2), repeated a limited number of times if signals interrupt it. Returns the length or a
 * negative errno. */
ssize_t sysfs_read_at(int file, void *bytes, size_t size, off_t offset);

/* Reads at offset 0 into text and terminates it with NUL; sysfs computes the value again for each
 * such read. Returns the length or a negative error. */
int sysfs_read(int file, char *text, size_t size);

/* Parses digits, then at most one newline and NUL padding. 0, or an error of error.h: anything else
 * is not a number of the kernel. */
int sysfs_parse_number(const char *text, size_t length, uint64_t *number);

/* sysfs_read(), then sysfs_parse_number(). */
int sysfs_read_number(int file, uint64_t *number);

/* Opens, reads and closes a file: a number, or one line of text without its newline. */
int sysfs_load_number(int root, const char *path, uint64_t *number);
int sysfs_load_line(int root, const char *path, char *line, size_t size);

/* The same with sysfs_open_privileged(). */
int sysfs_load_number_privileged(int root, const char *path, const struct rapl_privilege *privilege,
                                 uint64_t *number);
int sysfs_load_line_privileged(int root, const char *path, const struct rapl_privilege *privilege,
                               char *line, size_t size);

#endif
