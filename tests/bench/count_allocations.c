/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into rapl-execd (LD_PRELOAD), counts its calls of malloc(3), including those of libc,
 * in the file that RAPL_BENCH_COUNTS names. The file is mapped, so that a reader sees it at any
 * time, and the program need not write once it is in its sandbox.
 */
/* The header's inline functions have the same names as those defined here. */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own names, which the functions here replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

struct counts {
    atomic_uint_least64_t allocations;
    atomic_uint_least64_t live_bytes;
};

/* Used before the file is mapped. */
static struct counts early;
static struct counts *counts = &early;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RAPL_BENCH_COUNTS");
    const int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        _exit(99);
    struct counts *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED)
        _exit(99);
    shared->allocations = early.allocations;
    shared->live_bytes = early.live_bytes;
    counts = shared;
}

static void *count(void *memory) {
    counts->allocations++;
    counts->live_bytes += malloc_usable_size(memory);
    return memory;
}

static void uncount(void *memory) {
    counts->live_bytes -= malloc_usable_size(memory);
}

void *malloc(size_t size) {
    return count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size) {
    return count(__libc_calloc(number, size));
}

/* A failed call is counted as well, but no caller here has one. */
void *realloc(void *memory, size_t size) {
    uncount(memory);
    return count(__libc_realloc(memory, size));
}

void *memalign(size_t alignment, size_t size) {
    return count(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    *memory = memalign(alignment, size);
    return *memory != NULL ? 0 : ENOMEM;
}

void free(void *memory) {
    uncount(memory);
    __libc_free(memory);
}
