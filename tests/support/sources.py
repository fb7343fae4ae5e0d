# SPDX-License-Identifier: MIT
"""Runs rapl-execd in a guest of tests/vm, with several sources in parallel over the same
counters."""
import contextlib
import time
import unittest

import execd
import kernel
import samples
import tap

# If a busy host stops the guest within a read, the time of that read is wrong. A deviation beyond
# what that explains fails at once; otherwise the measurement is repeated. In a longer span a late
# read matters less; in a shorter one perf is less likely to be interrupted, which makes it drop the
# span.
SPANS_SECONDS = 6, 12, 3, 18, 3, 24, 3, 3, 3, 3
TRIES = 8
SAMPLED_SECONDS = 4
# perf's clock in the kernel lags by this much or more if ticks of the guest came late.
STALL_SECONDS = 0.005
# The counters move about once a millisecond, and the reports have three decimals.
TOLERANCE = 0.003
# Haswell-class servers count DRAM in 15.3 uJ, but the perf driver assumes 2^-16 J.
PERF_DRAM = 2**-16 / 15.3e-6

PACKAGE = "domain=package,package_id=%d"
TOTAL = "domain=total"


def without_total(report):
    return {identity for identity in report if identity != TOTAL}


class Sources(unittest.TestCase):
    """Compares series and watts of all sources; a module lists its expectation in SERIES."""

    SERIES = {}  # by source: identities of its series, except total
    PERF_DRAM = 1.0
    DRIVERS = kernel.DRIVERS
    MIRRORS = {}  # by source: zones that show another's counter

    @contextlib.contextmanager
    def start(self, *options, sources=None):
        """Starts a program for each source; a kernel.Watch by source name."""
        with contextlib.ExitStack() as stack:
            yield {source: kernel.Watch(stack.enter_context(
                execd.Execd("--source=" + source, "--health=yes", *options)))
                   for source in sources or self.SERIES}

    def true_watts(self, source, report):
        watts = kernel.true_watts(report)
        if source == "perf":
            for identity in watts:
                if "domain=dram" in identity:
                    watts[identity] *= self.PERF_DRAM
            watts[TOTAL] = sum(
                true for identity, true in watts.items()
                if "domain=package" in identity or "domain=dram" in identity)
        return watts

    def check_span(self, watches, until=0.0):
        """Checks that in one span of each source every power is right, and in each span every
        energy, with later reports that contain each series. until: the instant that the span must
        include; the span then begins with the last report of each watch."""
        first = {source: max(0, len(watch.asked) - 1) for source, watch in watches.items()}
        left = watches
        for number, seconds in enumerate(SPANS_SECONDS):
            if number or not until:
                for watch in left.values():
                    watch.ask()
            time.sleep(max(seconds, until - time.monotonic()))
            for watch in left.values():
                watch.ask()
            unsure = {source: self.check_last(source, watch, first[source])
                      for source, watch in left.items()}
            left = {source: watch for source, watch in left.items() if unsure[source]}
            if not left:
                break
        self.assertEqual({}, left and unsure)
        return {source: self.ask_until(source, watch, *self.SERIES[source])
                for source, watch in watches.items()}

    def check_last(self, source, watch, first):
        """Fails if a value since the first of these reports deviates by more than the lateness of
        its reads; returns what is not exact in the last report."""
        before, report = watch.reports()[-2:]
        known = {}
        for one in watch.reports()[first:]:
            known.update(self.true_watts(source, one))
        watch.check_each_power(known, first, tolerance=TOLERANCE)
        watts = self.true_watts(source, report)
        unsure = []
        for identity in self.SERIES[source] | watts.keys():
            power = report.power(identity) if identity in report else None
            true = watts.get(identity)
            if power is not None and identity in before:
                watch.check_energy(identity, true, first=-2)
            if power is None or abs(power - true) > TOLERANCE * true:
                unsure.append("%s: %s W, not %s W" % (identity, power, true))
        return unsure

    def ask_until(self, source, watch, *wanted, without=None):
        """Returns the first report with these series. Each earlier one contains a package, except
        with perf, which may drop an interval in which the guest stood still."""
        end = time.monotonic() + execd.PATIENCE_SECONDS
        while True:
            report = watch.ask()
            self.assertNotIn(without, report)
            if source != "perf":
                self.assertTrue(any("domain=package,package_id=0" in name for name in report), report)
            if report.keys() >= set(wanted):
                return report
            self.assertLess(time.monotonic(), end, report)
            time.sleep(0.2)

    @staticmethod
    def health(source, report):
        return report["rapl_health,source=" + source]

    def check_gaps(self, source, report, stalls):
        """Checks that there is no gap and no failed read. perf counts them if its clock lags or
        stops, as it does when the guest stands still."""
        health = self.health(source, report)
        with tap.excused(source == "perf" and stalls.reason()):
            self.assertEqual((0, 0), (health["gaps"], health["read_errors"]), source)

    @tap.tries(TRIES)
    def test_series_and_watts_of_each_source(self):
        with self.start() as watches, kernel.Stalls(STALL_SECONDS) as stalls:
            last = self.check_span(watches)
            for source, report in last.items():
                with self.subTest(source=source):
                    series = {identity for identity in without_total(report)
                              if not identity.startswith("rapl_health")}
                    self.assertEqual(self.SERIES[source], series)
            for source, report in last.items():
                # While the guest stands still, so do its counters, and then they catch up at once.
                with tap.excused(stalls.reason()):
                    self.assertEqual([], watches[source].program.messages())
                    self.assertEqual(0, self.health(source, report)["resets"])
                self.check_gaps(source, report, stalls)

    @tap.tries(TRIES)
    def test_no_source_loses_a_joule_at_a_wrap(self):
        """Every counter wraps within the measured span."""
        self.doCleanups()  # of the previous try

        def begin(stack):
            watches = stack.enter_context(self.start())
            for watch in watches.values():
                watch.ask()
            return watches

        with kernel.Stalls(STALL_SECONDS) as stalls:
            watches, wrapped = kernel.load_to_wrap(self, begin, self.DRIVERS)
            last = self.check_span(watches, until=wrapped)
        for source, report in last.items():
            health = self.health(source, report)
            # perf never wraps: the kernel extends the count.
            wraps = 0 if source == "perf" else health["zones"] - self.MIRRORS.get(source, 0)
            self.assertEqual((wraps, 0), (health["wraps"], health["resets"]), source)
        for source, report in last.items():
            self.check_gaps(source, report, stalls)

    def test_a_constant_load_has_no_peak(self):
        """Samples every millisecond, from counters that move once a millisecond with jitter. If the
        guest delays a read, the sample becomes longer, not sharper."""
        for source, series in self.SERIES.items():
            with self.subTest(source=source), \
                    self.start("--sample-interval=1ms", sources=(source,)) as watches:
                program = watches[source].program
                watch = samples.Watch(program, samples.MS, source)
                watch.ask()
                # If the guest stood still, perf may drop the interval; and a counter found to be
                # separate joins total only in the next one.
                for _ in range(TRIES):
                    time.sleep(SAMPLED_SECONDS)
                    report = watch.ask()
                    if all("samples" in report.get(identity, ()) for identity in series | {TOTAL}):
                        break
                self.assertLessEqual(series, report.keys(), program.messages())
                samples.check_constant(self, report, self.true_watts(source, report))
                watch.check_every_instant(self)
                for identity in series:
                    self.assertGreater(report[identity]["samples"], 3, identity)


