# SPDX-License-Identifier: MIT
"""The layouts of real machines in this directory: the series of each, and their energy.

Git stores no empty directories: each has a .gitkeep, which the copy made by a test omits.
"""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import PATIENCE_SECONDS, Execd
from meter import Meter
from tree import LAYOUTS, RANGE_UJ, Tree

INTEL, AMD, HYGON = "GenuineIntel", "AuthenticAMD", "HygonGenuine"

# Above the 50 ms that power needs; a step of 32 zones is still far below any ceiling.
STEP_SECONDS = 0.11
ROUNDS_MOST = 20

PACKAGE_0 = "domain=package,package_id=0"
CORE_0 = "domain=core,package_id=0"
UNCORE_0 = "domain=uncore,package_id=0"
DRAM_0 = "domain=dram,package_id=0"
TOTAL = "domain=total"

# Possible vendors of the CPU (None: no proc/cpuinfo), and the series that each zone feeds.
CLIENT = {"intel-rapl:0": PACKAGE_0, "intel-rapl:0:0": CORE_0, "intel-rapl:0:1": UNCORE_0}
EXPECTED = {
    "amd-epyc-zen4-2s-fixed": ([INTEL], {
        "intel-rapl:0": PACKAGE_0,
        "intel-rapl:0:0": CORE_0,
        "intel-rapl:1": "domain=package,package_id=1",
        "intel-rapl:1:0": "domain=core,package_id=1"}),
    "desktop-haswell-i7-4770s-linux3.18": (
        [None, INTEL], {**CLIENT, "intel-rapl:0:2": DRAM_0}),
    "intel-rapl-control-type-without-zones": ([None, INTEL], {}),
    "laptop-mangohud1776-energies": ([None, INTEL], {**CLIENT, "intel-rapl:0:2": DRAM_0}),
    "laptop-psys-peakpower-energy-unreadable": (
        [None, INTEL], {**CLIENT, "intel-rapl:1": "domain=psys"}),
    "laptop-thinkpad-l480-psys-dram": (
        [None, INTEL], {**CLIENT, "intel-rapl:0:2": DRAM_0, "intel-rapl:1": "domain=psys"}),
    "laptop-ultra7-265h-psys-mmio": (
        [None, INTEL], {**CLIENT, "intel-rapl:1": "domain=psys", "intel-rapl-mmio:0": None}),
    "procfs-fixture-pkg0-core-pkg10-hex": ([INTEL], {
        "intel-rapl:0": PACKAGE_0,
        "intel-rapl:0:0": CORE_0,
        "intel-rapl:a": "domain=package,package_id=10"}),
    "vm-empty-class-powercap": ([None], {}),
    "vm-no-powercap-at-all": ([None], {}),
}


def messages_of(execd):
    """All its messages, except the one about the unknown vendor (tests/execd/test_vendor.py)."""
    return [line for line in execd.messages() if "vendor is unknown" not in line]


def in_total(identity):
    return "domain=package" in identity or "domain=dram" in identity


def steps(zones):
    """A different energy for every zone, in microjoules, so that any mix-up shows."""
    return {zone: 200000 + 210007 * count for count, zone in enumerate(zones, 1)}


class TreeCase(unittest.TestCase):
    def copy(self, layout, vendor=None):
        tree = Tree.copy(layout)
        self.addCleanup(tree.__exit__)
        tree.set_vendor(vendor)
        return tree

    def start(self, tree, *options):
        began = time.monotonic()
        execd = Execd(*options, root=tree.root)
        self.addCleanup(execd.kill)
        return execd, Meter(execd, began)

    def overlay_energies(self, tree, zones):
        """Creates energy files where the layout has none."""
        for count, zone in enumerate(zones, 1):
            if not os.path.exists(tree.path(zone, "energy_uj")):
                tree.set_energy(zone, 5 * 10**9 + count * 10**8)

    def check_series(self, tree, expected):
        """Every zone's series, and the total, must show exactly the energy moved at least three
        times, and power twice: a report with late reads has none."""
        execd, meter = self.start(tree)
        moved = {identity: 0 for identity in expected.values() if identity}
        powers = dict.fromkeys([*moved, TOTAL], 0)
        energies = tree.settle(execd, expected)
        for round_number in range(ROUNDS_MOST):
            if round_number:
                time.sleep(STEP_SECONDS)
                factor = 1 + round_number % 2
                energies = {zone: uj * factor for zone, uj in steps(expected).items()}
                tree.move(energies)
            for zone, identity in expected.items():
                if identity:
                    moved[identity] += energies[zone]
            total = sum(energy for identity, energy in moved.items() if in_total(identity))
            report = meter.ask()
            self.assertEqual({name: report.energy_uj(name) for name in report},
                             {**moved, TOTAL: total})
            for identity in report:
                powers[identity] += report.power(identity) is not None
            if round_number >= 2 and min(powers.values()) >= 2:
                break
        self.assertGreaterEqual(min(powers.values()), 2, powers)
        self.assertEqual(execd.stop(), 0)
        return messages_of(execd)


