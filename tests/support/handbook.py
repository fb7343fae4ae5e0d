# SPDX-License-Identifier: MIT
"""What a page of ours tells its readers to do: run and checked as it stands there."""
import os
import re

import execd

SOURCE = os.path.abspath(os.path.join(execd.HERE, "..", ".."))


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def commands(path, after):
    """The lines of the first indented block after the line that begins so, without sudo."""
    match = re.search(r"^%s.*\n(?:\S.*\n)*\n((?:    .*\n)+)" % re.escape(after), read(path), re.MULTILINE)
    if match is None:
        raise AssertionError("%s has no commands after %r" % (path, after))
    return [re.sub(r"^sudo ", "", line.strip()) for line in match[1].splitlines()]


def rows(path, heading):
    """The cells of the table whose first column has that heading, without backticks."""
    table = read(path).split("\n| %s |" % heading)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in table]
