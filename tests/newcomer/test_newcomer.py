# SPDX-License-Identifier: MIT
"""The two commands of a newcomer, contrib/demo and tests/run, on fresh Debian systems: each
succeeds or says why not, changes nothing else on the system, and leaves nothing behind.
docs/newcomer.md has a line for each test, which tests/run.d/test_run.py checks."""
import os
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import extent  # noqa: E402
import fresh  # noqa: E402
import tap  # noqa: E402

LONGEST_SECONDS = 3600
DEMO = ("./contrib/demo", "--seconds", "5")
BUILD_TOOLS = "cmake gcc libc6-dev make pkg-config rrdtool"

# The text printed when a stage begins, and whether that is before anything is installed.
STAGES = {"packages": "Missing Debian packages", "lists": "Fetching the lists", "install": "Installing them",
          "download": " 25 %", "dpkg": " 75 %", "unpack": "Unpacking them",
          "configure": "Configuring the build ...", "build": "Building ...", "measure": "Measuring for"}


class Newcomer:
    """The systems of one suite; the first run as root is the lower layer of all others."""

    suite = None

    @classmethod
    def setUpClass(cls):
        cls.reason = fresh.missing() or (None if extent.LONG else "runs with --long")
        if cls.reason:
            return
        cls.base = fresh.make(cls.suite)
        cls.built = os.path.join(fresh.FOLDER, "%s-built-%d" % (cls.suite, os.getpid()))
        cls.addClassCleanup(fresh.remove, cls.built)
        system = fresh.Fresh(cls.base)
        cls.before = cls.look(system)
        cls.first = system.call(*DEMO)
        cls.after = cls.look(system)
        system.close(keep=cls.built)

    def setUp(self):
        if self.reason:
            self.skipTest(self.reason)

    @staticmethod
    def look(system):
        """State that a run must not change: temporary files, mounts, processes, services at boot,
        denied services. Debian's cmake depends on procps, whose init script sets kernel
        parameters."""
        files = system.run(
            "bash", "-c", "ls -A /tmp /run /var/tmp /root /home/newcomer /usr/sbin/policy-rc.d 2>&1;"
            "find /etc/systemd/system /etc/rc?.d -type l ! -lname ../init.d/procps -printf '%p %l\\n' | sort;"
            "grep -o ' /[^ ]* fuse[^ ]*' /proc/mounts; exit 0")
        return files, system.processes()

    def system(self, *below, **more):
        system = fresh.Fresh(*(below or (self.built, self.base)), **more)
        self.addCleanup(system.close)
        return system

    def check_ended(self, status, output):
        self.assertEqual(0, status, output)
        self.assertRegex(output, r"(?m)^Both agree within [0-9.]+ %: .*; the truth is")
        self.assertIn("The picture of what collectd stored: %s/build/demo.png" % fresh.CHECKOUT, output)

    def check_demo(self, system, **more):
        """It succeeds and leaves nothing behind."""
        before = self.look(system)
        ended = system.call(*DEMO, **more)
        self.check_ended(ended.returncode, ended.stdout)
        self.assertEqual(before, self.look(system))
        return ended.stdout

    def test_as_root_in_a_path_with_a_space(self):
        self.check_ended(self.first.returncode, self.first.stdout)
        self.assertEqual(self.before, self.after)

    def test_a_second_time_nothing_is_fetched(self):
        output = self.check_demo(self.system())
        self.assertNotRegex(output, "packages|Fetching|Installing|Unpacking")

    def test_with_sudo(self):
        system = self.system(self.base)
        self.check_demo(system, user=fresh.USER)
        owners = system.run("find", "build", "!", "-user", fresh.USER)
        self.assertEqual("", owners)

    def test_without_sudo(self):
        """It prints what to do by hand, and that is sufficient."""
        system = self.system(self.base)
        system.run("rm", "/usr/bin/sudo")
        before = self.look(system)
        ended = system.call(*DEMO, user=fresh.USER)
        self.assertEqual(1, ended.returncode, ended.stdout)
        self.assertIn("there is no sudo", ended.stdout)
        command = re.search(r"By hand, as root: (apt-get install %s)" % BUILD_TOOLS, ended.stdout)
        self.assertTrue(command, ended.stdout)
        self.assertEqual(before, self.look(system))
        system.run("apt-get", "update")
        system.run(*command[1].split(), "--no-install-recommends", "-y")
        self.check_demo(system, user=fresh.USER)

    def test_offline(self):
        system = self.system(self.base, online=False)
        before = self.look(system)
        ended = system.call(*DEMO)
        self.assertEqual(1, ended.returncode, ended.stdout)
        self.assertRegex(ended.stdout, r"(?m)^[EW]: .*(resol|connect|fetch|locate)")
        self.assertIn("By hand: apt-get install " + BUILD_TOOLS, ended.stdout)
        self.assertEqual(before, self.look(system))

    def test_offline_a_second_time(self):
        self.check_demo(self.system(online=False))

    def test_beside_a_running_collectd(self):
        system = self.system()
        system.run("apt-get", "update")
        system.run("apt-get", "install", "-y", "--no-install-recommends", "collectd")
        with open(system.path("/etc/collectd/collectd.conf"), "w", encoding="ascii") as file:
            # The plugins in Debian's file have more dependencies.
            file.write("FQDNLookup false\nInterval 1\nLoadPlugin cpu\nLoadPlugin csv\n")
        system.run("collectd")
        pid = system.run("cat", "/run/collectd.pid")
        sums = "find /etc/collectd /usr/lib/collectd -type f | sort | xargs sha256sum"
        files = system.run("sh", "-c", sums)
        self.check_demo(system)
        self.assertEqual(files, system.run("sh", "-c", sums))
        self.assertEqual(pid, system.run("cat", "/run/collectd.pid"))
        self.assertRegex("\n".join(system.processes()), "(?m)^collectd")

    def test_beside_a_running_apt(self):
        """A service that another apt installs meanwhile is in the state its package wants."""
        system = self.system(self.base)
        system.run("apt-get", "update")
        other = system.start("apt-get", "install", "-y", "--no-install-recommends",
                             "-o", "Dpkg::Pre-Invoke::=sleep 10", "memcached")
        execd.wait_until(lambda: system.call("pgrep", "-x", "sleep").returncode == 0 or
                         "sleep 10" in "\n".join(system.processes()), "another apt-get")
        ended = system.call(*DEMO)
        other.communicate(timeout=300)
        self.assertEqual(0, other.returncode)
        self.check_ended(ended.returncode, ended.stdout)
        self.assertRegex(ended.stdout, "Waiting for another program that installs packages.*apt-get")
        self.assertIn("memcached", system.run("ls", "/etc/systemd/system/multi-user.target.wants"))

    def test_tests_run_passes(self):
        ended = self.system(self.base).call("./tests/run", seconds=LONGEST_SECONDS)
        self.assertEqual(0, ended.returncode, ended.stdout)
        self.assertRegex(ended.stdout, r"\n[1-9][0-9]+ passed, 0 failed")

    def interrupt(self, stage, kind):
        """Interrupts it at that stage; nothing is left, and another run succeeds."""
        early = list(STAGES).index(stage) < list(STAGES).index("configure")
        system = self.system(*([self.base] if early else []))
        if not early:
            system.run("rm", "-r", "build/demo/parts")
        if stage == "lists":  # debootstrap has fetched them
            system.run("bash", "-c", "rm -r /var/lib/apt/lists/*")
        before = self.look(system)
        demo = system.start(*DEMO)
        for line in demo.stdout:
            if STAGES[stage] in line:
                break
        else:
            self.fail("there is no stage %s" % stage)
        time.sleep(0.3)
        if kind == signal.SIGINT:  # as a terminal does: the whole foreground group
            os.killpg(demo.pid, kind)
        else:
            system.run("bash", "-c", "kill -9 $(grep -lz contrib/demo /proc/[0-9]*/cmdline | "
                       "sed 's,/proc/,,; s,/cmdline,,' | sort -n | head -n 1)")
        output = demo.communicate(timeout=300)[0]
        self.assertNotIn("Both agree", output)
        execd.wait_until(lambda: self.look(system) == before,
                         lambda: "as before: %s\nnow: %s" % (before, self.look(system)), 120, pause=0.5)
        self.assertEqual("", system.run("dpkg", "--audit"))
        self.check_demo(system)


def add_stages(case):
    for stage in STAGES:
        for kind in (signal.SIGINT, signal.SIGKILL):
            def test(self, stage=stage, kind=kind):
                self.interrupt(stage, kind)
            setattr(case, "test_%s_at_stage_%s" % (kind.name.lower(), stage), test)


class Bookworm(Newcomer, unittest.TestCase):
    suite = "bookworm"


class Trixie(Newcomer, unittest.TestCase):
    suite = "trixie"


add_stages(Bookworm)
add_stages(Trixie)

if __name__ == "__main__":
    tap.LONGEST_SECONDS = LONGEST_SECONDS
    tap.main()
