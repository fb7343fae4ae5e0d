/* SPDX-License-Identifier: MIT */
/* The powercap source itself, over a tree of files that the machine keeps and answers for. */
#ifndef RAPL_MODEL_TREE_SOURCE_H
#define RAPL_MODEL_TREE_SOURCE_H

#include "source/source.h"

/* Makes an empty tree; false: it cannot. The machines that follow have one each. */
bool tree_source_begin(void);
void tree_source_end(void);

const char *tree_source_root(void); /* NULL: no tree is used */

/* Stands between the core and the source, so that the reference sees what that one saw. */
struct source *tree_source_watch(struct source *source);

#endif
