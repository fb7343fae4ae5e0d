# SPDX-License-Identifier: MIT
"""In a guest of tests/vm: rapl-execd with one source beside another, over the same counters."""
import contextlib
import time
import unittest

import execd
import kernel
import samples

SECONDS = 8
SAMPLED_SECONDS = 4
TRIES = 3
# The counters move about once a millisecond, and the reports tell three decimals.
TOLERANCE = 0.003
WRAP_SECONDS = 8
SAMPLED_SECONDS = 4
# Haswell-class servers count DRAM in 15.3 uJ, which the perf driver takes for 2^-16 J.
PERF_DRAM = 2**-16 / 15.3e-6

PACKAGE = "domain=package,package_id=%d"


def without_total(report):
    return {identity for identity in report if identity != "domain=total"}


class Sources(unittest.TestCase):
    """Each source's series and watts; a module names what it expects in SERIES."""

    SERIES = {}  # by source: the identities that it shows, but total
    PERF_DRAM = 1.0
    DRIVERS = kernel.DRIVERS
    MIRRORS = {}  # by source: zones that show another's counter

    @contextlib.contextmanager
    def start(self, *options, sources=None):
        """A program for each source, by its name."""
        with contextlib.ExitStack() as stack:
            yield {source: stack.enter_context(execd.Execd("--source=" + source, "--health=yes",
                                                           *options))
                   for source in sources or self.SERIES}

    def true_watts(self, source, report):
        watts = kernel.true_watts(report)
        if source == "perf":
            for identity in watts:
                if "domain=dram" in identity:
                    watts[identity] *= self.PERF_DRAM
            watts["domain=total"] = sum(
                true for identity, true in watts.items()
                if "domain=package" in identity or "domain=dram" in identity)
        return watts

    def check_span(self, programs):
        """The power of one span of each program is the true one; the reports at its end. A guest
        that stands still within a read, for its host is busy, gets the time of that read wrong: it
        may try again, where what is wrong with a source stays so."""
        for _ in range(TRIES):
            for program in programs.values():
                program.ask()
            time.sleep(SECONDS)
            reports = {source: program.ask() for source, program in programs.items()}
            wrong = ["%s: %s: %s W, not %.3f W" % (source, identity, report.power(identity), true)
                     for source, report in reports.items()
                     for identity, true in self.true_watts(source, report).items()
                     if not abs((report.power(identity) or 0) - true) <= TOLERANCE * true]
            if not wrong:
                break
        self.assertEqual([], wrong)
        return reports

    @staticmethod
    def health(source, report):
        return report["rapl_health,source=" + source]

    def test_series_and_watts_of_each_source(self):
        with self.start() as programs:
            last = self.check_span(programs)
            for source, report in last.items():
                with self.subTest(source=source):
                    series = {identity for identity in without_total(report)
                              if not identity.startswith("rapl_health")}
                    self.assertEqual(self.SERIES[source], series)
                    health = self.health(source, report)
                    self.assertEqual((0, 0, 0), (health["read_errors"], health["resets"],
                                                 health["gaps"]))
                    self.assertEqual([], programs[source].messages())

    def test_no_source_loses_a_joule_at_a_wrap(self):
        """Every counter passes its range within the span that is measured."""
        kernel.load_registers(self.DRIVERS, wrap_in_ms=WRAP_SECONDS * 1000)
        loaded = time.monotonic()
        with self.start() as programs:
            self.assertLess(time.monotonic(), loaded + WRAP_SECONDS - 1)
            last = self.check_span(programs)
            self.assertGreater(time.monotonic(), loaded + WRAP_SECONDS)
            for source, report in last.items():
                health = self.health(source, report)
                # perf's own count goes on: the kernel carries it.
                wraps = 0 if source == "perf" else health["zones"] - self.MIRRORS.get(source, 0)
                self.assertEqual((wraps, 0, 0), (health["wraps"], health["resets"],
                                                 health["gaps"]), source)


    def test_a_constant_load_has_no_peak(self):
        """Samples each millisecond, of counters that move once a millisecond, with jitter. A read
        that the guest held up makes a sample longer, not sharper."""
        for source, series in self.SERIES.items():
            with self.subTest(source=source), \
                    self.start("--sample-interval=1ms", sources=(source,)) as programs:
                watch = samples.Watch(programs[source], samples.MS, source)
                watch.ask()
                for _ in range(TRIES):  # where it stood still, perf's interval may be left out
                    time.sleep(SAMPLED_SECONDS)
                    report = watch.ask()
                    if series <= report.keys():
                        break
                self.assertLessEqual(series, report.keys(), programs[source].messages())
                samples.check_constant(self, report, self.true_watts(source, report))
                watch.check_every_instant(self)
                for identity in series:
                    self.assertGreater(report[identity]["samples"], 3, identity)


class TwoPackages(Sources):
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
        self.go_and_return()

    def test_a_package_goes_and_returns_between_samples(self):
        self.go_and_return("--sample-interval=1ms")

    def go_and_return(self, *options):
        """Without powercap, whose reads could hang while the last CPU goes: tests/vm/README.md."""
        self.addCleanup(kernel.set_online, True, 2, 3)
        with self.start(*options, sources=("perf", "msr")) as programs:
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
