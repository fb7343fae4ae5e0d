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


class Meter:
    """Asks for reports and checks power_watts of every line in them."""

    def __init__(self, execd, began):
        """began: time.monotonic() before the program was started."""
        self.execd = execd
        self.began = began
        self.marks = {}
        self.first = None  # when the first report was here: the first sample was before that
        self.last = None

    def ask(self):
        before = time.monotonic()
        report = self.execd.ask()
        after = time.monotonic()
        if self.first is None:
            self.first = after
        for identity, fields in report.items():
            mark = self.marks.setdefault(identity, Mark(self.began, self.first, 0.0))
            if "power_watts" not in fields:
                continue
            joules = fields["energy_joules"]
            self.check(identity, fields["power_watts"], joules - mark.joules, mark, before, after)
            self.marks[identity] = Mark(before, after, joules)
        self.last = before, after
        return report

    def forget(self, identity, joules):
        """The power's span begins anew with the last report: an interval was left out."""
        self.marks[identity] = Mark(*self.last, joules)

    @staticmethod
    def check(identity, watts, joules, mark, before, after):
        least = joules / (after - mark.before)
        most = joules / (before - mark.after) if before > mark.after else float("inf")
        if not least - ROUNDING_WATTS <= watts <= most + ROUNDING_WATTS:
            raise AssertionError("%s: %s W for %s J; %.3f to %.3f W fit the time" %
                                 (identity, watts, joules, least, most))
