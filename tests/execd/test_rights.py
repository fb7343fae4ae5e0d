# SPDX-License-Identifier: MIT
"""What rapl-execd may read of zones that are root's alone, and what it prints otherwise."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import handbook
import tap
from execd import PROGRAM, Execd, run
from tree import RANGE_UJ, Tree, write

NOBODY = "65534"
CPUS = os.path.join("sys", "devices", "system", "cpu")
IDS = ("physical_package_id", "core_id", "die_id")
PACKAGE = "domain=package,package_id=0"
CPUINFO = "vendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\nflags\t\t: %s\n"


def missing_rights():
    """Why files cannot be given capabilities here or another root be entered; None if they can."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("setcap", "setpriv", "chroot", "unshare"):
        if shutil.which(program) is None:
            return "%s is missing" % program
    return None


class Rights(unittest.TestCase):
    def setUp(self):
        self.tree = Tree.make({"intel-rapl:0": "package-0"})
        self.addCleanup(self.tree.__exit__)

    def close_zone(self, mode=0o400):
        """As kernels of Ubuntu make it: only root may read the whole zone."""
        for name in os.listdir(self.tree.path("intel-rapl:0")):
            os.chmod(self.tree.path("intel-rapl:0", name), mode)

    def copy_program(self):
        """Copies the program into the tree, with the libraries that it needs there."""
        linked = subprocess.run(["ldd", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
        for library in re.findall(r"(/\S+\.so\S*)", linked.stdout):
            copied = self.tree.root + library
            os.makedirs(os.path.dirname(copied), exist_ok=True)
            shutil.copy(os.path.realpath(library), copied)
            os.chmod(copied, 0o755)
        program = shutil.copy(PROGRAM, self.tree.root)
        os.chmod(program, 0o755)
        return program

    def check_wrap(self, execd):
        """Uses 6, 8 and 5 J from 10 J before the end of the range, with the wrap among them."""
        report = execd.ask()
        energy_uj = RANGE_UJ - 10 * 10**6
        for joules in (6, 8, 5):
            energy_uj = (energy_uj + joules * 10**6) % (RANGE_UJ + 61)
            self.tree.set_energy("intel-rapl:0", energy_uj)
            report = execd.ask()
        self.assertEqual(19 * 10**6, report.energy_uj(PACKAGE))
        self.assertEqual([], execd.messages())

    @unittest.skipIf(missing_rights(), missing_rights())
    def test_capability_reads_the_whole_zone(self):
        """The capability is only raised below "/", which is the tree here."""
        self.tree.set_energy("intel-rapl:0", RANGE_UJ - 10 * 10**6)
        self.close_zone()
        program = self.copy_program()
        subprocess.run(["setcap", "cap_dac_read_search=p", program], check=True)
        enter = ["chroot", "--userspec=%s:%s" % (NOBODY, NOBODY), self.tree.root]
        with Execd(program="/" + os.path.basename(program), before=enter) as execd:
            self.check_wrap(execd)

    @unittest.skipIf(missing_rights(), missing_rights())
    def test_group_of_the_advice_reads_the_whole_zone(self):
        self.tree.set_energy("intel-rapl:0", RANGE_UJ - 10 * 10**6)
        self.close_zone()
        remedy = self.remedy(user="nobody")
        command = re.search(r"sudo (sh -c \"groupadd .*\")$", remedy).group(1)
        # Uses group nogroup instead of rapl, which this machine may not have.
        command = command.replace("groupadd -f -r rapl && ", "").replace("rapl {}", NOBODY + " {}")
        self.assertEqual(0, os.system(command), command)
        for name in ("name", "energy_uj", "max_energy_range_uj", "constraint_0_max_power_uw"):
            status = os.stat(self.tree.path("intel-rapl:0", name))
            self.assertEqual((0o440, int(NOBODY)), (status.st_mode & 0o777, status.st_gid), name)
        with Execd(root=self.tree.root, user="nobody") as execd:
            self.check_wrap(execd)

    def remedy(self, source="powercap", **more):
        """The only remedy that --check prints."""
        text = run("--check", "--source=" + source, root=self.tree.root, **more).text
        remedies = re.findall("(?m)^  fix: (.*)$", text)
        self.assertEqual(1, len(remedies), text)
        return remedies[0]

    def test_range_alone_is_not_readable(self):
        """Of 19 J around the wrap, 8 J are unknown and 11 J are counted; the log says why."""
        os.chmod(self.tree.path("intel-rapl:0", "max_energy_range_uj"), 0)
        self.tree.set_energy("intel-rapl:0", 10**9)
        with Execd("--health=yes", root=self.tree.root, user="nobody") as execd:
            execd.ask()
            self.tree.set_energy("intel-rapl:0", 10**9 + 6 * 10**6)
            execd.ask()
            self.tree.set_energy("intel-rapl:0", 4 * 10**6)
            report = execd.ask()
            self.assertNotIn(PACKAGE, report)
            self.assertEqual(1, report["rapl_health,source=powercap"]["resets"])
            self.tree.set_energy("intel-rapl:0", 9 * 10**6)
            self.assertEqual(11 * 10**6, execd.ask().energy_uj(PACKAGE))
            message, = execd.messages()
        self.assertRegex(message, r"^W! .*/max_energy_range_uj: Permission denied; without its range.*"
                         r"group rapl.*udev rule")

    def test_counter_is_what_stands_in_the_way(self):
        self.close_zone(0)
        os.chmod(self.tree.path("intel-rapl:0", "name"), 0o444)
        text = run("--check", root=self.tree.root, user="nobody").text
        self.assertRegex(text, r"(?m)^ +powercap: %s/sys/class/powercap/intel-rapl:0/energy_uj: "
                         r"Permission denied; perf: " % re.escape(self.tree.root))
        self.assertNotIn("constraint", text.partition("fix: ")[0])

    @unittest.skipIf(missing_rights(), missing_rights())
    def test_root_of_a_user_namespace(self):
        self.close_zone()
        os.chmod(self.tree.path("intel-rapl:0", "name"), 0o444)
        registers = os.path.join("dev", "cpu", "0", "msr")
        for path, text in ((os.path.join("proc", "cpuinfo"), CPUINFO % ("GenuineIntel", 6, 85, "fpu")),
                           (registers, ""), (os.path.join(CPUS, "online"), "0\n"),
                           *((os.path.join(CPUS, "cpu0", "topology", name), "0\n") for name in IDS)):
            write(self.tree.root, path, text)
        os.chmod(os.path.join(self.tree.root, registers), 0o400)
        program = self.copy_program()
        enter = ["setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups", "unshare", "-r"]
        if subprocess.run([*enter, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("no user namespaces")
        for source, way in (("powercap", "on the host, install the udev rule"),
                            ("msr", "read the registers on the host")):
            remedy = self.remedy(source=source, program=program, before=enter)
            self.assertIn("root of a user namespace (an unprivileged container", remedy)
            self.assertIn(way, remedy)


class Machines(unittest.TestCase):
    """Machines without counters: the reason that each source gives."""

    def setUp(self):
        self.tree = Tree()
        self.addCleanup(self.tree.__exit__)
        os.makedirs(os.path.join(self.tree.root, "sys", "class", "powercap"))
        write(self.tree.root, os.path.join(CPUS, "online"), "0\n")
        for name in IDS:
            write(self.tree.root, os.path.join(CPUS, "cpu0", "topology", name), "0\n")

    def check(self, source, cpuinfo):
        write(self.tree.root, os.path.join("proc", "cpuinfo"), cpuinfo)
        ended = run("--check", "--source=" + source, root=self.tree.root)
        self.assertEqual(1, ended.status)
        return ended.text

    def test_processors_without_counters(self):
        arm = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
        for cpuinfo in (CPUINFO % ("AuthenticAMD", 21, 2, "fpu"), CPUINFO % ("GenuineIntel", 6, 26, "fpu"),
                        arm):
            for source in ("powercap", "perf", "msr", "auto"):
                with self.subTest(cpuinfo=cpuinfo, source=source):
                    text = self.check(source, cpuinfo)
                    self.assertIn("this processor has no RAPL counters", text)
                    self.assertNotIn("modprobe", text)

    def test_drivers_of_the_newest_servers(self):
        for source in ("powercap", "perf"):
            for model in (0xAD, 0xAE, 0xAF, 0xB6, 0xDD):
                text = self.check(source, CPUINFO % ("GenuineIntel", 6, model, "fpu"))
                self.assertRegex(text, "fix: .*sudo modprobe intel_rapl_tpmi\n")

    def test_virtual_machine_is_named(self):
        text = self.check("powercap", CPUINFO % ("GenuineIntel", 6, 85, "fpu hypervisor"))
        self.assertRegex(text, "(?m)^vendor   Intel, in a virtual machine$")
        text = self.check("powercap", CPUINFO % ("GenuineIntel", 6, 85, "fpu"))
        self.assertRegex(text, "(?m)^vendor   Intel$")


class Advice(unittest.TestCase):
    def test_no_group_but_rapl_is_given_anything(self):
        """In messages, pages and rules: members of any other group would see the raw counters."""
        files = [handbook.SOURCE + "/README.md"]
        for folder in ("configs", "contrib", "core", "docs", "plugins"):
            for place, _, names in os.walk(os.path.join(handbook.SOURCE, folder)):
                files += [os.path.join(place, name) for name in names]
        groups = {}
        for path in files:
            with open(path, encoding="utf-8", errors="replace") as file:
                for group in re.findall(r"chgrp (\S+)", file.read()):
                    groups.setdefault(group, []).append(path)
        self.assertEqual({"rapl"}, set(groups), groups)


if __name__ == "__main__":
    tap.main()
