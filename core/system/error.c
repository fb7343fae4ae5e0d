/* SPDX-License-Identifier: MIT */
#include "system/error.h"

#include <string.h>

#include "rapl.h"

const char *rapl_error_text(int error) {
    switch (error) {
    case SYSFS_NOT_REGULAR:
        return "is not a regular file";
    case SYSFS_TOO_LONG:
        return "is too long to be an attribute of the kernel";
    case SYSFS_EMPTY:
        return "is empty";
    case SYSFS_NOT_A_NUMBER:
        return "does not hold a number";
    case SYSFS_OUT_OF_RANGE:
        return "holds a number of more than 64 bits";
    case ZONE_WITHOUT_RANGE:
        return "is not the range of a counter";
    case ZONE_WITHOUT_PARENT:
        return "its parent zone cannot be identified";
    case SOURCE_READ_TOO_LONG:
        return "took more than a second to read";
    case ZONE_WITHOUT_FILE:
        return "left out, for it would take more open files than counters may here";
    case ZONE_BEYOND_LIMIT:
        return "left out, for there are more zones than are read";
    case ZONE_WITHOUT_VENDOR:
        return "left out, for nothing says whether it counts one core (AMD) or all (Intel)";
    case UNIT_NOT_KNOWN:
        return "has not counted often enough to tell its unit";
    case ZONE_COUNTS_NOTHING:
        return "has counted nothing so far";
    case PERF_COUNT_UNDECIDED:
        return "may have wrapped unseen since the last read";
    case PMU_NOT_A_FORMAT:
        return "is not the format of an energy event";
    case PMU_NOT_AN_EVENT:
        return "is not an event of this format";
    case PMU_NOT_A_SCALE:
        return "is not a scale";
    case PMU_TOO_MANY_EVENTS:
        return "holds more events than any such PMU";
    case PMU_NOT_JOULES:
        return "is not Joules";
    default:
        return strerror(-error);
    }
}
