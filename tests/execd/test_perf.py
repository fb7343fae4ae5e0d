# SPDX-License-Identifier: MIT
"""rapl-execd --source=perf on events that the kernel really opens: the tree's PMUs have the type of
the software PMU, whose event 0, cpu-clock, counts nanoseconds of a CPU as energy."""
import ctypes
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import Execd, run
from meter import Meter
from tree import Tree

DEVICES = os.path.join("sys", "bus", "event_source", "devices")
CPUS = os.path.join("sys", "devices", "system", "cpu")
SOFTWARE = 1  # PERF_TYPE_SOFTWARE, from the ABI
PARANOID = "/proc/sys/kernel/perf_event_paranoid"
STEP_SECONDS = 0.5
CLOCKS = 0.003  # largest deviation of the kernel's clock of a CPU from the clock read here


class Machine(Tree):
    """A root with CPUs {number: (package, die, core)} and PMUs."""

    def __init__(self, cpus, vendor="GenuineIntel"):
        super().__init__()
        self.put(os.path.join(CPUS, "online"), ",".join(map(str, sorted(cpus))))
        for cpu, ids in cpus.items():
            for name, number in zip(("physical_package_id", "die_id", "core_id"), ids):
                self.put(os.path.join(CPUS, "cpu%d" % cpu, "topology", name), number)
        self.set_vendor(vendor)

    def put(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write("%s\n" % text)

    def add_pmu(self, name, cpumask, watts):
        """watts: {event: power of one reader CPU}."""
        pmu = os.path.join(DEVICES, name)
        self.put(os.path.join(pmu, "type"), SOFTWARE)
        self.put(os.path.join(pmu, "cpumask"), cpumask)
        self.put(os.path.join(pmu, "format", "event"), "config:0-7")
        os.makedirs(os.path.join(self.root, pmu, "events"), exist_ok=True)
        for event, power in watts.items():
            path = os.path.join(pmu, "events", event)
            self.put(path, "event=0x00")
            self.put(path + ".scale", "%ge-9" % power)
            self.put(path + ".unit", "Joules")


def server():
    """Both packages are read on CPU 0 or 1: other CPUs may not exist."""
    return Machine({0: (0, 0, 0), 1: (1, 0, 0)})


class PerfAttributes(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint32), ("size", ctypes.c_uint32),
                ("rest", ctypes.c_uint64 * 15)]


def missing_perf():
    """Why events of a CPU cannot be opened; None if they can."""
    if os.cpu_count() < 2:
        return "there is one CPU alone"
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = PerfAttributes(type=SOFTWARE, size=ctypes.sizeof(PerfAttributes))
    perf_event_open = 298  # x86-64
    fd = libc.syscall(perf_event_open, ctypes.byref(attributes), -1, 1, -1, 8)
    if fd < 0:
        return "perf_event_open: %s" % os.strerror(ctypes.get_errno())
    os.close(fd)
    return None


