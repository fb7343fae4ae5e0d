# SPDX-License-Identifier: MIT
"""rapl.so in the real collectd: what arrives in csv files, in Graphite and in InfluxDB, and what
collectd says and does where something is wrong."""
import os
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import samples  # noqa: E402
import tap  # noqa: E402
import tree  # noqa: E402

REPORTS = 11


def missing_collectd():
    if not os.path.exists(daemons.COLLECTD_PLUGIN):
        return "rapl.so is not built"
    return daemons.missing_programs(collectd="collectd-core") or daemons.missing_simulator()


def block(*lines):
    return "<Plugin rapl>\n  %s\n</Plugin>" % "\n  ".join(lines)


def root_of(machine):
    return 'Root "%s"' % machine.root


def names_of(machine, kinds=("power", "energy")):
    """Of its values in collectd."""
    return sorted("rapl%s/%s-%s" % (parent and "-" + parent, kind, domain)
                  for parent, domain in daemons.identities(machine) for kind in kinds)


def complaints(collectd):
    """What the plugin logged, without the time."""
    lines = [re.sub(r"^\[[^]]*\] ", "", line) for line in collectd.lines("rapl plugin: ")]
    return [line for line in lines if not re.search("rapl plugin: (no )?source ", line)]


class Values(daemons.StageTest):
    """Four machines, each with a collectd that sends to all three sinks."""

    @classmethod
    def missing(cls):
        return missing_collectd() or daemons.missing_programs(
            influxd="influxdb", carbon_cache="graphite-carbon", whisper_fetch="graphite-carbon")

    @classmethod
    def prepare(cls):
        cls.influxdb = cls.stage.influxdb()
        cls.carbon = cls.stage.carbon()
        cls.machines = {
            "server": cls.stage.simulate("server", "--load", "wave"),
            "sapphire-rapids": cls.stage.simulate("sapphire-rapids"),
            # Its packages wrap after some 3 and 8 seconds.
            "epyc": cls.stage.simulate("epyc", "--load", "wave", "--load-period", "7s",
                                       "--power", "package-1=80", "--before-wrap", "600"),
            "laptop": cls.stage.simulate("laptop"),
        }
        outputs = (daemons.WRITE_GRAPHITE % cls.carbon.port +
                   daemons.NETWORK % cls.influxdb.collectd)
        cls.collectds = {name: cls.stage.collectd(name, block(root_of(machine)), outputs=outputs)
                         for name, machine in cls.machines.items()}
        for collectd in cls.collectds.values():
            collectd.wait_rows("rapl/power-total", REPORTS)
        cls.truths = {name: machine.truth() for name, machine in cls.machines.items()}
        cls.statuses = cls.stage.stop(cls.collectds.values())
        cls.rows = {name: collectd.rows() for name, collectd in cls.collectds.items()}

    def test_identities_are_those_of_the_machine_and_no_others(self):
        for name in self.machines:
            with self.subTest(machine=name):
                self.assertEqual(sorted(self.rows[name]), names_of(name))

    def test_csv_values_are_true(self):
        for name, machine in self.machines.items():
            with self.subTest(machine=name):
                self.check_truth(machine, daemons.series_of_collectd(self.rows[name]))

    def test_energy_begins_with_the_daemon(self):
        for name, machine in self.machines.items():
            with self.subTest(machine=name):
                for (_, domain), series in daemons.series_of_collectd(self.rows[name]).items():
                    # Zones of any power use less in their first second than in the ten that follow.
                    used = series.energy[-1][1] - series.energy[0][1]
                    self.assertLess(series.energy[0][1], used / 4 + 1, domain)

    def test_values_of_a_report_carry_one_time(self):
        for name in self.machines:
            with self.subTest(machine=name):
                rows = self.rows[name]
                times = [ns for ns, _ in rows["rapl/energy-total"]]
                self.assertEqual(len(times), len(set(times)))
                for series, values in rows.items():
                    if "/energy-" in series:
                        self.assertEqual([ns for ns, _ in values], times, series)
                    else:  # the first has none yet, or all do
                        self.assertIn([ns for ns, _ in values], (times, times[1:]), series)

    def test_total_is_the_sum_of_packages_and_dram(self):
        for name in self.machines:
            with self.subTest(machine=name):
                rows = self.rows[name]
                for kind in ("energy", "power"):
                    members = [dict(values) for series, values in rows.items()
                               if series.endswith(("/%s-package" % kind, "/%s-dram" % kind))]
                    for ns, value in rows["rapl/%s-total" % kind]:
                        parts = sum(member[ns] for member in members)
                        self.assertAlmostEqual(value, parts, delta=1e-4)

    def test_a_wrap_is_nothing_to_be_seen(self):
        for series in ("package-0", "package-1"):
            used = re.search(r"%s \S+ (\S+)" % series, self.truths["epyc"]).group(1)
            self.assertGreater(float(used), 600, series)
        self.check_truth(self.machines["epyc"], daemons.series_of_collectd(self.rows["epyc"]))

    def test_graphite_has_true_values(self):
        self.carbon.wait_until(
            lambda: len(self.carbon.metrics()) >= sum(map(len, self.rows.values())), "all metrics")
        stored = self.carbon.metrics()
        wanted = sorted("%s.%s" % (host, name.replace("/", "."))
                        for host in self.machines for name in names_of(host))
        self.assertEqual([name for name in stored if not name.startswith("carbon.")], wanted)
        for host, machine in self.machines.items():
            with self.subTest(machine=host):
                rows = {}
                for name, sent in self.rows[host].items():
                    path = "%s.%s" % (host, name.replace("/", "."))
                    rows[name] = daemons.fetch_seconds(self.carbon, path, sent)
                times = [ns for ns, _ in self.rows[host]["rapl/energy-total"]]
                for identity, series in daemons.series_of_collectd(rows).items():
                    name = daemons.identities(host)[identity]
                    self.check_energy(machine, series, name)
                    spans = [(times[times.index(ns) - 1], ns, watts) for ns, watts in series.power
                             if times.index(ns) >= 2]
                    self.check_spans(machine, spans, name, least=7)

    def test_influxdb_has_true_values(self):
        def arrived():
            counted = self.influxdb.query("collectd", "select count(value) from rapl_value")
            return counted and counted[0][1][0]["count"] == sum(
                len(values) for rows in self.rows.values() for values in rows.values())
        self.influxdb.wait_until(arrived, "as many values as in the csv files")
        for host, machine in self.machines.items():
            with self.subTest(machine=host):
                rows = {}
                for tags, points in self.influxdb.query(
                        "collectd",
                        "select value from rapl_value where host='%s' group by *" % host):
                    self.assertEqual(tags.keys(), {"host", "instance", "type", "type_instance"})
                    name = "rapl%s/%s-%s" % (tags["instance"] and "-" + tags["instance"],
                                             tags["type"], tags["type_instance"])
                    rows[name] = [(point["time"], point["value"]) for point in points]
                self.assertEqual(sorted(rows), names_of(host))
                self.check_truth(machine, daemons.series_of_collectd(rows))
                # Here times are not rounded to milliseconds as in csv files.
                times = {tuple(ns for ns, _ in values) for name, values in rows.items()
                         if "/energy-" in name}
                self.assertEqual(len(times), 1)

    def test_nothing_is_logged_where_all_is_well(self):
        for name in self.machines:
            with self.subTest(machine=name):
                self.assertEqual(complaints(self.collectds[name]), [])

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)


