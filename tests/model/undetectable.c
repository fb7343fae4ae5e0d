/* SPDX-License-Identifier: MIT */
#include "undetectable.h"

int undetectable_measure(void) {
    return 1;
}
