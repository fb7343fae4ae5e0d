# SPDX-License-Identifier: MIT
"""Trees with file contents that the kernel never writes, and trees without zones."""
import os
import shutil
import stat
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
import usage
from execd import Execd, run
from tree import CLASS, RANGE_UJ, Pump, Tree, write

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram", "intel-rapl:1": "package-1"}
BAD = "intel-rapl:1"
BAD_SERIES = "domain=package,package_id=1"
GOOD_SERIES = {"domain=package,package_id=0", "domain=dram,package_id=0"}
TOTAL = "domain=total"
STRACE = shutil.which("strace")
IDLE_NS = 100 * 10**6  # CPU time, in 0.4 s

# Texts that are not numbers, by what is wrong with them.
NO_NUMBERS = {
    "empty": b"",
    "newline alone": b"\n",
    "nul bytes alone": b"\0" * 24,
    "too long": b"1" * 5000,
    "too long by zeros": b"0" * 5000 + b"7\n",
    "negative": b"-5\n",
    "plus sign": b"+5\n",
    "words": b"twelve\n",
    "junk after the number": b"12 apples\n",
    "2^64": b"18446744073709551616\n",
    "30 digits": b"1" * 30 + b"\n",
    "space before": b" 5\n",
    "space after": b"5 \n",
    "hexadecimal": b"0x1f\n",
    "fraction": b"1.5\n",
    "exponent": b"1e9\n",
    "two lines": b"5\n6\n",
    "nul byte within": b"5\0006\n",
    "carriage return": b"5\r\n",
    "not ASCII": "５\n".encode(),
}


def be_missing(path):
    os.unlink(path)


def be_unreadable(path):
    os.chmod(path, 0)


def be_fifo(path):
    os.unlink(path)
    os.mkfifo(path)


def be_folder(path):
    os.unlink(path)
    os.mkdir(path)


def be_device(path):
    os.unlink(path)
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        os.mkfifo(path)  # not root, or in a container: any other file that is not regular
    os.chmod(path, 0o666)


def be_dangling(path):
    os.unlink(path)
    os.symlink("nowhere", path)


def be_loop(path):
    os.unlink(path)
    os.symlink(os.path.basename(path), path)


NO_FILES = {
    "missing": be_missing, "unreadable": be_unreadable, "a FIFO": be_fifo, "a folder": be_folder,
    "a device": be_device, "a dangling link": be_dangling, "a link to itself": be_loop,
}


class TreeCase(unittest.TestCase):
    def start(self, root, *options, **more):
        execd = Execd(*options, root=root, **more)
        self.addCleanup(execd.kill)
        return execd

    def check_idle(self, execd):
        """The program uses no CPU time meanwhile."""
        before = usage.cpu_ns(execd.pid)
        time.sleep(0.4)
        self.assertLess(usage.cpu_ns(execd.pid) - before, IDLE_NS)


