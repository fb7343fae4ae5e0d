# SPDX-License-Identifier: MIT
"""rapl-execd --check: what it shows to a person who wonders why there are no watts."""
import os
import re
import shutil
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import Execd, run
from tree import RANGE_UJ, Pump, Tree

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:1": "psys",
         "intel-rapl:a": "package-1", "intel-rapl-mmio:0": "package-0"}


class Check(unittest.TestCase):
    def setUp(self):
        self.tree = Tree.make(ZONES)
        self.addCleanup(self.tree.__exit__)

    def check(self, *options, standing=(), **more):
        """Runs --check while all counters move except those in standing."""
        with Pump(self.tree, [zone for zone in ZONES if self.is_number(zone) and zone not in standing],
                  20):
            return run("--check", *options, **{"root": self.tree.root, **more})

    def is_number(self, zone):
        try:
            return self.tree.energy_uj(zone) > 0
        except (OSError, ValueError):
            return False

    def row(self, text, zone):
        """The cells of the zone's row, which at least two spaces separate."""
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
            if cells and cells[0] == zone:
                return cells
        self.fail("no row of %s in:\n%s" % (zone, text))

    def test_table_names_every_zone(self):
        self.tree.set_vendor("GenuineIntel")
        ended = self.check(standing=["intel-rapl:a"])
        self.assertEqual((ended.status, ended.messages), (0, []))
        self.assertIn("powercap", ended.text)
        self.assertIn(self.tree.root, ended.text)
        self.assertIn("Intel", ended.text)
        for zone in ZONES:
            self.row(ended.text, zone)
        self.assertEqual(self.row(ended.text, "intel-rapl:0")[1:],
                         ["package-0", "61.035 uJ", "262143.3 J", "400 W", self.watts(ended.text),
                          "yes"])
        self.assertEqual(self.row(ended.text, "intel-rapl:a")[-2], "-")
        self.assertEqual(self.row(ended.text, "intel-rapl-mmio:0")[-2], "-")
        self.assertEqual(self.row(ended.text, "intel-rapl:a")[-1], "yes, has not moved so far")
        self.assertEqual(self.row(ended.text, "intel-rapl:0:0")[1], "package-0/core")
        self.assertEqual(self.row(ended.text, "intel-rapl:0:0")[4], "400 W")
        self.assertEqual(self.row(ended.text, "intel-rapl:1")[4], "50000 W")
        self.assertIn("intel-rapl:0", self.row(ended.text, "intel-rapl-mmio:0")[-1])

    def watts(self, text, zone="intel-rapl:0"):
        """The zone's power, which may differ from 20 W on a busy machine."""
        cell = self.row(text, zone)[5]
        self.assertRegex(cell, r"^[0-9]+\.[0-9]{3} W$")
        self.assertGreater(float(cell[:-2]), 1)
        return cell

    def test_watts_are_those_of_the_counters(self):
        ended = self.check()
        total = re.search(r"(?m)^total    ([0-9.]+) W$", ended.text).group(1)
        parts = [float(self.watts(ended.text, zone)[:-2]) for zone in ("intel-rapl:0", "intel-rapl:a")]
        self.assertAlmostEqual(float(total), sum(parts), delta=0.002)

    def test_root_with_control_characters(self):
        for text in ("\x1b[2J\x07", "a\nb", "\x9b1m", "\udcff"):
            with self.subTest(text=text), Tree() as outer:
                os.rename(self.tree.root, os.path.join(outer.root, "moved"))
                root = os.path.join(outer.root, text)
                os.rename(os.path.join(outer.root, "moved"), root)
                try:
                    for options in ([], ["--source=powercap"]):
                        ended = run("--check", *options, root=root)
                        self.assertIn(outer.root + "/", ended.text)
                        self.assertEqual("", re.sub(r"[\n -~]", "", ended.text))
                        self.assertRegex(ended.text, r"(?m)\Asource .*\n.*(vendor|powercap)")
                finally:
                    os.rename(root, self.tree.root)

    def test_status(self):
        """Exit status 0: all is well, 1: nothing can be read, 2: wrong option, 3: a selected zone
        cannot be read."""
        self.assertEqual(self.check("--cores=maybe").status, 2)
        self.assertEqual(self.check().status, 0)
        self.tree.write("intel-rapl:a", "energy_uj", b"junk\n")
        self.assertEqual(self.check().status, 3)
        self.assertEqual(self.check("--exclude=package-1", "--total=no").status, 0)
        # The selected total lacks that zone.
        self.assertEqual(self.check("--include=total").status, 3)
        self.tree.write("intel-rapl:1", "name", b"")
        self.assertEqual(self.check("--exclude=package-1", "--total=no").status, 3)
        for zone in ZONES:
            self.tree.write(zone, "energy_uj", b"junk\n")
        self.assertEqual(self.check().status, 1)

    def test_it_waits_for_each_counter(self):
        late = "intel-rapl:a"
        with Pump(self.tree, [zone for zone in ZONES if zone != late], 20), \
                Execd("--check", root=self.tree.root) as execd:
            execd.wait_asleep()
            time.sleep(0.1)
            self.tree.move({late: 10**6})
            self.assertEqual(self.row(execd.read_rest(), late)[-1], "yes")

    def test_energy_filter_shows_where_it_can_be_read(self):
        self.tree.set_vendor("GenuineIntel")
        self.assertRegex(self.check().text, "(?m)^filter   cannot be read .*: No such file")
        self.tree.set_vendor("AuthenticAMD")
        self.assertNotIn("filter", self.check().text)
        self.tree.set_vendor("GenuineIntel")
        registers = os.path.join(self.tree.root, "dev", "cpu", "0", "msr")
        os.makedirs(os.path.dirname(registers))
        cpus = os.path.join(self.tree.root, "sys", "devices", "system", "cpu")
        os.makedirs(cpus)
        with open(os.path.join(cpus, "online"), "w", encoding="ascii") as file:
            file.write("0\n")
        for capabilities, control, said in ((0xC00, 1, "on: "), (0xC00, 0, "off"), (0, 1, None)):
            with open(registers, "wb") as file:
                for address, value in ((0xBC, control), (0x10A, capabilities)):
                    file.seek(address)
                    file.write(struct.pack("<Q", value))
            with self.subTest(capabilities=capabilities, control=control):
                found = re.search("(?m)^filter   (.*)$", self.check().text)
                if said is None:
                    self.assertIsNone(found)
                else:
                    self.assertTrue(found.group(1).startswith(said), found.group(1))

    def test_selection_and_max_power_show(self):
        ended = self.check("--include=package-0", "--max-power=120")
        self.assertIn("not selected", self.row(ended.text, "intel-rapl:a")[-1])
        self.assertEqual(self.row(ended.text, "intel-rapl:0")[4], "120 W")

    def test_ceilings_of_rule_2(self):
        for limits, ceiling in (({"0_max_power": 15000000}, "250 W"),
                                ({"0_max_power": 280000000}, "1120 W"),
                                ({"0_max_power": 3409250000, "1_power_limit": 90000000}, "360 W"),
                                ({"0_max_power": 0, "9_power_limit": 100000000}, "400 W"),
                                ({"0_max_power": 0}, "1000 W"),
                                ({}, "1000 W")):
            with self.subTest(limits=limits):
                for name in os.listdir(self.tree.path("intel-rapl:0")):
                    if name.startswith("constraint_"):
                        os.unlink(self.tree.path("intel-rapl:0", name))
                for name, limit in limits.items():
                    self.tree.write("intel-rapl:0", "constraint_%s_uw" % name, "%d\n" % limit)
                self.assertEqual(self.row(self.check().text, "intel-rapl:0")[4], ceiling)

    def test_some_zone_is_unreadable(self):
        os.chmod(self.tree.path("intel-rapl:a", "energy_uj"), 0)
        ended = self.check(user="nobody")
        self.assertEqual(ended.status, 3)
        self.assertIn("Permission denied", self.row(ended.text, "intel-rapl:a")[-1])
        self.assertIn("intel-rapl:a/energy_uj", ended.text)
        self.assertRegex(ended.text, "fix: ")

    def test_nothing_is_selected(self):
        """No report would have a value; --once ends with the same status."""
        self.assertEqual(self.check("--include=pakage-0").status, 1)
        self.assertEqual(self.check("--include=pakage-0", "--include=total").status, 0)

    def test_no_zone_is_readable(self):
        for zone in ZONES:
            os.chmod(self.tree.path(zone, "energy_uj"), 0)
        ended = self.check(user="nobody")
        self.assertEqual(ended.status, 1)
        self.assertIn(self.tree.root + "/sys/class/powercap/intel-rapl:0/energy_uj", ended.text)
        self.assertRegex(ended.text, "fix: .*(sudo|setcap|chgrp)")
        self.assertNotIn("0444", ended.text)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_remedy_mends(self):
        """The suggested command, run with group nogroup, makes the energy readable."""
        for zone in ZONES:
            os.chmod(self.tree.path(zone, "energy_uj"), 0o400)
        ended = self.check(user="nobody")
        command = re.search(r"fix: .*sudo sh -c \"groupadd .* && (find .*)\"", ended.text).group(1)
        command = command.replace("chgrp rapl", "chgrp nogroup")  # group rapl may not exist
        self.assertEqual(os.system(command), 0, command)
        self.assertEqual(self.check(user="nobody").status, 0)
        for zone in ZONES:  # never readable by everyone
            self.assertEqual(os.stat(self.tree.path(zone, "energy_uj")).st_mode & 0o007, 0)

    def test_reads_junk(self):
        self.tree.write("intel-rapl:0", "energy_uj", b"junk\n")
        self.tree.write("intel-rapl:1", "name", b"")
        ended = self.check()
        self.assertEqual(ended.status, 3)
        self.assertRegex(self.row(ended.text, "intel-rapl:0")[-1], "number")
        self.assertRegex(self.row(ended.text, "intel-rapl:1")[-1], "empty")
        self.assertIn("intel-rapl:0/energy_uj", ended.text)
        self.assertIn("intel-rapl:1/name", ended.text)

    def test_unknown_range(self):
        os.unlink(self.tree.path("intel-rapl:a", "max_energy_range_uj"))
        ended = self.check()
        self.assertEqual(ended.status, 0)
        self.assertEqual(self.row(ended.text, "intel-rapl:a")[2:4], ["-", "-"])
        self.assertIn("intel-rapl:a/max_energy_range_uj", ended.text)

    def test_no_powercap(self):
        with Tree.copy("vm-no-powercap-at-all") as tree:
            ended = self.check(root=tree.root)
        self.assertEqual(ended.status, 1)
        self.assertIn(tree.root + "/sys/class/powercap", ended.text)
        self.assertIn("fix: ", ended.text)

    def test_empty_class(self):
        with Tree.copy("vm-empty-class-powercap") as tree:
            ended = self.check(root=tree.root)
        self.assertEqual(ended.status, 1)
        self.assertRegex(ended.text, "fix: .*modprobe")

    def test_missing_root(self):
        ended = self.check(root=self.tree.root + "/missing")
        self.assertEqual(ended.status, 1)
        self.assertIn(self.tree.root + "/missing", ended.text)
        self.assertIn("fix: ", ended.text)

    def test_dangling_links(self):
        shutil.rmtree(os.path.join(self.tree.root, "sys", "devices"))
        ended = self.check()
        self.assertEqual(ended.status, 1)
        self.assertRegex(ended.text, "fix: .*containers hide")

    def test_layout_without_captured_energies(self):
        with Tree.copy("laptop-psys-peakpower-energy-unreadable") as tree:
            ended = self.check(root=tree.root)
        self.assertEqual(ended.status, 1)
        for zone in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1"):
            self.row(ended.text, zone)

    def test_second_counter_of_a_name(self):
        self.tree.add("intel-rapl:b", "package-1", 5, RANGE_UJ)
        ended = self.check()
        self.assertIn("package-1-intel-rapl:b: the kernel shows another counter by the same name",
                      ended.text)
        self.assertEqual("package-1-intel-rapl:b", self.row(ended.text, "intel-rapl:b")[1])

    def test_one_counter_of_two_zones(self):
        self.tree.add("intel-rapl:b", "package-1", self.tree.energy_uj("intel-rapl:a"), RANGE_UJ)
        ended = self.check(standing=["intel-rapl:a"])
        self.assertIn("intel-rapl:a", self.row(ended.text, "intel-rapl:b")[-1])

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            with Execd("--check", root=self.tree.root, stdout=full) as execd:
                self.assertNotEqual(execd.wait(), 0)


if __name__ == "__main__":
    tap.main()