class Options(daemons.StageTest):
    """One machine, and a collectd for each configuration."""

    missing = staticmethod(missing_collectd)

    @classmethod
    def prepare(cls):
        cls.machine = cls.stage.simulate("server")
        root = root_of(cls.machine)
        whole = {"environment": {"HOST_MOUNT_PREFIX": cls.machine.root}}
        start = cls.stage.collectd
        cls.wrong_lines = ['Banana 1', 'Source "pigeon"', 'Source 3', 'Root ""',
                           'Zone ""', 'Zone 7', 'IgnoreSelected "perhaps"', 'MaxPower -3',
                           'MaxPower "much"', 'MaxPower 0', 'SampleInterval 0.0009',
                           'SampleInterval -1', 'SampleInterval "10ms"', 'ReportEnergy 2',
                           'ReportTotal "maybe"', 'ReportHealth "x"', 'ReportStatistics 1',
                           'ReportStatistics "max" "p90"', 'ReportStatistics "mean"',
                           'ReportCores "y"']
        cls.collectds = {
            "no-block": start("no-block", **whole),
            "empty-block": start("empty-block", block(), **whole),
            "merged": start("merged", block(root, 'Zone "package-1"', "ReportHealth true") + "\n" +
                            block('Zone "total"', "ReportHealth false")),
            "ignored": start("ignored", block(root, 'Zone "*/dram"', 'Zone "package-0"',
                                              "IgnoreSelected true")),
            "no-total": start("no-total", block(root, "ReportTotal false")),
            "no-energy": start("no-energy", block(root, "ReportEnergy false")),
            "health": start("health", block(root, "ReportHealth true")),
            "wrong": start("wrong", block(*cls.wrong_lines), **whole),
            "slow": start("slow", block(root), load="<LoadPlugin rapl>\nInterval 2\n</LoadPlugin>"),
        }
        if not daemons.missing_namespace():
            shipped = os.path.join(daemons.SOURCE, "configs", "collectd")
            cls.collectds["shipped"] = start(
                "shipped", load='<Include "%s">\nFilter "*.conf"\n</Include>' % shipped,
                binds=[(cls.machine.root + "/proc/cpuinfo", "/proc/cpuinfo"),
                       (cls.machine.root + "/sys", "/sys")])
        for collectd in cls.collectds.values():
            collectd.wait_rows("rapl-package-1/power-package", 4)
        cls.statuses = cls.stage.stop(cls.collectds.values())
        cls.rows = {name: collectd.rows() for name, collectd in cls.collectds.items()}

    def check_defaults(self, name):
        self.assertEqual(sorted(self.rows[name]), names_of("server"))
        self.check_truth(self.machine, daemons.series_of_collectd(self.rows[name]), least=2)

    def test_no_block(self):
        self.check_defaults("no-block")
        self.assertEqual(complaints(self.collectds["no-block"]), [])

    def test_empty_block(self):
        self.check_defaults("empty-block")
        self.assertEqual(complaints(self.collectds["empty-block"]), [])

    def test_shipped_file_unchanged(self):
        if daemons.missing_namespace():
            self.skipTest(daemons.missing_namespace())
        self.check_defaults("shipped")
        self.assertEqual(complaints(self.collectds["shipped"]), [])

    def test_blocks_merge_and_a_later_one_wins(self):
        self.assertEqual(sorted(self.rows["merged"]),
                         ["rapl-package-1/energy-package", "rapl-package-1/power-package",
                          "rapl/energy-total", "rapl/power-total"])

    def test_ignore_selected(self):
        self.assertEqual(sorted(self.rows["ignored"]),
                         ["rapl-package-1/energy-package", "rapl-package-1/power-package",
                          "rapl/energy-total", "rapl/power-total"])

    def test_total_is_over_the_machine_whatever_is_selected(self):
        for name in ("merged", "ignored"):
            series = daemons.series_of_collectd(self.rows[name])["", "total"]
            self.check_power(self.machine, series, "total", least=2)

    def test_report_total_false(self):
        self.assertEqual(sorted(self.rows["no-total"]),
                         [name for name in names_of("server") if "total" not in name])

    def test_report_energy_false(self):
        self.assertEqual(sorted(self.rows["no-energy"]), names_of("server", ["power"]))

    def test_report_health_true(self):
        health = {"rapl/count-zones", "rapl/derive-samples", "rapl/derive-read_errors",
                  "rapl/derive-wraps", "rapl/derive-resets", "rapl/derive-gaps",
                  "rapl/derive-rediscoveries", "rapl/derive-sleeps", "rapl/derive-missed_samples"}
        rows = self.rows["health"]
        self.assertEqual(sorted(rows), sorted({*names_of("server"), *health}))
        self.assertEqual({value for _, value in rows["rapl/count-zones"]}, {4})
        samples = [value for _, value in rows["rapl/derive-samples"]]
        self.assertEqual(samples, list(range(2, 2 + len(samples))))
        for name in ("read_errors", "wraps", "resets", "gaps", "missed_samples"):
            self.assertEqual({value for _, value in rows["rapl/derive-" + name]}, {0}, name)
        for name in health:
            self.assertEqual([ns for ns, _ in rows[name]],
                             [ns for ns, _ in rows["rapl/energy-total"]], name)

    def test_wrong_options_are_named_and_the_defaults_stand(self):
        self.check_defaults("wrong")
        said = [line for line in complaints(self.collectds["wrong"]) if "[error]" in line]
        for line in self.wrong_lines:
            key = line.split()[0]
            # by the plugin, or by collectd's own reader of options: once
            lines = [each for each in said if '"%s"' % key in each or "`%s'" % key in each]
            wanted = sum(each.split()[0] == key for each in self.wrong_lines)
            self.assertEqual(len(lines), wanted, "%s: %s" % (key, said))

    def test_interval_of_the_plugin(self):
        times = [ns for ns, _ in self.rows["slow"]["rapl/energy-total"]]
        for before, after in zip(times, times[1:]):
            self.assertAlmostEqual((after - before) / 1e9, 2, delta=0.5)
        self.check_truth(self.machine, daemons.series_of_collectd(self.rows["slow"]), least=2)

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)


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
        """That many more reports of each collectd, whatever they hold."""
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
        # Its power after the gap is the mean over it, and its energy is whole.
        self.check_power(self.failing, series["package-0", "dram"], "package-0/dram", least=6)
        self.check_energy(self.failing, series["package-0", "dram"], "package-0/dram", least=7)
        # total pauses meanwhile, for it would lack dram.
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
                                  r"To mend: \S+")
        self.assertRegex(said[1], r"\[info\].*Over: .*intel-rapl:0:\d/energy_uj")
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
        # It continues: its energy holds what it used meanwhile.
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
        # And with it once it is back.
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
        self.assertRegex(said[0], "holds no RAPL zone. To mend: ")
        self.assertRegex(said[1], "Over: .*holds no RAPL zone")
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
                                  r"To mend: \S+")

    def test_files_that_may_not_be_read(self):
        if "nobody" not in self.collectds:
            self.skipTest("only root can run collectd as another user")
        self.assertEqual({name for name in self.rows["nobody"] if "/derive-" not in name},
                         {"rapl/count-zones"})
        said = complaints(self.collectds["nobody"])
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"\[warning\].* %s/sys/\S*intel-rapl:0/energy_uj "
                                  r"\(and 3 more\): Permission denied\. To mend: .*sudo \S+" %
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
            self.assertEqual(collectd.lines("suspend|[Rr]ead-function"), [], name)
            times = self.times(name)
            self.assertGreaterEqual(len(times), 12, name)
            self.assertLess(times[-1] - times[0], (len(times) + 2) * 1e9, name)

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)


