# SPDX-License-Identifier: MIT
"""CPUs go offline and return: one CPU of a package, and all of them, which removes the package's
zones.

No process may read while the last CPU of a package goes. Up to Linux 6.1 at least, a read of
energy_uj in these milliseconds never ends, and neither does the hotplug: the read waits for the
hotplug (get_energy_counter(): cpus_read_lock()), and the hotplug for the end of the read
(rapl_cpu_down_prep(): kernfs_drain()).
"""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine()

FIRST, SECOND = (
    {"domain=psys" if package == 0 else "domain=psys,package_id=1",
     *("domain=%s,package_id=%d" % (domain, package)
       for domain in ("package", "core", "uncore", "dram"))} for package in (0, 1))
TOTAL = "domain=total"
HEALTH = "rapl_health,source=powercap"
CPUS = 2, 3  # of package 1
TRIES = 5
STALL_SECONDS = 0.05  # a quarter of the interval


class Offline(unittest.TestCase):
    def setUp(self):
        self.addCleanup(kernel.set_online, True, *CPUS)

    def check(self, watch, lacking=frozenset(SECOND)):
        """Checks what holds in any case, with lacking as the series that may be missing; the last
        health."""
        watts = kernel.true_watts(watch.reports()[0])
        for index, report in enumerate(watch.reports()):
            self.assertLessEqual(FIRST | SECOND, set(report) | lacking, index)
        watch.check_energies()
        watch.check_each_power({identity: watts[identity] for identity in FIRST | SECOND})
        # The counters continued: energy used while they could not be read was added afterwards.
        for identity in FIRST | SECOND | {TOTAL}:
            watch.check_energy(identity, watts[identity])
        health = watch.reports()[-1][HEALTH]
        self.assertEqual((10, 0, 0), (health["zones"], health["wraps"], health["resets"]))
        return health

    def ask_until_all_are_there(self, watch):
        """Zones return some milliseconds after the CPU."""
        end = time.monotonic() + execd.PATIENCE_SECONDS
        while not SECOND <= set(watch.ask()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.2)

    def test_a_package_goes_and_returns(self):
        with execd.Execd("--health=yes") as program:
            program.wait_quiet()
            watch = kernel.Watch(program)
            watch.ask_for(1, every=0.25)
            kernel.set_online(False, *CPUS)
            gone = len(watch.asked)
            watch.ask_for(1.2, every=0.25)
            until = len(watch.asked)
            said = program.messages()
            watch.ask_during(kernel.set_online, True, *CPUS)
            self.ask_until_all_are_there(watch)
            watch.ask_for(1, every=0.25)
            health = self.check(watch)
            messages = program.messages()
        for report in watch.reports()[gone:until]:
            self.assertEqual(FIRST | {HEALTH}, set(report) - {TOTAL})
            self.assertEqual(5, report[HEALTH]["zones"])
        # The total is missing in the report that finds them gone; after that it continues without
        # them.
        without = [index for index, report in enumerate(watch.reports()) if TOTAL not in report]
        self.assertEqual([gone], without)
        self.assertEqual(5, health["gaps"])
        self.assertGreaterEqual(health["rediscoveries"], 2)
        self.assertEqual(2, len(said), said)
        self.assertRegex(said[0], "^W! package-1 has gone; total goes on without its power")
        self.assertRegex(said[1], "^W! psys-1 has gone")
        self.assertEqual(4, len(messages), messages)
        self.assertEqual(said, messages[:2])
        self.assertRegex(messages[2], "^I! Resolved: package-1 has gone")
        self.assertRegex(messages[3], "^I! Resolved: psys-1 has gone")

    def test_a_package_goes_and_returns_again_and_again(self):
        with execd.Execd("--health=yes") as program:
            program.wait_quiet()
            watch = kernel.Watch(program)
            watch.ask()
            for cycle in range(4):
                kernel.set_online(False, *CPUS)
                if cycle % 2:  # in the other cycles the zones return before any discovery
                    watch.ask()
                watch.ask_during(kernel.set_online, True, *CPUS, every=0.02)
            self.ask_until_all_are_there(watch)
            watch.ask_for(0.5, every=0.25)
            health = self.check(watch)
            messages = program.messages()
        self.assertGreaterEqual(health["gaps"], 10)
        # A cause that comes and goes is reported once an hour.
        self.assertLessEqual(len(messages), 4, messages)
        for message in messages:
            self.assertRegex(message, "^(W!|I! Resolved:) (package|psys)-1 has gone")

    def test_a_single_cpu_takes_no_zone_along(self):
        """The kernel reads a package through one CPU: when that one goes, through another."""
        with execd.Execd("--health=yes") as program:
            program.wait_quiet()
            watch = kernel.Watch(program)
            watch.ask_for(0.6, every=0.2)
            for _ in range(2):
                watch.ask_during(kernel.set_online, False, CPUS[0], every=0.05)
                watch.ask_for(0.6, every=0.2)
                watch.ask_during(kernel.set_online, True, CPUS[0], every=0.05)
                watch.ask_for(0.6, every=0.2)
            health = self.check(watch, lacking=frozenset())
            self.assertEqual([], program.messages())
        self.assertEqual((0, 0, 0), (health["gaps"], health["read_errors"],
                                     health["rediscoveries"]))
        for report in watch.reports():
            self.assertIn(TOTAL, report)

    def test_by_its_own_clock(self):
        """If the guest stalled within a read, the time of that read is wrong: this test may be
        repeated. Any other wrong power fails at once."""
        for _ in range(TRIES):
            with kernel.Stalls(STALL_SECONDS) as stalls:
                wrong = self.go_and_return_by_its_own_clock()
            for from_ns, to_ns, what in wrong:
                self.assertTrue(stalls.may_explain(from_ns, to_ns), what)
            if not wrong:
                break
        self.assertEqual([], wrong)

    def go_and_return_by_its_own_clock(self):
        """Returns the powers that are not correct, as (from_ns, to_ns, what); checks everything
        else."""
        with execd.Execd("--interval=200ms") as program:
            watts = kernel.true_watts(program.read_report())
            reports = []
            for online in (False, True):
                program.signal(signal.SIGSTOP)
                while kernel.read("/proc/%d/stat" % program.pid).split()[2] != "T":
                    time.sleep(0.001)
                kernel.set_online(online, *CPUS)
                program.signal(signal.SIGCONT)
                end = time.monotonic() + execd.PATIENCE_SECONDS
                until = len(reports) + 6
                while len(reports) < until or (
                        online and not SECOND <= set(reports[-1]) and time.monotonic() < end):
                    reports.append(program.read_report())
        lacking = [index for index, report in enumerate(reports) if not SECOND <= set(report)]
        self.assertLess(4, len(lacking))
        self.assertEqual(list(range(lacking[0], lacking[-1] + 1)), lacking)
        self.assertLessEqual(SECOND, set(reports[-1]))
        wrong = []
        last = reports[0]
        for report in reports:
            self.assertLessEqual(FIRST, set(report))
            for identity in (FIRST | SECOND) & set(report):
                power = report.power(identity)
                if power is not None and abs(power - watts[identity]) > 0.5 * watts[identity]:
                    wrong.append((last.timestamp, report.timestamp, "%s is %.3f W, not %.3f W" %
                                  (identity, power, watts[identity])))
            last = report
        return wrong


if __name__ == "__main__":
    guest.main(MACHINE)
