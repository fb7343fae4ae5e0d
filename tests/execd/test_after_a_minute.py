# SPDX-License-Identifier: MIT
"""What becomes visible after a minute; all cases wait at the same time. Zones missing at the start
are found later, from inside the sandbox too: a driver that is loaded late, directories that
appear late. A package whose counter has not moved is left out."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import extent
import tap
from execd import Execd, wait_until
from tree import CLASS, Pump, Tree

PACKAGE = "domain=package,package_id=0"
DRAM = "domain=dram,package_id=0"
MOVING = "domain=package,package_id=1"
TOTAL = "domain=total"
SECONDS = 61  # it looks for zones again after 60
REPORTS = 10  # and a counter must stand still for this many


@extent.waits_a_minute
class AfterAMinute(unittest.TestCase):
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
            program.wait_message("^E! .*Fix: ")
        for kept, path in moves:
            os.rename(kept, path)
        no_zones.add("intel-rapl:0", "package-0", 10**9)
        cls.start_standing({**zones, "intel-rapl:1": "package-1"})
        time.sleep(SECONDS)

    @classmethod
    def start_standing(cls, zones):
        """Only one of the two packages moves."""
        cls.tree = cls.enterClassContext(Tree.make(zones))
        cls.enterClassContext(Pump(cls.tree, "intel-rapl:1", 20))
        cls.standing, cls.few = [
            cls.enterClassContext(Execd(root=cls.tree.root)) for _ in range(2)]
        cls.reports = [cls.standing.ask() for _ in range(REPORTS - 1)]

    def check_found(self, program):
        self.assertEqual(program.ask().energy_uj(PACKAGE), 0)
        self.assertRegex("\n".join(program.messages()), "I! Resolved: ")

    def test_zones(self):
        self.check_found(self.no_zones)

    def test_root(self):
        self.check_found(self.no_root)

    def test_class(self):
        self.check_found(self.no_class)

    def test_a_package_that_has_not_moved_is_left_out(self):
        reports = [*self.reports, self.standing.ask()]
        for report in reports:
            self.assertEqual({PACKAGE, DRAM, MOVING, TOTAL}, report.keys())
            self.assertEqual({"energy_joules": 0}, report[PACKAGE])
            self.assertIsNone(report.power(TOTAL))
        self.assertEqual([], self.standing.messages())
        self.assertEqual({DRAM, MOVING}, self.standing.ask().keys())
        message, = self.standing.messages()
        self.assertRegex(message, "^W! package-0 has not moved since it was first read.* Fix: ")
        wait_until(self.has_powers, "power of what is left", pause=0.2)
        self.tree.move({"intel-rapl:0": 5 * 10**6})
        report = self.standing.ask()
        self.assertEqual({PACKAGE, DRAM, MOVING, TOTAL}, report.keys())
        self.assertEqual(5 * 10**6, report.energy_uj(PACKAGE))
        self.assertRegex(self.standing.messages()[1], "^I! Resolved: package-0 has not moved")

    def has_powers(self):
        report = self.standing.ask()
        self.assertEqual({DRAM, MOVING}, report.keys())
        self.assertIn(report.power(DRAM), (None, 0))
        return report.power(DRAM) == 0 and report.power(MOVING) is not None

    def test_a_few_reports_do_not_decide(self):
        for _ in range(REPORTS - 1):
            self.assertIn(PACKAGE, self.few.ask())
        self.assertEqual([], self.few.messages())


if __name__ == "__main__":
    tap.main()
