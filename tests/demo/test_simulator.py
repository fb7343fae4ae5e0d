# SPDX-License-Identifier: MIT
"""rapl-sim with --leash ends with the process that holds it, and removes its mount or its files."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import sim  # noqa: E402
import tap  # noqa: E402


class Leash(unittest.TestCase):
    options = ("--plain",)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rapl-leash-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, *options, **more):
        process = subprocess.Popen([sim.PROGRAM, *self.options, *options, self.folder],
                                   stdout=subprocess.PIPE, **more)
        self.addCleanup(self.end, process)
        self.assertIn(b"served at", process.stdout.readline())
        return process

    def end(self, process):
        process.kill()
        process.wait()
        process.stdout.close()
        if os.path.ismount(self.folder):
            subprocess.run(["umount", "-l", self.folder], check=False)

    def check_nothing_is_left(self):
        execd.wait_until(lambda: not os.path.ismount(self.folder) and not os.listdir(self.folder),
                         "an empty folder", pause=0.05)

    def test_it_ends_with_its_stdin(self):
        process = self.start("--leash", stdin=subprocess.PIPE)
        process.stdin.write(b"ignored\n" * 100)
        process.stdin.close()
        self.assertEqual(0, process.wait(execd.PATIENCE_SECONDS))
        self.check_nothing_is_left()

    def test_without_a_leash_stdin_means_nothing(self):
        process = self.start(stdin=subprocess.DEVNULL)
        self.assertTrue(os.listdir(os.path.join(self.folder, "sys")))
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(execd.PATIENCE_SECONDS))
        self.check_nothing_is_left()


@sim.needed
class LeashOnFuse(Leash):
    options = ()


if __name__ == "__main__":
    tap.main()
