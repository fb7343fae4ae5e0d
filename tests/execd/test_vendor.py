# SPDX-License-Identifier: MIT
"""The processor's vendor if proc is hidden, and what it decides: AMD's core zone is one core."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import Execd, run
from tree import Tree, write

PACKAGE_0 = "domain=package,package_id=0"
CORE_0 = "domain=core,package_id=0"
LEAD_CORE_0 = "domain=lead_core,package_id=0"
TOTAL = "domain=total"
RANGE_15_UJ = 65532610987
FILES = "proc/cpuinfo.*sys/devices/system/cpu/modalias"
AMD, HYGON = 2, 9  # X86_VENDOR_*, arch/x86/include/asm/processor.h


class Vendor(unittest.TestCase):
    def make(self, **sub_zones):
        """A package with a core zone and others, and no information about the vendor."""
        tree = Tree.make({"intel-rapl:0": "package-0", "intel-rapl:0:0": "core",
                          **{"intel-rapl:0:%d" % number: name
                             for number, name in enumerate(sub_zones, 1)}}, RANGE_15_UJ)
        self.addCleanup(tree.__exit__)
        tree.set_vendor(None)
        return tree

    def start(self, tree):
        execd = Execd(root=tree.root)
        self.addCleanup(execd.kill)
        return execd

    def check_series(self, tree, core):
        """The core zone feeds that series, with the energy by which it moves."""
        execd = self.start(tree)
        self.assertEqual(set(execd.ask()) & {CORE_0, LEAD_CORE_0}, {core} - {None})
        tree.move({"intel-rapl:0": 2 * 10**6, "intel-rapl:0:0": 10**6})
        report = execd.ask()
        self.assertEqual({name: report.energy_uj(name) for name in report if name != TOTAL},
                         {PACKAGE_0: 2 * 10**6, **({core: 10**6} if core else {})})
        self.assertEqual(execd.stop(), 0)
        return execd.messages()

    def test_sys_alone_says_that_it_is_one_core(self):
        for vendor, family in ((AMD, 0x19), (HYGON, 0x18)):
            with self.subTest(vendor=vendor):
                tree = self.make()
                tree.set_alias(vendor, family, 0x61)
                self.assertEqual(self.check_series(tree, LEAD_CORE_0), [])
                self.assertRegex(run("--check", root=tree.root).text,
                                 "(?m)^vendor   (AMD|Hygon)$")

    def test_sys_alone_says_that_it_is_all_cores(self):
        tree = self.make()
        tree.set_alias(0)
        self.assertEqual(self.check_series(tree, CORE_0), [])

    def test_where_nothing_says_so_it_is_left_out(self):
        tree = self.make()
        messages = self.check_series(tree, None)
        self.assertEqual(len(messages), 1, messages)
        self.assertRegex(messages[0], "^W! .*%s.*Fix: .*docker run" % FILES)
        text = run("--check", root=tree.root).text
        self.assertRegex(text, "(?m)^vendor   unknown$")
        self.assertRegex(text, FILES)
        self.assertRegex(text, "(?m)^intel-rapl:0:0 .* no: left out, for .*one core")

    def test_zones_that_only_intel_has_say_so(self):
        for name in ("uncore", "dram"):
            with self.subTest(zone=name):
                tree = self.make(**{name: name})
                execd = self.start(tree)
                self.assertIn(CORE_0, execd.ask())
                self.assertEqual(execd.stop(), 0)
                self.assertEqual(len(execd.messages()), 1, execd.messages())

    def check_late(self, tree, become_known):
        execd = self.start(tree)
        report = execd.ask()
        self.assertEqual(set(report) & {CORE_0, LEAD_CORE_0}, set())
        become_known()
        execd.ask()
        energy_uj = 0
        for _ in range(2):
            tree.move({"intel-rapl:0": 2 * 10**6, "intel-rapl:0:0": 10**6})
            energy_uj += 10**6
            report = execd.ask()
            self.assertEqual(report.energy_uj(LEAD_CORE_0), energy_uj)
            self.assertNotIn(CORE_0, report)
            self.assertIn(PACKAGE_0, report)
        self.assertEqual(execd.stop(), 0)
        messages = execd.messages()
        self.assertEqual(len(messages), 2, messages)
        self.assertRegex(messages[0], "^W! .*" + FILES)
        self.assertRegex(messages[1], "^I! Resolved: .*" + FILES)

    def test_a_file_that_says_nothing_for_a_moment_decides_nothing_for_life(self):
        tree = self.make()
        write(tree.root, "proc/cpuinfo", "processor\t: 0\n")
        self.check_late(tree, lambda: write(tree.root, "proc/cpuinfo",
                                            "processor\t: 0\nvendor_id\t: AuthenticAMD\n"))

    def test_a_file_that_comes_late(self):
        tree = self.make()
        self.check_late(tree, lambda: tree.set_alias(AMD, 0x19, 0x61))


if __name__ == "__main__":
    tap.main()
