# SPDX-License-Identifier: MIT
"""The options of rapl-execd, and what each of them changes in a report."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import handbook
import sim
import tap
from execd import Execd, parse_line, parse_reports, run
from tree import Pump, Tree, write
from tree_case import TreeCase

PACKAGE_0 = "domain=package,package_id=0"
PACKAGE_1 = "domain=package,package_id=1"
CORE_0 = "domain=core,package_id=0"
DRAM_0 = "domain=dram,package_id=0"
DRAM_1 = "domain=dram,package_id=1"
PSYS = "domain=psys"
TOTAL = "domain=total"

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
         "intel-rapl:1": "package-1", "intel-rapl:1:0": "dram", "intel-rapl:2": "psys"}
MOVED = {"intel-rapl:0": 1000001, "intel-rapl:0:0": 200002, "intel-rapl:0:1": 30003,
         "intel-rapl:1": 4000004, "intel-rapl:1:0": 500005, "intel-rapl:2": 9000009}
SERIES = dict(zip(ZONES, (PACKAGE_0, CORE_0, DRAM_0, PACKAGE_1, DRAM_1, PSYS)))
MACHINE_UJ = 1000001 + 30003 + 4000004 + 500005


class OptionCase(TreeCase):
    ZONES = ZONES

    def once(self, *options, **more):
        with Pump(self.tree, list(ZONES), 20):
            return run("--once", "--interval=60ms", *options, root=self.tree.root, **more)


class Selection(OptionCase):
    def check(self, options, expected):
        """Only those series are reported; the total covers the machine, whatever is selected."""
        with self.subTest(options=options):
            execd = self.start(*options)
            execd.ask()
            self.tree.move(MOVED)
            report = execd.ask()
            self.assertEqual(set(report), expected)
            for zone, series in SERIES.items():
                if series in expected:
                    self.assertEqual(report.energy_uj(series), MOVED[zone])
            if TOTAL in expected:
                self.assertEqual(report.energy_uj(TOTAL), MACHINE_UJ)
            self.assertEqual(execd.stop(), 0)
            self.assertEqual(execd.messages(), [])

    def test_include(self):
        self.check(["--include=package-*"], {PACKAGE_0, PACKAGE_1})
        self.check(["--include=package-*", "--include=total"], {PACKAGE_0, PACKAGE_1, TOTAL})
        self.check(["--include=*/dram"], {DRAM_0, DRAM_1})
        self.check(["--include=package-0/*"], {CORE_0, DRAM_0})
        self.check(["--include=package-[1-9]", "--include=psys"], {PACKAGE_1, PSYS})
        self.check(["--include=total"], {TOTAL})
        self.check(["--include=*"], {PACKAGE_0, PACKAGE_1, PSYS, TOTAL})

    def test_exclude(self):
        everything = {*SERIES.values(), TOTAL}
        self.check(["--exclude=package-*"], everything - {PACKAGE_0, PACKAGE_1})
        self.check(["--exclude=*/*"], {PACKAGE_0, PACKAGE_1, PSYS, TOTAL})
        self.check(["--exclude=total", "--exclude=psys"], everything - {TOTAL, PSYS})

    def test_exclude_wins(self):
        self.check(["--include=package-0", "--include=package-1", "--exclude=package-0"],
                   {PACKAGE_1})

    def test_no_total(self):
        self.check(["--total=no"], set(SERIES.values()))
        self.check(["--total=yes"], {*SERIES.values(), TOTAL})

    def test_nothing_selected_is_told_once(self):
        execd = self.start("--include=package-7")
        execd.wait_message("^[EW]! .*package-7.*--check")
        execd.prompt()
        self.assertEqual(execd.finish(), (0, ""))
        self.assertEqual(len(execd.messages()), 1, execd.messages())


class Patterns(OptionCase):
    """A pattern that matches no zone is usually a typing error."""

    WORDS = 'W! the pattern "%s" matches no zone. Fix: .*--check'

    def check(self, options, unmatched):
        with self.subTest(options=options):
            execd = self.start(*options)
            for _ in range(2):
                execd.ask()
            self.assertEqual(execd.stop(), 0)
            messages = execd.messages()
            self.assertEqual(len(messages), len(unmatched), messages)
            for pattern in unmatched:
                self.assertRegex("\n".join(messages), self.WORDS % re.escape(pattern))

    def test_each_pattern_without_a_match_is_told_once(self):
        self.check(["--include=pakage-0", "--include=package-1"], ["pakage-0"])
        self.check(["--include=pakage-0", "--include=package-1", "--include=psys-7"],
                   ["pakage-0", "psys-7"])
        self.check(["--exclude=drum"], ["drum"])
        self.check(["--exclude=dram"], ["dram"])  # it also matches */dram
        self.check(["--include=package-?", "--exclude=core", "--exclude=package-0"], ["core"])

    def test_a_pattern_with_a_match_is_no_complaint(self):
        self.check(["--include=package-0", "--include=*/core", "--include=total"], [])
        self.check(["--exclude=*/core", "--exclude=psys", "--exclude=total"], [])
        # The pattern matches, even if something else excludes the zone.
        self.check(["--include=package-*", "--exclude=package-0"], [])

    def test_total_that_is_off_matches_nothing(self):
        self.check(["--total=no", "--include=package-0", "--include=total"], ["total"])

    @sim.needed
    def test_single_cores_match_where_they_are_reported(self):
        machine = sim.Machine("--machine", "epyc")
        self.addCleanup(machine.stop)
        for options, unmatched in ((["--cores=yes"], []), ([], ["package-0-core-0/core"])):
            ended = run("--check", "--source=msr", "--include=package-0",
                        "--include=package-0-core-0/core", *options, root=machine.root)
            self.assertEqual(re.findall('the pattern "(.*)" matches', ended.text), unmatched)

    def test_a_zone_that_comes_later_ends_the_complaint(self):
        write(self.tree.root, "sys/devices/system/cpu/online", "0-7\n")
        execd = self.start("--include=package-0", "--include=package-2")
        execd.ask()
        execd.wait_message(self.WORDS % "package-2")
        self.tree.add("intel-rapl:3", "package-2", 10**9)
        write(self.tree.root, "sys/devices/system/cpu/online", "0-15\n")
        execd.ask()
        self.assertEqual(len(execd.messages()), 2)
        self.assertEqual(execd.messages()[1], 'I! Resolved: the pattern "package-2" matches no zone')

    def test_without_zones_nothing_is_said_of_patterns(self):
        with Tree() as tree:
            ended = run("--check", "--include=package-0", "--include=total", root=tree.root)
        self.assertNotIn("pattern", ended.text)

    def test_check_tells_it(self):
        ended = run("--check", "--include=pakage-0", "--include=package-1", root=self.tree.root)
        self.assertRegex(ended.text, '(?m)^the pattern "pakage-0" matches no zone$')

    def test_several_that_select_nothing_are_one_message(self):
        execd = self.start("--include=package-7", "--include=package-8", "--exclude=drum")
        execd.prompt()
        self.assertEqual(execd.finish(), (0, ""))
        first, second = execd.messages()
        self.assertRegex(first, '^E! no zone is selected: the pattern "package-7" \\(and 1 more\\) '
                                "matches none")
        self.assertRegex(second, self.WORDS % "drum")


class Fields(OptionCase):
    def test_without_energy(self):
        execd = self.start("--energy=no")
        self.tree.settle(execd)
        for fields in execd.ask().values():
            self.assertEqual(list(fields), ["power_watts"])

    def test_health_is_integers(self):
        execd = self.start("--health=yes")
        self.tree.settle(execd)
        before, health = [execd.ask()["rapl_health,source=powercap"] for _ in range(2)]
        self.assertEqual(set(health), {"zones", "sweeps", "read_errors", "wraps", "resets",
                                       "gaps", "rediscoveries", "sleeps", "missed_samples",
                                       "stalls"})
        self.assertEqual(set(health), {row[0] for row in handbook.rows("docs/metrics.md", "health field")})
        for name, value in health.items():
            self.assertIs(type(value), int, name)
        self.assertEqual(health["zones"], len(ZONES))
        # It has read often, to find the update periods, and reads once per report.
        self.assertGreater(before["sweeps"], 9)
        self.assertEqual(health["sweeps"], before["sweeps"] + 1)
        self.assertEqual(sum(health.values()), len(ZONES) + health["sweeps"])

    def test_health_counts_errors_and_gaps(self):
        execd = self.start("--health=yes")
        self.tree.settle(execd)
        execd.ask()
        self.tree.write("intel-rapl:1", "energy_uj", b"?\n")
        execd.ask()
        health = execd.ask()["rapl_health,source=powercap"]
        self.assertEqual((health["zones"], health["read_errors"], health["gaps"]),
                         (len(ZONES) - 1, 2, 1))

    def test_health_without_zones(self):
        with Tree() as tree, Execd("--health=yes", root=tree.root) as execd:
            self.assertEqual(list(execd.ask()), ["rapl_health,source=powercap"])

    def test_no_health_unless_asked(self):
        self.assertNotIn("rapl_health,source=powercap", self.start().ask())

    def test_max_power_replaces_all_ceilings_but_that_of_psys(self):
        # 2 J in a step that counts as 50 ms are 40 W.
        execd = self.start("--max-power=20")
        execd.ask()
        for _ in range(50):
            self.tree.move({"intel-rapl:0": 2 * 10**6, "intel-rapl:1": 100, "intel-rapl:2": 10**8})
            report = execd.ask()
            if PACKAGE_0 not in report:
                break  # otherwise the machine was so slow that it may have been 20 W
        self.assertNotIn(PACKAGE_0, report)
        self.assertIn(PACKAGE_1, report)
        self.assertIn(PSYS, report)
        self.assertEqual(execd.stop(), 0)
        self.assertRegex("\n".join(execd.messages()), "W! package-0.*--max-power")

    def test_statistics_without_samples_inside_the_interval_changes_nothing(self):
        for value in ("yes", "no"):
            self.assertIn(PACKAGE_0, self.start("--statistics=" + value).ask())


class Tags(OptionCase):
    def test_every_special_character(self):
        value = "a b,c=d\"e'f\\g#h/i:j%s\u00e9\u4f60{}$`;|&<>"
        key = "k e,y=\"\\x\u00e9"
        report = self.start("--tag=" + key.replace("=", "") + "=" + value).ask()
        for line in report.lines:
            self.assertEqual(line.tags[key.replace("=", "")], value)

    def test_backslash_before_what_is_escaped(self):
        for value in ("x\\,y", "x\\ y", "x\\=y", "x\\y", "x\\\\y"):
            with self.subTest(value=value), Execd("--tag=a=" + value, root=self.tree.root) as execd:
                for line in execd.ask().lines:
                    self.assertEqual(line.tags["a"], value)

    def test_text_on_the_wire(self):
        ended = self.once("--tag=rack id=a b,c=d\\e", "--include=package-0")
        self.assertTrue(ended.text.startswith(
            r"rapl,domain=package,package_id=0,rack\ id=a\ b\,c\=d\e power_watts="), ended.text)

    def test_byte_order_and_repetition(self):
        ended = self.once("--tag=zone=z", "--tag=Rack=1", "--tag=die=d", "--tag=domain2=x",
                          "--tag=\u00e4=u", "--health=yes")
        self.assertEqual(ended.status, 0, ended.messages)
        lines = [parse_line(line) for line in ended.text.splitlines()]  # checks the order
        package = next(line for line in lines if line.tags.get("domain") == "package")
        self.assertEqual(list(package.tags),
                         ["Rack", "die", "domain", "domain2", "package_id", "zone", "\u00e4"])
        health = next(line for line in lines if line.measurement == "rapl_health")
        self.assertEqual(list(health.tags), ["Rack", "die", "domain2", "source", "zone", "\u00e4"])

    def test_refused(self):
        for tag in ("a=x\ny", "a=x\ty", "a=x\x7f", "a=x\x01", "a\n=x", "a=x\\", "a\\=x", "a=",
                    "=x", "a", "", "=", "domain=x", "package_id=1", "die_id=1", "core_id=1",
                    "source=x", "host=x", "a=x\r"):
            with self.subTest(tag=tag):
                ended = self.once("--tag=" + tag)
                self.assertEqual((ended.status, ended.text), (2, ""))
                self.assertRegex(ended.messages[0], "^E! --tag ")

    def test_one_key_twice_is_refused(self):
        ended = self.once("--tag=a=1", "--tag=a=2")
        self.assertEqual(ended.status, 2)


class Wrong(OptionCase):
    def test_exit_2_and_the_option_named(self):
        for option in ("--interval=10", "--interval=0s", "--interval=-1s", "--interval=1.s",
                       "--interval=", "--interval=10x", "--interval=99999999999999999999s",
                       "--interval=1.1d", "--source=turbostat",
                       "--source=", "--energy=maybe", "--total=", "--health=1", "--statistics=p90",
                       "--cores=1", "--max-power=0", "--max-power=-5", "--max-power=nan",
                       "--max-power=inf", "--max-power=1e3", "--max-power=0x10", "--max-power=",
                       "--max-power=5W", "--include=", "--exclude=", "--root=",
                       "--sample-interval=10", "--sample-interval=x"):
            with self.subTest(option=option):
                ended = run(option)
                self.assertEqual((ended.status, ended.text), (2, ""))
                self.assertEqual(len(ended.messages), 1, ended.messages)
                self.assertTrue(ended.messages[0].startswith("E! " + option.partition("=")[0]),
                                ended.messages)

    def test_unknown_and_incomplete(self):
        for words in (["--unknown"], ["--unknown=1"], ["-x"], ["word"], ["--once=1"],
                      ["--once", "word"], ["--interval"], ["--check", "--nonsense"], ["-"]):
            with self.subTest(words=words):
                ended = run(*words)
                self.assertEqual((ended.status, ended.text), (2, ""))
                self.assertIn(words[-1].partition("=")[0], ended.messages[0])
                self.assertRegex(ended.messages[0], "--help")

    def test_samples_inside_the_interval_may_be_off(self):
        self.assertEqual(self.once("--sample-interval=off").status, 0)


class Informing(OptionCase):
    def test_help_names_every_option(self):
        """The help lists exactly the options that are accepted."""
        ended = run("--help")
        self.assertEqual((ended.status, ended.messages), (0, []))
        self.assertLessEqual(max(map(len, ended.text.splitlines())), 100)
        self.assertRegex(ended.text,
                         r"(?m)^ *--source=SOURCE +auto, powercap, perf or msr \[auto\]$")
        page = handbook.read("docs/configuration.md")
        listed = re.findall(r"(?m)^ +(?:(-.), )?(--[a-z-]+)(\[?=\S+)?  +\S", ended.text)
        self.assertGreater(len(listed), 15)
        for letter, name, value in listed:
            with self.subTest(name=name):
                wrong = run(name + "=\x01", "--help")
                self.assertEqual(value == "", "takes no value" in "".join(wrong.messages))
                if value.startswith("="):
                    self.assertIn(name + " needs a value", run(name).messages[0])
                elif name not in ("--help", "--version"):
                    self.assertIn("--unknown", run(name, "--unknown").messages[0])
                if letter:
                    self.assertEqual(run(letter), run(name))
                self.assertTrue(name in page, "docs/configuration.md lacks " + name)
        for option in ("once", "check", "interval", "include", "cores", "quiet", "version"):
            self.assertIn("--" + option, [name for _, name, _ in listed])

    def test_version(self):
        ended = run("--version")
        self.assertEqual((ended.status, ended.messages), (0, []))
        self.assertRegex(ended.text,
                         r"^rapl-execd [0-9]+\.[0-9]+\.[0-9]+ \(commit ([0-9a-f]{7,}(-dirty)?|unknown)\)\n"
                         r"libcap: (yes|no, .+)\nlibseccomp: (yes|no, .+)\n"
                         r"RAPL_SANDBOX: (on|off)\n$")

    def test_quiet_leaves_errors_and_warnings(self):
        for options, levels in (([], "I"), (["--quiet"], ""), (["--quiet", "--debug"], "D")):
            execd = self.start("--source=auto", *options)
            execd.ask()
            self.assertEqual(execd.stop(), 0)
            self.assertEqual({line[0] for line in execd.lines()}, set(levels))
        ended = run("--quiet", "--include=pakage-0", "--include=total", root=self.tree.root)
        self.assertRegex("".join(ended.lines), "^W! [^!]*$")

    def test_debug(self):
        execd = self.start("--debug")
        execd.ask()
        self.assertTrue(any(line.startswith("D! ") for line in execd.messages()))
        execd = self.start()
        execd.ask()
        self.assertEqual(execd.messages(), [])

    def test_root_by_environment(self):
        with Execd(environment={"HOST_MOUNT_PREFIX": self.tree.root}) as execd:
            self.assertIn(PACKAGE_0, execd.ask())
        with Tree() as other:
            execd = self.start(environment={"HOST_MOUNT_PREFIX": other.root})
            self.assertIn(PACKAGE_0, execd.ask())

    def test_root_by_the_variables_of_other_inputs(self):
        root = self.tree.root
        for more in ({}, {"HOST_PROC": root + "/proc"}):
            with Execd(environment={"HOST_SYS": root + "/sys", **more}) as execd:
                self.assertIn(PACKAGE_0, execd.ask())
                self.assertEqual(execd.messages(), [])
        ended = run("--check", environment={"HOST_SYS": root + "/sys/"})
        self.assertRegex(ended.text, "below %s\n" % root)
        self.assertNotIn("only while a counter is opened", ended.text)  # no right is raised there

    def test_variables_that_cannot_be_followed_are_told(self):
        for variables, unused in (({"HOST_SYS": "/host_sys"}, "HOST_SYS=/host_sys"),
                                  ({"HOST_SYS": self.tree.root + "/sys", "HOST_PROC": "/proc"},
                                   "HOST_PROC=/proc")):
            ended = run("--check", environment=variables)
            self.assertRegex(ended.messages[0],
                             "^W! %s is not used: .*; set HOST_MOUNT_PREFIX " % unused)

    def test_source(self):
        for source, said in (("auto", ["I! source powercap"]), ("powercap", [])):
            execd = self.start("--source=" + source)
            self.assertIn(PACKAGE_0, execd.ask())
            self.assertEqual(said, execd.lines())

    def test_locale_changes_no_number(self):
        self.once(environment={"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"})
        ended = self.once(environment={"LC_ALL": "de_DE.UTF-8"})
        self.assertEqual(len(parse_reports(ended.text)), 1)


class Once(OptionCase):
    def test_nothing_on_stderr_where_nothing_is_wrong(self):
        self.assertEqual(self.once("--source=auto").lines, [])
        self.assertIn("D! ", "".join(self.once("--debug").lines))

    def test_power_without_energy_after_the_interval(self):
        self.check_power(0.06)
        self.check_power(0.3)

    @tap.tries(5)
    def check_power(self, least):
        began = time.monotonic()
        with Pump(self.tree, list(ZONES), 20):
            ended = run("--once", "--interval=%dms" % (least * 1000), root=self.tree.root)
        took = time.monotonic() - began
        self.assertEqual((ended.status, ended.messages), (0, []))
        (report,) = parse_reports(ended.text)
        self.assertEqual(set(report), {*SERIES.values(), TOTAL})
        for fields in report.values():
            self.assertEqual(list(fields), ["power_watts"])
        self.assertGreaterEqual(took, least)
        if took >= least + 0.7:
            raise tap.Late("%.3f s, not %.3f" % (took, least))

    def test_a_second_by_default_and_power_of_that_time(self):
        began = time.monotonic()
        execd = self.start("--once")
        joules = 50 + self.tree.settle(execd)["intel-rapl:0"] / 10**6
        # The span may begin at the first move: the counter stood still before.
        least = 1 - (time.monotonic() - began)
        self.tree.move({"intel-rapl:0": 50 * 10**6})
        report = execd.read_report()
        after = time.monotonic()
        self.assertEqual(execd.wait(), 0)
        self.assertGreaterEqual(after - began, 1)
        # The span is at least the rest of the second, and at most all the time there was.
        if least > 0:
            self.assertLessEqual(report.power(PACKAGE_0), joules / least + 0.1)
        self.assertGreaterEqual(report.power(PACKAGE_0), joules / (after - began) - 0.001)

    def test_stdin_does_not_matter(self):
        for text in (b"", b"\n\n\n"):
            ended = self.once(text=text)
            self.assertEqual(ended.status, 0, ended.messages)
        ended = self.once(stdin=subprocess.DEVNULL)
        self.assertEqual(ended.status, 0, ended.messages)

    def test_nothing_reads(self):
        for zone in ZONES:
            os.unlink(self.tree.path(zone, "energy_uj"))
        ended = run("--once", "--interval=60ms", root=self.tree.root)
        self.assertEqual((ended.status, ended.text), (1, ""))
        self.assertRegex(ended.messages[0], "^[EW]! .*energy_uj")
        self.assertRegex(ended.messages[-1], "^E! .*--check")
        # health counters are not energy
        ended = run("--once", "--interval=60ms", "--health=yes", root=self.tree.root)
        self.assertEqual((ended.status, ended.text), (1, ""))

    def test_too_short_an_interval(self):
        ended = run("--once", "--interval=10ms", root=self.tree.root)
        self.assertEqual(ended.status, 2)
        self.assertRegex(ended.messages[0], "^E! --interval")

    def test_reader_gone(self):
        with Pump(self.tree, list(ZONES), 20):
            execd = self.start("--once", "--interval=60ms")
            execd.stdout.close()
            execd.wait()
        self.assertEqual(execd.messages(), [])


if __name__ == "__main__":
    tap.main()
