# SPDX-License-Identifier: MIT
"""Files that show another counter for a while, on the simulated machine: jumps are not energy."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import sim
import tap
from execd import Execd

LEAD_CORE_0 = "domain=lead_core,package_id=0"
PACKAGE_0 = "domain=package,package_id=0"
PACKAGE_1 = "domain=package,package_id=1"
TOTAL = "domain=total"
HEALTH = "rapl_health,source=powercap"
STEP_SECONDS = 0.5


@sim.needed
class TwoCounters(unittest.TestCase):
    def start(self, name):
        self.machine = sim.Machine("--machine", name)
        self.addCleanup(self.machine.stop)
        execd = Execd("--health=yes", root=self.machine.root)
        self.addCleanup(execd.kill)
        execd.ask()
        return execd

    def move(self, zone, kernel_id, joules):
        """Makes the counter jump by this many joules."""
        path = "sys/class/powercap/%s/energy_uj" % kernel_id
        with open(os.path.join(self.machine.root, path), encoding="utf-8") as file:
            shown = int(file.read()) // 10**6
        self.machine.control("reset %s %d" % (zone, shown + joules))

    def test_lead_core_whose_cpu_was_offline_for_a_moment(self):
        execd = self.start("epyc")
        time.sleep(STEP_SECONDS)
        self.assertIn(LEAD_CORE_0, execd.ask())
        # Plausible alone, but more than the 187 W of the package and a tolerance of 50 J allow.
        self.move("package-0/core", "intel-rapl:0:0", 450)
        time.sleep(STEP_SECONDS)
        report = execd.ask()
        self.assertNotIn(LEAD_CORE_0, report)
        self.assertIn(PACKAGE_0, report)
        self.assertIn(TOTAL, report)
        self.assertEqual(report[HEALTH]["resets"], 1)
        time.sleep(STEP_SECONDS)
        self.assertLess(execd.ask().power(LEAD_CORE_0), 5)
        self.assertEqual(execd.stop(), 0)

    def test_package_that_goes_back_and_forth(self):
        execd = self.start("server")
        most = 0
        for turn in range(6):
            self.move("package-0", "intel-rapl:0", -200 if turn % 2 == 0 else 200)
            # A decrease is decided by the third reading.
            for _ in range(3):
                time.sleep(0.06)
                report = execd.ask()
                most = max(most, float(report.get(PACKAGE_0, {}).get("power_watts", 0)))
        self.assertLess(most, 160)
        self.assertNotIn(PACKAGE_0, report)
        self.assertNotIn(TOTAL, report)
        self.assertIn(PACKAGE_1, report)
        self.assertEqual(execd.stop(), 0)
        messages = [line for line in execd.messages() if "package-0" in line]
        self.assertEqual(len([line for line in messages if "goes back and forth" in line]), 1)
        self.assertEqual([line for line in messages if "max-power" in line], [])


if __name__ == "__main__":
    tap.main()
