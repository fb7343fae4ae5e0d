# SPDX-License-Identifier: MIT
"""Time from the start until energy is known."""
import unittest

import bench
import execd
import tap

MOST_MS = 5.0  # at 8 zones
ZONES = "8"


class Start(unittest.TestCase):
    def test_start_to_first_energy(self):
        bench.tell("start: from the start of rapl-execd as a process until it has read every counter "
                   "and waits",
                   "for a prompt (its first answer then waits for power: 50 ms); the same program "
                   "printing its",
                   "version; open: rapl_open() and the first report, as in collectd")
        def measure():
            with bench.make_all() as machines:
                rows = bench.run_table("bench_start", execd.PROGRAM,
                                       *(machine.root for machine in machines))
            return [row for row in rows if row[0] == ZONES and float(row[1]) > MOST_MS]

        self.assertEqual([], bench.try_measure(measure))


if __name__ == "__main__":
    tap.main()
