# SPDX-License-Identifier: MIT
"""The instructions in a page of ours, run and checked exactly as written."""
import os
import re

import execd

SOURCE = os.path.abspath(os.path.join(execd.HERE, "..", ".."))


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def commands(path, after):
    """The lines, without sudo, of the first indented block after the line with this beginning."""
    match = re.search(r"^%s.*\n(?:\S.*\n)*\n((?:    .*\n)+)" % re.escape(after), read(path), re.MULTILINE)
    if match is None:
        raise AssertionError("%s has no commands after %r" % (path, after))
    return [re.sub(r"^sudo ", "", line.strip()) for line in match[1].splitlines()]


def rows(path, heading):
    """The cells, without backticks, of the table whose first column has that heading."""
    table = read(path).split("\n| %s |" % heading)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in table]
