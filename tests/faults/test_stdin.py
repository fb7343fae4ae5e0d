# SPDX-License-Identifier: MIT
"""A stdin that is shared: another process takes what poll(2) told us of, just before we read."""
import os
import shutil
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "execd")]

import machines
import tap
import walk
from execd import Execd

DELAY_SECONDS = 0.3
ENDS_SECONDS = 2


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class Shared(unittest.TestCase):
    def first_read(self):
        """The number of the first read of stdin among all reads."""
        usual = walk.Walk(machines.Powercap())
        self.addCleanup(usual.close)
        usual.run()
        return next(call.number for call in usual.calls()
                    if call.name == "read" and call.detail.startswith("pipe"))

    def start(self, *options):
        """It reads stdin only some time after it was told that there is something; and we hold the
        pipe's end that it reads from, too."""
        machine = machines.Powercap()
        self.addCleanup(machine.close)
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        delay = "inject=read:delay_enter=%d:when=%d" % (DELAY_SECONDS * 1e6, self.first_read())
        execd = Execd(*options, root=machine.root, stdin=ours, before=[
            walk.STRACE, "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=read", "-e",
            delay, "--"])
        self.addCleanup(execd.kill)
        execd.wait_line("source powercap")
        os.write(theirs, b"\n")
        time.sleep(DELAY_SECONDS / 2)
        self.assertEqual(os.read(ours, 1), b"\n")  # before it does
        time.sleep(DELAY_SECONDS)
        return execd, theirs

    def test_next_prompt_is_answered(self):
        execd, theirs = self.start()
        os.write(theirs, b"\n")
        self.assertIsNotNone(execd.read_report())

    def test_ends_by_signal(self):
        execd, _ = self.start()
        self.assertEqual(execd.terminate(ENDS_SECONDS), 0)

    def test_goes_on_by_its_clock(self):
        execd, _ = self.start("--interval=100ms")
        for _ in range(5):
            self.assertIsNotNone(execd.read_report())
        self.assertEqual(execd.terminate(ENDS_SECONDS), 0)


if __name__ == "__main__":
    tap.main()
