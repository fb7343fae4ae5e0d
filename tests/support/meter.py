# SPDX-License-Identifier: MIT
"""Holds the power of each report against its energy and the time that can have passed.

A sample is taken between the instant before its prompt and the instant its report is here. Of two
such samples the true span lies between the inner and the outer distance, and so does the power
between energy / outer and energy / inner. This needs no tolerance but the rounding of the last
digits, however busy the machine is: it widens by as much as the machine was late.
"""
import collections
import time

ROUNDING_WATTS = 0.001

Mark = collections.namedtuple("Mark", "before after joules")
Asked = collections.namedtuple("Asked", "before report after")


class Meter:
    """Asks for reports and checks power_watts of every line in them."""

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
        """Holds a report that is here now; its sample was taken since that instant."""
        after = time.monotonic()
        self.asked.append(Asked(before, report, after))
        # The first sample was before the first report was here.
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
        """The power's span begins with the last report: an interval was left out."""
        self.marks[identity] = Mark(self.asked[-1].before, self.asked[-1].after, joules)

    def check_energy(self, identity, watts, first=0, last=-1, lag=0.0, tolerance=0.0, kept=None):
        """The energy between two of the reports is that of the watts. lag: how far a counter may be
        behind its instant; kept: the report that says how much it was at the first, where that
        one left it out."""
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
