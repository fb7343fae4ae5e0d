/* SPDX-License-Identifier: MIT */
/* Energy times time, in whole numbers. */
#ifndef RAPL_MODEL_WIDE_H
#define RAPL_MODEL_WIDE_H

__extension__ typedef unsigned __int128 wide;

#endif
