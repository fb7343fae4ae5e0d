# SPDX-License-Identifier: MIT
"""Sapphire Rapids: psys counts whole joules."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(cpu="Skylake-Server,model=143",
                        settings=["rapl_registers.domains=package,dram,psys"])


class SapphireRapids(unittest.TestCase):
    def test_psys_in_whole_joules(self):
        self.assertEqual("4294967295000000", kernel.read(
            "%s/intel-rapl:1/max_energy_range_uj" % kernel.POWERCAP))
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            report = watch.ask_for(8)
        watts = kernel.true_watts(report)
        self.assertEqual({"domain=total", "domain=psys", "domain=psys,package_id=1",
                          *("domain=%s,package_id=%d" % (domain, package)
                            for domain in ("package", "dram") for package in (0, 1))}, set(watts))
        for identity, true in watts.items():
            with self.subTest(identity):
                unit = 1.0 if "psys" in identity else 0.0
                watch.check_energy(identity, true, unit_joules=unit)

    def test_power_of_psys_waits_for_half_a_second(self):
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            watch.ask_for(3, every=0.1)
        powers = [report.power("domain=psys") for report in watch.reports()]
        known = [power for power in powers if power is not None]
        self.assertGreater(len(powers), 2 * len(known))
        self.assertGreater(len(known), 2)
        for power in known:  # a joule of rounding at either end of at least half a second
            self.assertAlmostEqual(90, power, delta=4.1)


if __name__ == "__main__":
    guest.main(MACHINE)
