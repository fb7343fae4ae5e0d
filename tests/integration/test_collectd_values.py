# SPDX-License-Identifier: MIT
"""rapl.so in the real collectd: what arrives in csv files, in Graphite and in InfluxDB."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import tap  # noqa: E402
from collectd import block, complaints, missing_collectd, names_of, root_of  # noqa: E402


REPORTS = 11


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
            # Its packages wrap after about 3 and 8 seconds.
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
                    # In their first second, zones use less than in the following ten, at any power.
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
                    else:  # either only the first has none yet, or all have one
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


if __name__ == "__main__":
    tap.main()
