# SPDX-License-Identifier: MIT
"""How rapl-execd ends, and what it does if nobody reads its output."""
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import PATIENCE_SECONDS, count_held, parse_reports, wait_until
from tree import Pump
from tree_case import TreeCase

# rapl-execd promises to end within a second. A test allows two, and repeats a run that was late.
PROMISED_SECONDS = 1
ALLOWED_SECONDS = 2
soon = tap.tries(3)
PACKAGE = "domain=package,package_id=0"
STRACE = shutil.which("strace")


class ShutdownCase(TreeCase):
    packages = 1

    def setUp(self):
        names = {}
        for number in range(self.packages):
            names["intel-rapl:%x" % number] = "package-%d" % number
            names["intel-rapl:%x:0" % number] = "dram"
        self.ZONES = names
        super().setUp()


class Ends(ShutdownCase):
    @soon
    def test_end_of_stdin(self):
        execd = self.start()
        execd.ask()
        self.assertEqual(execd.stop(ALLOWED_SECONDS), 0)
        self.assertEqual(execd.messages(), [])

    @soon
    def test_end_of_stdin_at_once(self):
        self.assertEqual(self.start().stop(ALLOWED_SECONDS), 0)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for option in ("--interval=1m", "--interval=10ms", "--energy=no"):
                with self.subTest(signal=number.name, option=option):
                    self.check_signal(number, option)

    @soon
    def check_signal(self, number, option):
        execd = self.start(option)
        execd.wait_listening(number)
        execd.signal(number)
        self.assertEqual(execd.wait(ALLOWED_SECONDS), 0)

    def test_once_and_check_end_by_the_signal(self):
        """A shell and the reader of the report see that there was none."""
        for number in (signal.SIGTERM, signal.SIGINT):
            for option in ("--once", "--check"):
                with self.subTest(signal=number.name, option=option):
                    self.check_killed(number, option)

    @soon
    def check_killed(self, number, option):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
        try:  # The parent process may have blocked them.
            execd = self.start(option)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        execd.wait_asleep()
        execd.signal(number)
        self.assertEqual(execd.wait(ALLOWED_SECONDS), -number)
        self.assertEqual(execd.messages(), [])

    def test_newline_and_end_of_stdin_are_one_prompt_and_the_end(self):
        for option in ("--energy=yes", "--energy=no"):
            with self.subTest(option=option):
                self.check_one_prompt_and_the_end(option)

    @soon
    def check_one_prompt_and_the_end(self, option):
        execd = self.start(option)
        if option == "--energy=no":
            self.tree.settle(execd)
        execd.prompt()
        self.assertEqual(execd.stop(ALLOWED_SECONDS), 0)
        self.assertIn(PACKAGE, execd.read_report())

    @soon
    def test_end_of_stdin_while_a_report_waits_for_power(self):
        """While counters have not moved, there may be no power for long."""
        execd = self.start("--energy=no")
        execd.prompt()
        execd.wait_taken()
        self.assertIsNone(execd.read_report(0.2))
        self.assertEqual(execd.stop(ALLOWED_SECONDS), 0)
        self.assertEqual(execd.messages(), [])

    @soon
    def test_stdin_from_the_start_at_its_end(self):
        execd = self.start(stdin=subprocess.DEVNULL)
        self.assertEqual(execd.wait(ALLOWED_SECONDS), 0)

    @soon
    def test_stdin_closed(self):
        execd = self.start(before=["sh", "-c", 'exec "$@" <&-', "sh"])
        self.assertEqual(execd.wait(ALLOWED_SECONDS), 0)

    @soon
    def test_reader_gone_is_a_quiet_end(self):
        execd = self.start()
        execd.ask()
        execd.stdout.close()
        execd.prompt()
        self.assertEqual(execd.wait(ALLOWED_SECONDS), 0)
        self.assertEqual(execd.messages(), [])

    @soon
    def test_stdout_closed(self):
        execd = self.start(before=["sh", "-c", 'exec "$@" >&-', "sh"])
        execd.prompt()
        self.assertNotEqual(execd.wait(ALLOWED_SECONDS), 0)
        self.assertEqual(len(execd.messages()), 1)
        self.assertRegex(execd.messages()[0], "^E! .*stdout")

    @soon
    def test_stdout_on_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            execd = self.start(stdout=full)
            execd.prompt()
            self.assertNotEqual(execd.wait(ALLOWED_SECONDS), 0)
        self.assertRegex("".join(execd.messages()), "^E! .*stdout")


    def test_a_text_that_cannot_be_written_is_told(self):
        for option in ("--check", "--once", "--help", "--version"):
            with self.subTest(option=option), open("/dev/full", "wb") as full, \
                    Pump(self.tree, self.tree.zones(), 20):
                execd = self.start(option, "--interval=60ms", stdout=full)
                self.assertEqual(execd.wait(), 1)
                self.assertEqual(execd.messages(),
                                 ["E! cannot write to stdout: No space left on device"])

    def test_file_that_may_not_grow(self):
        """SIGXFSZ would end it without a message."""
        limited = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh"]  # 512 bytes
        for option in ("--check", "--interval=20ms", "--help"):
            with self.subTest(option=option), tempfile.TemporaryFile() as file:
                execd = self.start(option, stdout=file, before=limited)
                self.assertEqual(execd.wait(), 1)
                self.assertEqual(execd.messages(), ["E! cannot write to stdout: File too large"])


