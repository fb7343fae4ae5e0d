# SPDX-License-Identifier: MIT
"""cmake --install over an earlier rapl-execd with a capability: the new file either has the
capability and the same group and mode, or no capability. RAPL_BUILD is the build to install."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import tap  # noqa: E402

CAPABILITY = "cap_dac_read_search=p"
GROUP = 65534
ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def command(*words, check=True, **environment):
    return subprocess.run(words, check=check, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**ENVIRONMENT, **environment})


@unittest.skipUnless(os.geteuid() == 0, "needs root: setcap")
class Again(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rapl install ")
        self.addCleanup(folder.cleanup)
        self.stage = folder.name
        self.file = os.path.join(self.stage, "opt/rapl/bin/rapl-execd")

    def install(self, *options, check=True, **environment):
        return command("cmake", "--install", execd.BUILD, "--prefix", "/opt/rapl", *options,
                       check=check, DESTDIR=self.stage, **environment)

    def give(self, mode, capability=CAPABILITY):
        os.chown(self.file, 0, GROUP)
        os.chmod(self.file, mode)
        command("setcap", capability, self.file)

    def change(self):
        """Makes the file differ, as that of an earlier version, so that it is replaced."""
        with open(self.file, "ab") as file:
            file.write(b"earlier")

    def state(self):
        """Returns (mode, group, capability)."""
        status = os.stat(self.file)
        return (status.st_mode & 0o7777, status.st_gid,
                command("getcap", self.file).stdout.strip().rpartition(" ")[2])

    def check_is_new(self):
        self.assertIn("rapl-execd", command(self.file, "--version").stdout)
        with open(self.file, "rb") as file:
            self.assertFalse(file.read().endswith(b"earlier"))

    def test_first_installation_is_open_and_has_no_capability(self):
        self.install()
        self.assertEqual((0o755, 0, ""), self.state())

    def test_same_file_keeps_all_three(self):
        self.install()
        self.give(0o750)
        self.assertIn("Kept:", self.install().stdout)
        self.assertEqual((0o750, GROUP, CAPABILITY), self.state())

    def test_changed_file_keeps_all_three(self):
        self.install()
        self.change()
        self.give(0o750, "cap_sys_admin,cap_dac_read_search=ep")
        self.install()
        self.assertEqual((0o750, GROUP, "cap_dac_read_search,cap_sys_admin=ep"), self.state())
        self.check_is_new()

    def test_stripped_file_keeps_all_three(self):
        self.install()
        self.give(0o710)
        self.install("--strip")
        self.assertEqual((0o710, GROUP, CAPABILITY), self.state())

    def test_capability_for_everyone_is_not_kept(self):
        self.install()
        self.give(0o755)
        self.assertRegex(" ".join(self.install().stdout.split()),
                         "had the capability .* The new file has no capability")
        self.assertEqual((0o755, 0, ""), self.state())

    def test_file_without_capability_is_installed_as_ever(self):
        self.install()
        self.change()
        os.chmod(self.file, 0o750)
        self.assertNotIn("apability", self.install().stdout)
        self.assertEqual((0o755, 0, ""), self.state())
        self.check_is_new()

    def test_file_behind_a_link_stays_as_it_is(self):
        self.install()
        self.give(0o750)
        other = self.file + ".other"
        os.rename(self.file, other)
        os.symlink(other, self.file)
        self.install()
        self.assertEqual((0o755, 0, ""), self.state())
        self.check_is_new()
        self.file = other
        self.assertEqual((0o750, GROUP, CAPABILITY), self.state())

    def test_failed_setcap_leaves_no_capability_and_says_so(self):
        """setcap is refused in containers, and on file systems without extended attributes."""
        self.install()
        self.give(0o750)
        tools = os.path.join(self.stage, "tools")
        os.mkdir(tools)
        os.symlink(shutil.which("false"), os.path.join(tools, "setcap"))
        ended = self.install(check=False, PATH=tools + ":" + ENVIRONMENT["PATH"])
        self.assertNotEqual(0, ended.returncode)
        self.assertRegex(" ".join(ended.stdout.split()), "without the capability " + CAPABILITY)
        self.assertEqual((0o750, GROUP, ""), self.state())

    def test_nobody_else_can_run_it_at_any_time(self):
        """Traced with strace: a file with the capability is never executable by everyone, not even
        for a moment."""
        self.install()
        self.give(0o750)
        log = os.path.join(self.stage, "trace")
        command("strace", "-f", "-qq", "-s", "4096", "-o", log, "-e", "trace=/chmod,/unlink,/chown,/setxattr",
                "cmake", "--install", execd.BUILD, "--prefix", "/opt/rapl", DESTDIR=self.stage)
        with open(log, encoding="utf-8") as file:
            calls = re.findall(r'^\d+ +(\w+)\(.*(?:rapl-execd|security.capability)"', file.read(),
                               re.MULTILINE)
        self.assertEqual(("unlink", "fsetxattr"), (calls[0], calls[-1]), calls)


if __name__ == "__main__":
    tap.main()
