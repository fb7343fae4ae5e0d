# SPDX-License-Identifier: MIT
"""The options of rapl.so in the real collectd, and the symbols that it exports."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import tap  # noqa: E402
from collectd import block, check_quiet, complaints, missing_collectd, names_of, root_of  # noqa: E402


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
        types = os.path.join(cls.stage.folder, "types.db")
        with open(types, "w", encoding="ascii") as file:
            file.write("power value:GAUGE:U:U\n")
        cls.collectds = {
            "no-block": start("no-block", **whole),
            "empty-block": start("empty-block", block(), **whole),
            "merged": start("merged", block(root, 'Zone "package-1"', "ReportHealth true") + "\n" +
                            block('Zone "total"', "ReportHealth false")),
            "ignored": start("ignored", block(root, 'Zone "*/dram"', 'Zone "package-0"',
                                              "IgnoreSelected true")),
            "patterns": start("patterns", block(
                root, 'Zone "pakage-0" "package-1" "total"', 'Zone "psys-7"', 'Zone "*/dram" 7')),
            "no-types": start("no-types", block(root, "ReportHealth true", "ReportTotal on",
                                                'ReportCores off'),
                              load='TypesDB "%s"\nLoadPlugin rapl' % types),
            "no-total": start("no-total", block(root, "ReportTotal false")),
            "no-energy": start("no-energy", block(root, "ReportEnergy false")),
            "health": start("health", block(root, "ReportHealth true")),
            "wrong": start("wrong", block(*cls.wrong_lines), **whole),
            "slow": start("slow", block(root), load="<LoadPlugin rapl>\nInterval 2\n</LoadPlugin>"),
        }
        if not daemons.missing_namespace():
            shipped = os.path.join(cls.stage.folder, "configs")  # Include allows no spaces
            os.symlink(os.path.join(daemons.SOURCE, "configs", "collectd"), shipped)
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

    def test_several_patterns_of_one_zone_option(self):
        self.assertEqual(sorted(self.rows["patterns"]),
                         ["rapl-package-0/energy-dram", "rapl-package-0/power-dram",
                          "rapl-package-1/energy-dram", "rapl-package-1/energy-package",
                          "rapl-package-1/power-dram", "rapl-package-1/power-package",
                          "rapl/energy-total", "rapl/power-total"])
        said = complaints(self.collectds["patterns"])
        self.assertEqual(len(said), 3, said)
        self.assertRegex(said[0], r'\[error\] rapl plugin: option "Zone" takes patterns in quotes')
        for line, pattern in zip(said[1:], ("pakage-0", "psys-7")):
            self.assertIn('the pattern "%s" matches no zone. Fix: ' % pattern, line)

    def test_types_that_are_missing_are_named_once(self):
        """No value of such a type is sent, because collectd would log an error for each."""
        self.assertEqual(sorted(self.rows["no-types"]), names_of("server", ["power"]))
        said = complaints(self.collectds["no-types"])
        self.assertEqual(len(said), 3, said)
        for line, name in zip(said, ("energy", "count", "derive")):
            self.assertRegex(line, r'\[error\] rapl plugin: no types.db has the type "%s"; .*'
                                   'add TypesDB "/usr/share/collectd/types.db"' % name)
        self.assertEqual(self.collectds["no-types"].lines("Dataset not found"), [])

    def test_first_line_is_the_version(self):
        for name, collectd in self.collectds.items():
            first = collectd.lines("rapl plugin: ")[0]
            self.assertRegex(first, r"rapl plugin: version [0-9.]+ \(commit \S+\)$", name)

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
        health = {"rapl/count-zones", "rapl/derive-sweeps", "rapl/derive-read_errors",
                  "rapl/derive-wraps", "rapl/derive-resets", "rapl/derive-gaps",
                  "rapl/derive-rediscoveries", "rapl/derive-sleeps", "rapl/derive-missed_samples",
                  "rapl/derive-stalls"}
        rows = self.rows["health"]
        self.assertEqual(sorted(rows), sorted({*names_of("server"), *health}))
        self.assertEqual({value for _, value in rows["rapl/count-zones"]}, {4})
        samples = [value for _, value in rows["rapl/derive-sweeps"]]
        check_quiet(self, samples)
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
            # once, by the plugin or by collectd's own option parser
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


class Symbols(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(daemons.COLLECTD_PLUGIN), "rapl.so is not built")
    @unittest.skipIf(daemons.find_program("nm") is None, "nm is not installed (package binutils)")
    def test_only_module_register_is_visible(self):
        # Otherwise one of our functions could replace one of collectd's with that name.
        symbols = subprocess.run(
            [daemons.find_program("nm"), "-D", "--defined-only", daemons.COLLECTD_PLUGIN],
            stdout=subprocess.PIPE, check=True).stdout.decode()
        self.assertEqual([line.split()[1:] for line in symbols.splitlines()],
                         [["T", "module_register"]])


if __name__ == "__main__":
    tap.main()
