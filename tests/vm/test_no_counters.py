# SPDX-License-Identifier: MIT
"""Nothing to read: without a driver, and with registers that all read 0, as those of a virtual
machine do."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine()

NO_ZONE = "/sys/class/powercap holds no RAPL zone"


DRIVERS = ("rapl_registers", "msr", "intel_rapl_msr", "rapl")


def setUpModule():
    kernel.unload(*reversed(DRIVERS))


def tearDownModule():
    for driver in DRIVERS:
        kernel.load(driver)


class NoCounters(unittest.TestCase):
    def check(self, *remedy_words):
        self.assertEqual([], os.listdir(kernel.POWERCAP))
        ended = execd.run("--check")
        self.assertEqual((1, []), (ended.status, ended.messages))
        self.assertIn("0 of 0 zones", ended.text)
        self.assertIn(NO_ZONE, ended.text)
        remedy = ended.text.partition("fix: ")[2]
        for word in remedy_words:
            self.assertIn(word, remedy)
        return remedy

    def test_without_a_driver(self):
        self.check("virtual machine", "measure on its host", "sudo modprobe intel_rapl_msr\n")

    def test_registers_that_read_0(self):
        kernel.load("intel_rapl_msr")
        self.addCleanup(kernel.unload, "intel_rapl_msr")
        self.assertNotIn("modprobe", self.check("virtual machine", "measure on its host"))

    def test_it_goes_on_and_tells_once(self):
        with execd.Execd() as program:
            for _ in range(3):
                program.prompt()
                self.assertIsNone(program.read_report(0.5))
            messages = program.messages()
            self.assertEqual(0, program.stop())
        self.assertEqual(1, len(messages), messages)
        self.assertRegex(messages[0], "^E! " + NO_ZONE + ". Fix: ")

    def test_once_fails_and_says_why(self):
        ended = execd.run("--once")
        self.assertEqual((1, ""), (ended.status, ended.text))
        self.assertIn(NO_ZONE, ended.messages[0])
        self.assertIn("no energy counter can be read", ended.messages[1])

    def test_perf_without_a_driver_changes_nothing(self):
        """The perf driver shows a PMU "power", but without events."""
        kernel.load("rapl")
        self.addCleanup(kernel.unload, "rapl")
        self.check("virtual machine")


if __name__ == "__main__":
    guest.main(MACHINE)
