# SPDX-License-Identifier: MIT
"""Messages and behaviour of rapl.so in the real collectd when zones fail, go, come and wrap."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import tap  # noqa: E402
from collectd import block, complaints, missing_collectd, names_of, root_of  # noqa: E402


class Faults(daemons.StageTest):
    """Zones that fail, go, come, wrap; no zone at all; files that may not be read."""

    missing = staticmethod(missing_collectd)

    @classmethod
    def prepare(cls):
        stage, health = cls.stage, "ReportHealth true"
        cls.failing = stage.simulate("laptop", "--load", "wave")
        cls.leaving = stage.simulate("server", "--load", "wave", "--load-period", "8s")
        cls.late = stage.simulate("laptop")
        cls.late.command("remove package-0", "remove psys", "remove intel-rapl-mmio:0")
        cls.wrapping = stage.simulate("server", "--before-wrap", "250", "--power",
                                      "package-0/dram=80", "--power", "package-1/dram=60")
        cls.dying = stage.simulate("epyc")
        nothing = stage.path("nothing")
        os.mkdir(os.path.join(nothing, "sys"))
        cls.collectds = {
            "failing": stage.collectd("failing", block(root_of(cls.failing), health)),
            "leaving": stage.collectd("leaving", block(root_of(cls.leaving), health)),
            "late": stage.collectd("late", block(root_of(cls.late), health)),
            "wrapping": stage.collectd("wrapping", block(root_of(cls.wrapping), health)),
            "dying": stage.collectd("dying", block(root_of(cls.dying), health)),
            "nothing": stage.collectd("nothing", block('Root "%s"' % nothing, health)),
        }
        if os.geteuid() == 0:
            cls.collectds["nobody"] = stage.collectd(
                "nobody", block(root_of(cls.wrapping), health), user="nobody")
        cls.wait(4)
        cls.failing.command("fail package-0/dram EIO")
        cls.leaving.command("remove package-1")
        cls.late.command("add package-0", "add psys", "online 0-3")
        cls.dying.kill()
        cls.wait(4)
        cls.failing.command("heal package-0/dram")
        cls.leaving.command("add package-1")
        cls.wait(5)
        cls.wrapped_joules = {name: cls.wrapping.true_joules(name) for name in
                              ("package-0", "package-0/dram", "package-1", "package-1/dram")}
        cls.statuses = stage.stop(cls.collectds.values())
        cls.rows = {name: collectd.rows() for name, collectd in cls.collectds.items()}

    @classmethod
    def wait(cls, reports):
        """Waits for that many more reports of each collectd, whatever they contain."""
        counts = {name: one.count("rapl/count-zones") for name, one in cls.collectds.items()}
        for name, collectd in cls.collectds.items():
            collectd.wait_rows("rapl/count-zones", counts[name] + reports)

    def times(self, collectd, name="rapl/count-zones"):
        return [ns for ns, _ in self.rows[collectd][name]]

    def gap(self, collectd, name):
        """(last time before, first time after) the only gap of a series."""
        times, all_times = self.times(collectd, name), self.times(collectd)
        places = [all_times.index(ns) for ns in times]
        gaps = [i for i in range(1, len(places)) if places[i] != places[i - 1] + 1]
        self.assertEqual(len(gaps), 1, "%s: %s of %s" % (name, places, len(all_times)))
        return times[gaps[0] - 1], times[gaps[0]]

    def last(self, collectd, name):
        return self.rows[collectd][name][-1][1]

    def test_a_zone_that_fails_and_heals(self):
        series = daemons.series_of_collectd(self.rows["failing"])
        for name in ("rapl-package-0/energy-dram", "rapl-package-0/power-dram"):
            before, after = self.gap("failing", name)
            self.assertGreater(after - before, 2.5e9)
        # Its power after the gap is the mean over the gap, and no energy is lost.
        self.check_power(self.failing, series["package-0", "dram"], "package-0/dram", least=6)
        self.check_energy(self.failing, series["package-0", "dram"], "package-0/dram", least=7)
        # total pauses meanwhile, because it would lack dram.
        self.assertEqual(self.gap("failing", "rapl/energy-total"), (before, after))
        self.check_energy(self.failing, series["", "total"], "total", least=7)
        self.check_power(self.failing, series["", "total"], "total", least=6)
        for identity in (("package-0", "package"), ("package-0", "core"), ("psys", "psys")):
            name = daemons.identities("laptop")[identity]
            self.assertEqual([ns for ns, _ in series[identity].energy], self.times("failing"))
            self.check_power(self.failing, series[identity], name)

    def test_a_zone_that_fails_is_told_once_and_when_it_is_over(self):
        said = complaints(self.collectds["failing"])
        self.assertEqual(len(said), 2, said)
        self.assertRegex(said[0], r"\[warning\].*intel-rapl:0:\d/energy_uj: Input/output error\. "
                                  r"Fix: \S+")
        self.assertRegex(said[1], r"\[info\].*Resolved: .*intel-rapl:0:\d/energy_uj")
        self.assertGreaterEqual(self.last("failing", "rapl/derive-read_errors"), 3)

    def test_a_package_that_goes_and_returns(self):
        series = daemons.series_of_collectd(self.rows["leaving"])
        before, after = self.gap("leaving", "rapl-package-1/energy-package")
        self.assertGreater(after - before, 2.5e9)
        self.assertEqual(self.gap("leaving", "rapl-package-1/energy-dram"), (before, after))
        for identity in (("package-0", "package"), ("package-0", "dram")):
            name = daemons.identities("server")[identity]
            self.assertEqual([ns for ns, _ in series[identity].energy], self.times("leaving"))
            self.check_power(self.leaving, series[identity], name)
        # It continues: its energy includes what it used meanwhile.
        for identity in (("package-1", "package"), ("package-1", "dram")):
            name = daemons.identities("server")[identity]
            self.check_energy(self.leaving, series[identity], name, least=7)
            self.check_power(self.leaving, series[identity], name, least=6)

    def test_total_goes_on_without_a_package_that_went(self):
        rows = self.rows["leaving"]
        before, after = self.gap("leaving", "rapl-package-1/energy-package")
        power = dict(rows["rapl/power-total"])
        package, dram = (dict(rows["rapl-package-0/power-" + name]) for name in ("package", "dram"))
        meanwhile = [ns for ns in self.times("leaving") if before < ns < after]
        spoken = [ns for ns in meanwhile if ns in power]
        self.assertGreaterEqual(len(spoken), len(meanwhile) - 2)
        for ns in spoken[1:]:
            self.assertAlmostEqual(power[ns], package[ns] + dram[ns], delta=1e-3)
        energy = [joules for _, joules in rows["rapl/energy-total"]]
        self.assertEqual(energy, sorted(energy))
        # The total includes it again once it is back.
        members = [dict(rows["rapl-package-%d/power-%s" % (package, domain)])
                   for package in (0, 1) for domain in ("package", "dram")]
        ns = self.times("leaving")[-1]
        self.assertAlmostEqual(power[ns], sum(member[ns] for member in members), delta=1e-3)

    def test_a_package_that_goes_is_told(self):
        said = complaints(self.collectds["leaving"])
        self.assertTrue(any("package-1" in line and "total goes on" in line for line in said), said)
        for line in set(said):
            self.assertEqual(said.count(line), 1, said)

    def test_zones_that_come_late(self):
        rows = self.rows["late"]
        self.assertEqual(sorted({*rows} - {"rapl/count-zones"} - {
            name for name in rows if "/derive-" in name}), names_of("laptop"))
        self.assertEqual(rows["rapl/count-zones"][0][1], 0)
        said = complaints(self.collectds["late"])
        self.assertEqual(len(said), 2, said)
        self.assertRegex(said[0], "holds no RAPL zone. Fix: ")
        self.assertRegex(said[1], "Resolved: .*holds no RAPL zone")
        series = daemons.series_of_collectd(rows)["package-0", "package"]
        self.check_power(self.late, series, "package-0", least=4)

    def test_wraps_are_counted_and_true(self):
        wrapped = sum(joules > 250 for joules in self.wrapped_joules.values())
        self.assertEqual(wrapped, 4, self.wrapped_joules)
        self.assertEqual(self.last("wrapping", "rapl/derive-wraps"), 4)
        self.assertEqual(self.last("wrapping", "rapl/derive-resets"), 0)
        rows = {name: values for name, values in self.rows["wrapping"].items()
                if not re.search("/(count|derive)-", name)}
        self.check_truth(self.wrapping, daemons.series_of_collectd(rows))
        self.assertEqual(complaints(self.collectds["wrapping"]), [])

    def test_no_rapl_is_one_warning(self):
        self.assertEqual({name for name in self.rows["nothing"] if "/derive-" not in name},
                         {"rapl/count-zones"})
        self.assertEqual({value for _, value in self.rows["nothing"]["rapl/count-zones"]}, {0})
        said = complaints(self.collectds["nothing"])
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"\[warning\].*sys/class/powercap: No such file or directory\. "
                                  r"Fix: \S+")

    def test_files_that_may_not_be_read(self):
        if "nobody" not in self.collectds:
            self.skipTest("only root can run collectd as another user")
        self.assertEqual({name for name in self.rows["nobody"] if "/derive-" not in name},
                         {"rapl/count-zones"})
        said = complaints(self.collectds["nobody"])
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"\[warning\].* %s/sys/\S*intel-rapl:0/energy_uj "
                                  r"\(and 3 more\): Permission denied\. Fix: .*sudo \S+" %
                         re.escape(self.wrapping.root))

    def test_a_tree_that_dies(self):
        zones = [value for _, value in self.rows["dying"]["rapl/count-zones"]]
        self.assertEqual((zones[0], zones[-1]), (4, 0))
        said = complaints(self.collectds["dying"])
        self.assertGreaterEqual(len(said), 1)
        for line in set(said):
            self.assertEqual(said.count(line), 1, said)

    def test_no_read_is_ever_suspended(self):
        for name, collectd in self.collectds.items():
            self.assertEqual(collectd.lines("suspend|[Rr]ead-function.*failed"), [], name)
            times = self.times(name)
            self.assertGreaterEqual(len(times), 12, name)
            self.assertLess(times[-1] - times[0], (len(times) + 2) * 1e9, name)

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)


if __name__ == "__main__":
    tap.main()
