/* SPDX-License-Identifier: MIT */
/* cmocka.h requires these four headers before it. */
#ifndef RAPL_TEST_CMOCKA_ALL_H
#define RAPL_TEST_CMOCKA_ALL_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
