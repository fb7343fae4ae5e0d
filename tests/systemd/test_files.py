# SPDX-License-Identifier: MIT
"""Checks contrib/systemd and contrib/udev with systemd's own tools, on this machine, without a
guest."""
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import handbook  # noqa: E402
import tap  # noqa: E402

PAGE = "contrib/systemd/README.md"
CONTRIB = os.path.join(handbook.SOURCE, "contrib")
DROP_INS = (None, "rapl.conf", "rapl-only.conf")


seconds = 60


def prepare():
    """Provides Telegraf's unit, which comes with Telegraf."""
    daemons.build_telegraf()
    return {}


class Files(unittest.TestCase):
    def setUp(self):
        reason = daemons.missing_programs(systemd_analyze="systemd", systemd_sysusers="systemd")
        if reason:
            self.skipTest(reason)
        built = daemons.build_telegraf()
        if built.missing:
            self.skipTest(built.missing)
        self.units = {"collectd.service": daemons.collectd_file("/lib/systemd/system/collectd.service"),
                      "telegraf.service": os.path.join(os.path.dirname(built.path), "telegraf.service")}
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def analyze(self, *words):
        ended = subprocess.run(
            ["systemd-analyze", *words], check=False, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=daemons.PATIENCE_SECONDS,
            env={**os.environ, "SYSTEMD_UNIT_PATH": self.folder + ":", "SYSTEMD_PAGER": ""})
        return ended.stdout

    def add(self, unit, drop_in):
        """Adds the unit, if it is missing, with this drop-in."""
        shutil.copy(self.units[unit], os.path.join(self.folder, unit))
        below = os.path.join(self.folder, unit + ".d")
        os.makedirs(below, exist_ok=True)
        for source in (os.path.join(CONTRIB, "systemd", unit + ".d"),
                       os.path.join(CONTRIB, "systemd")):
            if drop_in and os.path.exists(os.path.join(source, drop_in)):
                shutil.copy(os.path.join(source, drop_in), below)
                return

    def test_units_have_no_fault(self):
        """The exit status is 0 whatever is printed, and messages about other units of this machine
        are printed, too."""
        for unit in self.units:
            for drop_in in DROP_INS:
                self.add(unit, drop_in)
            said = [line for line in self.analyze("verify", os.path.join(self.folder, unit)).splitlines()
                    if ".service.d/" in line or "rapl" in line]
            self.assertEqual([], said, unit)

    def test_exposure_is_as_the_page_says(self):
        version = self.analyze("--version").split()[1]
        for unit, *told in handbook.rows(PAGE, "exposure"):
            with self.subTest(unit):
                found = []
                for drop_in in DROP_INS:
                    self.add(unit, drop_in)
                    text = self.analyze("security", "--offline=true", unit)
                    found.append(re.search(r"exposure level for \S+: (\d+\.\d)", text)[1])
                self.assertLess(float(found[2]), float(found[0]) - 5)
                if version == "252":  # each version computes exposure differently
                    self.assertEqual(told, found)

    def test_group_is_made(self):
        for name in ("passwd", "group", "shadow", "gshadow"):
            os.makedirs(os.path.join(self.folder, "etc"), exist_ok=True)
            open(os.path.join(self.folder, "etc", name), "w", encoding="ascii").close()
        subprocess.run(["systemd-sysusers", "--root=" + self.folder,
                        os.path.join(CONTRIB, "udev", "rapl-sysusers.conf")], check=True,
                       stderr=subprocess.DEVNULL)
        with open(os.path.join(self.folder, "etc", "group"), encoding="ascii") as file:
            self.assertRegex(file.read(), r"\Arapl:x:\d+:\n\Z")

    def test_nobody_else_is_let_in(self):
        for folder, _, files in os.walk(os.path.join(CONTRIB, "udev")):
            for name in files:
                self.assertNotRegex(handbook.read(os.path.join(folder, name)), r"04?44\b|[ao]\+r")


class Rule(unittest.TestCase):
    """The program that the udev rule runs, on files in place of a zone's."""

    def run_rule(self, folder, group):
        rule = handbook.read(os.path.join(CONTRIB, "udev", "60-rapl.rules"))
        program = re.search(r'RUN\+="([^"]*)"', rule)[1].replace("$sys$devpath", folder)
        words = [group if word == "rapl" else word for word in shlex.split(program)]
        subprocess.run(words, check=True, timeout=daemons.PATIENCE_SECONDS)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_rule_opens_all_that_is_read_and_takes_nothing(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        group = 65534
        root_alone, everyone = (0o400, 0), (0o444, 0)
        cases = {
            "energy_uj": (root_alone, (0o440, group)),
            "max_energy_range_uj": (root_alone, (0o440, group)),
            "constraint_0_power_limit_uw": ((0o600, 0), (0o640, group)),
            "constraint_9_max_power_uw": (root_alone, (0o440, group)),
            "name": (everyone, everyone),  # as most kernels create it
            "constraint_1_max_power_uw": (everyone, everyone),
            "constraint_1_power_limit_uw": ((0o644, 0), (0o644, 0)),
            "constraint_0_time_window_us": ((0o600, 0), (0o600, 0)),  # not needed by any reader
            "enabled": ((0o600, 0), (0o600, 0)),
            "uevent": ((0o600, 0), (0o600, 0)),
        }
        inner = os.path.join(folder, "intel-rapl:0:0")  # has a uevent of its own
        os.mkdir(inner)
        for name, (before, _) in {**cases, "intel-rapl:0:0/energy_uj": (root_alone, None)}.items():
            path = os.path.join(folder, name)
            open(path, "w", encoding="ascii").close()
            os.chmod(path, before[0])
        for _ in range(2):
            self.run_rule(folder, str(group))
            for name, (_, after) in cases.items():
                status = os.stat(os.path.join(folder, name))
                self.assertEqual(after, (stat.S_IMODE(status.st_mode), status.st_gid), name)
            self.assertEqual(0o400, stat.S_IMODE(os.stat(os.path.join(inner, "energy_uj")).st_mode))


if __name__ == "__main__":
    tap.main()