class Layouts(TreeCase):
    def check_layout(self, layout):
        vendors, expected = EXPECTED[layout]
        for vendor in vendors:
            with self.subTest(vendor=vendor):
                tree = self.copy(layout, vendor)
                self.overlay_energies(tree, expected)
                if expected:
                    self.check_series(tree, expected)
                else:
                    self.check_silence(tree)

    def check_silence(self, tree):
        execd, _ = self.start(tree)
        execd.wait_message("^E! .*powercap.*Fix: ")
        execd.prompt()
        self.assertEqual(execd.finish(), (0, ""))
        self.assertEqual(len(execd.messages()), 1, execd.messages())

    def test_every_layout_has_a_test(self):
        layouts = {name for name in os.listdir(LAYOUTS)
                   if os.path.isdir(os.path.join(LAYOUTS, name, "sys"))}
        self.assertEqual(layouts, set(EXPECTED) | {"amd-threadripper-1950x-multidie-duplicate",
                                                   "server-16-packages-hex-ids"})


for each in EXPECTED:
    def check(self, layout=each):
        self.check_layout(layout)
    setattr(Layouts, "test_" + each.replace("-", "_").replace(".", "_"), check)


class Server16Packages(TreeCase):
    def test_names_decide_and_not_ids(self):
        tree = self.copy("server-16-packages-hex-ids", INTEL)
        expected = {}
        for index in range(16):
            package = (index * 7 + 5) % 16
            zone = "intel-rapl:%x" % index
            tree.write(zone, "name", "package-%d\n" % package)
            tree.write(zone + ":0", "name", "dram\n")
            expected[zone] = "domain=package,package_id=%d" % package
            expected[zone + ":0"] = "domain=dram,package_id=%d" % package
        self.overlay_energies(tree, expected)
        self.check_series(tree, expected)

    def test_without_names_nothing_is_said(self):
        tree = self.copy("server-16-packages-hex-ids", INTEL)
        self.overlay_energies(tree, tree.zones())
        execd, _ = self.start(tree)
        execd.prompt()
        self.assertEqual(execd.finish(), (0, ""))
        self.assertIn("intel-rapl:0/name", "".join(execd.messages()))


class Epyc(TreeCase):
    def test_core_is_the_lead_core_on_amd_and_hygon(self):
        for vendor in (AMD, HYGON):
            with self.subTest(vendor=vendor):
                tree = self.copy("amd-epyc-zen4-2s-fixed", vendor)
                expected = {"intel-rapl:0": PACKAGE_0,
                            "intel-rapl:0:0": "domain=lead_core,package_id=0",
                            "intel-rapl:1": "domain=package,package_id=1",
                            "intel-rapl:1:0": "domain=lead_core,package_id=1"}
                self.overlay_energies(tree, expected)
                self.check_series(tree, expected)


