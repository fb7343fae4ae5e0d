# SPDX-License-Identifier: MIT
"""Silvermont: an Atom with a unit of a power of two of microjoules, and without a perf driver."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(cpu="Haswell,model=55", smp="2", load="rapl_registers,msr,intel_rapl_msr",
                        settings=["rapl_registers.domains=package,core"])


class Silvermont(sources.Sources):
    DRIVERS = ("intel_rapl_msr",)
    SERIES = {source: {"domain=package,package_id=0", "domain=core,package_id=0"}
              for source in ("powercap", "msr")}

    def test_unit_of_32_microjoules(self):
        self.assertEqual("137438953440", kernel.read(
            "%s/intel-rapl:0/max_energy_range_uj" % kernel.POWERCAP))


if __name__ == "__main__":
    guest.main(MACHINE)
