# SPDX-License-Identifier: MIT
"""Counters that wrap more than once between two prompts: they are read in between."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import Execd, wait_until
from meter import Meter
from tree import Pump, Tree

PACKAGE = "domain=package,package_id=0"
WATTS = 300
RANGE_UJ = 1199999999  # a wrap takes 4 s, and 1.5 s at 800 W
TURNS = 2.2


class Guard(unittest.TestCase):
    @tap.tries(3)
    def test_no_turn_is_missed(self):
        began = time.monotonic()
        with Tree.make({"intel-rapl:0": "package-0"}, RANGE_UJ) as tree, \
                Pump(tree, "intel-rapl:0", WATTS, RANGE_UJ) as pump, \
                Execd("--health=yes", "--max-power=800", root=tree.root) as execd:
            meter = Meter(execd, began)  # which checks the power against the energy
            before_uj = pump.written_uj
            first = meter.ask()
            after_uj = pump.begun_uj
            wait_until(lambda: pump.written_uj > after_uj + TURNS * RANGE_UJ, "the turns",
                       pause=0.2)
            least = pump.written_uj - after_uj
            last = meter.ask()
            most = pump.begun_uj - before_uj
            messages = execd.messages()
        with tap.excused(pump.lateness()):
            self.assertEqual([], messages)
            self.assertTrue(PACKAGE in first and PACKAGE in last)
            used_uj = last.energy_uj(PACKAGE) - first.energy_uj(PACKAGE)
            self.assertTrue(least <= used_uj <= most, "%d uJ of %d to %d" % (used_uj, least, most))
            self.assertIsNotNone(last.power(PACKAGE))
            health = last["rapl_health,source=powercap"]
            self.assertGreaterEqual(health["wraps"], 2)
            self.assertEqual(0, health["gaps"])


if __name__ == "__main__":
    tap.main()
