# SPDX-License-Identifier: MIT
"""rapl-execd on registers of the simulated machine: the same series as from powercap, with correct
watts."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import sim
import tap
from execd import Execd
from meter import Meter

STEP_SECONDS = 0.12
UPDATE_SECONDS = 0.0012
# The machine counts in whole nanojoules, as powercap does; registers have units of 2^-14 J and
# 2^-16 J, which are up to 52 ppm more.
UNIT_TOLERANCE = 60e-6

MACHINES = ("laptop", "server", "epyc", "epyc-6.9", "sapphire-rapids", "16-packages")
AMD_CORES_OF_PACKAGE = 8


def series_of(identity):
    """The name in the truth for a line's tags: "domain=dram,package_id=1" -> "package-1/dram"."""
    tags = dict(pair.split("=") for pair in identity.split(","))
    domain, package = tags["domain"], tags.get("package_id")
    if domain == "total":
        return domain
    if domain == "psys":
        return "psys" if package is None else "psys-" + package
    return "package-" + package + ("" if domain == "package" else "/" + domain)


@sim.needed
class Registers(unittest.TestCase):
    def start(self, name, *options, sim_options=()):
        self.machine = sim.Machine("--machine", name, *sim_options)
        self.addCleanup(self.machine.stop)
        began = time.monotonic()
        self.execd = Execd("--source=msr", *options, root=self.machine.root)
        self.addCleanup(self.execd.kill)
        return Meter(self.execd, began)

    def measure(self, meter, steps=3):
        """Reports, and for each identity the joules between the first and the last, with the
        minimum and maximum of the seconds between them."""
        reports = []
        for _ in range(steps):
            time.sleep(STEP_SECONDS)
            before = time.monotonic()
            reports.append((before, meter.ask(), time.monotonic()))
        (before_1, first, after_1), (before_2, last, after_2) = reports[0], reports[-1]
        joules = {identity: last.energy_uj(identity) / 1e6 - first.energy_uj(identity) / 1e6
                  for identity in last if not identity.startswith("rapl_health")}
        return joules, before_2 - after_1 - UPDATE_SECONDS, after_2 - before_1 + UPDATE_SECONDS

    def expect_no_complaint(self):
        self.assertEqual(self.execd.stop(), 0)
        self.assertEqual([line for line in self.execd.messages() if not line.startswith("I! ")], [])

    def expect_watts(self, watts, joules, least, most, tick=0.001):
        self.assertGreaterEqual(joules, watts * least - tick)
        self.assertLessEqual(joules, watts * most * (1 + UNIT_TOLERANCE) + tick)

    def test_watts_of_every_machine_are_the_true_ones(self):
        for name in MACHINES:
            with self.subTest(machine=name):
                meter = self.start(name)
                joules, least, most = self.measure(meter)
                truth = self.machine.truth().watts
                for identity, energy in joules.items():
                    series = series_of(identity)
                    watts = truth.get(series)
                    if name == "epyc-6.9" and "/" not in series and series != "total":
                        watts = truth[series + "-die-0"]
                    if series.endswith("/core") and name.startswith("epyc"):
                        watts = self.watts_of_all_cores(series, truth)
                    self.expect_watts(watts, energy, least, most,
                                      1.0 if identity.startswith("domain=psys") else 0.001)
                self.expect_no_complaint()

    @staticmethod
    def watts_of_all_cores(series, truth):
        """Every core shows the counter of the core zone of its die or package."""
        package = series.partition("/")[0]
        dies = [watts for name, watts in truth.items()
                if name == series or name.startswith(package + "-die-") and name.endswith("/core")]
        return sum(dies) * AMD_CORES_OF_PACKAGE / len(dies)

    def test_series_are_those_of_powercap(self):
        for name in MACHINES:
            with self.subTest(machine=name):
                self.start(name)
                with Execd("--source=powercap", root=self.machine.root) as powercap:
                    expected = {identity for identity in powercap.ask()
                                if "domain=lead_core" not in identity}
                found = set(self.execd.ask())
                if name.startswith("epyc"):
                    expected |= {"domain=core,package_id=0", "domain=core,package_id=1"}
                self.assertEqual(found, expected)

    def test_health_names_the_source(self):
        self.start("server", "--health=yes")
        report = self.execd.ask()
        self.assertEqual(report["rapl_health,source=msr"]["zones"], 4)

    def test_registers_wrap_at_32_bits(self):
        for name in ("server", "epyc"):
            with self.subTest(machine=name):
                meter = self.start(name, "--health=yes", sim_options=("--before-wrap", "300"))
                joules, least, most = self.measure(meter, 28)
                truth = self.machine.truth().watts
                for package in ("package-0", "package-1"):
                    identity = "domain=package,package_id=" + package[-1]
                    self.expect_watts(truth[package], joules[identity], least, most)
                health = self.execd.ask()["rapl_health,source=msr"]
                self.assertGreaterEqual(health["wraps"], 2)
                self.assertEqual(health["resets"], 0)

    def test_another_cpu_takes_over_without_losing_a_joule(self):
        meter = self.start("epyc", "--health=yes")
        self.execd.wait_quiet()  # a read between two prompts would fail before the list of CPUs is read
        before_1 = time.monotonic()
        first = meter.ask()
        after_1 = time.monotonic()
        # CPUs 0 and 8 are the lowest of their packages, 16 and 24 are their siblings
        for online in ("1-7,9-31", "0-15", "0,8,17-23,25-31", "0-31"):
            self.machine.control("online " + online)
            time.sleep(STEP_SECONDS)
            before_2 = time.monotonic()
            last = meter.ask()
            after_2 = time.monotonic()
            self.assertEqual(set(last), set(first))
        for identity in first:
            if identity.startswith("rapl_health"):
                continue
            joules = last[identity]["energy_joules"] - first[identity]["energy_joules"]
            truth = self.machine.truth().watts
            series = series_of(identity)
            watts = truth[series] * (AMD_CORES_OF_PACKAGE if series.endswith("/core") else 1)
            self.expect_watts(watts, joules, before_2 - after_1 - UPDATE_SECONDS,
                              after_2 - before_1 + UPDATE_SECONDS)
        health = last["rapl_health,source=msr"]
        self.assertEqual((health["gaps"], health["resets"], health["read_errors"]), (0, 0, 0))
        self.expect_no_complaint()

    def test_package_that_goes_offline_and_returns(self):
        meter = self.start("server")
        all_series = set(meter.ask())
        self.machine.control("online 0-3,8-11")
        time.sleep(STEP_SECONDS)
        gone = set(meter.ask())
        self.assertEqual(gone, all_series - {"domain=package,package_id=1",
                                             "domain=dram,package_id=1", "domain=total"})
        time.sleep(STEP_SECONDS)
        self.assertEqual(set(meter.ask()), gone | {"domain=total"})
        self.machine.control("online 0-15")
        time.sleep(STEP_SECONDS)
        report = meter.ask()
        self.assertEqual(set(report), all_series)
        # the energy used meanwhile is counted over the whole gap, which Meter has checked
        self.assertIsNotNone(report.power("domain=package,package_id=1"))

    def test_register_that_fails_and_recovers(self):
        meter = self.start("server")
        all_series = set(meter.ask())
        self.machine.control("fail package-0/dram EIO")
        time.sleep(STEP_SECONDS)
        self.assertEqual(set(meter.ask()),
                         all_series - {"domain=dram,package_id=0", "domain=total"})
        self.machine.control("heal package-0/dram")
        time.sleep(STEP_SECONDS)
        self.assertEqual(set(meter.ask()), all_series)
        self.execd.stop()
        self.assertIn("dev/cpu/0/msr", "".join(map(str, self.execd.messages())))


if __name__ == "__main__":
    tap.main()
