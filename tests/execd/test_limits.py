# SPDX-License-Identifier: MIT
"""More counters than may be read: packages and dram come first, one warning describes the rest, and
open counters stay open."""
import os
import re
import resource
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import run
from hostile import HostileCase, InMemory, open_files
from tree import Pump, Tree

PACKAGES = 8
# Each package has these sub-zones; the class lists dram last.
SUB_ZONES = ("core", "uncore", "other", "dram")
PACKAGE = "domain=package,package_id=%d"
DRAM = "domain=dram,package_id=%d"
CORE = "domain=core,package_id=%d"
UNCORE = "domain=uncore,package_id=%d"
PSYS = "domain=psys"
TOTAL = "domain=total"
# Files besides counters: those of the program and the core (file_limit.c, rapl.c).
OWN_FILES = 24 + 5


def make_machine(packages=PACKAGES):
    zones = {}
    for package in range(packages):
        zones["intel-rapl:%x" % package] = "package-%d" % package
        for number, name in enumerate(SUB_ZONES):
            zones["intel-rapl:%x:%x" % (package, number)] = name
    zones["intel-rapl:%x" % packages] = "psys"
    return Tree.make(zones)


def under(files):
    """Command prefix that leaves room for this many counters."""
    return ["prlimit", "--nofile=%d:%d" % (files + OWN_FILES, files + OWN_FILES)]


def all_of(*identities, packages=PACKAGES):
    return {identity % package for identity in identities for package in range(packages)}


