# SPDX-License-Identifier: MIT
"""The driver is unloaded and loaded: again, late, and with counters that were reset."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import extent  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(seconds=900)

ZONES = {"domain=psys", "domain=psys,package_id=1",
         *("domain=%s,package_id=%d" % (domain, package)
           for domain in ("package", "core", "uncore", "dram") for package in (0, 1))}
TOTAL = "domain=total"
HEALTH = "rapl_health,source=powercap"
DRIVER = "intel_rapl_msr"
COUNTS = "zones", "wraps", "resets", "gaps"


class Reload(unittest.TestCase):
    def setUp(self):
        self.addCleanup(kernel.load, DRIVER)

    def check(self, watch, zones=frozenset(ZONES)):
        """Checks what holds in any case; returns the true watts."""
        watch.check_energies()
        watts = kernel.true_watts(watch.reports()[0])
        self.assertEqual(zones | {TOTAL}, set(watts))
        self.assertEqual(zones | {TOTAL, HEALTH}, set(watch.reports()[-1]))
        watch.check_each_power({identity: watts[identity] for identity in zones})
        return watts

    def test_what_was_used_while_the_driver_was_away_is_counted(self):
        """The registers count on and no wrap can have hidden: the joules are added afterwards, with
        the mean power of the whole time."""
        with execd.Execd("--health=yes") as program:
            program.wait_quiet()
            watch = kernel.Watch(program)
            watch.ask_for(1, every=0.25)
            kernel.unload(DRIVER)
            gone = len(watch.asked)
            watch.ask_for(1.2, every=0.25)
            back = len(watch.asked)
            kernel.load(DRIVER)
            watch.ask_for(1, every=0.25)
            messages = program.messages()
        watts = self.check(watch)
        for report in watch.reports()[gone:back]:
            self.assertEqual({HEALTH}, set(report))
            self.assertEqual(0, report[HEALTH]["zones"])
        for report in watch.reports()[back:]:
            self.assertEqual(ZONES | {TOTAL, HEALTH}, set(report))
        for identity in ZONES:
            self.assertIsNotNone(watch.reports()[back].power(identity), identity)
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true)
                watch.check_energy(identity, true, gone - 1, back)
        health = watch.reports()[-1][HEALTH]
        self.assertEqual((10, 0, 0, 10), tuple(health[name] for name in COUNTS))
        self.assertEqual(10, len(messages), messages)
        for reason in ("package-0 has gone; total", "package-1 has gone; total", "psys has gone",
                       "psys-1 has gone", "/sys/class/powercap holds no RAPL zone"):
            told = [line[:3] for line in messages if reason in line]
            self.assertEqual(["E! " if "/" in reason else "W! ", "I! "], told, messages)

    def test_again_and_again(self):
        def cycle():
            for _ in range(6):
                kernel.unload(DRIVER)
                kernel.load(DRIVER)

        with execd.Execd("--health=yes") as program:
            program.wait_quiet()
            watch = kernel.Watch(program)
            watch.ask()
            watch.ask_during(cycle, every=0.005)
            watch.ask_for(0.5, every=0.25)
            messages = program.messages()
        for identity, true in self.check(watch).items():
            with self.subTest(identity):
                watch.check_energy(identity, true)
        health = watch.reports()[-1][HEALTH]
        self.assertEqual((10, 0, 0), tuple(health[name] for name in COUNTS[:3]))
        # Each problem is reported once, and once when it is resolved; zones found half removed or
        # half created are not a problem.
        self.assertEqual(len(set(messages)), len(messages), messages)
        for message in messages:
            self.assertRegex(message, "has gone|/sys/class/powercap holds no RAPL zone")

    def start_anew(self, start_joules, zones, **parameters):
        """Loads the registers with counters that start elsewhere. Returns (watch, watts, messages,
        index of the last report before, of the first after)."""
        kernel.load_registers(**parameters)
        self.addCleanup(kernel.load_registers)
        with execd.Execd("--health=yes") as program:
            program.wait_quiet()
            watch = kernel.Watch(program)
            watch.ask_for(0.5, every=0.25)
            kept = len(watch.asked) - 1
            kernel.unload(*kernel.DRIVERS, "rapl_registers")
            watch.ask_for(0.5, every=0.25)
            kernel.load("rapl_registers", start_joules=start_joules, **parameters)
            kernel.load(DRIVER)
            anew = len(watch.asked)
            watch.ask_for(1.5, every=0.25)
            messages = program.messages()
        watts = self.check(watch, zones)
        self.assertEqual({HEALTH}, set(watch.reports()[anew]))
        self.assertEqual(len(zones), watch.reports()[anew][HEALTH]["zones"])
        for identity, true in watts.items():
            with self.subTest(identity):
                watch.check_energy(identity, true, 0, kept)
                watch.check_energy(identity, true, anew, kept=kept)
        health = watch.reports()[-1][HEALTH]
        self.assertEqual((len(zones), 0, len(zones), len(zones)),
                         tuple(health[name] for name in COUNTS))
        return messages

    def test_counters_that_start_lower_add_nothing(self):
        messages = self.start_anew(10, ZONES)
        for message in messages:
            self.assertRegex(message, "has gone|holds no RAPL zone")

    def test_counters_that_start_higher_add_nothing(self):
        """Except psys, which has no ceiling below 50 kW."""
        zones = {identity for identity in ZONES if "psys" not in identity}
        messages = self.start_anew(60000, zones, domains="package,core,uncore,dram")
        jumped = [message for message in messages if "further than any power" in message]
        self.assertEqual(1, len(jumped), messages)
        self.assertRegex(jumped[0], r"^W! package-0 \(and \d more\) jumped .*driver was loaded again")
        self.assertNotIn("max-power", jumped[0])

    @extent.waits_a_minute
    def test_drivers_that_are_loaded_late_are_found_within_a_minute(self):
        """With each source. Its directories, among them dev/cpu, did not exist when the sandbox was
        set up, and may be read when they appear."""
        drivers = "msr", "rapl", DRIVER
        kernel.unload(*reversed(drivers))
        self.assertFalse(os.path.exists("/dev/cpu"))
        watches, began = {}, {}
        for source in ("auto", "powercap", "perf", "msr"):
            program = self.enterContext(execd.Execd("--source=" + source))
            watches[source] = kernel.Watch(program)
            if source != "auto":  # which does not name one source
                began[source] = program.wait_message("^E! ")
        for driver in drivers:
            kernel.load(driver)
        time.sleep(61)
        for source, watch in watches.items():
            with self.subTest(source):
                # In a virtual machine energy decides whether perf's packages are one counter.
                self.assertIn("domain=package,package_id=1", watch.ask_for(0.2, every=0.2))
                self.assertNotIn("refused", "".join(watch.program.lines()))
        powercap = watches["powercap"]
        first = powercap.reports()[0]
        self.assertEqual(ZONES | {TOTAL}, set(first))
        for identity in first:
            self.assertEqual(0, first.energy_uj(identity), identity)
            self.assertIsNone(first.power(identity), identity)
        powercap.ask_for(2)
        for identity, true in kernel.true_watts(first).items():
            powercap.check_energy(identity, true)
        messages = powercap.program.messages()
        self.assertEqual(2, len(messages), messages)
        self.assertEqual(began["powercap"], messages[0])
        self.assertRegex(messages[0], "^E! /sys/class/powercap holds no RAPL zone")
        self.assertRegex(messages[1], "^I! Resolved: /sys/class/powercap holds no RAPL zone")


if __name__ == "__main__":
    guest.main(MACHINE)