class Life(daemons.StageTest):
    missing = staticmethod(missing_collectd)

    def test_sigterm_at_any_time(self):
        machine = self.stage.simulate("server")
        running = {}
        for name, delay in (("at-once", 0), ("soon", 0.3), ("at-a-read", 0.97), ("later", 1.4)):
            running[self.stage.collectd(name, block(root_of(machine)))] = delay
        ends = {}
        for collectd, delay in running.items():
            collectd.wait_log("Initialization complete")
            ends[collectd] = time.monotonic() + delay
        for collectd, end in sorted(ends.items(), key=lambda pair: pair[1]):
            time.sleep(max(0, end - time.monotonic()))
            collectd.ask_to_stop()
        for collectd in running:
            self.assertEqual(collectd.stop(), 0, collectd.name)

    def test_all_is_found_while_others_rename_files(self):
        # To find a link's target below a root, ".." in it has to be followed, and then the kernel
        # gives EAGAIN where anything was renamed or mounted at that moment, anywhere.
        machine = self.stage.simulate("server")
        with daemons.renames(self.stage.path("renames")):
            running = [self.stage.collectd("start-%d" % i, block(root_of(machine)))
                       for i in range(4)]
            for collectd in running:
                collectd.wait_log("Initialization complete")
                collectd.wait_rows("rapl/energy-total", 1)
        statuses = self.stage.stop(running)
        for collectd in running:
            self.assertEqual(complaints(collectd), [])
            self.assertTrue({*names_of("server", ["energy"])} <= {*collectd.rows()})
        self.assertEqual(set(statuses.values()), {0})


