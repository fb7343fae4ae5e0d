# SPDX-License-Identifier: MIT
"""A shared stdin: another process takes the input that poll(2) announced, just before rapl-execd
reads it."""
import os
import select
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
TRIES = 5


def is_kept(pid):
    """Whether strace, which only stops it at reads, holds it at the start of a read of stdin."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        state = file.read().rpartition(")")[2].split()[0]
    with open("/proc/%d/syscall" % pid, encoding="ascii") as file:
        return state == "t" and file.read().split()[1:2] == ["0x0"]


def wait_until(is_so):
    """Whether is_so becomes true within a multiple of the delay."""
    end = time.monotonic() + 10 * DELAY_SECONDS
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


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
        """poll() reports input on stdin; this test also holds the read end of the pipe, and takes
        that input while strace keeps the program from reading it."""
        for _ in range(TRIES):
            execd, ours, theirs = self.start_reader(*options)
            os.write(theirs, b"\n")
            if wait_until(lambda: is_kept(execd.pid)) and select.select([ours], [], [], 0)[0]:
                os.read(ours, 1)
                self.assertTrue(wait_until(lambda: not is_kept(execd.pid)))
                return execd, theirs
        self.fail("it has read its prompt before we could, each time")

    def start_reader(self, *options):
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
        execd.wait_line("source powercap", walk.HANGS_SECONDS)
        return execd, ours, theirs

    def test_next_prompt_is_answered(self):
        execd, theirs = self.start()
        os.write(theirs, b"\n")
        self.assertIsNotNone(execd.read_report(walk.HANGS_SECONDS))

    def test_ends_by_signal(self):
        execd, _ = self.start()
        self.assertEqual(execd.terminate(walk.HANGS_SECONDS), 0)

    def test_goes_on_by_its_clock(self):
        execd, _ = self.start("--interval=100ms")
        for _ in range(5):
            self.assertIsNotNone(execd.read_report(walk.HANGS_SECONDS))
        self.assertEqual(execd.terminate(walk.HANGS_SECONDS), 0)


if __name__ == "__main__":
    tap.main()
