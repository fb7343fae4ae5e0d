# SPDX-License-Identifier: MIT
"""Checks statistics of the power inside an interval: their values and how many instants they
cover."""
import os
import threading
import time

import tap
from execd import PATIENCE_SECONDS
from tree import CLASS

NAMES = ("min", "max", "stddev", "p50", "p95", "p99")
MS = 10**6

# The uncertainty of a sample as a share of its mean: one unit and one update of the counter
# (docs/design.md, rule 12).
SHARPNESS = 0.05
PERCENTILE = 0.01
IN_TIME = 0.01  # share of a span; duration of reads on an idle machine


def field(name):
    return "power_%s_watts" % name


FIELDS = {"samples", *map(field, NAMES)}


def check_constant(case, report, true_watts=None, off=SHARPNESS):
    """Checks that no statistic is sharper than the counter: under a constant load, all statistics
    equal the mean, or the truth if it is known."""
    for identity, fields in report.items():
        if identity.startswith("rapl_health"):
            continue
        with case.subTest(identity, fields=fields):
            watts = true_watts[identity] if true_watts else fields["power_watts"]
            check_constant_series(case, fields, watts, off)


def check_constant_series(case, fields, watts, off=SHARPNESS):
    """Checks one series in this way."""
    ordered = [fields[field(name)] for name in ("min", "p50", "p95", "p99", "max")]
    case.assertEqual(ordered, sorted(ordered), fields)
    case.assertGreaterEqual(ordered[0], (1 - off) * watts, fields)
    case.assertLessEqual(ordered[-1], (1 + off) * watts, fields)
    case.assertLessEqual(fields[field("stddev")], off * watts, fields)


def with_samples(report):
    """Its series with statistics."""
    return {identity: fields for identity, fields in report.items() if fields.get("samples")}


def ask_sampled(ask, seconds, least=1, check=lambda report: None):
    """Asks every `seconds` until each series has at least `least` samples; returns that report, or
    the last one after PATIENCE_SECONDS. `check` is called with the statistics of each report, and
    all of the last one."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        time.sleep(seconds)
        report = ask()
        values = [fields.get("samples", 0) for identity, fields in report.items()
                  if not identity.startswith("rapl_health")]
        if values and min(values) >= least or time.monotonic() > end:
            check(report)
            return report
        check(with_samples(report))


class Lateness:
    """Measures, while the block runs, how late a process reads a counter of the simulated machine
    at the instants of a grid: this is how well any program can sample on this machine."""

    def __init__(self, root, interval_ns=10 * MS):
        self.path = os.path.join(root, CLASS, "intel-rapl:0", "energy_uj")
        self.interval_ns = interval_ns
        self.late_ns = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ended.is_set():
            due = (time.monotonic_ns() // self.interval_ns + 1) * self.interval_ns
            time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            with open(self.path, "rb") as file:
                file.read()
            self.late_ns.append(time.monotonic_ns() - due)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def reason(self, period):
        """Why a pulse may have been missed: one read in twenty was late by a fiftieth of the pulse.
        Otherwise empty."""
        late = sorted(self.late_ns)[len(self.late_ns) * 19 // 20]
        return "" if late < period * MS else "one read in 20 was late by %.1f ms" % (late / MS)

    def reason_of_one(self, late_ns):
        """Why single powers may be wrong: a read was at least this late. Otherwise empty."""
        late = max(self.late_ns)
        return "" if late < late_ns else "a read was late by %.1f ms" % (late / MS)


def pulse(period):
    """Options of rapl-sim: package-0 draws 200 W for a twentieth of the period in seconds, and 50 W
    for the rest."""
    return "--load", "pulse", "--load-period", "%ds" % period, "--power", "package-0=57.5"


def try_pulses(measure):
    """Measures a pulse of 50 ms, which contains a whole sample of 30 ms. Repeats with longer pulses
    only if the machine was too busy to sample every 10 ms."""
    for period in (1, 2, 4):
        try:
            return measure(period)
        except tap.Late as error:
            print("# a pulse of %d ms is not seen: %s" % (50 * period, error), flush=True)
    return measure(10)


class Watch:
    """Requests reports and checks for every instant of the grid since the first report that a
    sample was taken or missed. Time is CLOCK_MONOTONIC, as for the grid."""

    def __init__(self, program, interval_ns, source="powercap"):
        self.program, self.interval_ns = program, interval_ns
        self.health = "rapl_health,source=" + source
        self.stamps, self.reports = [], []

    def take(self, take_report):
        before = time.monotonic_ns()
        report = take_report()
        self.stamps.append((before, time.monotonic_ns()))
        self.reports.append(report)
        return report

    def ask(self):
        return self.take(self.program.ask)

    def check_constant(self, case, report):
        """Checks the last report; its mean may be off as far as its reads and those before were
        late."""
        (before, after), (next_before, next_after) = self.stamps[-2:]
        late = (after - before + next_after - next_before) / (next_before - after)
        check_constant(case, report, off=SHARPNESS + (late if late > IN_TIME else 0))

    def ask_constant(self, case, seconds, least=1):
        """Requests reports until each series has this many samples, and checks each of them."""
        return ask_sampled(self.ask, seconds, least,
                           lambda report: self.check_constant(case, report))

    def instants(self, from_ns, to_ns):
        return to_ns // self.interval_ns - from_ns // self.interval_ns

    def grown(self, name):
        """The increase of a health count."""
        first, last = (self.reports[i][self.health][name] for i in (0, -1))
        return last - first

    def check_every_instant(self, case, away_ns=0):
        """away_ns: time in which no sample can have been taken. A report that directly follows an
        instant may count as its sample."""
        reports = len(self.reports) - 1
        least = self.instants(self.stamps[0][1], self.stamps[-1][0]) - reports
        most = self.instants(self.stamps[0][0], self.stamps[-1][1])
        taken, missed = self.grown("sweeps") - reports, self.grown("missed_samples")
        case.assertTrue(least <= taken + missed <= most, "%d taken and %d missed of %d to %d" % (
            taken, missed, least, most))
        case.assertGreaterEqual(missed, away_ns // self.interval_ns - 1)
