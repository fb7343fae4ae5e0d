# SPDX-License-Identifier: MIT
"""Too much of everything, and invalid files about CPUs, registers and events: rapl-execd finishes
each discovery in seconds, uses little memory, and reports no wrong number."""
import os
import re
import shutil
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import run
from hostile import BAD, MOST_SECONDS, InMemory, class_path, write
from tree import RANGE_UJ, Pump, Tree

CPUS = "sys/devices/system/cpu"
PMUS = "sys/bus/event_source/devices"
ZONES_READ = 4096
MANY = 100000
AMD = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
INTEL = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
LISTS = ("0-4294967295", "0-99999999999999999999", "0-3,2-5", "5-1", "0,0", "3,1", "-1", "0-", ",",
         "0,,1", "0x1", "0-8192", "0 1", "all", "\0\0", "7" * 10000000, "0," * 3000, "0-1\n0-1" * 600)
NO_IDS = ("2147483648", "-1", "99999999999999999999", "", "x", "0x0", "1" * 10000000)


def add_flat_zones(root, count, name_of, full=ZONES_READ * 4):
    """Directories in the class itself, made with few calls. Only the first have files: no more than
    16384 names are read, and a link is enough for the others."""
    folder = class_path(root)
    os.makedirs(folder, exist_ok=True)
    first = write(root, "first/energy_uj", "5\n")
    range_file = write(root, "first/max_energy_range_uj", "%d\n" % RANGE_UJ)
    for number in range(count):
        zone, name = name_of(number)
        path = os.path.join(folder, zone)
        if number >= full:
            os.symlink("intel-rapl:0", path)
            continue
        os.mkdir(path)
        os.link(first, os.path.join(path, "energy_uj"))
        os.link(range_file, os.path.join(path, "max_energy_range_uj"))
        with open(os.path.join(path, "name"), "w", encoding="ascii") as file:
            file.write(name + "\n")


