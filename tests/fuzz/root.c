/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static char folder[PATH_MAX];
static int root = -1;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_root(void) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int root_open(void) {
    const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};
    for (size_t i = 0; i < COUNT_OF(places) && root < 0; i++) {
        if (places[i] == NULL)
            continue;
        HOLDS(snprintf(folder, sizeof(folder), "%s/rapl-fuzz-XXXXXX", places[i]) < 1024);
        if (mkdtemp(folder) != NULL)
            root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root >= 0)
            atexit(remove_root);
    }
    HOLDS(root >= 0);
    return root;
}

const char *root_path(void) {
    (void)root_open();
    return folder;
}

static bool is_path(const char *path) {
    if (path[0] == '/' || path[0] == '\0' || strlen(path) >= 1024)
        return false;
    for (const char *at = path;; at++) {
        const size_t length = strcspn(at, "/");
        if (length == 0 || length > NAME_MAX || (length <= 2 && strncmp(at, "..", length) == 0))
            return false;
        at += length;
        if (*at == '\0')
            return true;
    }
}

bool root_write(const char *path, const void *bytes, size_t size) {
    if (!is_path(path))
        return false;
    (void)root_open();
    int file = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) {
        char part[1024];
        snprintf(part, sizeof(part), "%s", path);
        for (char *at = strchr(part, '/'); at != NULL; at = strchr(at + 1, '/')) {
            *at = '\0';
            (void)mkdirat(root, part, 0755);
            *at = '/';
        }
        file = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    }
    if (file < 0)
        return false; /* a directory exists there, or a file is in the way */
    const bool written = size == 0 || write(file, bytes, size) == (ssize_t)size;
    close(file);
    return written;
}

bool root_write_text(const char *path, const char *text) {
    return root_write(path, text, strlen(text));
}

void root_clear(const char *path) {
    char joined[PATH_MAX + 1024];
    snprintf(joined, sizeof(joined), "%s/%s", root_path(), path);
    nftw(joined, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
