/* SPDX-License-Identifier: MIT */
/* Holds energy times time as an integer. */
#ifndef RAPL_MODEL_WIDE_H
#define RAPL_MODEL_WIDE_H

__extension__ typedef unsigned __int128 wide;

#endif
