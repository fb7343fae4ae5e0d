# SPDX-License-Identifier: MIT
"""The machine sleeps: suspend to RAM in the kernel's test mode, /sys/power/pm_test "core".

That is the whole suspend and resume of the kernel except for the firmware: tasks are frozen,
package 1 goes with its CPUs and returns, the clocks stop, and CLOCK_BOOTTIME is advanced against
CLOCK_MONOTONIC by the time asleep, exact to about a second.

Other modes do less here: a real S3 ("mem", woken by rtc0's wakealarm) sleeps and returns, but reads
from the guest's root then hang, probably because QEMU has reset the virtio device below; s2idle
("freeze") with the same alarm never woke; pm_test "processors" stops no clock, and "core" does not
work with "freeze".
"""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import samples  # noqa: E402
import tap  # noqa: E402

MACHINE = guest.Machine(seconds=400)

FIRST, SECOND = (
    {"domain=psys" if package == 0 else "domain=psys,package_id=1",
     *("domain=%s,package_id=%d" % (domain, package)
       for domain in ("package", "core", "uncore", "dram"))} for package in (0, 1))
TOTAL = "domain=total"
HEALTH = "rapl_health,source=powercap"
COUNTS = "zones", "wraps", "resets", "gaps"

SLEEP_SECONDS = 3
STALL_SECONDS = 0.002  # 5 % of a sample of 40 ms


def ahead_seconds():
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def sleep():
    """Suspends the machine; returns the time asleep according to its clocks."""
    before = ahead_seconds()
    kernel.write("/sys/module/suspend/parameters/pm_test_delay", SLEEP_SECONDS)
    kernel.write("/sys/power/pm_test", "core")
    kernel.write("/sys/power/state", "mem")
    return ahead_seconds() - before


class Suspend(unittest.TestCase):
    def setUp(self):
        with open("/sys/power/pm_test", encoding="ascii") as file:
            self.assertIn("core", file.read())

    def sleep_once(self, program):
        """Reports before and after a sleep: (watch, index of the first after it)."""
        watch = kernel.Watch(program)
        watch.ask_for(0.8, every=0.2)
        self.assertGreater(sleep(), 1)
        woke = len(watch.asked)
        watch.ask_for(1.6, every=0.2, least=8)
        # Reads of package 1's open files fail with ENODEV, and the next report looks for it.
        for report in watch.reports()[:woke] + watch.reports()[woke + 2:]:
            self.assertEqual(FIRST | SECOND | {TOTAL, HEALTH}, set(report))
        return watch, woke

    def check(self, watch):
        """Checks what holds whatever the counters did meanwhile; returns the true watts."""
        watts = kernel.true_watts(watch.reports()[0])
        self.assertEqual(FIRST | SECOND | {TOTAL}, set(watts))
        watch.check_energies()
        # Power over the time asleep would be far off: only the time awake is known.
        watch.check_each_power({identity: watts[identity] for identity in FIRST | SECOND})
        for identity in watts:
            self.assertIsNotNone(watch.reports()[-1].power(identity), identity)
        return watts

    def check_no_power(self, watch, woke):
        """No power covers the time asleep when a zone reports again for the first time."""
        spoken = set()
        for report in watch.reports()[woke:]:
            for identity in (FIRST | SECOND | {TOTAL}) & set(report) - spoken:
                self.assertIsNone(report.power(identity), identity)
                spoken.add(identity)
        self.assertEqual(FIRST | SECOND | {TOTAL}, spoken)

    def test_counters_that_went_on_are_counted(self):
        with execd.Execd("--health=yes") as program:
            watch, woke = self.sleep_once(program)
            messages = program.messages()
        watts = self.check(watch)
        self.assertLessEqual(FIRST, set(watch.reports()[woke]))
        self.check_no_power(watch, woke)
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)
        health = watch.reports()[-1][HEALTH]
        self.assertEqual((10, 0, 0, 5), tuple(health[name] for name in COUNTS))
        for message in messages:
            self.assertRegex(message, "(package|psys)-1 has gone")

    def test_counters_that_started_again_add_nothing(self):
        """As the counters of many machines do in S3."""
        kernel.load_registers(restart_on_resume=1)
        self.addCleanup(kernel.load_registers)
        with execd.Execd("--health=yes") as program:
            watch, woke = self.sleep_once(program)
            messages = program.messages()
        watts = self.check(watch)
        self.assertEqual({HEALTH}, set(watch.reports()[woke]))
        for identity, true in watts.items():
            with self.subTest(identity):
                back = next(index for index in range(woke, len(watch.asked))
                            if identity in watch.reports()[index])
                watch.check_energy(identity, true, 0, woke - 1)
                if identity != TOTAL:  # whose members started again one after the other
                    watch.check_energy(identity, true, back - 1, kept=woke - 1)
        health = watch.reports()[-1][HEALTH]
        self.assertEqual((10, 0, 10, 5), tuple(health[name] for name in COUNTS))
        for message in messages:
            self.assertRegex(message, "(package|psys)-1 has gone")

    def test_a_package_that_is_offline_meanwhile(self):
        """The power of a zone that went before the sleep and returns after it excludes the time
        asleep, too."""
        self.addCleanup(kernel.set_online, True, 2, 3)
        with execd.Execd("--health=yes") as program:
            watch = kernel.Watch(program)
            watch.ask_for(0.5, every=0.25)
            kernel.set_online(False, 2, 3)
            watch.ask_for(0.5, every=0.25)
            self.assertGreater(sleep(), 1)
            woke = len(watch.asked)
            watch.ask_for(0.5, every=0.25)
            for report in watch.reports()[woke:]:
                self.assertEqual(FIRST | {TOTAL, HEALTH}, set(report))
            kernel.set_online(True, 2, 3)
            watch.ask_for(1.5, every=0.25)
        watts = self.check(watch)
        self.check_no_power(watch, woke)
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)

    def test_statistics_know_nothing_of_the_sleep(self):
        """Neither if the counters continued meanwhile, nor if they were reset."""
        self.addCleanup(kernel.load_registers)
        for restarts in (0, 1):
            with self.subTest(restarts=restarts):
                kernel.load_registers(restart_on_resume=restarts)
                self.check_statistics()

    @tap.tries(5)
    def check_statistics(self):
        with execd.Execd("--health=yes", "--sample-interval=10ms") as program:
            time.sleep(execd.SEEKING_SECONDS)  # until then it also reads between samples
            watch = samples.Watch(program, 10 * samples.MS)
            watch.ask()
            time.sleep(0.5)
            watch.ask()
            self.assertGreater(sleep(), 1)
            with kernel.Stalls(STALL_SECONDS) as stalls:
                end = time.monotonic() + execd.PATIENCE_SECONDS
                while len(watch.reports) < 10 or (time.monotonic() < end and not all(
                        samples.field("max") in watch.reports[-1].get(identity, ())
                        for identity in FIRST | SECOND | {TOTAL})):
                    watch.ask()
                    time.sleep(0.2)
            watts = kernel.true_watts(watch.reports[0])
            self.assertEqual(FIRST | SECOND | {TOTAL, HEALTH}, set(watch.reports[-1]))
            for report in watch.reports:
                told = {identity: fields for identity, fields in report.items()
                        if samples.field("max") in fields}
                for identity, fields in told.items():
                    with tap.excused(stalls.reason()):
                        samples.check_constant_series(self, fields, watts[identity])
            self.assertEqual(FIRST | SECOND | {TOTAL}, set(told))
            watch.check_every_instant(self)
            self.assertGreaterEqual(watch.grown("sleeps"), 1)


if __name__ == "__main__":
    guest.main(MACHINE)
