# SPDX-License-Identifier: MIT
"""AMD EPYC: powercap shows one core of each package, perf none, msr all of them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402
from collectd import complaints, warnings  # noqa: E402

MACHINE = guest.Machine(cpu="EPYC", seconds=900)

PACKAGES = {"domain=package,package_id=0", "domain=package,package_id=1"}
CORE = "domain=core,package_id=%d"
LEAD = "domain=lead_core,package_id=1"
ONE_CORE = "core_id=%d,domain=core,package_id=%d"


class Epyc(sources.TwoPackages):
    SERIES = {"powercap": PACKAGES | {"domain=lead_core,package_id=0", "domain=lead_core,package_id=1"},
              "perf": PACKAGES,
              "msr": PACKAGES | {CORE % 0, CORE % 1}}

    def true_watts(self, source, report):
        watts = super().true_watts(source, report)
        if source == "msr":  # all cores of the package
            for package in (0, 1):
                watts[CORE % package] = sum(kernel.truth_watts(
                    {"domain": "lead_core", "package_id": package, "core_id": core})
                    for core in cores_of(package))
        for identity in watts:
            if identity.startswith("core_id="):
                tags = dict(pair.split("=") for pair in identity.split(","))
                watts[identity] = kernel.truth_watts({**tags, "domain": "lead_core"})
        return watts

    def test_single_cores_when_asked_for(self):
        with self.start("--cores=yes", sources=["msr"]) as watches:
            last = self.check_span(watches)
            for package in (0, 1):
                self.assertIn(CORE % package, last["msr"])
                for core in cores_of(package):
                    self.assertIn(ONE_CORE % (core, package), last["msr"])
            self.assertEqual([], watches["msr"].program.messages())

    def test_a_core_goes_and_returns(self):
        """The sum of the cores leaves the interval out, and continues without the core's power."""
        self.addCleanup(kernel.set_online, True, 3)
        with self.start(sources=["msr"]) as watches:
            watch = watches["msr"]
            before = watch.ask()
            kernel.set_online(False, 3)
            report = self.ask_until("msr", watch, CORE % 1)
            self.assertGreaterEqual(report.energy_uj(CORE % 1), before.energy_uj(CORE % 1))
            self.check_span(watches)
            kernel.set_online(True, 3)
            self.ask_until("msr", watch, CORE % 1)
            last = self.check_span(watches)
            self.assertEqual(0, self.health("msr", last["msr"])["resets"])

    def test_zones_of_the_kernel(self):
        self.assertEqual(["package-0", "core", "package-1", "core"],
                         list(kernel.zone_names().values()))

    def test_another_lead_core_starts_anew(self):
        """Cores draw different powers, and a step from one counter to another is not energy."""
        self.addCleanup(kernel.set_online, True, 2)
        with execd.Execd("--health=yes") as program:
            watch = kernel.Watch(program)
            watch.ask_for(1)
            kernel.set_online(False, 2)
            gone = len(watch.asked)
            watch.ask_for(2, least=4)
        watts = kernel.true_watts(watch.reports()[0])
        after = {**watts, LEAD: watts[LEAD] * 111 / 110}  # core 1 of package 1 instead of core 0
        self.assertNotIn(LEAD, watch.reports()[gone])
        watch.check_energy(LEAD, watts[LEAD], last=gone - 1)
        watch.check_energy(LEAD, after[LEAD], first=gone, kept=gone - 1)
        watch.check_each_power(watts, until=gone)
        watch.check_each_power(after, first=gone)
        for package in (0, 1):
            identity = "domain=package,package_id=%d" % package
            watch.check_energy(identity, watts[identity])


class Collectd(daemons.StageTest):
    @classmethod
    def missing(cls):
        return daemons.missing_programs(collectd="collectd-core")

    @classmethod
    def prepare(cls):
        cls.collectd = cls.stage.collectd(
            "guest", "<Plugin rapl>\n  Source \"msr\"\n  ReportCores true\n</Plugin>")
        cls.collectd.wait_rows("rapl/power-total", 14)
        cls.status = cls.collectd.stop()

    def test_single_cores_and_their_sum(self):
        truth = {"rapl/%s-total": 0}
        for package in (0, 1):
            name = "rapl-package-%d" % package
            cores = {core: kernel.truth_watts({"domain": "lead_core", "package_id": package,
                                               "core_id": core}) for core in cores_of(package)}
            truth[name + "/%s-package"] = kernel.truth_watts(
                {"domain": "package", "package_id": package})
            truth[name + "/%s-core"] = sum(cores.values())
            truth["rapl/%s-total"] += truth[name + "/%s-package"]
            for core, watts in cores.items():
                truth["%s-core-%d/%%s-core" % (name, core)] = watts
        rows = self.collectd.rows()
        self.assertEqual({name % kind for name in truth for kind in ("power", "energy")}, set(rows))
        for name, watts in truth.items():
            (began, first), (ended, last) = rows[name % "energy"][0], rows[name % "energy"][-1]
            self.assertAlmostEqual(watts, (last - first) / (ended - began) * 1e9,
                                   delta=0.01 * watts, msg=name)
        self.assertEqual(0, self.status)
        self.assertEqual([], complaints(self.collectd))
        self.assertEqual([], warnings(self.collectd))


def cores_of(package):
    """The online cores, from the kernel's topology."""
    cores = set()
    for cpu in range(4):
        folder = "%s/cpu%d/topology" % (kernel.CPUS, cpu)
        if os.path.exists(folder) and int(kernel.read(folder + "/physical_package_id")) == package:
            cores.add(int(kernel.read(folder + "/core_id")))
    return cores


if __name__ == "__main__":
    guest.main(MACHINE)
