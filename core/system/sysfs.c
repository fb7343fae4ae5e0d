/* SPDX-License-Identifier: MIT */
#include "system/sysfs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rapl.h"
#include "system/error.h"

/* O_NONBLOCK: opening a FIFO in place of an attribute must not block. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

#define OPEN_TRIES 8
#define READ_TRIES 8

int sysfs_open_root(const char *root) {
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

/* Used if openat2 is unknown (Linux before 5.6, a container's seccomp filter) or keeps failing.
 * Resolves the path, checks that it is below the root, and opens the result. */
static int open_resolved(int root, const char *path, int flags) {
    char own[32];
    char base[PATH_MAX];
    char joined[PATH_MAX];
    char resolved[PATH_MAX];
    snprintf(own, sizeof(own), "/proc/self/fd/%d", root);
    ssize_t length = readlink(own, base, sizeof(base) - 1);
    if (length < 0)
        return -errno;
    base[length] = '\0';
    if (length == 1)
        length = 0; /* root is "/": every path begins with it */
    if (snprintf(joined, sizeof(joined), "%.*s/%s", (int)length, base, path) >= (int)sizeof(joined))
        return -ENAMETOOLONG;
    if (realpath(joined, resolved) == NULL)
        return -errno;
    if (strncmp(resolved, base, (size_t)length) != 0 || resolved[length] != '/')
        return -EXDEV;
    int fd = open(resolved, flags | O_NOFOLLOW);
    return fd >= 0 ? fd : -errno;
}

static int open_below(int root, const char *path, int flags) {
    struct open_how how = {.flags = (unsigned int)flags, .resolve = RESOLVE_IN_ROOT};
    int fd;
    int tries = 0;
    /* Any rename or mount in the system can make it fail with EAGAIN (openat2(2)). */
    do
        fd = (int)syscall(__NR_openat2, root, path, &how, sizeof(how));
    while (fd < 0 && errno == EAGAIN && ++tries < OPEN_TRIES);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
        return open_resolved(root, path, flags);
    return fd >= 0 ? fd : -errno;
}

static int check_kind(int fd, bool device) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    return S_ISREG(status.st_mode) || (device && S_ISCHR(status.st_mode)) ? 0 : SYSFS_NOT_REGULAR;
}

/* Checks the kind of file before and after opening it: opening a FIFO wakes its writer, and opening
 * some devices starts something. */
static int open_kind(int root, const char *path, bool device) {
    int fd = open_below(root, path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return fd;
    int error = check_kind(fd, device);
    close(fd);
    if (error != 0)
        return error;
    fd = open_below(root, path, OPEN_FLAGS);
    error = fd >= 0 ? check_kind(fd, device) : 0;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int sysfs_open(int root, const char *path) {
    return open_kind(root, path, false);
}

static int open_again_raised(int root, const char *path, const struct rapl_privilege *privilege,
                             bool device, int refusal) {
    if (privilege->change == NULL || privilege->change(privilege->context, true) != 0)
        return refusal;
    int fd = open_kind(root, path, device);
    privilege->change(privilege->context, false);
    return fd;
}

int sysfs_open_privileged(int root, const char *path, const struct rapl_privilege *privilege) {
    int fd = open_kind(root, path, false);
    return fd == -EACCES ? open_again_raised(root, path, privilege, false, fd) : fd;
}

int sysfs_open_device(int root, const char *path, const struct rapl_privilege *privilege) {
    int fd = open_kind(root, path, true);
    return fd == -EACCES || fd == -EPERM ? open_again_raised(root, path, privilege, true, fd) : fd;
}

int sysfs_open_folder(int root, const char *path) {
    return open_below(root, path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
}

int sysfs_open_outer(int root, int folder) {
    struct stat top;
    struct stat inner;
    if (fstat(root, &top) != 0 || fstat(folder, &inner) != 0)
        return -errno;
    if (top.st_dev == inner.st_dev && top.st_ino == inner.st_ino)
        return -EXDEV;
    int fd = openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

ssize_t sysfs_read_at(int file, void *bytes, size_t size, off_t offset) {
    ssize_t length;
    int tries = 0;
    do
        length = pread(file, bytes, size, offset);
    while (length < 0 && errno == EINTR && ++tries < READ_TRIES);
    return length >= 0 ? length : -errno;
}

int sysfs_read(int file, char *text, size_t size) {
    const ssize_t length = sysfs_read_at(file, text, size - 1, 0);
    if (length < 0)
        return (int)length;
    text[length] = '\0';
    /* A full buffer means that the text is longer, unless it ends in padding. */
    if ((size_t)length == size - 1 && text[length - 1] != '\0')
        return SYSFS_TOO_LONG;
    return (int)length;
}

/* The most digits that always fit into 64 bits. */
#define SAFE_DIGITS 19

static unsigned int digit_of(char character) {
    return (unsigned char)character - (unsigned int)'0';
}

int sysfs_parse_number(const char *text, size_t length, uint64_t *number) {
    while (length > 0 && text[length - 1] == '\0')
        length--;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length == 0)
        return SYSFS_EMPTY;
    size_t safe = SAFE_DIGITS;
    if (safe > length)
        safe = length;
    uint64_t value = 0;
    size_t i = 0;
    for (; i < safe; i++) {
        const unsigned int digit = digit_of(text[i]);
        if (digit > 9)
            return SYSFS_NOT_A_NUMBER;
        value = value * 10 + digit;
    }
    for (; i < length; i++) {
        const unsigned int digit = digit_of(text[i]);
        if (digit > 9)
            return SYSFS_NOT_A_NUMBER;
        if (value > (UINT64_MAX - digit) / 10)
            return SYSFS_OUT_OF_RANGE;
        value = value * 10 + digit;
    }
    *number = value;
    return 0;
}

int sysfs_read_number(int file, uint64_t *number) {
    char text[SYSFS_TEXT_SIZE];
    int length = sysfs_read(file, text, sizeof(text));
    return length < 0 ? length : sysfs_parse_number(text, (size_t)length, number);
}

static int load_number(int file, uint64_t *number) {
    if (file < 0)
        return file;
    const int error = sysfs_read_number(file, number);
    close(file);
    return error;
}

int sysfs_load_number(int root, const char *path, uint64_t *number) {
    return load_number(sysfs_open(root, path), number);
}

int sysfs_load_number_privileged(int root, const char *path, const struct rapl_privilege *privilege,
                                 uint64_t *number) {
    return load_number(sysfs_open_privileged(root, path, privilege), number);
}

static int load_line(int file, char *line, size_t size) {
    if (file < 0)
        return file;
    const int length = sysfs_read(file, line, size);
    close(file);
    if (length < 0)
        return length;
    line[strcspn(line, "\n")] = '\0';
    return line[0] != '\0' ? 0 : SYSFS_EMPTY;
}

int sysfs_load_line(int root, const char *path, char *line, size_t size) {
    return load_line(sysfs_open(root, path), line, size);
}

int sysfs_load_line_privileged(int root, const char *path, const struct rapl_privilege *privilege,
                               char *line, size_t size) {
    return load_line(sysfs_open_privileged(root, path, privilege), line, size);
}
