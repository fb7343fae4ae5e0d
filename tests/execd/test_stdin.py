# SPDX-License-Identifier: MIT
"""What rapl-execd has as stdin if no collector prompts it."""
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import PATIENCE_SECONDS, PROGRAM
from tree_case import TreeCase

PACKAGE = "domain=package,package_id=0"
HINT = "I! stdin is at its end, so nothing can ask for a report"
# Closed by "sh -c '... <&-'", or as nohup leaves it, so that reads fail.
CLOSED = ["sh", "-c", 'exec "$@" <&-', "sh"]
WRITE_ONLY = ["sh", "-c", 'exec "$@" 0>/dev/null', "sh"]


class StdinCase(TreeCase):
    def closed_pipe(self):
        """As cron provides it."""
        ours, theirs = os.pipe()
        os.close(theirs)
        self.addCleanup(os.close, ours)
        return ours

    def file_of(self, text):
        file = tempfile.TemporaryFile()
        self.addCleanup(file.close)
        file.write(text)
        file.seek(0)
        return file

    def each_at_its_end(self):
        """Kinds of stdin that are at their end from the start: a name, and how to get it."""
        return {
            "/dev/null": {"stdin": subprocess.DEVNULL},  # service managers, containers, "&" in sh
            "closed": {"before": CLOSED},
            "write-only": {"before": WRITE_ONLY},
            "closed pipe": {"stdin": self.closed_pipe()},
            "empty file": {"stdin": self.file_of(b"")},
        }


class AtItsEnd(StdinCase):
    def test_with_an_interval_it_is_not_listened_to(self):
        for name, given in self.each_at_its_end().items():
            with self.subTest(name):
                program = self.start("--interval=50ms", **given)
                for _ in range(4):
                    self.assertIn(PACKAGE, program.read_report() or program.lines())
                self.assertIsNone(program.process.poll())
                self.assertEqual(program.messages(), [])

    def test_signals_prompt_and_end_it_all_the_same(self):
        program = self.start("--interval=1m", stdin=subprocess.DEVNULL)
        program.wait_listening(signal.SIGTERM)
        program.signal(signal.SIGUSR1)
        self.assertIn(PACKAGE, program.read_report() or program.lines())
        self.assertEqual(program.terminate(), 0)

    def test_without_an_interval_it_ends_and_says_why(self):
        for name, given in self.each_at_its_end().items():
            with self.subTest(name):
                program = self.start(**given)
                self.assertEqual("", program.read_rest())
                self.assertEqual(program.wait(), 0)
                self.assertEqual(1, len(program.messages()))
                self.assertIn(HINT, program.messages()[0])

    def test_nobody_reads_its_output(self):
        """It ends some time after its reader."""
        program = self.start("--interval=50ms", stdin=subprocess.DEVNULL)
        self.assertIn(PACKAGE, program.read_report() or program.lines())
        program.stdout.close()
        self.assertEqual(program.wait(), 0)


class EndsLater(StdinCase):
    def test_a_file_with_prompts(self):
        program = self.start("--interval=1m", stdin=self.file_of(b"\n"))
        self.assertIn(PACKAGE, program.read_report() or program.lines())
        self.assertEqual(program.wait(), 0)

    def test_a_pipe(self):
        program = self.start("--interval=50ms")
        self.assertIn(PACKAGE, program.read_report() or program.lines())
        self.assertEqual(program.stop(), 0)
        self.assertEqual(program.messages(), [])


class Background(StdinCase):
    """A job that an interactive shell started with "&": its stdin is the shell's terminal."""

    def start_session(self, group):
        """Starts a session on a terminal of its own, with the program in it, in its own process
        group or in the session's. Returns our ends of the terminal and of its stdout, and the
        pid."""
        reader, writer = os.pipe()
        leader, terminal = pty.fork()
        if leader == 0:
            os.close(reader)
            process = subprocess.Popen(
                [PROGRAM, "--root=" + self.tree.root, "--interval=50ms"], stdout=writer,
                stderr=subprocess.DEVNULL, process_group=group)
            os.close(writer)
            os.write(1, b"%d\n" % process.pid)
            signal.pause()
        os.close(writer)
        self.addCleanup(os.waitpid, leader, 0)
        self.addCleanup(os.kill, leader, signal.SIGKILL)
        self.addCleanup(os.close, reader)
        pid = int(os.read(terminal, 100))
        self.addCleanup(self.kill, pid)
        return terminal, reader, pid

    @staticmethod
    def kill(pid):
        """Kills a process that is not our child and may have ended."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def read_reports(self, reader, count):
        text = b""
        while text.count(PACKAGE.encode()) < count:
            self.assertTrue(select.select([reader], [], [], PATIENCE_SECONDS)[0], text)
            part = os.read(reader, 1 << 16)
            self.assertNotEqual(b"", part)
            text += part

    def test_a_line_that_is_typed_does_not_stop_it(self):
        terminal, reader, _ = self.start_session(0)
        self.addCleanup(os.close, terminal)
        self.read_reports(reader, 1)
        os.write(terminal, b"\n")
        self.read_reports(reader, 10)

    def test_in_the_foreground_the_end_of_the_terminal_ends_it(self):
        terminal, reader, _ = self.start_session(None)
        try:
            self.read_reports(reader, 1)
        finally:
            os.close(terminal)
        while os.read(reader, 1 << 16):
            self.assertTrue(select.select([reader], [], [], PATIENCE_SECONDS)[0], "goes on")


if __name__ == "__main__":
    tap.main()
