# SPDX-License-Identifier: MIT
"""The core's directories depend on each other one way; plugins only include the public header."""
import os
import re
import subprocess
import sys
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "tests", "support"))

import tap

# Each directory, by level; a file may include its own level and those before. "" is core itself.
LEVELS = (("include", "energy", "zone"), ("problem", "system"), ("source",), ("series",), ("",))
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def level_of(path):
    folder = path.split("/")[0] if "/" in path else ""
    return next(level for level, folders in enumerate(LEVELS) if folder in folders)


def find_wrong(path, text):
    """Includes of a core file (by its path there) that its directory may not have."""
    wrong = []
    for name in INCLUDE.findall(text):
        included = "include/" + name if name == "rapl.h" else name
        if level_of(included) > level_of(path):
            wrong.append("core/%s includes %s" % (path, name))
    return wrong


def list_files(pattern):
    names = subprocess.run(["git", "ls-files", "-z", pattern], cwd=TOP, check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    return [name for name in names.split("\0") if name.endswith((".c", ".h"))]


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


class Includes(unittest.TestCase):
    def test_folders_of_the_core_depend_one_way(self):
        files = list_files("core")
        self.assertGreater(len(files), 50)
        wrong = [line for path in files for line in find_wrong(path[len("core/"):], read(path))]
        self.assertEqual([], wrong)

    def test_wrong_way_is_found(self):
        text = '#include <errno.h>\n#include "rapl.h"\n#include "series/binding.h"\n'
        self.assertEqual(["core/source/perf/perf.c includes series/binding.h"],
                         find_wrong("source/perf/perf.c", text))
        self.assertEqual([], find_wrong("handle.c", text))

    def test_plugins_include_the_public_header_alone(self):
        private = {path[len("core/"):] for path in list_files("core")}
        for path in list_files("plugins"):
            with self.subTest(path):
                self.assertEqual([], [name for name in INCLUDE.findall(read(path)) if name in private])


if __name__ == "__main__":
    tap.main()
