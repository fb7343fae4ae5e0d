# SPDX-License-Identifier: MIT
"""Two sources side by side on an Atom, which perf does not know."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(cpu="Haswell,model=55", smp="2", load="rapl_registers,msr,intel_rapl_msr",
                        settings=["rapl_registers.domains=package,core"])


class Silvermont(sources.Sources):
    DRIVERS = ("intel_rapl_msr",)
    SERIES = {source: {"domain=package,package_id=0", "domain=core,package_id=0"}
              for source in ("powercap", "msr")}


if __name__ == "__main__":
    guest.main(MACHINE)
