# SPDX-License-Identifier: MIT
"""rapl-execd under the real Telegraf: what arrives in a file, in InfluxDB and in Graphite, and how
the two start, restart and end."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import execd  # noqa: E402
import samples  # noqa: E402
import tap  # noqa: E402

REPORTS = 11
STARTS = 5

# Tags that must arrive unchanged: with characters that line protocol escapes, and others.
TAGS = {
    "rack": "b 3,left=top",
    "owner": 'Zoë "Z" O\'Neil',
    "path": r"C:\rapl\new",
    "sign": "✓ 电 #1",
    "an odd,key": "x",
}

# Backslashes that could be taken for an escape: refused by rapl-execd, or arriving unchanged.
BACKSLASHES = [r"a\b", r"a\,b", r"a\ b", r"a\=b", r"a\\b", r'a\"b', r'a\"b c', r"a\nb c", "a\\"]

telegraf = None
telegraf_missing = None


def setUpModule():
    global telegraf, telegraf_missing
    telegraf_missing = daemons.missing_simulator()
    if not os.path.exists(execd.PROGRAM):
        telegraf_missing = "rapl-execd is not built"
    if telegraf_missing:
        return
    telegraf, telegraf_missing = daemons.build_telegraf()


def text_of(words):
    """Formats the words as TOML."""
    return json.dumps(words, ensure_ascii=False)


def execd_input(machine, *options, how="STDIN", **settings):
    """An [[inputs.execd]] that runs rapl-execd on that machine."""
    lines = ["[[inputs.execd]]", "  data_format = \"influx\"", "  signal = " + text_of(how),
             "  command = " + text_of([execd.PROGRAM, "--root=" + machine.root, *options])]
    lines += ["  %s = %s" % (key, text_of(value)) for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def influxdb_output(influxdb, database):
    return ('[[outputs.influxdb]]\n  urls = ["%s"]\n  database = "%s"\n' %
            (influxdb.url, database))


def graphite_output(carbon):
    return ('[[outputs.graphite]]\n  servers = ["127.0.0.1:%d"]\n  prefix = "telegraf"\n'
            '  template = "host.tags.measurement.field"\n  timeout = "5s"\n' % carbon.port)


def errors_of(one):
    """Lines of Telegraf's log with errors, and with warnings about the input. When a plugin ends,
    Telegraf may close its pipes while it still reads them: this error is not ours."""
    return [line for line in one.lines(r" E! | W! \[inputs") if "file already closed" not in line]


class TelegrafTest(daemons.StageTest):
    @classmethod
    def missing(cls):
        return telegraf_missing

    @classmethod
    def start(cls, name, inputs, **more):
        return cls.stage.telegraf(telegraf, name, inputs, **more)


class Values(TelegrafTest):
    """One Telegraf prompts by newline and sends to all three outputs; the other has an input for
    each signal, and sends to a file and to InfluxDB."""

    hows = {"none": "sapphire-rapids", "SIGHUP": "epyc", "SIGUSR1": "laptop", "SIGUSR2": "epyc"}

    @classmethod
    def missing(cls):
        return super().missing() or daemons.missing_programs(
            influxd="influxdb", carbon_cache="graphite-carbon", whisper_fetch="graphite-carbon")

    @classmethod
    def prepare(cls):
        cls.influxdb = cls.stage.influxdb()
        cls.carbon = cls.stage.carbon()
        cls.machines = {
            "server": cls.stage.simulate("server", "--load", "wave", "--load-period", "8s"),
            "sapphire-rapids": cls.stage.simulate("sapphire-rapids"),
            "epyc": cls.stage.simulate("epyc", "--load", "wave"),
            "laptop": cls.stage.simulate("laptop"),
        }
        cls.backslashes = {
            "backslash_%d" % i: value for i, value in enumerate(BACKSLASHES)
            if execd.run("--tag=key=" + value, "--version").status == 0}
        cls.prompted = cls.start(
            "prompted", execd_input(cls.machines["server"]),
            outputs=influxdb_output(cls.influxdb, "prompted") + graphite_output(cls.carbon))
        inputs = ""
        for how, machine in cls.hows.items():
            own = ["--interval=1s"] if how == "none" else []
            own += ["--tag=%s=%s" % pair for pair in TAGS.items()]
            own += ["--tag=%s=%s" % pair for pair in cls.backslashes.items()]
            inputs += execd_input(cls.machines[machine], "--tag=how=" + how, *own, how=how)
        cls.signalled = cls.start_signalled(inputs)
        cls.prompted.wait_reports(REPORTS)
        for how in cls.hows:
            cls.signalled.wait_reports(REPORTS, how=how)
        cls.statuses = cls.stage.stop([cls.prompted, cls.signalled])

    @classmethod
    def start_signalled(cls, inputs):
        """A signal right after exec ends any program, and Telegraf sends the first one at the next
        full second: if that was at once, Telegraf is started again."""
        for number in range(STARTS):
            name = "signalled-%d" % number
            one = cls.start(name, inputs, outputs=influxdb_output(cls.influxdb, name))
            if cls.lives(one):
                return one
            one.stop()
        raise tap.Late("a signal right after exec, %d times" % STARTS)

    @classmethod
    def lives(cls, one):
        """Whether all programs report; none does once a signal has ended one."""
        def is_known():
            return one.lines("exited: signal: ") or all(one.points(how=how) for how in cls.hows)
        one.wait_until(is_known, "reports, or the end of a program")
        return not one.lines("exited: signal: ")

    def stored(self, database):
        """The content of InfluxDB, in the form of the lines that were written to it."""
        points = []
        for tags, values in self.influxdb.query(database, "select * from rapl group by *"):
            tags = {key: value for key, value in tags.items() if value != ""}
            for value in values:
                fields = {name: value[name] for name in ("energy_joules", "power_watts")
                          if value.get(name) is not None}
                points.append(execd.Line("rapl", tags, fields, value["time"]))
        return points

    def test_newline(self):
        points = self.prompted.points()
        self.assertEqual({tuple(sorted(point.tags)) for point in points},
                         {("domain", "host", "package_id"), ("domain", "host")})
        self.check_truth(self.machines["server"], daemons.series_of_points(points))

    def check_how(self, how):
        self.check_truth(self.machines[self.hows[how]], self.signalled.series(how=how))

    def test_none_and_own_interval(self):
        self.check_how("none")

    def test_sighup(self):
        self.check_how("SIGHUP")

    def test_sigusr1(self):
        self.check_how("SIGUSR1")

    def test_sigusr2(self):
        self.check_how("SIGUSR2")

    def test_one_report_an_interval_and_all_of_one_time(self):
        groups = [self.prompted.points()] + [self.signalled.points(how=how) for how in self.hows]
        for points in groups:
            times = {}
            for point in points:
                times.setdefault(point.timestamp, []).append(point)
            # Each report is complete, whatever Telegraf did with it.
            self.assertEqual(len({len(report) for report in times.values()}), 1)
            first, last = min(times), max(times)
            self.assertAlmostEqual((last - first) / 1e9, len(times) - 1, delta=1.5)

    def test_influxdb_has_true_values(self):
        for database, one in (("prompted", self.prompted), (self.signalled.name, self.signalled)):
            stored, sent = self.stored(database), one.points()
            key = lambda point: (point.timestamp, sorted(point.tags.items()))  # noqa: E731
            self.assertEqual(sorted(stored, key=key), sorted(sent, key=key))
        self.check_truth(self.machines["server"],
                         daemons.series_of_points(self.stored("prompted")))
        for how, machine in self.hows.items():
            points = [point for point in self.stored(self.signalled.name) if point.tags["how"] == how]
            self.check_truth(self.machines[machine], daemons.series_of_points(points))

    def test_influxdb_refuses_nothing(self):
        statuses = self.influxdb.write_statuses()
        self.assertGreaterEqual(len(statuses), 2 * REPORTS - 6)
        self.assertEqual(set(statuses), {204})

    def test_graphite_has_true_values(self):
        sent = self.prompted.series()
        wanted = {}
        for (parent, domain), series in sent.items():
            package = re.search(r"\d+$", parent)
            path = "telegraf.prompted.%s%s.rapl." % (domain, "." + package[0] if package else "")
            wanted[path + "energy_joules"] = (parent, domain), "energy", series.energy
            wanted[path + "power_watts"] = (parent, domain), "power", series.power
        self.carbon.wait_until(lambda: len(self.carbon.metrics()) >= len(wanted), "all metrics")
        self.assertEqual([name for name in self.carbon.metrics() if name.startswith("telegraf.")],
                         sorted(wanted))
        machine = self.machines["server"]
        for path, (identity, kind, values) in wanted.items():
            name = daemons.identities("server")[identity]
            matched = daemons.fetch_seconds(self.carbon, path, values)
            if kind == "energy":
                series = daemons.Series()
                series.energy = matched
                self.check_energy(machine, series, name)
            else:
                times = [ns for ns, _ in sent[identity].energy]
                spans = [(times[times.index(ns) - 1], ns, watts) for ns, watts in matched
                         if times.index(ns) >= 2]
                self.check_spans(machine, spans, name, least=7)

    def test_tags_with_every_special_character(self):
        self.check_tags(TAGS)

    def test_tags_with_backslashes_are_refused_or_arrive_as_they_were(self):
        self.assertNotIn(BACKSLASHES[-1], self.backslashes.values())
        for key, value in self.backslashes.items():
            with self.subTest(value=value):
                self.check_tags({key: value})

    def check_tags(self, wanted):
        for points in (self.signalled.points(), self.stored(self.signalled.name)):
            self.assertGreater(len(points), 4 * REPORTS)
            for point in points:
                self.assertEqual({key: point.tags.get(key) for key in wanted}, wanted)

    def test_nothing_is_logged_where_all_is_well(self):
        for one in (self.prompted, self.signalled):
            self.assertEqual(errors_of(one), [])

    def test_sigterm_ends_it_with_status_0(self):
        self.assertEqual(set(self.statuses.values()), {0})


class Statistics(TelegrafTest):
    """A package that draws 200 W for 50 ms of each second, and 50 W for the rest."""

    FIELDS = {"energy_joules", "power_watts", *samples.FIELDS}

    @classmethod
    def missing(cls):
        return super().missing() or daemons.missing_programs(influxd="influxdb")

    @classmethod
    def prepare(cls):
        cls.influxdb = cls.stage.influxdb()
        samples.try_pulses(cls.measure)

    @classmethod
    def measure(cls, period):
        """Runs the measurement that the tests check. Late: this machine was too busy to show such a
        pulse."""
        machine = cls.stage.simulate("server", *samples.pulse(period))
        cls.period, cls.database = period, "sampled-%d" % period
        cls.sampled = cls.start("sampled", execd_input(machine, "--sample-interval=10ms"),
                                outputs=influxdb_output(cls.influxdb, cls.database))
        with samples.Lateness(machine.root) as lateness:
            cls.sampled.wait_reports(max(REPORTS, period) + 1)
        cls.status = cls.sampled.stop()
        late = lateness.reason(period)
        if late and not cls.shows_pulse():
            raise tap.Late(late)

    @classmethod
    def package(cls):
        """Without the first report, which came after 50 ms."""
        return cls.sampled.points(domain="package", package_id="0")[1:]

    @classmethod
    def shows_pulse(cls):
        most = max(point.fields.get(samples.field("max"), 0) for point in cls.package())
        return abs(most - 200) <= samples.SHARPNESS * 200

    def test_they_arrive_in_a_file_with_their_types(self):
        points = self.sampled.points()
        self.assertGreaterEqual(len(points), 5 * (REPORTS + 1))
        # The first report came after 50 ms, which may not contain a whole sample.
        first = min(point.timestamp for point in points)
        for point in points:
            self.assertLessEqual(point.fields.keys(), self.FIELDS, point)
            if point.timestamp != first:
                self.assertEqual(point.fields.keys(), self.FIELDS, point)
            for name, value in point.fields.items():
                self.assertIs(type(value), int if name == "samples" else float, point)

    def test_influxdb_has_their_types(self):
        self.assertEqual(set(self.influxdb.write_statuses()), {204})
        (_, keys), = self.influxdb.query(self.database, "show field keys from rapl")
        self.assertEqual({key["fieldKey"]: key["fieldType"] for key in keys},
                         {name: "integer" if name == "samples" else "float"
                          for name in self.FIELDS})
        (_, stored), = self.influxdb.query(
            self.database, "select * from rapl where domain='package' and package_id='0'")
        sent = self.sampled.points(domain="package", package_id="0")
        self.assertEqual([{name: value[name] for name in point.fields}
                          for value, point in zip(stored, sent, strict=True)],
                         [point.fields for point in sent])

    def test_the_maximum_shows_what_the_mean_hides(self):
        points = self.package()
        whole = len(points) // self.period * self.period
        mean = [point.fields["power_watts"] for point in points[:whole]]
        self.assertAlmostEqual(sum(mean) / len(mean), 57.5, delta=0.05 * 57.5)
        self.assertTrue(self.shows_pulse(), [point.fields for point in points])
        for point in points:
            self.assertAlmostEqual(point.fields[samples.field("min")], 50,
                                   delta=samples.SHARPNESS * 50)

    def test_nothing_is_logged_where_all_is_well(self):
        self.assertEqual(errors_of(self.sampled), [])
        self.assertEqual(self.status, 0)


class Life(TelegrafTest):
    """Plugins that are killed, that print messages, that run once; and the end of each."""

    @classmethod
    def prepare(cls):
        cls.machine = cls.stage.simulate("laptop")
        cls.failing = cls.stage.simulate("server")
        cls.nothing = cls.stage.path("nothing")
        os.mkdir(os.path.join(cls.nothing, "sys"))

        cls.restarted = cls.start(
            "restarted", execd_input(cls.machine, "--tag=how=STDIN", restart_delay="1s") +
            execd_input(cls.machine, "--tag=how=none", "--interval=500ms", how="none",
                        restart_delay="1s"))
        cls.talking = cls.start(
            "talking", execd_input(cls.failing, "--debug") +
            '[[inputs.execd]]\n  alias = "nothing"\n  signal = "STDIN"\n  command = %s\n' %
            text_of([execd.PROGRAM, "--root=" + cls.nothing]), words=["--debug"])
        cls.once = cls.start(
            "once", '[[inputs.exec]]\n  data_format = "influx"\n  interval = "2s"\n'
            '  timeout = "10s"\n  commands = [%s]\n' % text_of(
                "%s --root=%s --once" % (execd.PROGRAM, cls.machine.root)))

        for how in ("STDIN", "none"):
            cls.restarted.wait_reports(3, how=how)
        cls.killed = cls.restarted.children()
        cls.failing.command("fail package-1/dram EIO")
        cls.killed_ns = time.time_ns()
        for pid in cls.killed:
            os.kill(pid, signal.SIGKILL)
        cls.talking.wait_log(r"energy_uj: Input/output error")
        cls.failing.command("heal package-1/dram")
        cls.talking.wait_log(r"Resolved: .*energy_uj")

        def lives_again():
            return all(len(cls.after_kill(how).get(("package-0", "package"),
                                                   daemons.Series()).energy) >= 5
                       for how in ("STDIN", "none"))
        cls.restarted.wait_until(lives_again, "values of the plugins that were started anew")
        cls.once.wait_reports(3)

        cls.children = {one: one.children() for one in (cls.restarted, cls.talking)}
        cls.statuses, cls.seconds = {}, {}
        for one in (cls.restarted, cls.talking, cls.once):
            begin = time.monotonic()
            cls.statuses[one.name] = one.stop()
            cls.seconds[one.name] = time.monotonic() - begin

    @classmethod
    def after_kill(cls, how):
        return {identity: series.after_ns(cls.killed_ns)
                for identity, series in cls.restarted.series(how=how).items()}

    def test_a_killed_plugin_is_restarted_and_values_go_on(self):
        self.assertEqual(len(self.killed), 2)
        for how in ("STDIN", "none"):
            with self.subTest(how=how):
                before = {identity: series.before_ns(self.killed_ns)
                          for identity, series in self.restarted.series(how=how).items()}
                after = self.after_kill(how)
                self.assertEqual(sorted(after), sorted(daemons.identities("laptop")))
                for identity, name in daemons.identities("laptop").items():
                    old, new = before[identity].energy, after[identity].energy
                    # Energy starts again from 0, and does not include what the old process had
                    # counted.
                    self.assertLess(new[0][1], old[-1][1], name)
                    base = self.machine.between(new[0][0], new[-1][0])[name][1]
                    self.assertLess(new[0][1], base * 1.5 + 1, name)
                    self.check_power(self.machine, after[identity], name, least=3)
                    self.check_energy(self.machine, after[identity], name, least=4)

    def test_restart_delay_is_kept(self):
        for how in ("STDIN", "none"):
            first = self.after_kill(how)["package-0", "package"].energy[0][0]
            self.assertGreater(first - self.killed_ns, 1e9)
        self.assertEqual(len(self.restarted.lines(r"Restarting in 1s")), 2)

    def test_messages_arrive_with_their_level(self):
        log = self.talking
        self.assertTrue(log.lines(r" E! \[inputs\.execd\] .*intel-rapl:1:0/energy_uj: "
                                  r"Input/output error\. Fix: "))
        self.assertTrue(log.lines(r" I! \[inputs\.execd\] Resolved: .*intel-rapl:1:0/energy_uj"))
        self.assertTrue(log.lines(r" D! \[inputs\.execd\] .*4 of 4 zones read"))
        missing = log.lines(r" E! \[inputs\.execd::nothing\] .*powercap: No such file")
        self.assertEqual(len(missing), 1, "told once, not at each interval")
        self.assertIn("Fix: ", missing[0])
        # Telegraf adds this prefix to lines without a level that it knows.
        self.assertEqual(log.lines('stderr: "'), [])

    def test_a_warning_arrives_with_its_level(self):
        one = self.start("cores", execd_input(self.machine, "--cores=yes"))
        one.wait_log(r" W! \[inputs\.execd\] source powercap shows no single cores")
        self.assertEqual(one.stop(), 0)

    def test_exec_input_runs_it_once(self):
        found = self.once.series()
        self.assertEqual(sorted(found), sorted(daemons.identities("laptop")))
        for identity, name in daemons.identities("laptop").items():
            self.assertEqual(found[identity].energy, [], name)  # it would cover 1 s each time
            spans = [(ns - 1000000000, ns, watts) for ns, watts in found[identity].power]
            self.check_spans(self.machine, spans, name, least=3)
        self.assertEqual(errors_of(self.once), [])

    def test_it_stops_soon(self):
        # Telegraf gives a plugin five seconds before it sends SIGTERM.
        for name, seconds in self.seconds.items():
            self.assertLess(seconds, 4, name)
        self.assertEqual(set(self.statuses.values()), {0}, self.statuses)

    def test_it_leaves_nothing_behind(self):
        for one, children in self.children.items():
            self.assertEqual(len(children), 2, one.name)
            self.assertEqual([pid for pid in children if daemons.is_alive(pid)], [])
            self.assertEqual(len(one.lines(r"Process \S*rapl-execd shut down")), 2)


class Shipped(TelegrafTest):
    """The unchanged file of configs/, with the simulated machine in place of the real one."""

    @classmethod
    def missing(cls):
        return super().missing() or daemons.missing_namespace()

    @classmethod
    def prepare(cls):
        cls.machine = cls.stage.simulate("server")
        programs = cls.stage.path("programs")
        with open(execd.PROGRAM, "rb") as built:
            path = os.path.join(programs, "rapl-execd")
            with open(path, "wb") as copy:
                copy.write(built.read())
            os.chmod(path, 0o755)
        # The last one, because it hides the programs that bind-mount.
        cls.before = daemons.in_namespace((cls.machine.root + "/proc/cpuinfo", "/proc/cpuinfo"),
                                          (cls.machine.root + "/sys", "/sys"),
                                          (programs, "/usr/bin"))
        cls.shipped = os.path.join(daemons.SOURCE, "configs", "telegraf", "rapl.conf")

    @tap.tries(5)
    def test_telegraf_test_shows_watts(self):
        with samples.Lateness(self.machine.root) as lateness:
            tested = subprocess.run(
                [*self.before, telegraf, "--config", self.shipped, "--test", "--test-wait", "2"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                timeout=daemons.PATIENCE_SECONDS, start_new_session=True)
        text, errors = tested.stdout.decode(), tested.stderr.decode()
        self.assertEqual(tested.returncode, 0, errors)
        if not text:
            raise tap.Late("no report within 2 s: " + errors)
        points = [daemons.read_point(line[2:]) for line in text.splitlines()]
        found = daemons.series_of_points(points)
        self.assertEqual(sorted(found), sorted(daemons.identities("server")), errors)
        for identity, name in daemons.identities("server").items():
            self.assertGreaterEqual(len(found[identity].power), 1, "no watts:\n" + text)
            for ns, watts in found[identity].power:
                true = self.machine.between(ns - 50000000, ns)[name][1]
                # Over 50 ms, one update of the counter more or less is 2 %, and a read that is
                # delayed by 4 ms is 4 %.
                with tap.excused(lateness.reason_of_one(4 * samples.MS)):
                    self.assertAlmostEqual(watts / true, 1, delta=0.1, msg=name)

    def test_as_a_file_among_others(self):
        one = self.start("shipped", "", words=["--config", self.shipped], before=self.before)
        one.wait_reports(4)
        self.assertEqual(one.stop(), 0)
        self.check_truth(self.machine, one.series(), least=2)
        self.assertEqual(errors_of(one), [])


if __name__ == "__main__":
    tap.main()
