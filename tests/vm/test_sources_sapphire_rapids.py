# SPDX-License-Identifier: MIT
"""The three sources side by side where psys counts whole joules."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(cpu="Skylake-Server,model=143",
                        settings=["rapl_registers.domains=package,dram,psys",
                                  # a joule is 0.1 % of 8 s of it
                                  "rapl_registers.psys_mw=400000"])

SERIES = {"domain=psys", "domain=psys,package_id=1",
          *("domain=%s,package_id=%d" % (domain, package)
            for domain in ("package", "dram") for package in (0, 1))}


class SapphireRapids(sources.TwoPackages):
    SERIES = {source: SERIES for source in ("powercap", "perf", "msr")}


if __name__ == "__main__":
    guest.main(MACHINE)