class Watts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = missing_perf()
        if reason:
            raise unittest.SkipTest(reason)

    def start(self, machine, *options):
        self.addCleanup(machine.__exit__)
        began = time.monotonic()
        execd = Execd("--source=perf", *options, root=machine.root)
        self.addCleanup(execd.kill)
        return Meter(execd, began)

    @staticmethod
    def step(meter, seconds=STEP_SECONDS):
        time.sleep(seconds)
        return meter.ask()

    def begin(self, meter):
        """The first report with power, which need not be waited for here."""
        return self.step(meter, 0.1)

    def expect(self, meter, watts, first=0, kept=None):
        """The last report has these series, and their energy since the first is that of these
        watts. Meter checks each power against the energy."""
        report = meter.asked[-1].report
        self.assertEqual(set(report), set(watts))
        for name, power in watts.items():
            self.assertIsNotNone(report.power(name), name)
            meter.check_energy(name, power, first, tolerance=CLOCKS, kept=kept)

    def test_server(self):
        machine = server()
        machine.add_pmu("power", "0-1", {"energy-pkg": 45, "energy-ram": 5, "energy-cores": 20,
                                         "energy-gpu": 2.5, "energy-psys": 120})
        meter = self.start(machine, "--health=yes")
        self.begin(meter)
        health = self.step(meter).pop("rapl_health,source=perf")
        self.assertEqual((health["zones"], health["read_errors"], health["resets"]), (10, 0, 0))
        expected = {"domain=psys": 120, "domain=psys,package_id=1": 120, "domain=total": 100}
        for package in "01":
            expected.update({"domain=%s,package_id=%s" % (domain, package): power
                             for domain, power in (("package", 45), ("dram", 5), ("core", 20),
                                                   ("uncore", 2.5))})
        self.expect(meter, expected)
        self.assertEqual([m for m in meter.execd.messages() if m[0] in "EW"], [])

    def test_dies_of_one_counter(self):
        """From Linux 7.0 on the cpumask lists every CPU of a package, so that its dies count the
        same."""
        machine = Machine({0: (0, 0, 0), 1: (0, 1, 0)})
        machine.add_pmu("power", "0-1", {"energy-pkg": 45})
        meter = self.start(machine)
        self.step(meter, 1)
        self.step(meter)
        self.step(meter)
        self.expect(meter, {"domain=package,package_id=0": 45, "domain=total": 45}, first=1)

    def test_cores_of_amd_are_summed(self):
        machine = Machine({0: (0, 0, 0), 1: (0, 0, 1)}, "AuthenticAMD")
        machine.add_pmu("power", "0", {"energy-pkg": 45})
        machine.add_pmu("power_core", "0-1", {"energy-core": 6})
        meter = self.start(machine)
        self.begin(meter)
        self.step(meter)
        self.expect(meter, {"domain=package,package_id=0": 45, "domain=core,package_id=0": 12,
                            "domain=total": 45})

    def test_every_report(self):
        machine = server()
        machine.add_pmu("power", "0,1", {"energy-pkg": 200})
        meter = self.start(machine)
        self.begin(meter)
        package = "domain=package,package_id=%d"
        for last in range(10):
            self.step(meter, 0.2)
            self.expect(meter, {package % 0: 200, package % 1: 200, "domain=total": 400}, last)

    def test_pmu_that_is_registered_again(self):
        machine = server()
        machine.add_pmu("power", "0-1", {"energy-pkg": 45})
        meter = self.start(machine, "--health=yes")
        self.begin(meter)
        self.step(meter)
        folder = os.path.join(DEVICES, "power")
        machine.put(os.path.join(folder, "type.new"), SOFTWARE)
        os.rename(os.path.join(machine.root, folder, "type.new"),
                  os.path.join(machine.root, folder, "type"))
        machine.put(os.path.join(CPUS, "online"), "0-1")  # to start discovery
        report = self.step(meter)
        self.assertEqual(set(report), {"rapl_health,source=perf"})  # energy is unknown
        kept = meter.asked[1].report
        for name in kept.keys() - report.keys():
            meter.forget(name, kept[name]["energy_joules"])
        self.step(meter).pop("rapl_health,source=perf")
        self.expect(meter, {"domain=package,package_id=0": 45, "domain=package,package_id=1": 45,
                            "domain=total": 90}, first=2, kept=1)

    def test_check_lists_the_events(self):
        machine = server()
        self.addCleanup(machine.__exit__)
        machine.add_pmu("power", "0-1", {"energy-pkg": 45, "energy-psys": 120})
        ended = run("--check", "--source=perf", root=machine.root)
        self.assertEqual(ended.status, 0)
        self.assertRegex(ended.text, r"source +perf")
        self.assertRegex(ended.text, r"power/energy-pkg@1 +package-1 .* yes")
        self.assertRegex(ended.text, r"power/energy-psys@0 +psys .* yes")

    def test_auto_takes_it_where_powercap_has_nothing(self):
        machine = server()
        self.addCleanup(machine.__exit__)
        machine.add_pmu("power", "0-1", {"energy-pkg": 45})
        ended = run("--once", root=machine.root)
        self.assertEqual(ended.status, 0)
        self.assertIn("domain=package,package_id=1 ", ended.text)
        ended = run("--check", root=machine.root)
        self.assertRegex(ended.text, r"^source +perf, below .*\n +powercap: ")


