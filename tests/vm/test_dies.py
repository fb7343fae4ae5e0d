# SPDX-License-Identifier: MIT
"""One socket of two dies: the kernel names the dies, and shows psys once for each."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(smp="4,sockets=1,dies=2,cores=2,threads=1")


class Dies(unittest.TestCase):
    def test_dies_are_series_and_psys_is_one(self):
        names = list(kernel.zone_names().values())
        self.assertIn("psys", names)
        self.assertIn("psys-0", names)
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            report = watch.ask_for(5)
            self.assertEqual([], program.messages())
        watts = kernel.true_watts(report)
        self.assertEqual(
            {"domain=total", "domain=psys",
             *("die_id=%d,domain=%s,package_id=0" % (die, domain)
               for domain in ("package", "core", "uncore", "dram") for die in (0, 1))},
            set(watts))
        self.assertNotEqual(watts["die_id=0,domain=package,package_id=0"],
                            watts["die_id=1,domain=package,package_id=0"])
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)


if __name__ == "__main__":
    guest.main(MACHINE)
