# SPDX-License-Identifier: MIT
"""The three sources side by side where a socket has two dies."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(smp="4,sockets=1,dies=2,cores=2,threads=1")


def series(*domains):
    return {"die_id=%d,domain=%s,package_id=0" % (die, domain)
            for domain in domains for die in (0, 1)}


class Dies(sources.Sources):
    SERIES = {"powercap": series("package", "core", "uncore", "dram") | {"domain=psys"},
              "perf": series("package", "core", "dram"),
              "msr": series("package", "core", "dram")}
    MIRRORS = {"powercap": 1}  # psys-0 is psys
    PERF_DRAM = sources.PERF_DRAM


if __name__ == "__main__":
    guest.main(MACHINE)
