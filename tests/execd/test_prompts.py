# SPDX-License-Identifier: MIT
"""What makes rapl-execd report, and how many reports it makes."""
import os
import select
import shutil
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import parse_reports
from meter import Meter
from tree_case import TreeCase

PACKAGE = "domain=package,package_id=0"
QUIET_SECONDS = 0.15
STRACE = shutil.which("strace")


class Prompts(TreeCase):
    ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram"}

    def test_newline(self):
        execd = self.start()
        for _ in range(3):
            self.assertIn(PACKAGE, execd.ask())
        self.assertIsNone(execd.read_report(QUIET_SECONDS))

    def test_signals(self):
        execd = self.start()
        execd.ask()  # it is running
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            with self.subTest(signal=number.name):
                execd.signal(number)
                self.assertIn(PACKAGE, execd.read_report())
        self.assertIsNone(execd.read_report(QUIET_SECONDS))
        self.assertEqual(execd.stop(), 0)

    @unittest.skipUnless(STRACE, "strace is not installed")
    def test_signal_at_its_first_instruction_is_a_prompt(self):
        """Telegraf signals a process that it has just started, however far that is. Opening
        /dev/null is the first thing that main does; before that the signal ends any program."""
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            with self.subTest(signal=number.name):
                execd = self.start(before=[
                    STRACE, "-o", os.devnull, "-P", os.devnull, "-e",
                    "inject=open,openat:signal=%s:when=1" % number.name],
                    environment={"ASAN_OPTIONS": "detect_leaks=0"})
                self.assertIn(PACKAGE, execd.read_report() or execd.lines())
                self.assertEqual(execd.stop(), 0)

    @tap.tries(5)
    def test_own_clock(self):
        began = time.monotonic()
        execd = self.start("--interval=200ms")
        reports, arrived = [], []
        for _ in range(4):
            reports.append(execd.read_report())
            arrived.append(time.monotonic() - began)
        self.assertGreaterEqual(arrived[-1], 0.8)
        stamps = [report.timestamp for report in reports]
        for earlier, later in zip(stamps, stamps[1:]):
            self.assertGreater(later, earlier)
        # It keeps its pace: a late report does not delay the next ones.
        span = (stamps[-1] - stamps[0]) / 1e9
        self.assertGreater(span, 0.8 - arrived[0] - 0.001)
        if span > 0.75:
            raise tap.Late("%.3f s, not 0.6" % span)

    def test_own_clock_answers_prompts_too(self):
        execd = self.start("--interval=1m")
        self.assertIn(PACKAGE, execd.ask())

    def test_own_clock_with_stdin_at_its_end(self):
        execd = self.start("--interval=100ms")
        self.assertIsNotNone(execd.read_report())
        self.assertEqual(execd.stop(), 0)

    def test_a_sample_is_taken_at_start(self):
        execd = self.start("--interval=1m")
        execd.wait_asleep()
        began = time.monotonic()
        self.tree.move({"intel-rapl:0": 3000000})
        meter = Meter(execd, began - 1)
        time.sleep(0.1)
        self.assertEqual(meter.ask().energy_uj(PACKAGE), 3000000)

    def test_backlog_gives_one_report(self):
        execd = self.start()
        execd.ask()
        execd.pause()
        execd.prompt(b"\n" * 10000)
        execd.signal(signal.SIGCONT)
        self.assertIsNotNone(execd.read_report())
        self.assertIsNone(execd.read_report(QUIET_SECONDS))
        self.assertIn(PACKAGE, execd.ask())

    def test_prompts_without_a_pause(self):
        execd = self.start()
        os.set_blocking(execd.stdin.fileno(), False)
        end = time.monotonic() + 1
        moved = 0
        text = b""
        while time.monotonic() < end or text.count(b"domain=total") <= 50:
            try:
                os.write(execd.stdin.fileno(), b"\n" * 100)
            except BlockingIOError:
                pass
            if select.select([execd.stdout], [], [], 0)[0]:
                text += os.read(execd.stdout.fileno(), 1 << 20)
            moved += 1009
            self.tree.move({"intel-rapl:0": 1009})
        os.set_blocking(execd.stdin.fileno(), True)
        status, rest = execd.finish()
        self.assertEqual(status, 0)
        reports = parse_reports(text.decode() + rest)
        self.assertGreater(len(reports), 50)
        stamps = [report.timestamp for report in reports]
        self.assertEqual(stamps, sorted(set(stamps)))
        energies = [report.energy_uj(PACKAGE) for report in reports if PACKAGE in report]
        self.assertEqual(energies, sorted(energies))
        self.assertLessEqual(energies[-1], moved)
        self.assertGreater(energies[-1], moved // 2)
        # The first and the last report have no neighbour; the first waited for its power.
        powers = [i for i, report in enumerate(reports[1:-1], 1)
                  if PACKAGE in report and report.power(PACKAGE) is not None]
        self.assertGreater(len(powers), 2)
        # 50 ms of one clock in timestamps of another: a read comes after the timestamp of the
        # report before, and before the timestamp of the next one.
        for earlier, later in zip(powers, powers[1:]):
            self.assertGreater(stamps[later + 1] - stamps[earlier - 1], 45 * 10**6)
        self.assertEqual(execd.messages(), [])

    def test_other_text_is_no_prompt(self):
        execd = self.start()
        execd.ask()
        execd.prompt(b"report please; \r\0\xff" + b"x" * 70000)
        self.assertIsNone(execd.read_report(QUIET_SECONDS))
        execd.prompt(b"and now\n")
        self.assertIsNotNone(execd.read_report())
        self.assertIsNone(execd.read_report(QUIET_SECONDS))

    def test_without_energy_an_early_prompt_waits_for_power(self):
        began = time.monotonic()
        execd = self.start("--energy=no")
        self.tree.settle(execd)
        report = execd.ask()
        self.assertGreaterEqual(time.monotonic() - began, 0.05)
        for identity, fields in report.items():
            self.assertEqual(list(fields), ["power_watts"], identity)
        # The next prompt is too early as well, and its report waits as long.
        report = execd.ask()
        self.assertGreaterEqual(time.monotonic() - began, 0.1)
        self.assertIn(PACKAGE, report)

    def test_early_prompt_is_answered_with_energy_alone(self):
        execd = self.start()
        for _ in range(200):
            before = execd.ask()
            report = execd.ask()
            if report.timestamp - before.timestamp < 40 * 10**6:
                break
        else:
            self.skipTest("this machine is too busy for two prompts in 40 ms")
        self.assertEqual(list(report[PACKAGE]), ["energy_joules"])
        self.assertEqual(list(report["domain=total"]), ["energy_joules"])


if __name__ == "__main__":
    tap.main()