class Limits(HostileCase):
    def setUp(self):
        self.tree = make_machine()
        self.addCleanup(self.tree.__exit__)

    def series(self, files, *options):
        """The series and messages of a run with room for this many counters."""
        execd = self.start(self.tree.root, *options, before=under(files))
        first = execd.ask()
        self.tree.move({"intel-rapl:0": 1000001})
        report = execd.ask()
        self.assertEqual(set(report), set(first))
        self.assertLessEqual(open_files(execd.pid), files + OWN_FILES)
        self.assertEqual(execd.stop(), 0)
        return set(report), execd.messages()

    def test_packages_and_dram_come_first(self):
        base = all_of(PACKAGE, DRAM) | {TOTAL}
        for files, series in (
                (16, base), (17, base | {PSYS}), (20, base | {PSYS} | all_of(CORE, packages=3)),
                (25, base | {PSYS} | all_of(CORE)),
                (28, base | {PSYS} | all_of(CORE) | all_of(UNCORE, packages=3))):
            with self.subTest(files=files):
                said = self.series(files)
                self.assertEqual(said[0], series)
                left_out = PACKAGES * 5 + 1 - files
                self.assertEqual(len(said[1]), 1, said[1])
                self.assertRegex(
                    said[1][0], r"^W! %d counters are left out, such as \S+: at most %d open files "
                    r"are for counters here. Fix: raise LimitNOFILE=" % (left_out, files))

    def test_no_total_without_one_of_its_members(self):
        series, messages = self.series(15)
        self.assertEqual(series, all_of(PACKAGE, DRAM) - {DRAM % (PACKAGES - 1)})
        self.assertRegex(messages[0], "such as package-7/dram")

    def test_all_fit_just_so(self):
        series, messages = self.series(PACKAGES * 5 + 1)
        self.assertEqual((len(series), messages), (PACKAGES * 5 + 2, []))

    def test_what_is_selected_comes_before_the_rest(self):
        """The total needs its members, unless it is not selected."""
        series, messages = self.series(8, "--include=*/uncore")
        self.assertEqual((series, messages), (all_of(UNCORE), []))
        series, messages = self.series(20, "--include=*/uncore", "--include=total")
        self.assertEqual(series, all_of(UNCORE, packages=4) | {TOTAL})
        self.assertRegex(messages[0], "^W! 4 counters are left out, such as package-4/uncore")

    def test_check_tells_of_each_zone(self):
        with Pump(self.tree, self.tree.zones(), 20):
            ended = run("--check", root=self.tree.root, before=under(16))
        self.assertEqual(ended.status, 3)
        self.assertIn("16 of 41 zones can be read", ended.text)
        self.assertEqual(len(re.findall("(?m)no: left out, for it would take more open files", ended.text)),
                         25)
        self.assertRegex(ended.text, r"(?m)^25 counters are left out.*\n  fix: raise LimitNOFILE")

    def test_the_soft_limit_is_raised(self):
        with Pump(self.tree, self.tree.zones(), 20):
            ended = run("--once", "--interval=60ms", root=self.tree.root,
                        before=["prlimit", "--nofile=20:4096"])
        self.assertEqual((ended.text.count("\n"), ended.messages), (PACKAGES * 5 + 2, []))

    def test_nothing_fits(self):
        execd = self.start(self.tree.root, before=under(0))
        execd.prompt()
        self.assertEqual(execd.finish(), (0, ""))
        self.assertRegex("\n".join(execd.messages()), "41 counters are left out")

    # --- hotplug ---------------------------------------------------------------------------------

    def start_full(self, files):
        """Starts with files that the test can remove, as when a package is taken offline."""
        execd = self.start(self.tree.root, "--health=yes", before=under(files))
        execd.ask()
        return execd

    def take_away(self, package):
        """Open files return an error from now on, as the kernel's do."""
        zone = "intel-rapl:%x" % package
        for each in [zone, *("%s:%x" % (zone, number) for number in range(len(SUB_ZONES)))]:
            self.tree.write(each, "energy_uj", "gone\n")
        self.tree.remove(zone)

    def bring_back(self, package):
        zone = "intel-rapl:%x" % package
        self.tree.add(zone, "package-%d" % package, 10**9)
        for number, name in enumerate(SUB_ZONES):
            self.tree.add("%s:%x" % (zone, number), name, 10**9)

    def look_again(self, execd):
        """A change of the online CPUs makes the next three reports look for zones."""
        path = os.path.join(self.tree.root, "sys/devices/system/cpu/online")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.looks = getattr(self, "looks", 0) + 1
        with open(path, "w", encoding="ascii") as file:
            file.write("0-%d\n" % self.looks)
        return [set(execd.ask()) for _ in range(3)][-1] - {"rapl_health,source=powercap"}

    def make_online(self):
        path = os.path.join(self.tree.root, "sys/devices/system/cpu/online")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write("0\n")

    def test_a_package_goes_and_returns_and_no_other_blinks(self):
        self.make_online()
        execd = self.start_full(20)
        base = all_of(PACKAGE, DRAM) | {PSYS} | all_of(CORE, packages=3)
        gone = {PACKAGE % 1, DRAM % 1, CORE % 1}
        self.assertEqual(self.look_again(execd), base | {TOTAL})
        for _ in range(2):
            self.take_away(1)
            # A counter that was left out is not opened in its place, only to be closed again.
            self.assertEqual(self.look_again(execd) - {TOTAL}, base - gone)
            self.bring_back(1)
            self.assertEqual(self.look_again(execd), base | {TOTAL})
        self.assertLessEqual(open_files(execd.pid), 20 + OWN_FILES)
        self.assertEqual(execd.stop(), 0)
        self.assertEqual(sum("left out" in line for line in execd.messages()), 1, execd.messages())

    def test_a_package_that_comes_takes_the_place_of_the_last_cores(self):
        self.make_online()
        execd = self.start_full(20)
        first = self.look_again(execd)
        self.bring_back(PACKAGES + 1)
        second = self.look_again(execd)
        self.assertEqual(first - second, {CORE % 1, CORE % 2})
        self.assertEqual(second - first, {PACKAGE % (PACKAGES + 1), DRAM % (PACKAGES + 1)})
        self.assertEqual(self.look_again(execd), second)
        self.assertEqual(execd.stop(), 0)
        # No zone has gone: the zones were left out, and that has been reported.
        self.assertEqual(sum("gone" in line for line in execd.messages()), 0, execd.messages())

    # --- descriptors that are used elsewhere -----------------------------------------------------

    @unittest.skipUnless(os.geteuid() == 0, "only root sets the limit of another process")
    def test_no_descriptor_left_is_told_with_its_remedy_and_heals(self):
        """The limit falls while it runs, as in a daemon in which other parts use the remaining
        files."""
        self.make_online()
        new = PACKAGES + 1
        of_new = {identity % new for identity in (PACKAGE, DRAM, CORE, UNCORE,
                                                  "domain=other,package_id=%d")}
        execd = self.start(self.tree.root, "--health=yes")
        before = self.look_again(execd)
        limits = resource.prlimit(execd.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(execd.pid, resource.RLIMIT_NOFILE, (open_files(execd.pid) + 4, limits[1]))
        self.bring_back(new)
        few = self.look_again(execd)
        self.assertTrue(before < few < before | of_new, few - before)
        self.assertIn(PACKAGE % new, few)
        execd.wait_message("Too many open files.*Fix: .*sudo prlimit --pid %d" % execd.pid)
        resource.prlimit(execd.pid, resource.RLIMIT_NOFILE, limits)
        self.assertEqual(self.look_again(execd), before | of_new)
        execd.wait_message("Resolved: .*Too many open files")
        self.assertEqual(execd.stop(), 0)
        self.check_messages(execd, 4)

    @unittest.skipUnless(os.path.exists("/bin/bash"), "bash is not installed")
    def test_no_descriptor_left_from_the_start(self):
        """Its parent has left many files open, which it cannot know."""
        taken = "for i in {10..39}; do eval exec \"$i</dev/null\"; done; exec \"$@\""
        execd = self.start(self.tree.root, before=["prlimit", "--nofile=72:72", "/bin/bash", "-c",
                                                   taken, "bash"])
        few = set(execd.ask())
        self.assertTrue(all_of(PACKAGE, DRAM) | {PSYS, TOTAL} < few, few)
        self.assertEqual(set(execd.ask()), few)
        self.assertEqual(execd.stop(), 0)
        self.assertRegex(self.check_messages(execd, 1)[0], "Too many open files. Fix: ")


class Many(InMemory):
    def test_five_thousand_zones(self):
        packages = 1000
        with make_machine(packages) as tree:
            execd = self.start(tree.root)
            report = execd.ask()
            self.check_memory(execd)
            self.assertEqual(execd.stop(), 0)
        wanted = all_of(PACKAGE, DRAM, CORE, packages=packages) | {PSYS, TOTAL}
        self.assertEqual(set(report), wanted | all_of(UNCORE, packages=packages) |
                         all_of("domain=other,package_id=%d", packages=95))
        self.assertEqual(len(report) - 1, 4096)
        messages = self.check_messages(execd, 1)
        self.assertRegex(messages[0], "^W! 905 counters are left out, such as package-95/other: at "
                                      "most 4096 are read. Fix: select ")


if __name__ == "__main__":
    tap.main()