class Reader(ShutdownCase):
    """A reader that is slow or stops: a pipe of one page, and reports longer than that."""

    packages = 80
    TWO_REPORTS = 2 * [2 * packages + 1]  # the requested one, and the last one

    def start_stuck(self, *options):
        """A report is being written, and the pipe is full."""
        execd = self.start(*options)
        execd.fill_pipe()
        return execd

    @staticmethod
    def read_slowly(execd):
        """Takes longer than a second in all, but much less than a second for each page."""
        return execd.read_rest(2048, 0.15)

    def test_nobody_reads_and_stdin_ends(self):
        for number in (None, signal.SIGTERM):
            with self.subTest(signal=number):
                self.check_stuck_ends(number)

    @soon
    def check_stuck_ends(self, number):
        execd = self.start_stuck()
        seconds = PROMISED_SECONDS + ALLOWED_SECONDS
        self.assertEqual(execd.stop(seconds) if number is None else execd.terminate(seconds), 0)
        self.assertEqual(execd.messages(), [])

    def test_nobody_reads_the_table_and_a_signal_ends_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                execd = self.start("--check")
                size = fcntl.fcntl(execd.stdout, fcntl.F_SETPIPE_SZ, os.sysconf("SC_PAGE_SIZE"))
                wait_until(lambda: count_held(execd.stdout) == size, "the pipe is full")
                execd.signal(number)
                self.assertEqual(execd.wait(), -number)

    def test_slow_reader_gets_the_whole_table(self):
        execd = self.start("--check")
        fcntl.fcntl(execd.stdout, fcntl.F_SETPIPE_SZ, os.sysconf("SC_PAGE_SIZE"))
        text = self.read_slowly(execd)
        self.assertEqual(execd.wait(), 0)
        self.assertEqual(text.count("package-%d/dram " % (self.packages - 1)), 1, text[-200:])

    @soon
    def test_nobody_reads_and_the_alarm_was_blocked(self):
        """A signal mask is inherited: the timer that ends a blocked write must still work."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            execd = self.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        execd.fill_pipe()
        self.assertEqual(execd.terminate(PROMISED_SECONDS + ALLOWED_SECONDS), 0)

    def test_slow_reader_gets_the_whole_report_after_stdin_ended(self):
        execd = self.start_stuck()
        execd.stdin.close()
        text = self.read_slowly(execd)
        self.assertEqual(execd.wait(), 0)
        reports = parse_reports(text)
        self.assertEqual([len(report) for report in reports], self.TWO_REPORTS)

    def test_slow_reader_gets_the_whole_report_after_sigterm(self):
        execd = self.start_stuck()
        execd.signal(signal.SIGTERM)
        reports = parse_reports(self.read_slowly(execd))
        self.assertEqual(execd.wait(), 0)
        self.assertEqual([len(report) for report in reports], self.TWO_REPORTS)

    def test_reader_that_stops_and_goes_on(self):
        execd = self.start_stuck("--interval=100ms")
        time.sleep(1.3)
        execd.prompt(b"\n\n\n")
        execd.signal(signal.SIGUSR1)
        text = b""
        while text.count(b"domain=total") < 5:
            self.assertTrue(select.select([execd.stdout], [], [], PATIENCE_SECONDS)[0])
            text += os.read(execd.stdout.fileno(), 1 << 20)
        execd.stdin.close()
        reports = parse_reports(text.decode() + execd.read_rest())
        self.assertEqual({len(report) for report in reports}, {2 * self.packages + 1})
        stamps = [report.timestamp for report in reports]
        self.assertEqual(stamps, sorted(stamps))
        self.assertEqual(execd.wait(), 0)

    @soon
    def test_reader_goes_away_while_a_report_is_written(self):
        execd = self.start_stuck()
        execd.stdout.close()
        self.assertEqual(execd.wait(ALLOWED_SECONDS), 0)
        self.assertEqual(execd.messages(), [])

    def test_stdout_that_is_already_nonblocking(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(theirs, False)
        execd = self.start(stdout=theirs)
        os.close(theirs)
        execd.prompt()
        text = os.read(ours, 1000)  # the first report has begun
        execd.stdin.close()
        while True:
            part = os.read(ours, 1000)
            if not part:
                break
            text += part
            time.sleep(0.02)
        self.assertEqual(execd.wait(), 0)
        self.assertEqual([len(report) for report in parse_reports(text.decode())],
                         self.TWO_REPORTS)

    def test_flags_of_stdout_stay(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        flags = fcntl.fcntl(theirs, fcntl.F_GETFL)
        execd = self.start(stdout=theirs)
        execd.prompt()
        self.assertTrue(select.select([ours], [], [], PATIENCE_SECONDS)[0])
        self.assertEqual(fcntl.fcntl(theirs, fcntl.F_GETFL), flags)
        self.assertFalse(flags & os.O_NONBLOCK)
        self.assertEqual(execd.stop(), 0)
        self.assertEqual(fcntl.fcntl(theirs, fcntl.F_GETFL), flags)

    @unittest.skipUnless(STRACE, "strace is not installed")
    def test_one_write_per_report(self):
        folder = tempfile.mkdtemp(prefix="rapl-strace-")
        self.addCleanup(shutil.rmtree, folder, True)
        trace = os.path.join(folder, "trace")
        # The leak sanitizer of an instrumented build does not work under strace.
        execd = self.start(environment={"ASAN_OPTIONS": "detect_leaks=0"}, before=[
            STRACE, "-f", "-o", trace, "-s", "20", "-e", "trace=write,writev,pwrite64,sendto"])
        if execd.process.poll() is not None:
            self.skipTest("strace may not trace here")
        for _ in range(3):
            self.assertEqual(len(execd.ask()), 2 * self.packages + 1)
        execd.stop()
        with open(trace, encoding="utf-8", errors="replace") as file:
            writes = re.findall(r"^\d+ +(\w+)\(1, .* = (\d+)$", file.read(), re.M)
        self.assertEqual([name for name, size in writes], ["write"] * 4)  # the last report
        self.assertTrue(all(int(size) > 4096 for name, size in writes), writes)


if __name__ == "__main__":
    tap.main()
