# SPDX-License-Identifier: MIT
"""AMD EPYC: a package, and of its cores the one that the kernel reads."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(cpu="EPYC")


class Epyc(unittest.TestCase):
    def test_one_core_is_the_lead_core(self):
        self.assertEqual(["package-0", "core", "package-1", "core"],
                         list(kernel.zone_names().values()))
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            report = watch.ask_for(5)
        watts = kernel.true_watts(report)
        self.assertEqual({"domain=total", *("domain=%s,package_id=%d" % (domain, package)
                                            for domain in ("package", "lead_core")
                                            for package in (0, 1))}, set(watts))
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)

    def test_another_lead_core_starts_anew(self):
        """Cores draw differently, and a step from one counter to another is no energy."""
        with execd.Execd("--health=yes") as program:
            watch = kernel.Watch(program)
            watch.ask_for(1)
            kernel.set_online(False, 2)
            self.addCleanup(kernel.set_online, True, 2)
            report = watch.ask_for(2)
        watts = kernel.true_watts(report)
        lead = "domain=lead_core,package_id=1"
        watts[lead] *= 111 / 110  # core 1 of package 1, no longer core 0
        for earlier in watch.reports():
            power = earlier.power(lead) if lead in earlier else None
            if power is not None:
                self.assertLess(power, 1.02 * watts[lead])
        self.assertAlmostEqual(watts[lead], report.power(lead), delta=0.02 * watts[lead])
        for package in (0, 1):
            identity = "domain=package,package_id=%d" % package
            watch.check_energy(identity, watts[identity])


if __name__ == "__main__":
    guest.main(MACHINE)
