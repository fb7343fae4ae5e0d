# SPDX-License-Identifier: MIT
"""One socket of two dies: the kernel names the dies, and shows psys once for each."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(smp="4,sockets=1,dies=2,cores=2,threads=1", seconds=500)


def series(*domains):
    return {"die_id=%d,domain=%s,package_id=0" % (die, domain)
            for domain in domains for die in (0, 1)}


class Dies(sources.Sources):
    SERIES = {"powercap": series("package", "core", "uncore", "dram") | {"domain=psys"},
              "perf": series("package", "core", "dram"),
              "msr": series("package", "core", "dram")}
    MIRRORS = {"powercap": 1}  # psys-0 is psys
    PERF_DRAM = sources.PERF_DRAM

    def test_zones_of_the_kernel(self):
        self.assertLessEqual({"psys", "psys-0"}, set(kernel.zone_names().values()))
        watts = [kernel.truth_watts({"domain": "package", "package_id": 0, "die_id": die})
                 for die in (0, 1)]
        self.assertNotEqual(*watts)


if __name__ == "__main__":
    guest.main(MACHINE)
