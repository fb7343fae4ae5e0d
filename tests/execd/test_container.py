# SPDX-License-Identifier: MIT
"""docs/permissions.md, Containers: what docker run and the entrypoint of Telegraf's image do to
rapl-execd, step by step, on a host whose udev rule gives the counters to group rapl."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import handbook  # noqa: E402
import tap  # noqa: E402
from execd import PROGRAM, run  # noqa: E402
from tree import Tree  # noqa: E402

GROUP = 4711  # of group rapl on the host; the image has no name for it
USER = "65533"

# What docker leaves to root: https://docs.docker.com/engine/security/#linux-kernel-capabilities
CAPABILITIES = "".join(",+" + name for name in (
    "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap net_bind_service "
    "sys_chroot kill audit_write").split())

# The steps of telegraf/1.39/entrypoint.sh in github.com/influxdata/influxdata-docker, commit
# 359351e: root becomes user telegraf, with the groups that docker run gives it except root's.
ENTRYPOINT = """list=%s
for name in $(id -Gn 2>/dev/null || true); do [ "$name" = root ] || list=$list,$name; done
exec setpriv --reuid %s --regid %s --groups "$list" "$@"
""" % (USER, USER, USER)


def missing():
    if os.geteuid() != 0:
        return "needs root"
    for program in ("setpriv", "unshare", "mount"):
        if shutil.which(program) is None:
            return "%s is missing" % program
    tried = subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.PIPE, check=False)
    return tried.stderr.decode() or None


@unittest.skipIf(missing(), missing())
class Container(unittest.TestCase):
    def setUp(self):
        self.host = Tree.make({"intel-rapl:0": "package-0"})
        self.addCleanup(self.host.__exit__)
        for name in os.listdir(self.host.path("intel-rapl:0")):  # as the udev rule sets them
            path = self.host.path("intel-rapl:0", name)
            os.chmod(path, 0o440)
            os.chown(path, 0, GROUP)
        self.folder = tempfile.mkdtemp(prefix="rapl-container-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, "host"))
        shutil.copy(PROGRAM, self.folder)
        self.command = self.read_command()

    @staticmethod
    def read_command():
        """The words of docker run in the recipe."""
        text = handbook.read("docs/permissions.md")
        match = re.search(r"^ +(docker run (?:.*\\\n)*.*)$", text, re.MULTILINE)
        return re.sub(r"\\\n", " ", match[1])

    def enter(self, groups):
        """Acts as docker run with its mount, groups and capabilities, then as the entrypoint."""
        mount = 'mount --rbind --make-rslave "$0" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, self.host.root, self.folder + "/host",
                "setpriv", "--groups", ",".join(groups), "--bounding-set", "-all" + CAPABILITIES,
                "--inh-caps", "-all", "sh", "-c", ENTRYPOINT, "entrypoint"]

    def run_in(self, groups, *options):
        return run(*options, before=self.enter(groups), program=self.folder + "/rapl-execd",
                   environment={"HOST_MOUNT_PREFIX": self.folder + "/host"})

    def test_recipe_reads_the_counters(self):
        for word in ("-v /:/host:ro,rslave", "-e HOST_MOUNT_PREFIX=/host",
                     '--group-add "$(getent group rapl | cut -d: -f3)"',
                     "-v /usr/bin/rapl-execd:/usr/bin/rapl-execd:ro"):
            self.assertIn(word, self.command)
        ended = self.run_in(["0", str(GROUP)], "--check")
        self.assertEqual(0, ended.status, ended)
        self.assertRegex(ended.text, r"(?m)^intel-rapl:0 +package-0 .* yes")
        self.assertNotIn("Permission denied", ended.text)

    def test_without_the_group_it_says_why(self):
        ended = self.run_in(["0"], "--check")
        self.assertNotEqual(0, ended.status)
        self.assertRegex(ended.text, "Permission denied")
        self.assertRegex(ended.text, "group rapl")

    def test_its_user_has_no_right_of_root(self):
        """The entrypoint drops the capabilities: the group alone gives the right to read."""
        ended = subprocess.run([*self.enter(["0", str(GROUP)]), "cat", "/proc/self/status"],
                               stdout=subprocess.PIPE, text=True, check=True)
        self.assertRegex(ended.stdout, r"(?m)^CapEff:\t0+$")
        self.assertRegex(ended.stdout, r"(?m)^Groups:\t%d %s *$" % (GROUP, USER))


if __name__ == "__main__":
    tap.main()
