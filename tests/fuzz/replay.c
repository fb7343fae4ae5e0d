/* SPDX-License-Identifier: MIT */
/* Replaces libFuzzer if the compiler lacks it: runs a target on the given files, and on all files
 * of the given directories. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t replayed;

static void replay_file(const char *path) {
    struct stat status;
    FILE *file = fopen(path, "rb");
    HOLDS(file != NULL && fstat(fileno(file), &status) == 0);
    /* Exactly as long as the content, so that a read beyond it is detected. */
    uint8_t *bytes = malloc(status.st_size > 0 ? (size_t)status.st_size : 1);
    HOLDS(bytes != NULL);
    const size_t size = fread(bytes, 1, (size_t)status.st_size, file);
    fclose(file);
    HOLDS(size == (size_t)status.st_size);
    HOLDS(LLVMFuzzerTestOneInput(bytes, size) == 0);
    free(bytes);
    replayed++;
}

static void replay(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        replay_file(path);
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char joined[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(joined, sizeof(joined), "%s/%s", path, entry->d_name);
        replay_file(joined);
    }
    closedir(folder);
}

int main(int count, char **words) {
    for (int i = 1; i < count; i++)
        replay(words[i]);
    printf("replayed %zu\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
