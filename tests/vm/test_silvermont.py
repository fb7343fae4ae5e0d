# SPDX-License-Identifier: MIT
"""Silvermont: an Atom whose unit is a power of two of microjoules."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(cpu="Haswell,model=55", smp="2",
                        settings=["rapl_registers.domains=package,core"])


class Silvermont(unittest.TestCase):
    def test_unit_of_32_microjoules(self):
        self.assertEqual("137438953440", kernel.read(
            "%s/intel-rapl:0/max_energy_range_uj" % kernel.POWERCAP))
        with execd.Execd() as program:
            watch = kernel.Watch(program)
            report = watch.ask_for(5)
        watts = kernel.true_watts(report)
        self.assertEqual({"domain=total", "domain=package,package_id=0",
                          "domain=core,package_id=0"}, set(watts))
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)


if __name__ == "__main__":
    guest.main(MACHINE)