class Symbols(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(daemons.COLLECTD_PLUGIN), "rapl.so is not built")
    @unittest.skipIf(daemons.find_program("nm") is None, "nm is not installed (package binutils)")
    def test_only_module_register_is_visible(self):
        # Else a function of ours could be taken for one of collectd's with that name.
        symbols = subprocess.run(
            [daemons.find_program("nm"), "-D", "--defined-only", daemons.COLLECTD_PLUGIN],
            stdout=subprocess.PIPE, check=True).stdout.decode()
        self.assertEqual([line.split()[1:] for line in symbols.splitlines()],
                         [["T", "module_register"]])


class Guard(daemons.StageTest):
    """A counter that goes round more than once between two reads of collectd."""

    @classmethod
    def missing(cls):
        return missing_collectd()

    def test_no_turn_is_missed(self):
        watts, range_uj = 200, 1199999999  # a turn takes 6 s, and at 300 W 4 s
        with tree.Tree.make({"intel-rapl:0": "package-0"}, range_uj) as machine:
            with tree.Pump(machine, "intel-rapl:0", watts, range_uj):
                collectd = self.stage.collectd(
                    "guard", block(root_of(machine), "MaxPower 300", "ReportHealth true"),
                    load="<LoadPlugin rapl>\n  Interval 9\n</LoadPlugin>")
                collectd.wait_rows("rapl-package-0/energy-package", 3)
            self.assertEqual({"guard": 0}, self.stage.stop([collectd]))
        rows = collectd.rows()["rapl-package-0/energy-package"]
        seconds = (rows[2][0] - rows[0][0]) / 1e9
        self.assertAlmostEqual(watts, (rows[2][1] - rows[0][1]) / seconds, delta=0.01 * watts)
        for name in ("gaps", "resets"):
            self.assertEqual({0}, {value for _, value in collectd.rows()["rapl/derive-" + name]})
        self.assertEqual([], complaints(collectd))


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
        cls.machine = cls.stage.simulate("server", "--load", "pulse", "--load-period", "1s",
                                         "--power", "package-0=57.5")
        root, every = root_of(cls.machine), "SampleInterval 0.01"
        cls.collectds = {name: cls.stage.collectd(name, block(root, *lines)) for name, lines in {
            "all": [every, "ReportHealth true"],
            "list": ['ReportStatistics "max" "p99"', every],
            "none": [every, "ReportStatistics false", "ReportHealth true"],
            "off": ["SampleInterval 0", "ReportStatistics true", "ReportHealth true"],
            "too-long": ["SampleInterval 1.5", "ReportHealth true"]}.items()}
        for collectd in cls.collectds.values():
            collectd.wait_rows("rapl/power-total", 8)
        cls.statuses = cls.stage.stop(cls.collectds.values())
        cls.rows = {name: {series: values for series, values in collectd.rows().items()
                           if not re.match("rapl/(count-zones|derive-)", series)}
                    for name, collectd in cls.collectds.items()}

    def values(self, name, collectd="all"):
        return [value for _, value in self.rows[collectd]["rapl-package-0/" + name]]

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
        self.assertAlmostEqual(sum(mean) / len(mean), 57.5, delta=0.05 * 57.5)
        # Not every pulse holds a whole sample, of 30 ms.
        for collectd in ("all", "list"):
            most = self.values("power-package-max", collectd)
            self.assertAlmostEqual(max(most), 200, delta=samples.SHARPNESS * 200)
        for watts in self.values("power-package-min"):
            self.assertAlmostEqual(watts, 50, delta=samples.SHARPNESS * 50)
        middle = self.values("power-package-p50")
        self.assertAlmostEqual(sorted(middle)[len(middle) // 2], 50, delta=samples.PERCENTILE * 50)

    def test_they_come_with_the_power(self):
        times = [ns for ns, _ in self.rows["all"]["rapl/power-total"]]
        counts = self.rows["all"]["rapl/count-total-samples"]
        self.assertEqual([ns for ns, _ in counts], times)
        for _, count in counts[1:]:
            self.assertGreater(count, 5)
            self.assertLess(count, 50)  # of 20 updates, a millisecond each

    def test_the_thread_reads_in_between(self):
        taken = self.health("all", "samples")
        missed = self.health("all", "missed_samples")
        reports = len(taken) - 1
        times = [ns for ns, _ in self.rows["all"]["rapl/energy-total"]]
        instants = (times[-1] - times[0]) / 1e7
        passed = taken[-1] - taken[0] - reports + missed[-1] - missed[0]
        # The thread starts after the first report; a report's sample may be that of an instant.
        self.assertAlmostEqual(passed, instants, delta=reports + 2)
        self.assertGreater(taken[-1] - taken[0], 3 * reports)

    def test_nothing_where_nobody_asks(self):
        for name in ("none", "off", "too-long"):
            with self.subTest(collectd=name):
                self.assertEqual(sorted(self.rows[name]), names_of("server"))
                taken = self.health(name, "samples")
                self.assertEqual(taken, list(range(2, 2 + len(taken))))

    def test_longer_than_the_interval_is_an_error(self):
        self.assertEqual(complaints(self.collectds["too-long"]), [
            '[error] rapl plugin: option "SampleInterval" is longer than the interval; there will '
            'be no statistics.'])

    def test_nothing_is_logged_where_all_is_well(self):
        for name in ("all", "list", "none", "off"):
            self.assertEqual(complaints(self.collectds[name]), [])

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)


class ManyZones(daemons.StageTest):
    """More zones than most machines read in a millisecond, read each millisecond: collectd has its
    turn with the handle, and its end."""

    ZONES = 4096
    INTERVAL_SECONDS = 0.2

    @classmethod
    def missing(cls):
        return missing_collectd()

    def test_reads_come_at_their_time(self):
        names = {"intel-rapl:%d" % i: "package-%d" % i for i in range(self.ZONES)}
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tree.Tree.make(names, below=memory) as machine:
            collectd = self.stage.collectd(
                "many", block(root_of(machine), 'Zone "total"', "SampleInterval 0.001",
                              "ReportHealth true"),
                load="<LoadPlugin rapl>\n  Interval %g\n</LoadPlugin>" % self.INTERVAL_SECONDS,
                before=["prlimit", "--nofile=10000:10000"])
            collectd.wait_rows("rapl/power-total", 20)
            began = time.monotonic()
            self.assertEqual({"many": 0}, self.stage.stop([collectd]))
            self.assertLess(time.monotonic() - began, 5)
        rows = collectd.rows()
        times = [ns for ns, _ in rows["rapl/energy-total"]]
        late = [after - before - self.INTERVAL_SECONDS * 1e9
                for before, after in zip(times, times[1:])]
        self.assertLess(sorted(late)[len(late) // 2], 0.1e9)
        self.assertEqual({self.ZONES}, {value for _, value in rows["rapl/count-zones"]})
        self.assertGreater(rows["rapl/derive-samples"][-1][1], 5 * len(times))
        self.assertEqual([], complaints(collectd))
        self.assertEqual([], collectd.lines("[Rr]ead-function"))


class Limits(daemons.StageTest):
    """More counters than half of the daemon's open files, and a root that someone has spoilt."""

    FILES = 64
    OWN_FILES = 5  # of the core, beside counters (rapl.c)

    missing = staticmethod(missing_collectd)

    def test_half_of_the_open_files_is_left_to_others(self):
        zones = {"intel-rapl:8": "psys"}
        for package in range(8):
            zones["intel-rapl:%x" % package] = "package-%d" % package
            for number, name in enumerate(("core", "uncore", "other", "dram")):
                zones["intel-rapl:%x:%x" % (package, number)] = name
        read = self.FILES // 2 - self.OWN_FILES
        with tree.Tree.make(zones) as machine:
            limit = "--nofile=%d:%d" % (self.FILES, self.FILES)
            collectd = self.stage.collectd("limited", block(root_of(machine)),
                                           before=["prlimit", limit])
            collectd.wait_rows("rapl/power-total", 2)
            pid = collectd.process.pid
            opened = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                      for fd in os.listdir("/proc/%d/fd" % pid)]
            self.assertEqual({"limited": 0}, self.stage.stop([collectd]))
        ours = [path for path in opened if path.startswith(machine.root)]
        self.assertEqual(sum(path.endswith("/energy_uj") for path in ours), read)
        self.assertLessEqual(len(ours), self.FILES // 2)
        parents = {"rapl-package-%d" % package for package in range(8)}
        rows = {name for name in collectd.rows() if "/energy-" in name}
        wanted = {"%s/energy-%s" % (parent, domain)
                  for parent in parents for domain in ("package", "dram", "core")}
        wanted |= {"rapl-psys/energy-psys", "rapl/energy-total"}
        wanted |= {"rapl-package-%d/energy-uncore" % package for package in range(read - 25)}
        self.assertEqual(rows, wanted)
        said = complaints(collectd)
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"\[warning\].*%d counters are left out, such as "
                                  r"package-\d/uncore: at most %d open files .*To mend: raise "
                                  r"LimitNOFILE=" % (len(zones) - read, read))

    def test_a_spoilt_root_costs_no_sound_zone(self):
        with tree.Tree.make({"intel-rapl:0": "package-0", "intel-rapl:1": "package-1",
                             "intel-rapl:2": "package-2", "intel-rapl:3": "package-3",
                             "intel-rapl:4": "other"}) as machine:
            for zone, spoil in (("intel-rapl:1", os.mkfifo), ("intel-rapl:2", os.mkdir),
                                ("intel-rapl:3", lambda path: os.symlink(path, path))):
                path = os.path.realpath(machine.path(zone, "energy_uj"))
                os.unlink(path)
                spoil(path)
            machine.write("intel-rapl:4", "name", b"\x1b[31mred\n")
            os.mkdir(os.path.join(machine.root, tree.CLASS, "intel-rapl-\n[error]:0"))
            with tree.Pump(machine, "intel-rapl:0", 50, tree.RANGE_UJ):
                collectd = self.stage.collectd("spoilt", block(root_of(machine)))
                collectd.wait_rows("rapl-package-0/power-package", 4)
            self.assertEqual({"spoilt": 0}, self.stage.stop([collectd]))
        rows = collectd.rows()
        self.assertEqual({name for name in rows if "/energy-" in name}, {
            "rapl-package-0/energy-package", "rapl-__31mred/energy-__31mred", "rapl/energy-total"})
        for _, watts in rows["rapl-package-0/power-package"]:
            self.assertAlmostEqual(watts, 50, delta=15)  # the pump rests where the machine is busy
        said = complaints(collectd)
        self.assertLessEqual(len(said), 2, said)
        for line in said:
            self.assertRegex(line, r"\A\[warning\] rapl plugin: [\x20-\x7e]+\Z")


if __name__ == "__main__":
    tap.main()
