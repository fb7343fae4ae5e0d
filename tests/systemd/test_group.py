# SPDX-License-Identifier: MIT
"""contrib/udev in a guest with the real udevd and drivers: group rapl can read, and still can after
changes."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import booted  # noqa: E402
import execd  # noqa: E402
import guest  # noqa: E402
import handbook  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(seconds=500)
PAGE = "contrib/systemd/README.md"
DRIVER = "intel_rapl_msr"
ZONES = 10  # two packages with core, uncore and dram, and two psys
NOBODY = "65534"

machine = None
before = None


def attributes():
    """{path: (mode, user, group)} of every file of every zone."""
    found = {}
    for folder, _, files in os.walk("/sys/devices/virtual/powercap"):
        for name in files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found[path] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


def install():
    for command in handbook.commands(PAGE, "From the folder of the source"):
        machine.run("/bin/sh", "-c", command, folder=handbook.SOURCE)


def setUpModule():
    global machine, before
    machine = booted.Booted()
    machine.boot()
    before = attributes()
    install()


def tearDownModule():
    machine.close()
    kernel.load_registers()  # new files, which group rapl may not read


class Group(unittest.TestCase):
    def setUp(self):
        self.gid = int(machine.run("getent", "group", "rapl").split(":")[2])
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.program = shutil.copy(execd.PROGRAM, self.folder)

    def as_user(self, gid):
        """A command prefix: user nobody, with this group as the only other one."""
        return ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--groups", str(gid)]

    def check_open(self):
        """Group rapl may read energy_uj; everything else is as the kernel created it."""
        now = attributes()
        energy = {path for path in now if os.path.basename(path) == "energy_uj"}
        self.assertEqual(ZONES, len(energy))
        for path in energy:
            self.assertEqual((0o440, 0, self.gid), now[path], path)
        self.assertEqual({path: what for path, what in before.items() if path not in energy},
                         {path: what for path, what in now.items() if path not in energy})
        self.check_reads(self.gid, ZONES)
        self.check_reads(self.gid + 1, 0)
        self.assertNotRegex(machine.log("systemd-udevd.service"), "rapl|chgrp|chmod|[Ff]ailed")

    def check_reads(self, gid, count):
        ended = subprocess.run([*self.as_user(gid), self.program, "--check", "--source=powercap"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                               timeout=execd.PATIENCE_SECONDS)
        self.assertIn("%d of %d zones can be read" % (count, ZONES), ended.stdout)

    def test_before_it_was_installed_root_alone_could_read(self):
        energy = [what for path, what in before.items() if path.endswith("/energy_uj")]
        self.assertEqual([(0o400, 0, 0)] * ZONES, energy)

    def test_installed(self):
        self.check_open()

    def test_whole_zones_that_are_roots_alone(self):
        """Some distributions' kernels set more files than energy_uj to mode 0400."""
        read = re.compile(r"/(name|energy_uj|max_energy_range_uj|constraint_\d_(max_power|power_limit)_uw)$")
        files = [path for path in attributes() if read.search(path) and "/intel-rapl:" in path]
        self.assertGreater(len(files), 3 * ZONES)
        self.addCleanup(machine.settle)
        self.addCleanup(kernel.load, DRIVER)
        self.addCleanup(kernel.unload, DRIVER)
        for path in files:
            os.chmod(path, 0o400)
        machine.run("udevadm", "trigger", "--settle", "--subsystem-match=powercap")
        now = attributes()
        self.assertEqual({path: (0o440, 0, self.gid) for path in files}, {path: now[path] for path in files})
        self.check_reads(self.gid, ZONES)

    def test_driver_loaded_again(self):
        for _ in range(2):
            kernel.unload(DRIVER)
            kernel.load(DRIVER)
            machine.settle()
            self.check_open()

    def test_package_back_online(self):
        kernel.set_online(False, 2, 3)
        self.addCleanup(kernel.set_online, True, 2, 3)
        machine.settle()
        self.assertLess(len(kernel.zone_names()), ZONES)
        kernel.set_online(True, 2, 3)
        end = time.monotonic() + execd.PATIENCE_SECONDS
        while len(kernel.zone_names()) < ZONES and time.monotonic() < end:
            time.sleep(0.1)
        machine.settle()
        self.check_open()

    def test_boot_with_the_zones_there_before_udev(self):
        """A driver built in or in the initial RAM disk: its only uevent is that of coldplug."""
        machine.stop()
        kernel.unload(DRIVER)
        kernel.load(DRIVER)
        energy = [what for path, what in attributes().items() if path.endswith("/energy_uj")]
        self.assertEqual([(0o400, 0, 0)] * ZONES, energy)
        machine.boot()
        self.check_open()

    def test_rapl_execd_goes_on(self):
        """It may look before udev has finished: it reports the refusal once, and continues after
        udev."""
        with execd.Execd("--source=powercap", program=self.program,
                         before=self.as_user(self.gid)) as program:
            self.assertEqual(ZONES + 1, len(program.ask()))
            program.wait_quiet()  # so that it finds all zones gone at once
            kernel.unload(DRIVER)
            program.prompt()
            program.wait_message("package-1 has gone")
            machine.run("udevadm", "control", "--stop-exec-queue")
            self.addCleanup(machine.run, "udevadm", "control", "--start-exec-queue")
            kernel.load(DRIVER)
            program.prompt()
            program.wait_message("Permission denied")
            self.assertIsNone(program.read_report(1))
            machine.run("udevadm", "control", "--start-exec-queue")
            machine.settle()
            self.assertEqual(ZONES + 1, len(program.ask()))
            messages = program.messages()
        over = [line[len("I! Resolved: "):] for line in messages if line.startswith("I! Resolved: ")]
        begun = [re.sub(r"^[EW]! |\. Fix: .*", "", line) for line in messages
                 if not line.startswith("I! ")]
        self.assertEqual(5, len(begun), messages)
        self.assertEqual(sorted(begun), sorted(over), messages)


if __name__ == "__main__":
    guest.main(MACHINE)
