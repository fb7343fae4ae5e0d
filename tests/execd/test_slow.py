# SPDX-License-Identifier: MIT
"""Counters that move once a second, as a QEMU guest's, and counters that never move: no joule is
lost, and no power is shown that was not used."""
import collections
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import tap
from execd import PATIENCE_SECONDS, Execd, parse_reports, run, wait_until
from tree import Pump, Tree

PACKAGE_0 = "domain=package,package_id=0"
PACKAGE_1 = "domain=package,package_id=1"
DRAM = "domain=dram,package_id=0"
PSYS = "domain=psys"
TOTAL = "domain=total"
HEALTH = "rapl_health,source=powercap"

# 142.5 W. QEMU sleeps for a second, and then reads the counters of its host.
PERIOD_SECONDS = 1.15
STEP_UJ = 163875000
SHARPNESS = 0.05  # of a power, because of the reads around two updates
SEEN_MOVES, SEEN_POWERS = 7, 2

# Counters that do not move.
ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram", "intel-rapl:1": "package-1",
         "intel-rapl:2": "psys"}
SERIES = {PACKAGE_0, DRAM, PACKAGE_1, PSYS, TOTAL}
WAITS_SECONDS = 12

waiting, waits_from = None, None

Asked = collections.namedtuple("Asked", "before report after")


def setUpModule():
    """--once waits for power that never comes, while the other tests run."""
    global waiting, waits_from
    tree = unittest.enterModuleContext(Tree.make(ZONES))
    waits_from = time.monotonic()
    waiting = unittest.enterModuleContext(Execd("--once", root=tree.root))


class Steps:
    """Moves a zone's counter once per period while the block runs, and records the times before and
    after each move."""

    def __init__(self, tree, zone):
        self.tree, self.zone = tree, zone
        self.moves = []  # (before, after)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        due = time.monotonic() + PERIOD_SECONDS
        while not self.ended.wait(max(0, due - time.monotonic())):
            before = time.monotonic()
            self.tree.move({self.zone: STEP_UJ})
            self.moves.append((before, time.monotonic()))
            due += PERIOD_SECONDS

    def wait_moves(self, count):
        wait_until(lambda: len(self.moves) >= count, "%d moves" % count, pause=0.001)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def made(self, instant):
        """Number of moves that were certainly made."""
        return sum(after <= instant for _, after in list(self.moves))

    def begun(self, instant):
        """Number of moves that a reader may have seen."""
        return sum(before <= instant for before, _ in list(self.moves))

    def is_power(self, watts, first, last):
        """Whether a power is the one between these two moves."""
        joules = (last - first) * STEP_UJ / 1e6
        (first_before, first_after), (last_before, last_after) = (
            self.moves[first - 1], self.moves[last - 1])
        return (joules / (last_after - first_before) * (1 - SHARPNESS) <= watts
                <= joules / (last_before - first_after) * (1 + SHARPNESS))

    def find_ends(self, watts, starts, most):
        """Numbers of the moves at which a power can end that starts at one of these."""
        return {last for first in starts for last in range(first + 1, most + 1)
                if self.is_power(watts, first, last)}