class Refusals(unittest.TestCase):
    def setUp(self):
        self.machine = server()
        self.addCleanup(self.machine.__exit__)

    def check(self, **more):
        return run("--check", "--source=perf", root=self.machine.root, **more)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_nobody_is_told_what_paranoid_asks_for(self):
        self.machine.add_pmu("power", "0-1", {"energy-pkg": 45, "energy-ram": 5})
        if not os.path.exists(PARANOID):
            self.skipTest("the kernel has no perf")
        with open(PARANOID, encoding="ascii") as file:
            level = int(file.read())
        if level <= 0:
            self.skipTest("perf_event_paranoid is %d here: nobody is refused" % level)
        self.machine.put(PARANOID[1:], level)
        ended = self.check(user="nobody")
        self.assertEqual(ended.status, 1)
        self.assertRegex(ended.text, r"energy-pkg \(and 3 more\): perf_event_open: Permission")
        self.assertRegex(ended.text, r"power/energy-ram@1 .* no: Permission denied")
        wanted = "CAP_SYS_ADMIN" if level >= 3 else "CAP_PERFMON"
        self.assertRegex(ended.text, "fix: .*%s.*%s=p " % (wanted, wanted.lower()))
        self.assertEqual(len(re.findall("fix: ", ended.text)), 1, ended.text)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_levels_are_those_of_the_root(self):
        self.machine.add_pmu("power", "0-1", {"energy-pkg": 45})
        if missing_perf() or run("--check", "--source=perf", root=self.machine.root,
                                 user="nobody").status == 0:
            self.skipTest("nobody is not refused here")
        for level, words in ((4, "CAP_SYS_ADMIN"), (2, "CAP_PERFMON"), (0, "seccomp")):
            with self.subTest(level=level):
                self.machine.put(PARANOID[1:], level)
                self.assertRegex(self.check(user="nobody").text, "fix: .*" + words)

    def test_no_events(self):
        self.machine.add_pmu("power", "0-1", {})
        ended = self.check()
        self.assertEqual(ended.status, 1)
        self.assertIn(os.path.join(self.machine.root, DEVICES, "power has no energy event"),
                      ended.text)
        self.assertIn("fix: ", ended.text)

    def test_no_pmu(self):
        ended = self.check()
        self.assertEqual(ended.status, 1)
        self.assertIn(os.path.join(self.machine.root, DEVICES, "power: No such file"), ended.text)
        self.assertRegex(ended.text, "fix: .*sudo modprobe rapl")

    def test_junk_takes_one_event_out(self):
        if missing_perf():
            self.skipTest(missing_perf())
        self.machine.add_pmu("power", "0-1", {"energy-pkg": 45, "energy-ram": 5})
        self.machine.put(os.path.join(DEVICES, "power", "events", "energy-ram.scale"), "junk")
        ended = self.check()
        self.assertEqual(ended.status, 0)
        self.assertIn("energy-ram.scale: is not a scale", ended.text)
        self.assertNotIn("power/energy-ram@", ended.text)

    def test_pmu_that_comes_late(self):
        if missing_perf():
            self.skipTest(missing_perf())
        with Execd("--source=perf", root=self.machine.root) as execd:
            execd.wait_message("power: No such file")
            self.machine.add_pmu("power", "0-1", {"energy-pkg": 45})
            self.machine.put(os.path.join(CPUS, "online"), "0-1")  # to start discovery
            report = execd.ask()
            self.assertIn("domain=package,package_id=0", report)


if __name__ == "__main__":
    tap.main()
