# SPDX-License-Identifier: MIT
"""rapl-execd in builds for other systems, on a tree: each zone has the right joules, and the
sandbox blocks nothing that it needs. RAPL_BUILDS is the directory with the builds, and with the
root file systems that they are for in roots/. Builds that the layer left out, with a reason, are
skipped."""
import os
import shutil
import signal
import subprocess
import sys
import unittest

BUILDS = os.path.abspath(os.environ.get("RAPL_BUILDS") or "build-tests")
os.environ.setdefault("RAPL_BUILD", os.path.join(BUILDS, "gcc"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import sandbox  # noqa: E402
import tap  # noqa: E402
from tree import Pump, Tree  # noqa: E402

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "uncore",
         "intel-rapl:0:2": "dram", "intel-rapl:1": "package-1", "intel-rapl:1:0": "dram",
         "intel-rapl:2": "psys"}
NAMES = {"intel-rapl:0": "domain=package,package_id=0", "intel-rapl:0:0": "domain=core,package_id=0",
         "intel-rapl:0:1": "domain=uncore,package_id=0",
         "intel-rapl:0:2": "domain=dram,package_id=0",
         "intel-rapl:1": "domain=package,package_id=1",
         "intel-rapl:1:0": "domain=dram,package_id=1", "intel-rapl:2": "domain=psys"}
IN_TOTAL = ("intel-rapl:0", "intel-rapl:0:2", "intel-rapl:1", "intel-rapl:1:0")
CALLS = "\nlocked .*system calls"


def loader(release, *parts):
    """The command that runs a program with that release's libc."""
    root = os.path.join(BUILDS, "roots", release)
    libraries = [os.path.join(root, part, "x86_64-linux-gnu") for part in ("lib", "usr/lib")]
    for folder in libraries:
        if os.path.exists(name := os.path.join(folder, "ld-linux-x86-64.so.2")):
            break
    else:
        raise unittest.SkipTest("the libc of Debian's %s is not there" % release)
    return (name, "--library-path", ":".join([*libraries, *parts]))


class Joules:
    """The tests of each build."""

    BUILD, LOCKED = "gcc", CALLS

    def before(self):
        return ()

    def setUp(self):
        self.program = os.path.join(BUILDS, self.BUILD, "plugins", "telegraf", "rapl-execd")
        if not os.path.exists(self.program):
            self.skipTest("%s is not there" % self.program)
        self.tree = Tree.make(ZONES)
        self.addCleanup(self.tree.__exit__)
        self.more = {"root": self.tree.root, "program": self.program, "before": self.before()}

    def test_each_zone_has_its_joules(self):
        """Exact to the microjoule."""
        tree = self.tree
        with execd.Execd(**self.more) as program:
            first = program.ask()
            moved = tree.settle(program)
            for step, zone in enumerate(reversed(ZONES), 1):  # a core uses less than its package
                tree.move({zone: 100003 * step})
                moved[zone] += 100003 * step
            report = program.ask()
            self.assertEqual({name: moved[zone] for zone, name in NAMES.items()},
                             {name: report.energy_uj(name) - first.energy_uj(name)
                              for name in NAMES.values()})
            self.assertEqual(sum(moved[zone] for zone in IN_TOTAL),
                             report.energy_uj("domain=total") - first.energy_uj("domain=total"))
            self.assertEqual((0, []), (program.stop(), program.messages()))

    @tap.tries(10)
    def test_watts_and_what_the_lock_holds(self):
        with Pump(self.tree, list(ZONES), 20) as pump:
            text = execd.run("--check", **self.more).text
            ended = execd.run("--once", **self.more)
            self.assertRegex(text, self.LOCKED)
            self.assertRegex(text, "\nenergy   7 of 7 zones can be read\n")
            with tap.excused(pump.lateness(0.02)):
                reports = execd.parse_reports(ended.text)
                self.assertEqual(1, len(reports), ended.lines)
                report = reports[0]
                for name in NAMES.values():
                    self.assertAlmostEqual(20, report.power(name), delta=1)
        self.assertEqual((0, []), (ended.status, ended.messages))


class Debian11(Joules, unittest.TestCase):
    """Built with glibc 2.31 and the libcap and libseccomp of that release, and headers of Linux
    5.10."""

    BUILD = "debian11"

    def before(self):
        return loader("bullseye")


class Debian13(Joules, unittest.TestCase):
    """The build of this machine, run with glibc 2.41."""

    def before(self):
        return loader("trixie", "/usr/lib/x86_64-linux-gnu")

    def test_fork_is_refused_and_does_not_end_it(self):
        """Its fork(3) blocks all signals."""
        tries = sandbox.Tries("parse")
        tries.setUp()
        self.addCleanup(tries.doCleanups)
        ended = subprocess.run([*self.before(), sandbox.LOCKED, "calls", self.tree.root, "auto"],
                               env={**os.environ, "TRY_FOLDER": tries.folder}, check=False,
                               stderr=subprocess.PIPE, text=True)
        self.assertEqual(0, ended.returncode, ended.stderr)
        expected = {name: ends[1] or "done" for name, ends in sandbox.EACH.items()}
        tries.check(tries.parse(ended.stderr.splitlines()), "locked", expected)


class Arm64(Joules, unittest.TestCase):
    """Under QEMU's user emulation, which has no Landlock."""

    BUILD, LOCKED = "arm64", "\nlocked   no new privileges"

    def before(self):
        return ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")


class Musl(Joules, unittest.TestCase):
    """With seccomp, to check that the filter allows the calls of musl."""

    BUILD = "musl-seccomp"

    def test_abort_ends_it_as_ever(self):
        program = os.path.join(BUILDS, self.BUILD, "tests", "sandbox", "try_locked")
        ended = subprocess.run([program, "calls", self.tree.root, "auto", "abort"], check=False)
        self.assertEqual(-signal.SIGABRT, ended.returncode)


class Static(Joules, unittest.TestCase):
    """The build that docs/install.md describes for Telegraf's Alpine image: its root contains only
    the program and the kernel's files."""

    BUILD, LOCKED = "musl", "\nlocked   no new privileges, files"

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root: chroot")
        shutil.copy(self.program, self.tree.root)
        self.more = {"root": "/", "program": "/rapl-execd", "before": ("chroot", self.tree.root)}


class StaticGlibc(Static):
    """The same with Debian's gcc, including libcap and libseccomp."""

    BUILD, LOCKED = "static", "\nlocked   capabilities, no new privileges, files.*system calls"


if __name__ == "__main__":
    tap.main()