class Many(InMemory):
    def check_limited(self, tree, asks=3):
        """Reports have 4096 zones, one warning, and no total, which would lack packages."""
        execd = self.start(tree.root)
        reports = [execd.ask() for _ in range(asks)]
        self.check_memory(execd)
        self.check_end(execd, report=reports[-1])
        for report in reports:
            self.assertEqual(set(report), set(reports[0]))
        messages = self.check_messages(execd, 1)
        self.assertRegex(messages[0], "^W! [0-9]+ counters are left out, such as .*Fix: ")
        return reports[0], int(re.search("[0-9]+", messages[0]).group())

    def test_a_hundred_thousand_zones(self):
        with Tree() as tree:
            tree.set_alias(0)
            add_flat_zones(tree.root, MANY, lambda number: (
                ("intel-rapl:%x" % number, "package-%d" % number) if number < MANY // 2
                else ("intel-rapl:%x:0" % (number - MANY // 2), "dram")))
            report, left_out = self.check_limited(tree)
            self.assertEqual((len(report), left_out), (ZONES_READ, MANY - ZONES_READ))
            self.assertNotIn("domain=total", report)
            for number in range(ZONES_READ):
                self.assertIn("domain=package,package_id=%d" % number, report)

    def test_a_hundred_thousand_entries_that_are_not_rapl(self):
        tree = self.sound_tree()
        for number in range(MANY):
            os.symlink("nowhere", class_path(tree.root, "dtpm:%x" % number))
        self.assertEqual(self.check_sound(tree), [])

    def test_zones_without_counter_cost_no_other_its_place(self):
        tree = self.sound_tree()
        for number in range(0x10, 0x10 + 5000):
            folder = class_path(tree.root, "intel-rapl:%x" % number)
            os.mkdir(folder)
            with open(os.path.join(folder, "name"), "w", encoding="ascii") as file:
                file.write("package-%d\n" % number)
        tree.add("intel-rapl:fffff", "psys-9", 5)
        self.check_sound(tree, extra={"domain=psys,package_id=9"}, messages=1)

    def test_all_of_one_name(self):
        """One of them counts and the others do not move: they form another counter without power,
        and no total has power without it."""
        with Tree() as tree:
            add_flat_zones(tree.root, 5000, lambda number: ("intel-rapl:%x" % number, "package-0"))
            with Pump(tree, "intel-rapl:0", 20):
                ended = run("--once", "--interval=60ms", root=tree.root)
            self.assertRegex(ended.text, r"^rapl,domain=package,package_id=0 power_watts=\S+ \d+\n$")
            self.assertLessEqual(len(ended.messages), 2, ended.messages)

    def test_presumed_mirrors_by_the_thousand(self):
        """Without a vendor, dies may share a counter: each is compared with another."""
        with Tree() as tree:
            add_flat_zones(tree.root, ZONES_READ, lambda number: (
                "intel-rapl:%x" % number, "package-%d-die-%d" % (number // 2, number % 2)))
            execd = self.start(tree.root)
            for _ in range(3):
                report = execd.ask()
                self.assertEqual(len(report), ZONES_READ // 2 + 1)
            self.check_end(execd, MOST_SECONDS / 2, report)

    def test_all_go_at_once(self):
        with Tree() as tree:
            online = write(tree.root, CPUS + "/online", "0\n")
            tree.set_alias(0)
            add_flat_zones(tree.root, 2000, lambda number: (
                "intel-rapl:%x" % number, "package-%d" % number))
            execd = self.start(tree.root)
            self.assertEqual(len(execd.ask()), 2001)
            shutil.rmtree(class_path(tree.root))
            write(tree.root, online, "0-1\n")
            for _ in range(3):
                execd.prompt()
                execd.wait_taken()
            self.assertEqual(execd.finish(), (0, ""))
            # One for the class, fifteen of single zones, and one for the rest.
            messages = self.check_messages(execd, 17)
            self.assertRegex("\n".join(messages), r"\(and 1984 more\) has gone")


class Cpus(InMemory):
    def test_cpuinfo_of_100_mb(self):
        tree = self.sound_tree()
        for text in (INTEL, "flags\t: " + "x " * 4096, "vendor_id\t: " + "A" * 8192, "\0" * 4096):
            with self.subTest(text=text[:12]):
                path = write(tree.root, "proc/cpuinfo", text)
                os.truncate(path, 100 * 1000 * 1000)
                self.check_sound(tree)

    def machine(self, vendor=AMD, cores=2):
        """Two packages with this many cores, and registers that all contain another number."""
        tree = Tree()
        self.addCleanup(tree.__exit__)
        write(tree.root, "proc/cpuinfo", vendor)
        write(tree.root, CPUS + "/online", "0-%d\n" % (2 * cores - 1))
        for cpu in range(2 * cores):
            for name, number in (("physical_package_id", cpu // cores), ("die_id", 0),
                                 ("core_id", cpu % cores)):
                write(tree.root, "%s/cpu%d/topology/%s" % (CPUS, cpu, name), "%d\n" % number)
            self.write_registers(tree, cpu)
        return tree

    @staticmethod
    def write_registers(tree, cpu):
        """Sparse files: AMD's registers are at 3 GB, and overlap here. What the first shows of the
        second, 0x10, is the unit; if it were 0, power would take half a second."""
        path = write(tree.root, "dev/cpu/%d/msr" % cpu, "")
        with open(path, "r+b") as file:
            for address, value in ((0x606, 0xA0E03), (0x611, 1 << 20), (0x639, 1 << 20),
                                   (0xC0010299, 0xA1003), (0xC001029A, 1 << 20 | 0x10),
                                   (0xC001029B, 1 << 20)):
                file.seek(address)
                file.write(struct.pack("<Q", value))

    def ask_twice(self, tree, *options, messages=3, most=MOST_SECONDS):
        execd = self.start(tree.root, *options)
        execd.ask()
        report = execd.ask()
        self.check_memory(execd)
        self.check_end(execd, most, report)
        self.check_messages(execd, messages)
        return set(report)

    def test_sound_machine(self):
        series = self.ask_twice(self.machine(), "--source=msr")
        self.assertIn("domain=package,package_id=1", series)

    def test_lists_of_cpus_that_are_none(self):
        tree = self.machine()
        for text in LISTS:
            with self.subTest(text=text[:30]):
                write(tree.root, CPUS + "/online", text + "\n")
                self.check_silent(tree.root, "--source=msr")

    def test_every_cpu_that_a_kernel_can_have(self):
        """8192 CPUs, none of which exists."""
        tree = self.machine()
        write(tree.root, CPUS + "/online", "0-8191\n")
        self.assertIn("domain=package,package_id=1", self.ask_twice(tree, "--source=msr"))

    def test_a_core_that_cannot_be_placed_takes_the_sum_of_cores_away(self):
        for name in ("physical_package_id", "core_id", "die_id"):
            for text in NO_IDS:
                with self.subTest(file=name, text=text[:30]):
                    tree = self.machine()
                    path = "%s/cpu3/topology/%s" % (CPUS, name)
                    write(tree.root, path, text + "\n")
                    execd = self.start(tree.root, "--source=msr")
                    execd.ask()
                    report = execd.ask()
                    self.assertEqual(set(report) - {"domain=total"}, {
                        "domain=package,package_id=0", "domain=package,package_id=1"})
                    self.assertEqual(execd.stop(), 0)
                    self.assertRegex(self.check_messages(execd, 1)[0], path)

    def test_ids_at_the_end_of_their_range(self):
        tree = self.machine()
        write(tree.root, CPUS + "/cpu3/topology/physical_package_id", "2147483647\n")
        series = self.ask_twice(tree, "--source=msr")
        self.assertIn("domain=package,package_id=2147483647", series)

    def test_registers_that_are_no_devices(self):
        kinds = {"a folder": os.mkdir, "a FIFO": os.mkfifo,
                 "a link to itself": lambda path: os.symlink("msr", path),
                 "nothing": lambda path: None, "short": lambda path: write("/", path, b"1234")}
        for how, make in kinds.items():
            with self.subTest(how=how):
                self.check_registers(make)

    @unittest.skipUnless(os.geteuid() == 0, "only root makes devices")
    def test_registers_that_are_zero(self):
        """/dev/zero reads as registers that stay at 0: they count nothing."""
        self.check_registers(lambda path: os.mknod(path, 0o20666, os.makedev(1, 5)))

    def check_registers(self, make):
        """The second package has no zones if make creates its files."""
        tree = self.machine()
        for cpu in range(2, 4):
            path = os.path.join(tree.root, "dev/cpu/%d/msr" % cpu)
            os.unlink(path)
            make(path)
        series = self.ask_twice(tree, "--source=msr", messages=4)
        self.assertIn("domain=package,package_id=0", series)
        self.assertNotIn("domain=package,package_id=1", series)

    def test_a_hundred_thousand_devices_of_cpus_that_are_none(self):
        tree = self.machine()
        for number in range(4, MANY):
            os.mkdir(os.path.join(tree.root, "dev/cpu/%d" % number))
        self.assertIn("domain=package,package_id=1", self.ask_twice(tree, "--source=msr", most=5))


class Events(InMemory):
    """The files of a PMU: invalid contents are reported, and powercap zones continue."""

    HOSTILE = {
        "type": ("4294967296", "-1", "x", "", "9" * 10000000),
        "cpumask": LISTS,
        "format/event": ("config:0-64", "config:9-1", "config1:0-7", "", "config:" + "9" * 10000),
        "events/energy-pkg": ("event=0x100", "event=", "event=0x" + "f" * 17, "event=-1", "\0",
                              "event=0x02,umask=3", "x" * 10000000),
        "events/energy-pkg.scale": ("0", "-1", "nan", "inf", "1e99", "1e-99", "0x1p-3", "1,5",
                                    "9" * 10000000, ""),
        "events/energy-pkg.unit": ("Watts", "", "Joules\0", "joules", "J" * 10000000),
    }

    def machine(self):
        tree = Tree()
        self.addCleanup(tree.__exit__)
        write(tree.root, "proc/cpuinfo", INTEL)
        write(tree.root, CPUS + "/online", "0\n")
        for name in ("physical_package_id", "die_id", "core_id"):
            write(tree.root, CPUS + "/cpu0/topology/" + name, "0\n")
        # A type that no kernel has: no event of it opens.
        for name, text in (("type", "4294967295"), ("cpumask", "0"), ("format/event", "config:0-7"),
                           ("events/energy-pkg", "event=0x02"),
                           ("events/energy-pkg.scale", "2.3283064365386962890625e-10"),
                           ("events/energy-pkg.unit", "Joules")):
            write(tree.root, "%s/power/%s" % (PMUS, name), text + "\n")
        return tree

    def test_files_that_say_something_else(self):
        for name, texts in self.HOSTILE.items():
            for text in texts:
                with self.subTest(file=name, text=text[:30]):
                    tree = self.machine()
                    write(tree.root, "%s/power/%s" % (PMUS, name), text + "\n")
                    self.check_silent(tree.root, "--source=perf", messages=2)

    def test_files_that_are_none(self):
        for name in self.HOSTILE:
            for make in (os.mkdir, os.mkfifo, lambda path: os.symlink(path, path),
                         lambda path: os.symlink("/dev/zero", path)):
                with self.subTest(file=name):
                    tree = self.machine()
                    path = os.path.join(tree.root, PMUS, "power", name)
                    os.unlink(path)
                    make(path)
                    self.check_silent(tree.root, "--source=perf", messages=2)

    def test_thousands_of_events(self):
        tree = self.machine()
        folder = os.path.join(tree.root, PMUS, "power", "events")
        for number in range(MANY // 10):
            for suffix, text in (("", "event=0x03"), (".scale", "1e-10"), (".unit", "Joules")):
                with open(os.path.join(folder, "energy-x%d%s" % (number, suffix)), "w",
                          encoding="ascii") as file:
                    file.write(text + "\n")
        os.mkdir(os.path.join(folder, "energy-\x1b[31m\n"))
        messages = self.check_silent(tree.root, "--source=perf", messages=3)
        self.assertRegex("\n".join(messages), "events: holds more events")

    def test_auto_reads_powercap_beside_them(self):
        tree = self.sound_tree()
        tree.set_vendor(None)
        tree.add(BAD, "package-2", 5)
        write(tree.root, PMUS + "/power/type", "9" * 10000000)
        self.check_sound(tree, extra={"domain=package,package_id=2"})


if __name__ == "__main__":
    tap.main()
