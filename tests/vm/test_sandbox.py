# SPDX-License-Identifier: MIT
"""rapl-execd in its sandbox, on the kernel's own counters: what is forbidden, and that everything
else works: drivers that are reloaded, roots on other file systems. (Drivers that are loaded late
are in test_reload.)"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import sandbox  # noqa: E402
from tree import Tree  # noqa: E402

MACHINE = guest.Machine(seconds=400)

PACKAGE = "domain=package,package_id=1"
PERF = dict.fromkeys(("count_event", "move_to_cpu"), "EPERM")
# The device directory may be read as long as a register device may appear; opening the device needs
# CAP_SYS_RAWIO, which is not effective.
DEVICES = {"read_device": "done", "read_register": "EPERM"}
PARANOID = "/proc/sys/kernel/perf_event_paranoid"


def setUpModule():
    kernel.load_registers(domains="package,dram")


def tearDownModule():
    kernel.load_registers()


class Inside(sandbox.Tries):
    ALL_THERE = True

    def setUp(self):
        super().setUp()
        self.addCleanup(kernel.write, PARANOID, kernel.read(PARANOID))
        kernel.write(PARANOID, 2)  # so that only the sandbox decides who may open events

    def check_source(self, source, parses, waits):
        program = self.intrude("--source=" + source)
        self.assertIn(PACKAGE, self.report)
        results = self.parse(program.lines())
        self.check(results, "parses", {**sandbox.WHOLE, **dict.fromkeys(sandbox.RULES, "done"), **parses})
        self.check(results, "waits", {**sandbox.WHOLE, **dict.fromkeys(sandbox.RULES, "EPERM"), **waits})
        self.check_untouched("parses", "waits")

    def test_whichever_source_reads(self):
        """powercap is read, so that rights which only other sources need are given up."""
        self.check_source("auto", {**dict.fromkeys(PERF, "done"), **DEVICES}, PERF)

    def test_powercap(self):
        self.check_source("powercap", PERF, PERF)

    def test_perf(self):
        allowed = dict.fromkeys(PERF, "done")
        self.check_source("perf", allowed, allowed)

    def test_registers(self):
        self.check_source("msr", {**PERF, **DEVICES}, {**PERF, "read_register": "EPERM"})

    def test_check_says_what_is_on(self):
        text = execd.run("--check").text
        self.assertRegex(text, "\nlocked   capabilities, no new privileges, files \\(Landlock ABI "
                               "[0-9]+\\), system calls\nenergy ")

    def test_status(self):
        for options, effective in (((), 0), (("--root=/proc/self/root",), sandbox.FOUR)):
            with execd.Execd(*options) as program:
                program.ask()
                status = sandbox.read_status(program.pid)
                self.assertEqual(("1", "2"), (status["NoNewPrivs"], status["Seccomp"]))
                self.assertEqual([sandbox.FOUR, effective, 0, 0],
                                 [status["Cap" + name] for name in ("Prm", "Eff", "Inh", "Amb")])


class Outside(unittest.TestCase):
    """What must keep working in the sandbox."""

    def reload(self, program, driver):
        self.assertIn(PACKAGE, program.ask())
        kernel.unload(driver)
        self.addCleanup(kernel.load, driver)
        program.prompt()
        program.wait_message("has gone")
        kernel.load(driver)
        while program.read_report(0.2) is not None:
            pass
        self.assertIn(PACKAGE, program.ask())
        self.assertNotIn("refused", "".join(program.lines()))

    def test_driver_that_is_loaded_again(self):
        with execd.Execd("--source=powercap") as program:
            self.reload(program, "intel_rapl_msr")

    def test_modules_of_the_others_stay_while_they_are_read(self):
        """Keeps the directory dev/cpu, because msr files can then only be opened below it."""
        with execd.Execd("--source=msr") as program:
            self.assertIn(PACKAGE, program.ask())
            self.assertNotEqual(0, subprocess.run(["rmmod", "msr"], check=False).returncode)
            kernel.set_online(False, 3)
            self.addCleanup(kernel.set_online, True, 3)
            program.ask()
            kernel.set_online(True, 3)
            program.ask()
            self.assertIn(PACKAGE, program.ask())
            self.assertEqual([], program.messages())

    def test_root_of_a_container(self):
        """The host's root below a directory, as docker -v /:/host shows it; also when its driver is
        reloaded."""
        host = tempfile.mkdtemp(dir="/run")
        subprocess.run(["mount", "--rbind", "/", host], check=True)
        self.addCleanup(subprocess.run, ["umount", "-R", "-l", host], check=True)
        with execd.Execd(environment={"HOST_MOUNT_PREFIX": host}) as program:
            self.reload(program, "intel_rapl_msr")
        for source in ("perf", "msr"):
            with execd.Execd("--source=" + source, root=host) as program:
                self.assertIn(PACKAGE, program.ask())

    def test_root_of_the_first_process(self):
        """The host's root as a container sees it that shares the host's processes; a process
        without capabilities can no longer enter it."""
        with execd.Execd(root="/proc/1/root") as program:
            self.assertIn(PACKAGE, program.ask())
            self.assertEqual([], program.messages())

    def test_root_on_other_file_systems(self):
        """A tree on tmpfs, on an overlay, and on 9p, where files may have new inodes each time."""
        tree = Tree.make({"intel-rapl:0": "package-1"})
        self.addCleanup(tree.__exit__)
        os.makedirs(os.path.join(tree.root, "sys/devices/system/cpu"), exist_ok=True)
        kernel.write(os.path.join(tree.root, "sys/devices/system/cpu/online"), "0\n")
        for where in ("/run", "/tmp", "/run/out"):
            folder = tempfile.mkdtemp(dir=where)
            self.addCleanup(shutil.rmtree, folder, True)
            shutil.copytree(tree.root, folder, symlinks=True, dirs_exist_ok=True)
            with self.subTest(where), execd.Execd(root=folder) as program:
                self.assertIn(PACKAGE, program.ask())
                self.add_zone(folder)
                self.assertIn(PACKAGE.replace("1", "0"), program.ask())
                self.assertEqual([], program.messages())

    @staticmethod
    def add_zone(folder):
        """Adds a zone, and triggers discovery."""
        there = Tree.__new__(Tree)
        there.root = folder
        there.add("intel-rapl:1", "package-0", 1)
        kernel.write(os.path.join(folder, "sys/devices/system/cpu/online"), "0-1\n")


if __name__ == "__main__":
    guest.main(MACHINE)