class Files(TreeCase):
    """One file of one zone is wrong: the other zones continue, and the file is named once."""

    def spoil_and_check(self, attribute, how, spoil, expected, told):
        """expected: series of the bad zone; told: whether stderr must name the file."""
        with self.subTest(file=attribute, how=how), Tree.make(ZONES) as tree:
            path = tree.path(BAD, attribute)
            if callable(spoil):
                spoil(path)
            else:
                tree.write(BAD, attribute, spoil)
            with Execd(root=tree.root, user="nobody") as execd:
                execd.ask()
                moved = {"intel-rapl:0": 1000001, "intel-rapl:0:0": 200002}
                if BAD_SERIES in expected:
                    moved[BAD] = 3000003
                tree.move(moved)
                report = execd.ask()
                # Without a package that exists, the total would be too low.
                is_there = spoil not in (be_missing, be_dangling)
                unread = attribute == "energy_uj" and is_there and BAD_SERIES not in expected
                total = set() if unread else {TOTAL}
                self.assertEqual(set(report), GOOD_SERIES | expected | total)
                self.assertEqual(report.energy_uj("domain=package,package_id=0"), 1000001)
                self.assertEqual(report.energy_uj("domain=dram,package_id=0"), 200002)
                if BAD_SERIES in expected:
                    self.assertEqual(report.energy_uj(BAD_SERIES), 3000003)
                if total:
                    self.assertEqual(report.energy_uj(TOTAL), sum(moved.values()))
                execd.ask()
                self.assertEqual(execd.stop(), 0)
                naming = [line for line in execd.messages()
                          if "%s/%s/%s" % (CLASS, BAD, attribute) in line]
                self.assertEqual(len(naming), 1 if told else 0, execd.messages())
                self.assertEqual(len(execd.messages()), len(naming) + (0 if total else 1),
                                 execd.messages())
                for line in naming:
                    self.assertRegex(line, "^[EW]! .*Fix: ")

    def test_energy(self):
        for how, spoil in {**NO_NUMBERS, **NO_FILES}.items():
            self.spoil_and_check("energy_uj", how, spoil, set(), True)

    def test_range(self):
        for how, spoil in {**NO_NUMBERS, **NO_FILES}.items():
            self.spoil_and_check("max_energy_range_uj", how, spoil, {BAD_SERIES}, True)

    def test_limit(self):
        for how, spoil in {**NO_NUMBERS, **NO_FILES}.items():
            # The kernel omits the file if there is no such limit.
            absent = spoil in (be_missing, be_dangling)
            self.spoil_and_check("constraint_0_max_power_uw", how, spoil, {BAD_SERIES}, not absent)

    def test_name(self):
        for how, spoil in {**NO_FILES, "empty": b"", "newline alone": b"\n",
                           "too long": b"p" * 5000, "a page": b"package-1" * 500}.items():
            self.spoil_and_check("name", how, spoil, set(), True)

    def test_name_that_says_another_thing(self):
        # An unknown name is neither dropped nor fatal: it becomes a domain of its own, with unsafe
        # characters replaced, and is not in the total.
        for name, domain in ((b"package\n", "package_"), (b"package--1\n", "package--1"),
                             (b"package-01\n", "package-01"), (b"package-1 \n", "package-1_"),
                             (b"package-0x1\n", "package-0x1"), (b"-5\n", "-5"),
                             (b"package-18446744073709551616\n", "package-18446744073709551616"),
                             (b"package-1-die-\n", "package-1-die-"), (b"total\n", "total_"),
                             (b"a,b=c d\\e\"f\n", "a_b_c_d_e_f")):
            self.spoil_and_check("name", name, name, {"domain=" + domain}, False)

    def test_nul_padding_is_what_some_kernels_give(self):
        for size in (24, 64, 4096):
            with self.subTest(size=size), Tree.make(ZONES) as tree:
                for attribute in ("name", "energy_uj", "max_energy_range_uj",
                                  "constraint_0_max_power_uw"):
                    with open(tree.path(BAD, attribute), "rb") as file:
                        tree.write(BAD, attribute, file.read().ljust(size, b"\0"))
                with Execd(root=tree.root) as execd:
                    execd.ask()
                    tree.write(BAD, "energy_uj", (b"%d\n" % (1300000000 + 7)).ljust(size, b"\0"))
                    self.assertEqual(execd.ask().energy_uj(BAD_SERIES), 7)
                    self.assertEqual(execd.messages(), [])

    def test_energy_that_goes_bad_and_comes_back(self):
        with Tree.make(ZONES) as tree, Execd(root=tree.root) as execd:
            execd.ask()
            energy = start = tree.energy_uj(BAD)
            for how, text in NO_NUMBERS.items():
                with self.subTest(how=how):
                    tree.write(BAD, "energy_uj", text)
                    report = execd.ask()
                    self.assertEqual(set(report), GOOD_SERIES)
                    energy += 100007
                    tree.set_energy(BAD, energy)
                    report = execd.ask()
                    self.assertEqual(report.energy_uj(BAD_SERIES), energy - start)
                    self.assertEqual(report.energy_uj(TOTAL), energy - start)
            messages = execd.messages()
            self.assertEqual(len(messages), len(set(messages)), messages)

    def test_energy_that_was_bad_at_start_begins_at_0(self):
        with Tree.make(ZONES) as tree:
            tree.write(BAD, "energy_uj", b"none\n")
            with Execd(root=tree.root) as execd:
                self.assertNotIn(BAD_SERIES, execd.ask())
                tree.set_energy(BAD, 5 * 10**9)
                self.assertEqual(execd.ask().energy_uj(BAD_SERIES), 0)
                tree.move({BAD: 10})
                self.assertEqual(execd.ask().energy_uj(BAD_SERIES), 10)
                self.assertEqual(execd.stop(), 0)
                self.assertEqual(sum("Resolved: " in line for line in execd.messages()), 2)

    def test_sub_zones_of_a_zone_without_name_are_left_out(self):
        with Tree.make(ZONES) as tree:
            tree.write("intel-rapl:0", "name", b"")
            with Execd(root=tree.root) as execd:
                self.assertEqual(set(execd.ask()), {BAD_SERIES, TOTAL})

    def test_every_energy_unreadable(self):
        with Tree.make(ZONES) as tree:
            for zone in ZONES:
                os.chmod(tree.path(zone, "energy_uj"), 0)
            execd = self.start(tree.root, user="nobody")
            execd.prompt()
            line = execd.wait_message("energy_uj")
            execd.prompt()
            self.assertEqual(execd.finish(), (0, ""))
            self.assertEqual(len(execd.messages()), 1, execd.messages())
            self.assertRegex(line, r"^E! .*Permission denied\. Fix: ")
            self.assertNotIn("0444", line)
            self.assertNotRegex(line, r"[ao]\+r")


