# SPDX-License-Identifier: MIT
"""The three sources side by side on two sockets: each domain, a wrap, hotplug."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import execd  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import sources  # noqa: E402

MACHINE = guest.Machine()

PACKAGE = "domain=package,package_id=%d"
DOMAINS = {
    "powercap": ("package", "core", "uncore", "dram"),
    "perf": ("package", "core", "dram"),  # what the driver shows of Skylake-X
    "msr": ("package", "core", "dram"),
}
WRAP_SECONDS = 8


class TwoSockets(sources.Sources):
    SERIES = {source: {"domain=%s,package_id=%d" % (domain, package)
                       for domain in domains for package in (0, 1)}
              for source, domains in DOMAINS.items()}
    SERIES["powercap"] |= {"domain=psys", "domain=psys,package_id=1"}
    PERF_DRAM = sources.PERF_DRAM

    def test_no_source_loses_a_joule_at_a_wrap(self):
        kernel.load_registers(wrap_in_ms=WRAP_SECONDS * 1000)
        loaded = time.monotonic()
        with self.start() as programs:
            self.assertLess(time.monotonic(), loaded + WRAP_SECONDS - 1)
            last = self.check_span(programs)
            self.assertGreater(time.monotonic(), loaded + WRAP_SECONDS)
            self.assertEqual(10, self.health("powercap", last["powercap"])["wraps"])
            self.assertEqual(6, self.health("msr", last["msr"])["wraps"])
            for source, report in last.items():
                self.assertEqual(0, self.health(source, report)["resets"], source)

    def ask_until(self, program, identity, seconds=20):
        """The first report that holds it; every one before holds the other package."""
        end = time.monotonic() + seconds
        while True:
            report = program.ask()
            self.assertIn(PACKAGE % 0, report)
            if identity in report:
                return report
            self.assertLess(time.monotonic(), end, report)
            time.sleep(0.2)

    def test_a_package_goes_and_returns(self):
        """Without powercap, whose reads could hang while the last CPU goes: tests/vm/README.md."""
        self.addCleanup(kernel.set_online, True, 2, 3)
        with self.start(sources=("perf", "msr")) as programs:
            before = {source: program.ask() for source, program in programs.items()}
            kernel.set_online(False, 2, 3)
            for program in programs.values():
                for _ in range(4):
                    time.sleep(0.2)
                    report = program.ask()
                    self.assertIn(PACKAGE % 0, report)
                    self.assertNotIn(PACKAGE % 1, report)
                self.assertIn("domain=total", report)
            kernel.set_online(True, 2, 3)
            for source, program in programs.items():
                report = self.ask_until(program, PACKAGE % 1)
                self.assertGreaterEqual(report.energy_uj(PACKAGE % 1),
                                        before[source].energy_uj(PACKAGE % 1))
            last = self.check_span(programs)
            for source, program in programs.items():
                messages = program.messages()
                self.assertTrue(any("package-1 has gone" in line for line in messages), messages)
                self.assertEqual(1, sum("Over: package-1 has gone" in line for line in messages))
                health = self.health(source, last[source])
                self.assertEqual((0, 0), (health["wraps"], health["resets"]))

    def test_the_cpu_that_is_read_goes_and_returns(self):
        """Another CPU of the package takes over; what was used meanwhile is not lost."""
        self.addCleanup(kernel.set_online, True, 2)
        with self.start(sources=("perf", "msr")) as programs:
            watches = {source: kernel.Watch(program) for source, program in programs.items()}
            for online in (False, True):
                for watch in watches.values():
                    watch.ask_for(1, every=0.2)
                kernel.set_online(online, 2)
            for watch in watches.values():
                watch.ask_for(2, every=0.2)
            for source, watch in watches.items():
                lacking = [report for report in watch.reports() if PACKAGE % 1 not in report]
                # The kernel stops a perf event while it moves to the other CPU, and what was used
                # meanwhile is in no count: that interval is left out.
                self.assertLessEqual(len(lacking), 2 if source == "perf" else 0, source)
                watts = self.true_watts(source, watch.reports()[0])
                watch.check_energy(PACKAGE % 0, watts[PACKAGE % 0])
                if not lacking:
                    watch.check_energy(PACKAGE % 1, watts[PACKAGE % 1])
                for identity, true in watts.items():
                    for report in watch.reports():
                        power = report.power(identity) if identity in report else None
                        if power is not None:
                            self.assertLess(power, 1.5 * true, (source, identity))
                self.assertEqual([], programs[source].messages())


class Choice(unittest.TestCase):
    """--source auto takes the first that reads."""

    def check(self, said, series):
        with execd.Execd() as program:
            report = program.ask()
            self.assertRegex(program.source_message(), said)
            self.assertEqual([], program.messages())
            self.assertIn(series, report)
        checked = execd.run("--check")
        self.assertEqual(0, checked.status)
        return checked.text

    def test_powercap_first(self):
        text = self.check("^I! source powercap$", "domain=psys")
        self.assertRegex(text, "(?m)^source   powercap, below /$")

    def test_then_perf(self):
        kernel.unload("intel_rapl_msr")
        self.addCleanup(kernel.load, "intel_rapl_msr")
        text = self.check("^I! source perf; powercap: /sys/class/powercap holds no RAPL zone$",
                          PACKAGE % 1)
        self.assertRegex(text, "(?m)^source   perf, below /$")
        self.assertIn("powercap: /sys/class/powercap holds no RAPL zone", text)

    def test_then_msr(self):
        kernel.unload("intel_rapl_msr", "rapl")
        self.addCleanup(kernel.load, "rapl")
        self.addCleanup(kernel.load, "intel_rapl_msr")
        self.check("^I! source msr; powercap: .* holds no RAPL zone; perf: .*power", PACKAGE % 1)

    def test_named_source_that_cannot_work_says_why(self):
        kernel.unload("rapl", "msr")
        self.addCleanup(kernel.load, "rapl")
        self.addCleanup(kernel.load, "msr")
        for source, remedy in (("perf", "modprobe rapl"), ("msr", "modprobe msr")):
            ended = execd.run("--check", "--source=" + source)
            self.assertEqual(1, ended.status)
            self.assertRegex(ended.text, "to mend it: .*" + remedy)


if __name__ == "__main__":
    guest.main(MACHINE)
