/* SPDX-License-Identifier: MIT */
/* The real powercap source, over a tree of files that represents the machine. */
#ifndef RAPL_MODEL_TREE_SOURCE_H
#define RAPL_MODEL_TREE_SOURCE_H

#include "source/source.h"

/* Makes an empty tree, in which each later machine gets its files; false: failed. */
bool tree_source_begin(void);
void tree_source_end(void);

const char *tree_source_root(void); /* NULL: no tree is used */

/* Wraps the source, so that the reference sees what the source has seen. */
struct source *tree_source_watch(struct source *source);

#endif
