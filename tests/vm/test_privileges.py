# SPDX-License-Identifier: MIT
"""Who may read the counters: nobody, a group, a file capability; and the messages in each case."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine()

NOBODY = "65534"
AS_NOBODY = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
CAPABILITY = "cap_dac_read_search"
MODES = {"energy_uj": 0o400, "enabled": 0o644, "uevent": 0o644,
         **{"constraint_%d_%s" % (number, name): 0o644 for number in range(2)
            for name in ("power_limit_uw", "time_window_us")}}  # and 0444


def setUpModule():
    kernel.load_registers(domains="package,dram")


def tearDownModule():
    kernel.load_registers()


def energy_files():
    return [os.path.join(kernel.POWERCAP, zone, "energy_uj") for zone in kernel.zone_names()]


class ProgramTest(unittest.TestCase):
    """A copy of rapl-execd, which can be given file capabilities."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.program = shutil.copy(execd.PROGRAM, self.folder)

    def give_capability(self, mode="p", names=CAPABILITY):
        subprocess.run(["setcap", "%s=%s" % (names, mode), self.program], check=True)

    def run_as(self, *before, options=("--check",)):
        return subprocess.run([*before, self.program, *options], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False,
                              timeout=execd.PATIENCE_SECONDS)


class Powercap(ProgramTest):
    def setUp(self):
        super().setUp()
        for path in energy_files():
            self.assertEqual(0o400, os.stat(path).st_mode & 0o777)

    def run_as(self, *before, options=("--check", "--source=powercap")):
        return super().run_as(*before, options=options)

    def check_reads(self, *before):
        ended = self.run_as(*before)
        self.assertIn("4 of 4 zones can be read", ended.stdout)
        self.assertEqual((0, ""), (ended.returncode, ended.stderr))
        self.assertNotIn("fix: ", ended.stdout)
        return ended.stdout

    def check_refused(self, *before):
        ended = self.run_as(*before)
        self.assertEqual(1, ended.returncode)
        self.assertIn("0 of 4 zones can be read", ended.stdout)
        self.assertIn("/sys/class/powercap/intel-rapl:0/energy_uj (and 3 more): Permission denied",
                      ended.stdout)
        return ended.stdout

    def test_root_reads(self):
        self.assertIn(CAPABILITY, self.check_reads())

    def test_root_needs_no_capability(self):
        """root owns the files: it needs none of what a unit's CapabilityBoundingSet= removes."""
        text = self.check_reads("setpriv", "--bounding-set", "-dac_read_search,-dac_override")
        self.assertNotIn(CAPABILITY, text)

    def test_nobody_is_told_and_the_remedy_mends(self):
        text = self.check_refused(*AS_NOBODY)
        command = re.search(r'fix: .*sudo sh -c "groupadd .* && (find .*)"$', text,
                            re.MULTILINE).group(1)
        self.addCleanup(self.restore)
        self.assertEqual(0, os.system(command.replace("chgrp rapl", "chgrp " + NOBODY)))
        for path in energy_files():
            self.assertEqual(0o440, os.stat(path).st_mode & 0o777)
        self.check_reads(*AS_NOBODY)

    def restore(self):
        for path in energy_files():
            folder = os.path.dirname(path)
            for name in os.listdir(folder):
                if os.path.isfile(os.path.join(folder, name)):
                    os.chown(os.path.join(folder, name), 0, 0)
                    os.chmod(os.path.join(folder, name), MODES.get(name, 0o444))

    def test_group_may_read(self):
        self.addCleanup(self.restore)
        for path in energy_files():
            os.chown(path, 0, 4711)
            os.chmod(path, 0o440)
        self.check_reads("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--groups", "4711")
        self.check_refused("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--groups", "4712")

    def test_capability_of_the_file(self):
        self.give_capability()
        text = self.check_reads(*AS_NOBODY)
        self.assertIn(CAPABILITY + " only while a counter is opened", text)

    def test_capability_reads_whole_zones_that_are_roots_alone(self):
        """As some distributions' kernels create them."""
        self.addCleanup(self.restore)
        for path in energy_files():
            folder = os.path.dirname(path)
            for name in os.listdir(folder):
                if os.path.isfile(os.path.join(folder, name)):
                    os.chmod(os.path.join(folder, name), 0o400)
        self.give_capability()
        self.assertRegex(self.check_reads(*AS_NOBODY), r"package-0 +\S+ uJ +\S+ J ")

    def test_capability_is_not_effective_while_it_runs(self):
        self.give_capability()
        process = subprocess.Popen([*AS_NOBODY, self.program, "--source=powercap"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertTrue(process.stdout.readline().startswith("rapl,domain="))
        status = kernel.read("/proc/%d/status" % process.pid)
        self.assertEqual("0" * 16, re.search("CapEff:\t(.*)", status).group(1))
        self.assertEqual("%016x" % (1 << 2), re.search("CapPrm:\t(.*)", status).group(1))

    def test_capability_finds_the_driver_loaded_again(self):
        """The new files are root's again, and are opened while it runs."""
        self.give_capability()
        shutil.copymode(execd.PROGRAM, self.program)
        with execd.Execd("--source=powercap", program=self.program, before=AS_NOBODY) as program:
            self.assertIn("domain=package,package_id=1", program.ask())
            kernel.unload("intel_rapl_msr")
            self.addCleanup(kernel.load, "intel_rapl_msr")
            program.prompt()
            program.wait_message("has gone")
            kernel.load("intel_rapl_msr")
            report = program.ask()
        self.assertIn("domain=package,package_id=1", report)

    def test_capability_outside_of_the_bounding_set(self):
        """With "p" alone the program starts, and names what keeps the capability from it."""
        self.give_capability()
        text = self.check_refused("setpriv", "--bounding-set", "-dac_read_search", *AS_NOBODY)
        self.assertIn("withheld: " + CAPABILITY, text)
        self.assertRegex(text, "fix: .*%s .*CapabilityBoundingSet=" % CAPABILITY)

    def test_effective_capability_would_not_even_start(self):
        """Why docs/permissions.md uses "p" and never "ep"."""
        self.give_capability("ep")
        ended = self.run_as("setpriv", "--bounding-set", "-dac_read_search", *AS_NOBODY)
        self.assertEqual(126, ended.returncode)
        self.assertIn("Operation not permitted", ended.stderr)

    def test_no_new_privileges(self):
        self.give_capability()
        text = self.check_refused(*AS_NOBODY, "setpriv", "--no-new-privs")
        self.assertRegex(text, "fix: .*NoNewPrivileges=")

    def test_file_system_mounted_nosuid(self):
        self.give_capability()
        subprocess.run(["mount", "--bind", "-o", "nosuid", self.folder, self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", self.folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,nosuid", self.folder], check=True)
        text = self.check_refused(*AS_NOBODY)
        self.assertRegex(text, "fix: .*nosuid")

    def test_capability_is_not_used_below_another_root(self):
        """The capability only opens files below "/": the caller cannot redirect it."""
        self.give_capability()
        other = os.path.join(self.folder, "root")
        os.makedirs(other + "/sys/class/powercap/intel-rapl:0")
        for name, text in (("name", "package-0"), ("energy_uj", "4711")):
            kernel.write("%s/sys/class/powercap/intel-rapl:0/%s" % (other, name), text)
        os.chmod(other + "/sys/class/powercap/intel-rapl:0/energy_uj", 0o400)
        for options, environment in (
                (["--root=" + other], ()),
                (["--root=/proc/self/root"], ()),
                ([], ("env", "HOST_MOUNT_PREFIX=" + other))):
            ended = self.run_as(*AS_NOBODY, *environment,
                                options=["--check", "--source=powercap", *options])
            self.assertEqual(1, ended.returncode, options)
            self.assertIn("Permission denied", ended.stdout)


PARANOID = "/proc/sys/kernel/perf_event_paranoid"


class Perf(ProgramTest):
    """The kernel has three answers for processes that may not open an event, and so has --check."""

    def setUp(self):
        super().setUp()
        self.addCleanup(kernel.write, PARANOID, kernel.read(PARANOID))

    def check(self, paranoid, capability, status, said):
        kernel.write(PARANOID, paranoid)
        if capability:
            self.give_capability(names=capability)
        ended = self.run_as(*AS_NOBODY, options=["--check", "--source=perf"])
        self.assertEqual((status, ""), (ended.returncode, ended.stderr), ended.stdout)
        self.assertRegex(ended.stdout, said)

    def test_debian_asks_for_more_than_perfmon(self):
        self.check(3, "", 1, "fix: .*CAP_SYS_ADMIN")
        self.check(3, "cap_perfmon", 1, "fix: .*CAP_SYS_ADMIN")
        self.check(3, "cap_sys_admin", 0, "4 of 4 zones can be read")

    def test_others_ask_for_perfmon(self):
        self.check(2, "", 1, "fix: .*(?i:cap_perfmon)")
        self.check(2, "cap_perfmon", 0, "4 of 4 zones can be read")

    def test_nobody_where_the_setting_lets_him(self):
        self.check(0, "", 0, "4 of 4 zones can be read")


class Registers(ProgramTest):
    def check(self, status, said, *before, capability=""):
        if capability:
            self.give_capability(names=capability)
        ended = self.run_as(*before, options=["--check", "--source=msr"])
        self.assertEqual((status, ""), (ended.returncode, ended.stderr), ended.stdout)
        self.assertRegex(ended.stdout, said)

    def test_nobody_needs_two_capabilities(self):
        both = "cap_dac_read_search,cap_sys_rawio"
        self.check(1, "dev/cpu/0/msr.*: Permission denied\n.*" + both, *AS_NOBODY)
        self.check(1, "dev/cpu/0/msr.*: Operation not permitted\n.*cap_sys_rawio", *AS_NOBODY,
                   capability=CAPABILITY)
        self.check(0, "4 of 4 zones can be read", *AS_NOBODY, capability=both)

    def test_root_needs_one(self):
        self.check(0, "4 of 4 zones can be read")
        self.check(1, "Operation not permitted\n.*CAP_SYS_RAWIO", "setpriv", "--bounding-set",
                   "-sys_rawio")

    def test_module_that_is_missing(self):
        kernel.unload("msr")
        self.addCleanup(kernel.load, "msr")
        self.check(1, "No such file or directory\n.*fix: .*sudo modprobe msr")


if __name__ == "__main__":
    guest.main(MACHINE)
