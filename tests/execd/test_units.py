# SPDX-License-Identifier: MIT
"""Counters with a wrong unit in some kernels: dram of Sapphire Rapids, which counts 2^-14 J, in
units of 15.3 uJ (Linux before 6.1), and others."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import Execd, run
from tree import RANGE_UJ, Tree

DRAM = "intel-rapl:0:0"
DRAM_0 = "domain=dram,package_id=0"
RANGE_15_3_UJ = 65712999613
SAPPHIRE_RAPIDS, EMERALD_RAPIDS, ICE_LAKE_X, HASWELL_X, BROADWELL_D = 0x8F, 0xCF, 0x6A, 0x3F, 0x56
JOULES = 10
STARTS = (5 * 10**8, 2**32 - 10**4)  # and one that wraps


class Units(unittest.TestCase):
    def make(self, model, range_uj, flags=""):
        tree = Tree.make({"intel-rapl:0": "package-0", DRAM: "dram",
                          "intel-rapl:1": "package-1", "intel-rapl:1:0": "dram"})
        self.addCleanup(tree.__exit__)
        for zone in (DRAM, "intel-rapl:1:0"):
            tree.write(zone, "max_energy_range_uj", "%d\n" % range_uj)
        tree.set_vendor("GenuineIntel", model)
        with open(os.path.join(tree.root, "proc", "cpuinfo"), "a", encoding="ascii") as file:
            file.write("flags\t\t: %s\n" % flags)
        return tree

    def measure(self, tree, shown_nj, ticks, start):
        """Energy in microjoules of this many ticks of the register, which the kernel multiplies by
        its unit, and the program's messages."""
        tree.set_energy(DRAM, start * shown_nj // 1000)
        with Execd(root=tree.root) as execd:
            execd.ask()
            tree.set_energy(DRAM, (start + ticks) % 2**32 * shown_nj // 1000)
            execd.ask()  # a decrease is decided by the next reading
            tree.set_energy(DRAM, (start + ticks + 1) % 2**32 * shown_nj // 1000)
            energy_uj = execd.ask().energy_uj(DRAM_0)
            self.assertEqual(execd.stop(), 0)
            return energy_uj, execd.messages()

    def check_corrected(self, tree, shown_nj, right_uj):
        ticks = JOULES * 2**14
        for start in STARTS:
            with self.subTest(start=start):
                energy_uj, messages = self.measure(tree, shown_nj, ticks, start)
                self.assertEqual(energy_uj, right_uj(ticks + 1))
                self.assertEqual(len(messages), 1, messages)
                self.assertRegex(messages[0], "^I! package-0/dram: this kernel takes its unit for "
                                              r".* \(and 1 more\)$")
        row = [line for line in run("--check", root=tree.root).text.splitlines()
               if line.startswith(DRAM)][0]
        self.assertIn("unit corrected", row)
        return row

    def test_dram_of_sapphire_rapids_is_corrected_exactly(self):
        for model in (SAPPHIRE_RAPIDS, EMERALD_RAPIDS):
            for flags in ("fpu", "fpu hypervisor"):
                with self.subTest(model=model, flags=flags):
                    tree = self.make(model, RANGE_15_3_UJ, flags)
                    row = self.check_corrected(tree, 15300, lambda ticks: ticks * 10**6 >> 14)
                    self.assertIn("61.035 uJ", row)

    def test_dram_of_haswell_servers_is_corrected_exactly(self):
        tree = self.make(HASWELL_X, RANGE_UJ)
        row = self.check_corrected(tree, 61035, lambda ticks: ticks * 153 // 10)
        self.assertIn("15.300 uJ", row)

    def test_what_is_right_stays_so(self):
        for model, range_uj, unit_nj in ((SAPPHIRE_RAPIDS, RANGE_UJ, 61035),
                                         (EMERALD_RAPIDS, RANGE_UJ, 61035),
                                         (ICE_LAKE_X, RANGE_15_3_UJ, 15300),
                                         (HASWELL_X, RANGE_15_3_UJ, 15300)):
            with self.subTest(model=model):
                tree = self.make(model, range_uj)
                start, ticks = STARTS[0], JOULES * 2**14
                energy_uj, messages = self.measure(tree, unit_nj, ticks, start)
                self.assertEqual(energy_uj, (start + ticks + 1) * unit_nj // 1000 -
                                 start * unit_nj // 1000)
                self.assertEqual(messages, [])

    def test_unit_that_nobody_knows_is_named(self):
        tree = self.make(BROADWELL_D, RANGE_UJ)
        start, ticks = STARTS[0], JOULES * 2**14
        energy_uj, messages = self.measure(tree, 61035, ticks, start)
        self.assertEqual(energy_uj, (start + ticks + 1) * 61035 // 1000 - start * 61035 // 1000)
        self.assertEqual(len(messages), 1, messages)
        uncertain = r"package-0/dram \(and 1 more\): its unit is uncertain"
        self.assertRegex(messages[0], "^W! " + uncertain + ".*Fix: .*=perf$")
        self.assertRegex(run("--check", root=tree.root).text, uncertain)

    def test_what_nobody_selected_is_not_named(self):
        for model, range_uj in ((BROADWELL_D, RANGE_UJ), (SAPPHIRE_RAPIDS, RANGE_15_3_UJ)):
            tree = self.make(model, range_uj)
            with Execd("--exclude=*/dram", "--total=no", root=tree.root) as execd:
                execd.ask()
                self.assertEqual(execd.stop(), 0)
                self.assertEqual(execd.messages(), [])


if __name__ == "__main__":
    tap.main()
