# SPDX-License-Identifier: MIT
"""Compares the power of each report with its energy and the possible duration of its span.

A sample is taken between the instant before its prompt and the instant its report is here. For two
such samples the true span lies between the inner and the outer distance, so power lies between
energy / outer and energy / inner. The only tolerance is the rounding of the last digits: if the
machine is late, the bounds widen by as much.
"""
import collections
import time

ROUNDING_WATTS = 0.001

Mark = collections.namedtuple("Mark", "before after joules")
Asked = collections.namedtuple("Asked", "before report after")


class Meter:
    """Requests reports and checks power_watts of every line in them."""

    def __init__(self, execd, began):
        """began: time.monotonic() before the program was started."""
        self.execd = execd
        self.began = began
        self.marks = {}
        self.asked = []

    def ask(self):
        before = time.monotonic()
        return self.take(before, self.execd.ask())

    def take(self, before, report):
        """Takes a report that was received now; its sample was taken after `before`."""
        after = time.monotonic()
        self.asked.append(Asked(before, report, after))
        # The first sample was taken before the first report arrived.
        first = Mark(self.began, self.asked[0].after, 0.0)
        for identity, fields in report.items():
            mark = self.marks.setdefault(identity, first)
            if "power_watts" not in fields:
                continue
            joules = fields["energy_joules"]
            self.check(identity, fields["power_watts"], joules - mark.joules, mark, before, after)
            self.marks[identity] = Mark(before, after, joules)
        return report

    def forget(self, identity, joules):
        """Starts the span of power at the last report, because an interval was left out."""
        self.marks[identity] = Mark(self.asked[-1].before, self.asked[-1].after, joules)

    def check_energy(self, identity, watts, first=0, last=-1, lag=0.0, tolerance=0.0, kept=None):
        """Checks the energy between two of the reports against the watts. lag: how far a counter
        may be behind; kept: the report that has the energy at the first, if the first has none."""
        began, ended = self.asked[first], self.asked[last]
        start = self.asked[first if kept is None else kept].report
        joules = ended.report[identity]["energy_joules"] - start[identity]["energy_joules"]
        least = (1 - tolerance) * watts * (ended.before - began.after - lag)
        most = (1 + tolerance) * watts * (ended.after - began.before + lag)
        if not least <= joules <= most:
            raise AssertionError("%s: %.6f J; %.3f W give %.6f to %.6f J" %
                                 (identity, joules, watts, least, most))

    @staticmethod
    def check(identity, watts, joules, mark, before, after):
        least = joules / (after - mark.before)
        most = joules / (before - mark.after) if before > mark.after else float("inf")
        if not least - ROUNDING_WATTS <= watts <= most + ROUNDING_WATTS:
            raise AssertionError("%s: %s W for %s J; %.3f to %.3f W fit the time" %
                                 (identity, watts, joules, least, most))
