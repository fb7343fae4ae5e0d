/* SPDX-License-Identifier: MIT */
#include "commit.h"
#include "rapl.h"

const char *rapl_version(void) {
    return RAPL_VERSION " (commit " RAPL_COMMIT ")";
}
