# SPDX-License-Identifier: MIT
"""Counters that go round between two prompts: they are read in between."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import Execd
from tree import Pump, Tree

PACKAGE = "domain=package,package_id=0"
WATTS = 200
RANGE_UJ = 1199999999  # a turn takes 6 s, and at 300 W 4 s


class Guard(unittest.TestCase):
    def test_no_turn_is_missed(self):
        with Tree.make({"intel-rapl:0": "package-0"}, RANGE_UJ) as tree, \
                Pump(tree, "intel-rapl:0", WATTS, RANGE_UJ), \
                Execd("--health=yes", "--max-power=300", root=tree.root) as execd:
            first = execd.ask()
            time.sleep(15)
            last = execd.ask()
            self.assertEqual([], execd.messages())
        seconds = (last.timestamp - first.timestamp) / 1e9
        joules = last[PACKAGE]["energy_joules"] - first[PACKAGE]["energy_joules"]
        self.assertAlmostEqual(WATTS, last.power(PACKAGE), delta=0.01 * WATTS)
        self.assertAlmostEqual(WATTS, joules / seconds, delta=0.01 * WATTS)
        health = last["rapl_health,source=powercap"]
        self.assertGreaterEqual(health["wraps"], 2)
        self.assertEqual(0, health["gaps"])


if __name__ == "__main__":
    tap.main()
