/* SPDX-License-Identifier: MIT */
/* glibc functions that Debian's libseccomp.a needs and musl lacks, so that the seccomp filter can
 * be tested on musl. */
#include <stdarg.h>
#include <stdio.h>

int __fprintf_chk(FILE *file, int level, const char *format, ...);
int __fprintf_chk(FILE *file, int level, const char *format, ...) {
    va_list values;
    (void)level;
    va_start(values, format);
    const int length = vfprintf(file, format, values);
    va_end(values);
    return length;
}
