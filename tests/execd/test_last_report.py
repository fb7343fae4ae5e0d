# SPDX-License-Identifier: MIT
"""Energy used since the last report is reported when rapl-execd ends."""
import os
import select
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import PATIENCE_SECONDS, count_held, parse_reports
from tree_case import TreeCase

PACKAGE = "domain=package,package_id=0"
ENDS = {"end of stdin": None, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


class LastReport(TreeCase):
    def use(self, uj):
        """Uses this much energy, in a time in which a package can use it."""
        self.tree.move({"intel-rapl:0": uj})
        time.sleep(0.1)

    @staticmethod
    def end(program, number):
        if number is None:
            program.stdin.close()
        else:
            program.signal(number)

    def finish(self, program, number):
        """Ends the program by a signal; returns its last lines."""
        self.end(program, number)
        reports = parse_reports(program.read_rest())
        self.assertEqual(program.wait(), 0)
        self.assertEqual(program.messages(), [])
        return reports

    def check_ends(self, *options):
        for name, number in ENDS.items():
            with self.subTest(end=name):
                program = self.start(*options)
                self.tree.settle(program)
                before = program.ask()
                self.use(2000000)
                last, = self.finish(program, number)
                self.assertEqual(last.energy_uj(PACKAGE), before.energy_uj(PACKAGE) + 2000000)
                self.assertIsNotNone(last.power(PACKAGE))

    def test_prompted(self):
        self.check_ends()

    def test_by_its_own_clock(self):
        self.check_ends("--interval=1m")

    def test_nothing_was_asked_for(self):
        for name, number in ENDS.items():
            with self.subTest(end=name):
                program = self.start()
                program.wait_asleep()
                self.use(3000000)
                last, = self.finish(program, number)
                self.assertEqual(last.energy_uj(PACKAGE), 3000000)

    def test_what_is_asked_for_is_the_last_report(self):
        program = self.start()
        program.ask()
        self.use(2000000)
        program.pause()
        program.prompt()
        program.stdin.close()
        program.signal(signal.SIGCONT)
        self.assertEqual(1, len(parse_reports(program.read_rest())))
        self.assertEqual(program.wait(), 0)

    def test_without_energy_and_power_there_is_none(self):
        """It does not wait for power."""
        program = self.start("--energy=no")
        program.wait_asleep()
        self.assertEqual([], self.finish(program, None))

    def test_once_is_ended_without_a_report(self):
        program = self.start("--once", "--interval=1m")
        program.wait_asleep()
        program.signal(signal.SIGTERM)
        self.assertEqual("", program.read_rest())

    def test_it_ends_once_the_report_is_taken(self):
        """Telegraf closes its pipes once the program has ended, whatever they contain."""
        for name, number in ENDS.items():
            with self.subTest(end=name):
                program = self.start()
                program.ask()
                self.end(program, number)
                self.assertTrue(select.select([program.stdout], [], [], PATIENCE_SECONDS)[0])
                time.sleep(0.1)
                self.assertIsNone(program.process.poll())
                self.assertEqual(1, len(parse_reports(program.read_rest())))
                self.assertEqual(program.wait(), 0)

    @tap.tries(3)
    def test_it_waits_for_a_second_at_most(self):
        program = self.start()
        program.ask()
        begin = time.monotonic()
        self.assertEqual(program.stop(), 0)
        self.assertGreater(count_held(program.stdout), 0)
        if time.monotonic() - begin > 2:
            raise tap.Late("%.2f s" % (time.monotonic() - begin))

    def test_nobody_can_read(self):
        for name, number in ENDS.items():
            with self.subTest(end=name):
                program = self.start()
                program.ask()
                program.stdout.close()
                self.end(program, number)
                self.assertEqual(program.wait(), 0)
                self.assertEqual(program.messages(), [])


if __name__ == "__main__":
    tap.main()
