# SPDX-License-Identifier: MIT
"""The machine stalls while a counter is read: strace delays the read, before or after the counter
gives its value. The timestamp of such a reading is off by up to half of the stall."""
import os
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import sim
import tap

STRACE = shutil.which("strace")
ZONE = "sys/class/powercap/intel-rapl:1/energy_uj"
PACKAGE = "domain=package,package_id=1"
HEALTH = "rapl_health,source=powercap"

INTERVAL_SECONDS = 1
STALL_SECONDS = 0.3
# Half of the stall is 15 % of the interval. A read that is too fast to be repeated may be off by 1
# % at each end; the rest is for a counter that moves once a millisecond.
ALLOWED = 0.025


@unittest.skipUnless(STRACE, "strace is not installed")
@sim.needed
class Stalls(sim.Simulated):
    def stall(self, machine, delay, when):
        """What to start rapl-execd by, so that those reads of that zone stall."""
        path = os.path.realpath(os.path.join(machine.root, ZONE))
        self.watts = machine.truth().watts["package-1"]
        return [STRACE, "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-P", path, "-e",
                "trace=pread64", "-e",
                "inject=pread64:%s=%d:when=%s" % (delay, STALL_SECONDS * 1e6, when), "--"]

    def start_stalled(self, delay, when):
        """rapl-execd with stalls in its reads of that zone, from the start on."""
        machine = self.simulate()
        return self.start(machine, "--include=package-1",
                          before=self.stall(machine, delay, when))

    def ask(self, program, count):
        for _ in range(count):
            time.sleep(INTERVAL_SECONDS)
            yield program.ask()

    def check_power(self, report, before):
        """Power is within the tolerance; if the machine itself stalled as well, it may be missing,
        and health counts that."""
        watts = report.power(PACKAGE)
        if watts is None:
            self.assertGreater(report[HEALTH]["stalls"], before[HEALTH]["stalls"])
            return
        self.assertLess(abs(watts / self.watts - 1), ALLOWED, "%.3f W instead of %.3f" %
                        (watts, self.watts))

    def test_single_stalls_change_no_power(self):
        """Every fifth read stalls: the intervals before and after it have correct power."""
        for delay in ("delay_enter", "delay_exit"):
            with self.subTest(delay=delay):
                program = self.start_stalled(delay, "4+5")
                program.wait_quiet()  # health counts missing power from here on
                before = program.ask()
                powers = 0
                for report in self.ask(program, 8):
                    self.check_power(report, before)
                    powers += report.power(PACKAGE) is not None
                    before = report
                self.assertGreater(powers, 4)

    def test_power_is_left_out_while_every_read_stalls(self):
        """0.15 s at each end are too much for an interval of 1 s, but not for 6 s."""
        program = self.start_stalled("delay_exit", "4+")
        before = program.ask()
        reports = [before, *self.ask(program, 7)]
        missing = [report for report in reports[1:] if report.power(PACKAGE) is None]
        self.assertGreater(len(missing), 2)
        for earlier, report in zip(reports, reports[1:]):
            self.assertGreater(report.energy_uj(PACKAGE), earlier.energy_uj(PACKAGE))
            watts = report.power(PACKAGE)
            # Health counts a stall once the update period is known, which such reads prevent.
            if watts is not None:
                self.assertLess(abs(watts / self.watts - 1), 0.06)
        self.assertEqual(reports[-1][HEALTH]["read_errors"], 0)

    def test_once_tries_again(self):
        """Where reads take too long for power over a second, it waits until the span is long enough,
        or says that power is missing."""
        machine = self.simulate()
        before = self.stall(machine, "delay_exit", "4+")
        ended = execd.run("--once", "--include=package-*", root=machine.root,
                          before=before)
        self.assertEqual(0, ended.status)
        report, = execd.parse_reports(ended.text)
        late = [line for line in ended.messages if "reading them took too long" in line]
        self.assertEqual(late, ended.messages)
        if late:
            self.assertNotIn(PACKAGE, report)
            return
        self.assertEqual(2, len(report), ended.text)
        self.assertLess(abs(report.power(PACKAGE) / self.watts - 1), ALLOWED)


if __name__ == "__main__":
    tap.main()
