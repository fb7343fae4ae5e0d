# SPDX-License-Identifier: MIT
"""rapl-execd over a temporary tree of zones."""
import unittest

from execd import Execd
from tree import Tree


class TreeCase(unittest.TestCase):
    """ZONES: the name of each zone by its kernel id."""

    ZONES = {"intel-rapl:0": "package-0"}

    def setUp(self):
        self.tree = Tree.make(self.ZONES)
        self.addCleanup(self.tree.__exit__)

    def start(self, *options, **more):
        execd = Execd(*options, root=self.tree.root, **more)
        self.addCleanup(execd.kill)
        return execd
