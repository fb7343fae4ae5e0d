# SPDX-License-Identifier: MIT
"""Messages of rapl-execd that nobody reads, and messages right before it ends."""
import fcntl
import os
import pty
import re
import select
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import tap
from execd import PATIENCE_SECONDS, Execd
from tree import Tree

PACKAGE = "domain=package,package_id=0"
# rapl-execd promises to end within a second. A test allows two more.
ALLOWED_SECONDS = 3
PAGE = os.sysconf("SC_PAGE_SIZE")
LOST = r"W! messages dropped because stderr was full: (\d+)\n"


def take(file):
    """The current content of the file."""
    text = b""
    while select.select([file], [], [], 0)[0]:
        part = os.read(file, 1 << 16)
        if not part:
            break
        text += part
    return text.decode()


class StderrCase(unittest.TestCase):
    def setUp(self):
        self.tree = Tree.make({"intel-rapl:0": "package-0"})
        self.addCleanup(self.tree.__exit__)

    def start(self, theirs, *options, **more):
        program = Execd(*options, root=self.tree.root, stderr=theirs, **more)
        self.addCleanup(program.kill)
        return program

    def full_pipe(self):
        """Both ends of a full pipe of one page."""
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PAGE)
        os.write(theirs, b"x" * PAGE)
        return ours, theirs

    def full_socket(self):
        """A socket, as systemd uses to connect a unit to the journal."""
        return self.fill(end.detach() for end in socket.socketpair())

    def full_terminal(self):
        return self.fill(pty.openpty())

    def fill(self, ends):
        ours, theirs = ends
        self.addCleanup(os.close, ours)
        os.set_blocking(theirs, False)
        try:
            while True:
                os.write(theirs, b"x" * 100)
        except BlockingIOError:
            os.set_blocking(theirs, True)
        return ours, theirs

    def full_shared_pipe(self):
        """A pipe with both ends open for reading and writing, as a FIFO may be opened."""
        ours, theirs = self.full_pipe()
        both = os.open("/proc/self/fd/%d" % theirs, os.O_RDWR)
        os.close(theirs)
        return ours, both


class Full(StderrCase):
    """Nobody reads the messages. --debug prints one for each report."""

    def check_each(self, check):
        for fill in (self.full_pipe, self.full_socket, self.full_terminal, self.full_shared_pipe):
            with self.subTest(fill.__name__):
                _, theirs = fill()
                program = self.start(theirs, "--debug")
                os.close(theirs)
                self.assertIn(PACKAGE, program.ask())
                check(program)

    def test_reports_go_on(self):
        self.check_each(lambda program: self.assertIn(PACKAGE, program.ask()))

    def test_end_of_stdin_ends_it(self):
        self.check_each(lambda program: self.assertEqual(program.stop(ALLOWED_SECONDS), 0))

    def test_sigterm_ends_it(self):
        self.check_each(lambda program: self.assertEqual(program.terminate(ALLOWED_SECONDS), 0))

    def test_a_wrong_option_ends_it(self):
        _, theirs = self.full_pipe()
        program = self.start(theirs, "--nonsense")
        os.close(theirs)
        self.assertEqual(program.wait(ALLOWED_SECONDS), 2)

    def test_dropped_messages_are_counted_and_the_count_is_said_once(self):
        ours, theirs = self.full_pipe()
        program = self.start(theirs, "--debug")
        os.close(theirs)
        for _ in range(5):
            program.ask()
        self.assertEqual("x" * PAGE, take(ours))
        program.ask()
        program.ask()
        text = take(ours)
        found = re.findall(LOST, text)
        self.assertEqual(1, len(found), text)
        # Two at the start, with what was found and the source, and one for each report.
        self.assertEqual(5 + 2, int(found[0]), text)
        self.assertTrue(re.match(LOST, text), text)
        self.assertEqual(2, len(re.findall(r"D! \d+ series", text)), text)

    def test_the_count_is_said_without_another_message(self):
        ours, theirs = self.full_pipe()
        program = self.start(theirs)  # it prints its source, but nothing about a report
        os.close(theirs)
        program.ask()
        take(ours)
        program.ask()
        self.assertRegex(take(ours), "^" + LOST + "$")
        program.ask()
        self.assertEqual("", take(ours))

    def test_the_count_is_said_at_the_end(self):
        ours, theirs = self.full_pipe()
        program = self.start(theirs)
        os.close(theirs)
        program.ask()
        take(ours)
        self.assertEqual(program.stop(), 0)
        self.assertRegex(take(ours), "^" + LOST + "$")

    def test_flags_of_stderr_stay(self):
        """The flags of a file description shared with other processes stay unchanged."""
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        program = self.start(theirs, "--debug")
        program.ask()
        self.assertFalse(fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK)
        self.assertRegex(take(ours), "D! ")


class LastMessage(StderrCase):
    """Telegraf closes its pipes once the program has ended, whatever they contain."""

    def pipes(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        return ours, theirs

    def check_waits(self, status, *options, **more):
        """It ends once its message has been read, and not before."""
        ours, theirs = self.pipes()
        program = self.start(theirs, *options, **more)
        os.close(theirs)
        self.assertTrue(select.select([ours], [], [], PATIENCE_SECONDS)[0])
        time.sleep(0.1)
        self.assertIsNone(program.process.poll())
        self.assertRegex(take(ours), "^E! ")
        self.assertEqual(program.wait(), status)

    def test_a_wrong_option(self):
        self.check_waits(2, "--nonsense")

    def test_an_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            self.check_waits(1, "--interval=10ms", "--source=powercap", stdout=full)

    @tap.tries(3)
    def test_it_does_not_wait_for_long(self):
        _, theirs = self.pipes()
        program = self.start(theirs, "--nonsense")
        os.close(theirs)
        self.assertEqual(program.wait(ALLOWED_SECONDS), 2)

    @tap.tries(3)
    def test_it_does_not_wait_where_nobody_can_read(self):
        ours, theirs = os.pipe()
        os.close(ours)
        begin = time.monotonic()
        program = self.start(theirs, "--nonsense")
        os.close(theirs)
        self.assertEqual(program.wait(), 2)
        self.check_soon(begin)

    @tap.tries(3)
    def test_it_does_not_wait_for_a_file(self):
        begin = time.monotonic()
        self.assertEqual(2, execd.run("--nonsense").status)
        self.check_soon(begin)

    @tap.tries(3)
    def test_once_does_not_wait(self):
        """Telegraf's exec input reads until the end of the pipe."""
        _, theirs = self.pipes()
        with Tree() as tree:
            begin = time.monotonic()
            program = Execd("--once", "--interval=100ms", root=tree.root, stderr=theirs)
            self.addCleanup(program.kill)
            os.close(theirs)
            self.assertEqual(program.wait(), 1)
            self.check_soon(begin)

    def check_soon(self, begin):
        seconds = time.monotonic() - begin
        if seconds > 0.8:
            raise tap.Late("%.2f s" % seconds)


if __name__ == "__main__":
    tap.main()
