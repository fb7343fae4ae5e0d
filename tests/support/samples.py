# SPDX-License-Identifier: MIT
"""Statistics of the power inside an interval: what they may say, and of how many instants."""
import time

from execd import PATIENCE_SECONDS

NAMES = ("min", "max", "stddev", "p50", "p95", "p99")
MS = 10**6

# What may be unknown of a sample, of its mean (rule 12: one unit and one update of the counter).
SHARPNESS = 0.05
PERCENTILE = 0.01


def field(name):
    return "power_%s_watts" % name


FIELDS = {"samples", *map(field, NAMES)}


def check_constant(case, report, true_watts=None):
    """No statistic is sharper than the counter: of a load that never changes, all of them say
    what the mean says, or the truth where it is known."""
    for identity, fields in report.items():
        if identity.startswith("rapl_health"):
            continue
        with case.subTest(identity, fields=fields):
            watts = true_watts[identity] if true_watts else fields["power_watts"]
            ordered = [fields[field(name)] for name in ("min", "p50", "p95", "p99", "max")]
            case.assertEqual(ordered, sorted(ordered))
            case.assertGreaterEqual(ordered[0], (1 - SHARPNESS) * watts)
            case.assertLessEqual(ordered[-1], (1 + SHARPNESS) * watts)
            case.assertLessEqual(fields[field("stddev")], SHARPNESS * watts)


def ask_sampled(ask, seconds, name="samples", least=1):
    """Asks for reports that are so far apart until each series of one has that field, and as much
    in it; that report. On a busy machine samples take longer."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        time.sleep(seconds)
        report = ask()
        values = [fields.get(name, 0) for identity, fields in report.items()
                  if not identity.startswith("rapl_health")]
        if values and min(values) >= least or time.monotonic() > end:
            return report


class Watch:
    """Asks for reports and accounts for every instant of the grid, from a first report on: a sample
    was taken at it, or it was missed. Time is CLOCK_MONOTONIC, as the grid's."""

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

    def instants(self, from_ns, to_ns):
        return to_ns // self.interval_ns - from_ns // self.interval_ns

    def grown(self, name):
        """By how much a count of health did."""
        first, last = (self.reports[i][self.health][name] for i in (0, -1))
        return last - first

    def check_every_instant(self, case, away_ns=0):
        """away_ns: for how long nobody can have sampled. A report's own sample may be that of an
        instant which it follows at once."""
        reports = len(self.reports) - 1
        least = self.instants(self.stamps[0][1], self.stamps[-1][0]) - reports
        most = self.instants(self.stamps[0][0], self.stamps[-1][1])
        taken, missed = self.grown("samples") - reports, self.grown("missed_samples")
        case.assertTrue(least <= taken + missed <= most, "%d taken and %d missed of %d to %d" % (
            taken, missed, least, most))
        case.assertGreaterEqual(missed, away_ns // self.interval_ns - 1)
