# SPDX-License-Identifier: MIT
"""contrib/demo leaves nothing behind, however it ends, and prints the documented commands last."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import handbook  # noqa: E402
import tap  # noqa: E402

DEMO = os.path.join(handbook.SOURCE, "contrib", "demo")
COMMAND = re.compile(r"^ {4,}((?:sudo|cmake|rapl-execd|journalctl) .*)$", re.MULTILINE)


def commands_with(folder):
    """Command lines of processes with the directory in an argument, or with their stdin in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read()
            stdin = os.readlink("/proc/%s/fd/0" % pid)
        except OSError:
            continue
        if folder.encode() in words or folder in stdin:
            found.append(words.decode(errors="replace").split("\0")[:-1])
    return found


class Demo(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rapl-demo-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, *options):
        demo = subprocess.Popen([DEMO, "--machine", "server", *options], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                start_new_session=True,
                                env={**os.environ, "TMPDIR": self.folder, "TERM": "dumb"})
        self.addCleanup(demo.communicate)
        self.addCleanup(demo.kill)
        return demo

    def wait_line(self, demo, text):
        """Waits for the text; returns the output up to it."""
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if text in line:
                return lines
        raise AssertionError("not printed: %s\n%s" % (text, "".join(lines)))

    def is_gone(self):
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            return not (os.listdir(self.folder) or self.folder in mounts.read() or
                        commands_with(self.folder))

    def check_nothing_is_left(self):
        execd.wait_until(self.is_gone, lambda: "nothing to be left but %s %s" % (
            os.listdir(self.folder), commands_with(self.folder)), pause=0.2)

    def test_killed_while_it_measures(self):
        demo = self.start("--seconds", "600")
        self.wait_line(demo, "  1 s  package-0")
        programs = [os.path.basename(words[0]) for words in commands_with(self.folder)]
        for name in ("rapl-sim", "collectd", "rapl-execd"):
            self.assertIn(name, programs)
        demo.kill()
        self.check_nothing_is_left()

    def test_killed_while_it_builds(self):
        demo = self.start("--seconds", "600")
        self.wait_line(demo, "Configuring the build ...")
        demo.kill()
        self.check_nothing_is_left()

    def test_interrupted(self):
        demo = self.start("--seconds", "600")
        self.wait_line(demo, "  1 s  package-0")
        os.killpg(demo.pid, signal.SIGINT)
        self.assertIn("demo: interrupted", demo.communicate(timeout=60)[0])
        self.assertEqual(130, demo.returncode)
        self.assertTrue(self.is_gone(), os.listdir(self.folder))

    def test_last_lines(self):
        """What to install, the rights, what to restart, and how to see that it works."""
        demo = self.start("--seconds", "5")
        output = demo.communicate(timeout=300)[0]
        self.assertEqual(0, demo.returncode, output)
        self.assertTrue(self.is_gone(), os.listdir(self.folder))
        last = output[output.index("To have this on a machine:"):]
        found = COMMAND.findall(last)
        page = handbook.read("docs/install.md")
        install = COMMAND.findall(page[:page.index("\nThis installs ")])
        page = handbook.read("docs/permissions.md")
        rights = page[page.index("## Group rapl"):page.index("## File capability")]
        for command in install + COMMAND.findall(rights):
            self.assertIn(command, found)
        for command in ("systemctl restart telegraf.service", "systemctl restart collectd.service"):
            self.assertIn("sudo " + command, found)
        for file in ("collectd", "telegraf"):
            self.assertIn("/etc/%s/%s.d/rapl.conf" % (
                file, "collectd.conf" if file == "collectd" else file), last)


if __name__ == "__main__":
    tap.main()
