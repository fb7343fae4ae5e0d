# SPDX-License-Identifier: MIT
"""Statistics of rapl.so in the real collectd."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import samples  # noqa: E402
import tap  # noqa: E402
from collectd import block, check_quiet, complaints, missing_collectd, names_of, root_of  # noqa: E402


def statistics_of(machine, names=samples.NAMES):
    """The names of their values in collectd."""
    found = []
    for parent, domain in daemons.identities(machine):
        parent = "rapl%s/" % (parent and "-" + parent)
        found += ["%spower-%s-%s" % (parent, domain, name) for name in names]
        found.append("%scount-%s-samples" % (parent, domain))
    return found


class Statistics(daemons.StageTest):
    """A package that draws 200 W for 50 ms of each second, and 50 W for the rest."""

    missing = staticmethod(missing_collectd)

    @classmethod
    def prepare(cls):
        samples.try_pulses(cls.measure)

    @classmethod
    def measure(cls, period):
        """Runs the measurement that the tests check. Late: this machine was too busy to show such a
        pulse."""
        cls.period = period
        cls.machine = cls.stage.simulate("server", *samples.pulse(period))
        root, every = root_of(cls.machine), "SampleInterval 0.01"
        cls.collectds = {name: cls.stage.collectd(name, block(root, *lines)) for name, lines in {
            "all": [every, "ReportHealth true"],
            "list": ['ReportStatistics "max" "p99"', every],
            "none": [every, "ReportStatistics false", "ReportHealth true"],
            "off": ["SampleInterval 0", "ReportStatistics true", "ReportHealth true"],
            "too-long": ["SampleInterval 1.5", "ReportHealth true"]}.items()}
        with samples.Lateness(cls.machine.root) as lateness:
            for collectd in cls.collectds.values():
                collectd.wait_rows("rapl/power-total", max(8, period))
        cls.statuses = cls.stage.stop(cls.collectds.values())
        cls.rows = {name: {series: values for series, values in collectd.rows().items()
                           if not re.match("rapl/(count-zones|derive-)", series)}
                    for name, collectd in cls.collectds.items()}
        late = lateness.reason(period)
        if late and not all(map(cls.shows_pulse, ("all", "list"))):
            raise tap.Late(late)

    @classmethod
    def shows_pulse(cls, collectd):
        most = max(cls.values("power-package-max", collectd))
        return abs(most - 200) <= samples.SHARPNESS * 200

    @classmethod
    def values(cls, name, collectd="all"):
        return [value for _, value in cls.rows[collectd]["rapl-package-0/" + name]]

    def health(self, collectd, name):
        return [value for _, value in self.collectds[collectd].rows()["rapl/derive-" + name]]

    def test_all_by_default(self):
        self.assertEqual(sorted(self.rows["all"]),
                         sorted(names_of("server") + statistics_of("server")))

    def test_a_list_chooses(self):
        self.assertEqual(sorted(self.rows["list"]),
                         sorted(names_of("server") + statistics_of("server", ["max", "p99"])))

    def test_the_maximum_shows_what_the_mean_hides(self):
        mean = self.values("power-package")
        mean = mean[:len(mean) // self.period * self.period]
        self.assertAlmostEqual(sum(mean) / len(mean), 57.5, delta=0.05 * 57.5)
        for collectd in ("all", "list"):
            self.assertTrue(self.shows_pulse(collectd), self.values("power-package-max", collectd))
        for watts in self.values("power-package-min"):
            self.assertAlmostEqual(watts, 50, delta=samples.SHARPNESS * 50)
        middle = self.values("power-package-p50")
        self.assertAlmostEqual(sorted(middle)[len(middle) // 2], 50, delta=samples.PERCENTILE * 50)

    def test_they_come_with_the_power(self):
        times = [ns for ns, _ in self.rows["all"]["rapl/power-total"]]
        counts = self.rows["all"]["rapl/count-total-samples"]
        self.assertEqual([ns for ns, _ in counts], times)
        taken = dict(self.collectds["all"].rows()["rapl/derive-sweeps"])
        enough = []
        for (before, _), (now, count) in zip(counts, counts[1:]):
            # 20 updates of a millisecond each.
            self.assertLess(count * 20 * samples.MS, now - before)
            # A report can miss samples; of the reads taken, at most four make a sample, unless the
            # machine stalls in one, because slow reads make long samples.
            enough.append(count > min(5, (taken[now] - taken[before]) / 4 - 2))
        self.assertIn(True, enough, counts)

    def test_the_thread_reads_in_between(self):
        # From the second report on: before, it also reads to find update periods.
        taken = self.health("all", "sweeps")[1:]
        missed = self.health("all", "missed_samples")[1:]
        reports = len(taken) - 1
        times = [ns for ns, _ in self.rows["all"]["rapl/energy-total"]][1:]
        instants = (times[-1] - times[0]) / 1e7
        passed = taken[-1] - taken[0] - reports + missed[-1] - missed[0]
        # A report's own read may fall on the grid.
        self.assertAlmostEqual(passed, instants, delta=reports + 2)
        self.assertGreater(taken[-1] - taken[0], 3 * reports)

    def test_nothing_where_nobody_asks(self):
        for name in ("none", "off", "too-long"):
            with self.subTest(collectd=name):
                self.assertEqual(sorted(self.rows[name]), names_of("server"))
                check_quiet(self, self.health(name, "sweeps"))

    def test_longer_than_the_interval_is_an_error(self):
        self.assertEqual(complaints(self.collectds["too-long"]), [
            '[error] rapl plugin: option "SampleInterval" is longer than the interval; there will '
            'be no statistics.'])

    def test_nothing_is_logged_where_all_is_well(self):
        for name in ("all", "list", "none", "off"):
            self.assertEqual(complaints(self.collectds[name]), [])

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)


if __name__ == "__main__":
    tap.main()
