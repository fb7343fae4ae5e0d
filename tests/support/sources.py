# SPDX-License-Identifier: MIT
"""In a guest of tests/vm: rapl-execd with one source beside another, over the same counters."""
import contextlib
import time
import unittest

import execd
import kernel

SECONDS = 8
TRIES = 3
# The counters move about once a millisecond, and the reports tell three decimals.
TOLERANCE = 0.003
# Haswell-class servers count DRAM in 15.3 uJ, which the perf driver takes for 2^-16 J.
PERF_DRAM = 2**-16 / 15.3e-6


def without_total(report):
    return {identity for identity in report if identity != "domain=total"}


class Sources(unittest.TestCase):
    """Each source's series and watts; a module names what it expects in SERIES."""

    SERIES = {}  # by source: the identities that it shows, but total
    PERF_DRAM = 1.0

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