class Wraps(TreeCase):
    """Files contain values that no real machine can be made to show."""

    def steps(self, range_uj, *energies):
        with Tree.make({"intel-rapl:0": "package-0"}, range_uj) as tree:
            tree.set_energy("intel-rapl:0", energies[0])
            with Execd("--health=yes", root=tree.root) as execd:
                execd.ask()
                for energy in energies[1:]:
                    tree.set_energy("intel-rapl:0", energy)
                    yield execd.ask()

    def test_no_microjoule_is_lost_in_a_wrap(self):
        # The unit is the range / (2^32 - 1): 61, 15 and 15 uJ.
        for range_uj, unit in ((RANGE_UJ, 61), (65532610987, 15), (65712999613, 15)):
            with self.subTest(range_uj=range_uj):
                reports = list(self.steps(range_uj, range_uj - 5, 7, 9))
                energies = [r.energy_uj("domain=package,package_id=0") for r in reports]
                self.assertEqual(energies, [12 + unit, 14 + unit])
                self.assertEqual(reports[-1]["rapl_health,source=powercap"]["wraps"], 1)

    def test_a_decrease_that_no_wrap_explains_is_a_reset(self):
        reports = list(self.steps(RANGE_UJ, 10**9, 5, 8))
        self.assertNotIn("domain=package,package_id=0", reports[0])
        self.assertEqual(reports[1].energy_uj("domain=package,package_id=0"), 3)
        self.assertEqual(reports[1]["rapl_health,source=powercap"]["resets"], 1)

    def test_without_a_range_every_decrease_is_a_reset(self):
        reports = list(self.steps(0, RANGE_UJ - 5, 7, 9))
        self.assertNotIn("domain=package,package_id=0", reports[0])
        self.assertEqual(reports[1].energy_uj("domain=package,package_id=0"), 2)

    def test_numbers_beyond_the_range_are_no_energy(self):
        reports = list(self.steps(RANGE_UJ, 10**9, 2**64 - 1, 10**9, 10**9 + 4))
        for report in reports[:2]:
            self.assertNotIn("domain=package,package_id=0", report)
        self.assertEqual(reports[2].energy_uj("domain=package,package_id=0"), 4)


