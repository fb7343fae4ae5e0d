# SPDX-License-Identifier: MIT
"""One socket with two dies: the kernel names the dies, and shows psys once for each."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine(smp="4,sockets=1,dies=2,cores=2,threads=1", seconds=500)

APART_UJ = 10**8  # 500 W for 0.2 s between the two reads


def series(*domains):
    return {"die_id=%d,domain=%s,package_id=0" % (die, domain)
            for domain in domains for die in (0, 1)}


class Dies(sources.Sources):
    """Each die has counters of its own."""

    SECOND_PSYS = "domain=psys,package_id=0"  # psys-0 is that of the second die
    SERIES = {"powercap": series("package", "core", "uncore", "dram") | {"domain=psys", SECOND_PSYS},
              "perf": series("package", "core", "dram"),
              "msr": series("package", "core", "dram")}
    PERF_DRAM = sources.PERF_DRAM

    def true_watts(self, source, report):
        watts = super().true_watts(source, report)
        if self.SECOND_PSYS in watts:
            watts[self.SECOND_PSYS] = kernel.truth_watts({"domain": "psys", "die_id": 1})
        return watts

    def test_series_and_watts_of_each_source(self):
        """Counters with equal start values may count as one until they differ enough."""
        kernel.load_registers(psys_mw=900000, package_mw=450000)
        self.addCleanup(kernel.load_registers)
        for names in (("psys", "psys-0"), ("package-0-die-0", "package-0-die-1")):
            first, second = (kernel.zone_path(name) + "/energy_uj" for name in names)
            while int(kernel.read(second)) - int(kernel.read(first)) < APART_UJ:
                time.sleep(0.1)
        super().test_series_and_watts_of_each_source()

    def test_zones_of_the_kernel(self):
        self.assertLessEqual({"psys", "psys-0"}, set(kernel.zone_names().values()))
        watts = [kernel.truth_watts({"domain": "package", "package_id": 0, "die_id": die})
                 for die in (0, 1)]
        self.assertNotEqual(*watts)


def shared(*domains):
    return {"domain=%s,package_id=0" % domain for domain in domains}


class OneCounter(sources.Sources):
    """Both dies show one counter, as in a QEMU guest, and on processors that count by package."""

    SERIES = {"powercap": shared("package", "core", "uncore", "dram") | {"domain=psys"},
              "perf": shared("package", "core", "dram"),
              "msr": shared("package", "core", "dram")}
    PERF_DRAM = sources.PERF_DRAM
    test_no_source_loses_a_joule_at_a_wrap = test_a_constant_load_has_no_peak = None

    def setUp(self):
        kernel.load_registers(one_counter_per_package=1)
        self.addCleanup(kernel.load_registers)


if __name__ == "__main__":
    guest.main(MACHINE)