class TwoPackages(Sources):
    def test_a_package_goes_and_returns(self):
        self.go_and_return()

    def test_a_package_goes_and_returns_between_samples(self):
        self.go_and_return("--sample-interval=1ms")

    def go_and_return(self, *options):
        """Leaves out powercap, whose reads could hang while the last CPU goes:
        tests/vm/README.md."""
        self.addCleanup(kernel.set_online, True, 2, 3)
        with self.start(*options, sources=("perf", "msr")) as watches:
            before = {source: self.ask_until(source, watch, PACKAGE % 0, PACKAGE % 1)
                      for source, watch in watches.items()}
            kernel.set_online(False, 2, 3)
            for source, watch in watches.items():
                for _ in range(4):
                    time.sleep(0.2)
                    self.ask_until(source, watch, PACKAGE % 0, without=PACKAGE % 1)
                self.ask_until(source, watch, PACKAGE % 0, TOTAL, without=PACKAGE % 1)
            kernel.set_online(True, 2, 3)
            for source, watch in watches.items():
                report = self.ask_until(source, watch, PACKAGE % 0, PACKAGE % 1)
                self.assertGreaterEqual(report.energy_uj(PACKAGE % 1),
                                        before[source].energy_uj(PACKAGE % 1))
            last = self.check_span(watches)
            for source, watch in watches.items():
                messages = watch.program.messages()
                self.assertTrue(any("package-1 has gone" in line for line in messages), messages)
                self.assertEqual(1, sum("Resolved: package-1 has gone" in line for line in messages))
                health = self.health(source, last[source])
                self.assertEqual((0, 0), (health["wraps"], health["resets"]))
