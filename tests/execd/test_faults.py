# SPDX-License-Identifier: MIT
"""Counters that fail, go, come back, are reset and wrap, on the simulated machine."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import sim
import tap
from execd import PATIENCE_SECONDS, Execd
from meter import Meter

PACKAGE_0 = "domain=package,package_id=0"
PACKAGE_1 = "domain=package,package_id=1"
DRAM_0 = "domain=dram,package_id=0"
DRAM_1 = "domain=dram,package_id=1"
TOTAL = "domain=total"
HEALTH = "rapl_health,source=powercap"
WATTS = {PACKAGE_0: 142.5, DRAM_0: 18.25, PACKAGE_1: 166.25, DRAM_1: 21.75}
ALL = {*WATTS, TOTAL}

# A counter of the machine moves each millisecond, 10 % early or late: a reading is at most this far
# behind.
UPDATE_SECONDS = 0.0012
STEP_SECONDS = 0.12


@sim.needed
class Faults(unittest.TestCase):
    def start(self, *options, sim_options=()):
        machine = sim.Machine("--machine", "server", *sim_options)
        self.addCleanup(machine.stop)
        began = time.monotonic()
        execd = Execd(*options, root=machine.root)
        self.addCleanup(execd.kill)
        return machine, execd, Meter(execd, began)

    @staticmethod
    def ask(meter):
        """A report, taken after a pause."""
        time.sleep(STEP_SECONDS)
        return meter.ask()

    @staticmethod
    def check_true(meter, identity, watts=None):
        """The energy between the first and the last report is the true power times that time."""
        meter.check_energy(identity, watts or WATTS[identity], lag=UPDATE_SECONDS)

    def test_energy_and_power_are_the_true_ones(self):
        machine, execd, meter = self.start()
        for _ in range(4):
            self.assertEqual(set(self.ask(meter)), ALL)
        for identity in WATTS:
            self.check_true(meter, identity)
        self.assertEqual(execd.stop(), 0)
        self.assertEqual(execd.messages(), [])

    def test_fails_at_the_third_read_and_recovers(self):
        machine, execd, meter = self.start("--health=yes")
        self.ask(meter)
        execd.wait_quiet()  # every failed read is counted
        machine.control("fail package-1 EIO")
        for _ in range(3):
            # A gap is reported neither as 0 nor as the last value, and the total needs every
            # member.
            self.assertEqual(set(self.ask(meter)), ALL - {PACKAGE_1, TOTAL} | {HEALTH})
        machine.control("heal package-1")
        report = self.ask(meter)
        self.assertEqual(set(report), ALL | {HEALTH})
        # Meter has checked the power against the joules of the whole gap.
        self.assertIsNotNone(report.power(PACKAGE_1))
        self.assertIsNotNone(report.power(TOTAL))
        for identity in WATTS:
            self.check_true(meter, identity)
        self.assertEqual(report.energy_uj(TOTAL), sum(map(report.energy_uj, WATTS)))
        self.assertEqual((report[HEALTH]["read_errors"], report[HEALTH]["gaps"]), (3, 1))
        execd.stop()
        messages = execd.messages()
        self.assertEqual(len(messages), 2, messages)
        self.assertRegex(messages[0], "^E! .*intel-rapl:1/energy_uj: .*Fix: ")
        self.assertRegex(messages[1], "^I! Resolved: .*intel-rapl:1/energy_uj")

    def test_every_zone_fails_and_recovers(self):
        machine, execd, meter = self.start()
        self.ask(meter)
        for zone in ("package-0", "package-0/dram", "package-1", "package-1/dram"):
            machine.control("fail %s EIO" % zone)
        execd.prompt()
        self.assertIsNone(execd.read_report(0.1))
        for zone in ("package-0", "package-0/dram", "package-1", "package-1/dram"):
            machine.control("heal " + zone)
        self.assertEqual(set(self.ask(meter)), ALL)
        for identity in WATTS:
            self.check_true(meter, identity)
        execd.stop()
        self.assertEqual(len(execd.messages()), 2, execd.messages())

    def test_removed_and_added_again(self):
        machine, execd, meter = self.start()
        execd.wait_quiet()  # a read in between would find it gone before the report
        kept = self.ask(meter)
        machine.control("remove package-1/dram")
        silent = self.ask(meter)
        self.assertEqual(set(silent), ALL - {DRAM_1, TOTAL})
        # It is found gone: the total keeps its joules and excludes its power.
        instants = [meter.asked[-1].before, meter.asked[-1].after]
        for _ in range(2):
            instants.append(time.monotonic())
            report = execd.ask()
            instants.append(time.monotonic())
            self.assertEqual(set(report) - {TOTAL}, ALL - {DRAM_1, TOTAL})
            time.sleep(STEP_SECONDS)
        self.assertIn(TOTAL, report)
        self.assertEqual(report.energy_uj(TOTAL),
                         sum(map(report.energy_uj, (PACKAGE_0, DRAM_0, PACKAGE_1)))
                         + kept.energy_uj(DRAM_1))
        # The span is at least the last step; each end is off by at most one update and the duration
        # of the reads.
        watts = sum(WATTS.values()) - WATTS[DRAM_1]
        late = sum(instants[1::2]) - sum(instants[::2])
        off = (2 * UPDATE_SECONDS + late) / (instants[4] - instants[3])
        self.assertAlmostEqual(report.power(TOTAL), watts, delta=watts * off)
        self.assertEqual(sum(line.startswith("W! ") and "total" in line
                             for line in execd.messages()), 1, execd.messages())

        machine.control("add package-1/dram")
        end = time.monotonic() + PATIENCE_SECONDS
        back = execd.ask()
        while DRAM_1 not in back and time.monotonic() < end:
            self.assertEqual(set(back) - {TOTAL}, ALL - {DRAM_1, TOTAL})
            time.sleep(0.02)
            back = execd.ask()
        self.assertGreaterEqual(back.energy_uj(DRAM_1), kept.energy_uj(DRAM_1))
        for identity in (PACKAGE_0, DRAM_0, PACKAGE_1):
            self.assertGreater(back.energy_uj(identity), report.energy_uj(identity))
        time.sleep(STEP_SECONDS)
        last = execd.ask()
        self.assertEqual(set(last), ALL)
        self.assertEqual(last.energy_uj(TOTAL), sum(map(last.energy_uj, WATTS)))
        self.assertLess(last.energy_uj(DRAM_1),
                        machine.truth().joules["package-1/dram"] * 10**6)
        execd.stop()
        levels = [line[:3] for line in execd.messages()]
        self.assertLessEqual(len(levels), 3, execd.messages())
        self.assertNotIn("E! ", levels)

    def test_a_package_goes_with_its_dram(self):
        machine, execd, meter = self.start()
        self.ask(meter)
        machine.control("remove package-1")
        for _ in range(3):
            self.assertEqual(set(execd.ask()) - {TOTAL}, {PACKAGE_0, DRAM_0})
        machine.control("add package-1")
        time.sleep(STEP_SECONDS)
        self.assertIsNotNone(execd.ask())
        self.assertEqual(set(execd.ask()), ALL)

    def test_reset(self):
        machine, execd, meter = self.start("--health=yes")
        for _ in range(3):
            kept = self.ask(meter)
        machine.control("reset package-0 0")
        # It must use less than it had shown before, or nothing indicates a reset.
        time.sleep(0.01)
        before = time.monotonic()
        left_out = execd.ask()
        after = time.monotonic()
        self.assertNotIn(PACKAGE_0, left_out)
        self.assertEqual(left_out[HEALTH]["resets"], 1)
        self.assertIn(PACKAGE_1, left_out)
        time.sleep(STEP_SECONDS)
        began = time.monotonic()
        report = execd.ask()
        ended = time.monotonic()
        joules = (report.energy_uj(PACKAGE_0) - kept.energy_uj(PACKAGE_0)) / 10**6
        self.assertGreaterEqual(joules, WATTS[PACKAGE_0] * (began - after - UPDATE_SECONDS))
        self.assertLessEqual(joules, WATTS[PACKAGE_0] * (ended - before + UPDATE_SECONDS))
        self.assertGreaterEqual(report.power(PACKAGE_0), joules / (ended - before) - 0.001)
        self.assertLessEqual(report.power(PACKAGE_0), joules / (began - after) + 0.001)
        if TOTAL in report:
            self.assertEqual(report.energy_uj(TOTAL), sum(map(report.energy_uj, WATTS)))
        self.assertEqual(execd.stop(), 0)

    def test_wrap(self):
        # All of them wrap half a second after the machine starts.
        zones = "package-0", "package-0/dram", "package-1", "package-1/dram"
        powers = [word for zone in zones for word in ("--power", zone + "=160")]
        machine, execd, meter = self.start("--health=yes",
                                           sim_options=["--before-wrap", "80", *powers])
        for _ in range(7):
            self.assertEqual(set(self.ask(meter)), ALL | {HEALTH})
        for identity in WATTS:
            self.check_true(meter, identity, 160)
        health = meter.asked[-1].report[HEALTH]
        self.assertGreater(machine.truth().joules["package-0/dram"], 80)
        self.assertEqual((health["wraps"], health["resets"], health["gaps"]), (4, 0, 0))
        self.assertEqual(execd.stop(), 0)
        self.assertEqual([line for line in execd.messages() if "wrapped" in line], [])

    def test_changed_set_of_cpus_is_no_event_by_itself(self):
        machine, execd, meter = self.start()
        self.ask(meter)
        machine.control("online 0-3")
        for _ in range(4):
            self.assertEqual(set(self.ask(meter)), ALL)
        self.assertEqual(execd.messages(), [])

    def test_whole_machine_goes_away(self):
        machine, execd, meter = self.start()
        self.ask(meter)
        machine.stop()
        execd.prompt()
        self.assertEqual(execd.finish(), (0, ""))
        self.assertLessEqual(len(execd.messages()), 8, execd.messages())


if __name__ == "__main__":
    tap.main()
