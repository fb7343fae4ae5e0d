# SPDX-License-Identifier: MIT
"""What is not there at the start is found within a minute, from inside the lock too: zones of a
driver that is loaded late, and folders that come late. All of it is waited for at once."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import extent
import tap
from execd import Execd
from tree import CLASS, Tree

PACKAGE = "domain=package,package_id=0"
SECONDS = 61  # it looks again after 60


@extent.waits_a_minute
class AppearsLate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        zones = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram"}
        no_zones, no_root, no_class, away = [
            cls.enterClassContext(tree) for tree in (
                Tree.copy("vm-empty-class-powercap"), Tree.make(zones), Tree.make(zones), Tree())]
        moves = [(os.path.join(away.root, "root"), no_root.root),
                 (os.path.join(away.root, "class"), os.path.join(no_class.root, CLASS))]
        for kept, path in moves:
            os.rename(path, kept)
        cls.no_zones, cls.no_root, cls.no_class = cls.programs = [
            cls.enterClassContext(Execd(root=tree.root)) for tree in (no_zones, no_root, no_class)]
        for program in cls.programs:
            program.prompt()
            program.wait_message("^E! .*To mend: ")
        for kept, path in moves:
            os.rename(kept, path)
        no_zones.add("intel-rapl:0", "package-0", 10**9)
        time.sleep(SECONDS)

    def check_found(self, program):
        self.assertEqual(program.ask().energy_uj(PACKAGE), 0)
        self.assertRegex("\n".join(program.messages()), "I! Over: ")

    def test_zones(self):
        self.check_found(self.no_zones)

    def test_root(self):
        self.check_found(self.no_root)

    def test_class(self):
        self.check_found(self.no_class)


if __name__ == "__main__":
    tap.main()