class NoZones(TreeCase):
    def check_quiet(self, root, pattern, lines=1):
        """The reason is given once, however often a report is asked for; the program neither ends
        nor uses CPU time."""
        execd = self.start(root)
        execd.wait_message(pattern)
        for _ in range(5):
            execd.prompt()
            execd.wait_taken()
        execd.wait_asleep()
        self.check_idle(execd)
        self.assertEqual(execd.finish(), (0, ""))
        self.assertEqual(len(execd.messages()), lines, execd.messages())

    def test_no_powercap(self):
        with Tree.copy("vm-no-powercap-at-all") as tree:
            self.check_quiet(tree.root, "^E! .*sys/class/powercap: .*Fix: ")

    def test_empty_class(self):
        with Tree.copy("vm-empty-class-powercap") as tree:
            self.check_quiet(tree.root, "^E! .*sys/class/powercap .*Fix: .*modprobe")

    def test_empty_folder(self):
        with Tree() as tree:
            self.check_quiet(tree.root, "^E! .*sys/class/powercap: .*Fix: ")

    def test_missing_root(self):
        with Tree() as tree:
            root = os.path.join(tree.root, "missing")
            self.check_quiet(root, "^E! " + root + ": .*Fix: .*HOST_MOUNT_PREFIX")

    def test_root_that_is_a_file(self):
        with Tree() as tree:
            root = os.path.join(tree.root, "file")
            with open(root, "wb"):
                self.check_quiet(root, "^E! " + root + ": .*Fix: ")

    def test_class_that_is_a_file(self):
        with Tree() as tree:
            os.makedirs(os.path.join(tree.root, "sys", "class"))
            with open(os.path.join(tree.root, CLASS), "wb"):
                self.check_quiet(tree.root, "^E! .*sys/class/powercap: .*Fix: ")

    def test_dangling_class_links_are_what_containers_show(self):
        with Tree.make(ZONES) as tree:
            shutil.rmtree(os.path.join(tree.root, "sys", "devices"))
            self.check_quiet(tree.root, "^E! .*/intel-rapl:0.*Fix: .*containers hide")

    def test_one_dangling_class_link(self):
        with Tree.make(ZONES) as tree:
            shutil.rmtree(os.path.join(tree.root, Tree.device(BAD)))
            execd = self.start(tree.root)
            self.assertEqual(set(execd.ask()), GOOD_SERIES | {TOTAL})
            execd.ask()
            self.assertEqual(len(execd.messages()), 1, execd.messages())
            self.assertRegex(execd.messages()[0], "^E! .*" + BAD + ".*containers hide")

    def test_links_out_of_the_root_are_not_followed(self):
        with Tree.make(ZONES) as tree, Tree() as outside:
            secret = os.path.join(outside.root, "energy_uj")
            with open(secret, "wb") as file:
                file.write(b"123456\n")
            os.unlink(tree.path(BAD, "energy_uj"))
            os.symlink(secret, tree.path(BAD, "energy_uj"))
            execd = self.start(tree.root)
            self.assertEqual(set(execd.ask()), GOOD_SERIES | {TOTAL})

    @unittest.skipUnless(STRACE, "strace is not installed")
    def test_renames_elsewhere_are_no_error(self):
        # Resolving a path with .. below a root returns EAGAIN whenever anything in the system is
        # renamed or mounted meanwhile (openat2(2)) and must be repeated. Renaming in a loop shows
        # this too, but not every time.
        with Tree.make(ZONES) as tree:
            # The leak sanitizer of an instrumented build does not work under strace.
            leaks = {"ASAN_OPTIONS": "detect_leaks=0"}
            with Pump(tree, tree.zones(), 20):
                ended = run("--once", "--interval=60ms", root=tree.root, environment=leaks, before=[
                    STRACE, "-f", "-o", "/dev/null", "-e", "trace=openat2", "-e",
                    "inject=openat2:error=EAGAIN:when=2+3"])
            self.assertEqual((ended.status, ended.messages), (0, []))
            self.assertEqual(ended.text.count("\n"), len(ZONES) + 1)

    def test_idle_with_zones(self):
        with Tree.make(ZONES) as tree:
            execd = self.start(tree.root)
            execd.ask()
            self.check_idle(execd)


class Once(TreeCase):
    def test_nothing_reads(self):
        with Tree() as tree:
            ended = run("--once", "--interval=50ms", root=tree.root)
            self.assertEqual((ended.status, ended.text), (1, ""))
            self.assertRegex(ended.messages[0], "^E! .*sys/class/powercap")

    def test_huge_class(self):
        with Tree() as tree:
            tree.set_alias(0)
            zones = ["intel-rapl:%x" % number for number in range(300)]
            for number, zone in enumerate(zones):
                for attribute, text in (("name", "package-%d\n" % number), ("energy_uj", "5\n"),
                                        ("max_energy_range_uj", "%d\n" % RANGE_UJ)):
                    write(tree.root, os.path.join(CLASS, zone, attribute), text)
            with Pump(tree, zones, 20):
                ended = run("--once", "--interval=100ms", root=tree.root)
        self.assertEqual((ended.status, ended.text.count("\n"), ended.messages), (0, 301, []))


if __name__ == "__main__":
    tap.main()