class Threadripper(TreeCase):
    DIES = "intel-rapl:0", "intel-rapl:1"
    DIE_0 = "die_id=0,domain=package,package_id=0"
    DIE_1 = "die_id=1,domain=package,package_id=0"

    def copy_dies(self, vendor):
        return self.copy("amd-threadripper-1950x-multidie-duplicate", vendor)

    def test_dies_are_one_package(self):
        for vendor in (AMD, HYGON, None):
            with self.subTest(vendor=vendor):
                tree = self.copy_dies(vendor)
                execd, meter = self.start(tree)
                energy_uj = tree.settle(execd)[self.DIES[0]]
                meter.ask()
                for moved_uj in (7000003, 11000007):
                    time.sleep(STEP_SECONDS)
                    tree.move(dict.fromkeys(self.DIES, moved_uj))
                    energy_uj += moved_uj
                    report = meter.ask()
                    self.assertEqual({name: report.energy_uj(name) for name in report},
                                     {PACKAGE_0: energy_uj, TOTAL: energy_uj})
                self.assertEqual(execd.stop(), 0)
                self.assertEqual(messages_of(execd), [])

    def test_sub_zones_keep_their_die_on_amd(self):
        tree = self.copy_dies(AMD)
        for die in (0, 1):
            tree.add("intel-rapl:%d:0" % die, "core", 10**9 * (die + 1))
        # The second die repeats the package: it moves with it, and has no series.
        self.check_series(tree, {"intel-rapl:0": PACKAGE_0, "intel-rapl:1": None,
                                 "intel-rapl:0:0": "die_id=0,domain=lead_core,package_id=0",
                                 "intel-rapl:1:0": "die_id=1,domain=lead_core,package_id=0"})

    def test_real_dies_of_intel(self):
        tree = self.copy_dies(INTEL)
        tree.move({self.DIES[1]: 100 * 10**6})
        self.check_series(tree, dict(zip(self.DIES, (self.DIE_0, self.DIE_1))))

    def test_one_counter_by_two_dies_of_intel(self):
        self.check_series(self.copy_dies(INTEL), {self.DIES[0]: PACKAGE_0, self.DIES[1]: None})

    def test_energies_far_apart_are_no_mirrors(self):
        tree = self.copy_dies(None)
        tree.move({self.DIES[1]: 100 * 10**6})
        messages = self.check_series(tree, dict(zip(self.DIES, (self.DIE_0, self.DIE_1))))
        self.assertEqual(messages, [])

    def test_packages_are_never_mirrors(self):
        tree = self.copy_dies(None)
        tree.write(self.DIES[1], "name", "package-1-die-0\n")
        tree.set_energy(self.DIES[1], tree.energy_uj(self.DIES[0]))
        self.check_series(tree, {self.DIES[0]: self.DIE_0,
                                 self.DIES[1]: "die_id=0,domain=package,package_id=1"})

    def test_mirrors_that_part_while_running(self):
        tree = self.copy_dies(None)
        tree.set_energy(self.DIES[1], tree.energy_uj(self.DIES[0]))
        execd, meter = self.start(tree)
        shared = tree.settle(execd)[self.DIES[0]]
        meter.ask()
        time.sleep(STEP_SECONDS)
        tree.move({zone: 5 * 10**6 for zone in self.DIES})
        shared += 5 * 10**6
        self.assertEqual(meter.ask().energy_uj(PACKAGE_0), shared)

        # More than 400 W use between the two reads, even if these are 0.1 s apart.
        time.sleep(2 * STEP_SECONDS)
        tree.move({self.DIES[0]: 4 * 10**6, self.DIES[1]: 60 * 10**6})
        parted = meter.ask()
        self.assertNotIn(PACKAGE_0, parted)
        # Both are counted from where they were still the same.
        self.assertEqual({name: parted.energy_uj(name) for name in parted},
                         {self.DIE_0: 4 * 10**6, self.DIE_1: 60 * 10**6, TOTAL: shared + 64 * 10**6})

        time.sleep(STEP_SECONDS)
        tree.move({self.DIES[0]: 2000001, self.DIES[1]: 3000002})
        report = meter.ask()
        self.assertEqual({name: report.energy_uj(name) for name in report},
                         {self.DIE_0: 6000001, self.DIE_1: 63000002, TOTAL: shared + 69000003})
        self.assertEqual(execd.stop(), 0)
        messages = messages_of(execd)
        self.assertEqual(len(messages), 1, messages)
        self.assertRegex(messages[0], "^W! .*package-0")


class Mmio(TreeCase):
    LAYOUT = "laptop-ultra7-265h-psys-mmio"

    def test_serves_what_intel_rapl_lacks(self):
        expected = {"intel-rapl-mmio:0": PACKAGE_0, "intel-rapl:0:0": CORE_0,
                    "intel-rapl:0:1": UNCORE_0, "intel-rapl:1": "domain=psys"}
        tree = self.copy(self.LAYOUT, INTEL)
        self.overlay_energies(tree, expected)
        self.assertFalse(os.path.exists(tree.path("intel-rapl:0", "energy_uj")))
        self.check_series(tree, expected)

    def test_repeats_nothing_where_it_stands_elsewhere(self):
        tree = self.copy(self.LAYOUT, INTEL)
        zones = EXPECTED[self.LAYOUT][1]
        self.overlay_energies(tree, zones)
        tree.set_energy("intel-rapl-mmio:0", tree.energy_uj("intel-rapl:0"))
        self.check_series(tree, zones)

    def test_other_control_types_are_not_rapl(self):
        tree = self.copy(self.LAYOUT, INTEL)
        zones = dict(EXPECTED[self.LAYOUT][1])
        for zone, name in (("dtpm:0", "package-7"), ("intel-raplx:0", "package-8")):
            tree.add(zone, name, 10**9)
            zones[zone] = None
        self.overlay_energies(tree, zones)
        self.check_series(tree, zones)


