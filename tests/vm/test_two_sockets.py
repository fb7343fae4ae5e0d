# SPDX-License-Identifier: MIT
"""Two sockets with every domain: the psys zones shift the indices of the second package."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine()

WRAP_SECONDS = 6


class TwoSockets(unittest.TestCase):
    def test_every_domain_has_its_power(self):
        self.assertEqual("psys", kernel.zone_names()["intel-rapl:1"])
        self.assertEqual("package-1", kernel.zone_names()["intel-rapl:2"])
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            report = watch.ask_for(5)
        watts = kernel.true_watts(report)
        self.assertEqual(
            {"domain=total", "domain=psys", "domain=psys,package_id=1",
             *("domain=%s,package_id=%d" % (domain, package)
               for domain in ("package", "core", "uncore", "dram") for package in (0, 1))},
            set(watts))
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)

    def test_no_joule_is_lost_when_every_counter_wraps(self):
        kernel.load_registers(wrap_in_ms=WRAP_SECONDS * 1000)
        loaded = time.monotonic()
        with execd.Execd("--health=yes") as program:
            watch = kernel.Watch(program)
            first = watch.ask()
            before = raw_energies()
            time.sleep(max(0, loaded + WRAP_SECONDS - 0.5 - time.monotonic()))
            watch.ask_for(3, every=0.2)
            after = raw_energies()
        self.assertEqual(10, len(before))
        for zone, energy_uj in before.items():
            self.assertLess(after[zone], energy_uj, zone)
        health = watch.reports()[-1]["rapl_health,source=powercap"]
        self.assertEqual(10, health["wraps"])
        self.assertEqual((0, 0, 0), (health["resets"], health["gaps"], health["read_errors"]))
        watts = kernel.true_watts(first)
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)
        watch.check_power(watts, tolerance=0.25)

    def test_dram_has_a_range_of_its_own(self):
        ranges = {name: int(kernel.read("%s/%s/max_energy_range_uj" % (kernel.POWERCAP, zone)))
                  for zone, name in kernel.zone_names().items()}
        self.assertEqual(262143328850, ranges["package-0"])
        self.assertEqual(65712999613, ranges["dram"])


def raw_energies():
    return {zone: int(kernel.read("%s/%s/energy_uj" % (kernel.POWERCAP, zone)))
            for zone in kernel.zone_names()}


if __name__ == "__main__":
    guest.main(MACHINE)