class OnceASecond(unittest.TestCase):
    """Different options: how often each program is asked."""

    PROGRAMS = {(): 0.1, ("--total=yes",): 2.5, ("--sample-interval=10ms",): 0.5}

    @classmethod
    def setUpClass(cls):
        tree = cls.enterClassContext(Tree.make({"intel-rapl:0": "package-0"}))
        cls.asked = {options: [] for options in cls.PROGRAMS}
        cls.programs = {options: cls.start(tree, *options, "--health=yes") for options in cls.PROGRAMS}
        for program in cls.programs.values():
            program.wait_asleep()
        with Steps(tree, "intel-rapl:0") as cls.steps:
            cls.steps.wait_moves(1)
            cls.onces = [cls.start(tree, "--once")]  # right after a move
            due = dict.fromkeys(cls.PROGRAMS, time.monotonic())
            end = time.monotonic() + PATIENCE_SECONDS
            while not cls.is_seen() and time.monotonic() < end:
                options = min(due, key=due.get)
                time.sleep(max(0, due[options] - time.monotonic()))
                due[options] = max(due[options], time.monotonic()) + cls.PROGRAMS[options]
                before = time.monotonic()
                report = cls.programs[options].ask()
                cls.asked[options].append(Asked(before, report, time.monotonic()))
                if len(cls.onces) == 1 and len(cls.steps.moves) > 1:
                    cls.onces.append(cls.start(tree, "--once"))
            cls.ended = [(once.read_report(), once.wait(), once.messages()) for once in cls.onces]

    @classmethod
    def start(cls, tree, *options):
        return cls.enterClassContext(Execd(*options, root=tree.root))

    @classmethod
    def is_seen(cls):
        """Each program has shown enough powers, and enough moves were made."""
        return len(cls.steps.moves) >= SEEN_MOVES and all(
            sum("power_watts" in one.report[PACKAGE_0] for one in asked if PACKAGE_0 in one.report)
            >= SEEN_POWERS for asked in cls.asked.values())

    def test_no_joule_is_lost(self):
        for options, asked in self.asked.items():
            with self.subTest(options=options):
                for one in asked:
                    self.check_energy(one)

    def check_energy(self, one):
        count, rest = divmod(one.report.energy_uj(PACKAGE_0), STEP_UJ)
        self.assertEqual(0, rest)
        made = self.steps.made(one.before)
        # The first move may be a reset: the second decides.
        self.assertLessEqual(made if made > 1 else 0, count)
        self.assertLessEqual(count, self.steps.begun(one.after))
        self.assertEqual(one.report.energy_uj(TOTAL), one.report.energy_uj(PACKAGE_0))

    def test_power_is_that_from_move_to_move(self):
        for options, asked in self.asked.items():
            for identity in (PACKAGE_0, TOTAL):
                with self.subTest(options=options, identity=identity):
                    self.check_powers(asked, identity)

    def check_powers(self, asked, identity):
        ends = range(1, len(self.steps.moves) + 1)
        powers = 0
        for one in asked:
            watts = one.report.power(identity)
            if watts is None:
                continue
            powers += 1
            ends = self.steps.find_ends(watts, ends, self.steps.begun(one.after))
            self.assertTrue(ends, "%s W; moved at %s" % (watts, self.steps.moves))
        self.assertGreaterEqual(powers, SEEN_POWERS)

    def test_nothing_is_said_to_be_wrong(self):
        for options, program in self.programs.items():
            with self.subTest(options=options):
                health = self.asked[options][-1].report[HEALTH]
                self.assertEqual((0, 0), (health["resets"], health["gaps"]))
                self.assertEqual([], program.messages())

    def test_once_waits_for_two_moves(self):
        for report, status, messages in self.ended:
            self.assertEqual((0, []), (status, messages))
            for identity in (PACKAGE_0, TOTAL):
                count = len(self.steps.moves)
                self.assertTrue(self.steps.find_ends(report.power(identity), range(1, count), count),
                                "%s W; moved at %s" % (report.power(identity), self.steps.moves))


class Standing(unittest.TestCase):
    """Counters that never move, on a machine that shows them nevertheless."""

    def setUp(self):
        self.tree = self.enterContext(Tree.make(ZONES))

    def test_nothing_moves(self):
        with Execd(root=self.tree.root) as execd:
            for _ in range(20):
                self.assertEqual({identity: {"energy_joules": 0} for identity in SERIES},
                                 dict(execd.ask()))
                time.sleep(0.1)
            self.assertEqual([], execd.messages())

    def test_once_says_why_there_is_no_power(self):
        self.assertEqual((1, ""), (waiting.wait(), waiting.read_rest()))
        self.assertGreater(time.monotonic() - waits_from, WAITS_SECONDS)
        message, = waiting.messages()
        self.assertRegex(message, "^E! nothing to report: no energy counter has moved .* "
                                  "Fix: in a virtual machine, measure on its host")

    def test_check_says_so(self):
        began = time.monotonic()
        ended = run("--check", root=self.tree.root)
        self.assertGreater(time.monotonic() - began, 1)
        self.assertEqual(0, ended.status)
        self.assertEqual(len(ZONES), ended.text.count("  yes, has not moved so far\n"))

    @tap.tries(3)
    def test_parts_may_rest(self):
        """A package and the platform use energy as long as they are on; their parts may not."""
        with Pump(self.tree, "intel-rapl:0", 30) as pump:
            ended = run("--once", root=self.tree.root)
        report, = parse_reports(ended.text)
        self.assertEqual({PACKAGE_0, DRAM}, report.keys())
        self.assertEqual(0, report.power(DRAM))
        with tap.excused(pump.lateness(0.02)):
            self.assertAlmostEqual(30, report.power(PACKAGE_0), delta=1)

    def test_one_moves_each_10_ms(self):
        """Its power needs 20 updates, however early it is asked for."""
        pump = Pump(self.tree, "intel-rapl:0", 30)
        pump.STEP_SECONDS = 0.01
        with pump:
            ended = run("--once", "--interval=60ms", root=self.tree.root)
            with Execd("--energy=no", root=self.tree.root) as execd:
                reports = [execd.ask(), execd.ask()]
        self.assertEqual((0, []), (ended.status, ended.messages))
        for report in [*parse_reports(ended.text), *reports]:
            self.assertIsNotNone(report.power(PACKAGE_0))
            self.assertNotIn(PACKAGE_1, report)


if __name__ == "__main__":
    tap.main()