class Psys(TreeCase):
    def make(self, names):
        tree = Tree.make(names)
        self.addCleanup(tree.__exit__)
        tree.set_vendor(INTEL)
        return tree

    def test_between_the_packages(self):
        tree = self.make({"intel-rapl:0": "package-0", "intel-rapl:1": "psys",
                          "intel-rapl:2": "package-1", "intel-rapl:2:0": "dram",
                          "intel-rapl:3": "psys-1"})
        self.check_series(tree, {"intel-rapl:0": PACKAGE_0, "intel-rapl:1": "domain=psys",
                                 "intel-rapl:2": "domain=package,package_id=1",
                                 "intel-rapl:2:0": "domain=dram,package_id=1",
                                 "intel-rapl:3": "domain=psys,package_id=1"})

    def test_psys_and_psys_0_show_one_counter(self):
        tree = self.make({"intel-rapl:0": "package-0", "intel-rapl:1": "psys",
                          "intel-rapl:2": "psys-0"})
        tree.set_energy("intel-rapl:2", tree.energy_uj("intel-rapl:1"))
        execd, meter = self.start(tree)
        meter.ask()
        time.sleep(STEP_SECONDS)
        tree.move({"intel-rapl:0": 1000001, "intel-rapl:1": 3000003, "intel-rapl:2": 3000003})
        report = meter.ask()
        self.assertEqual({name: report.energy_uj(name) for name in report},
                         {PACKAGE_0: 1000001, "domain=psys": 3000003, TOTAL: 1000001})
        self.assertEqual(execd.stop(), 0)

    def test_whole_joules_need_half_a_second(self):
        # Sapphire Rapids: the range is 2^32 - 1 joules.
        for is_usual in (True, False):  # or a counter that moves every 0.1 s
            with self.subTest(is_usual=is_usual):
                tree = self.make({"intel-rapl:0": "package-0", "intel-rapl:1": "psys"})
                tree.write("intel-rapl:1", "max_energy_range_uj", "%d\n" % ((2**32 - 1) * 10**6))
                self.check_half_a_second(tree, is_usual)

    def check_half_a_second(self, tree, is_usual):
        execd, meter = self.start(tree)
        ask = execd.ask  # power spans moves of the counter, and the meter's spans prompts
        if is_usual:
            tree.settle(execd)
            ask = meter.ask
        end = time.monotonic() + PATIENCE_SECONDS
        report = ask()
        while report.power("domain=psys") is None and time.monotonic() < end:
            time.sleep(STEP_SECONDS)
            tree.move({"intel-rapl:1": 20 * 10**6})
            report = ask()
        self.assertIsNotNone(report.power("domain=psys"))
        self.assertGreaterEqual(time.monotonic() - meter.began, 0.5)
        self.assertEqual(execd.stop(), 0)


class Names(TreeCase):
    def test_hexadecimal_ids_and_unknown_domains(self):
        names = {"intel-rapl:%x" % index: "package-%d" % (20 - index) for index in range(18)}
        names.update({"intel-rapl:f:0": "core", "intel-rapl:10:0": "dram",
                      "intel-rapl:11:0": "media engine,x=1"})
        tree = Tree.make(names)
        self.addCleanup(tree.__exit__)
        expected = {zone: "domain=package,package_id=" + name[8:]
                    for zone, name in names.items() if zone.count(":") == 1}
        expected.update({"intel-rapl:f:0": "domain=core,package_id=5",
                         "intel-rapl:10:0": "domain=dram,package_id=4",
                         "intel-rapl:11:0": "domain=media_engine_x_1,package_id=3"})
        self.check_series(tree, expected)

    def test_one_name_twice(self):
        """With equal values it is one counter; with different ones two, the second with the
        kernel's id."""
        names = {"intel-rapl:0": "package-0", "intel-rapl:a": "package-0",
                 "intel-rapl:1": "package-1"}
        second = PACKAGE_0 + ",zone_id=intel-rapl:a"
        for distance_uj, shown in ((0, None), (100 * 10**6, second)):
            with self.subTest(distance_uj=distance_uj), Tree.make(names, RANGE_UJ) as tree:
                tree.set_energy("intel-rapl:a", tree.energy_uj("intel-rapl:0") + distance_uj)
                messages = self.check_series(tree, {"intel-rapl:0": PACKAGE_0, "intel-rapl:a": shown,
                                                    "intel-rapl:1": "domain=package,package_id=1"})
                self.assertEqual(len(messages), 1 if shown else 0, messages)
                for message in messages:
                    self.assertRegex(message, "^W! package-0-intel-rapl:a: .*same name")


if __name__ == "__main__":
    tap.main()
