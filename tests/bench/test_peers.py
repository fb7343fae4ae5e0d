# SPDX-License-Identifier: MIT
"""The cost of a report compared with what a user would run instead: every program on one tree of
plain files, in one run and at one pace, each while the others are stopped."""
import collections
import http.client
import json
import os
import re
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import daemons
import execd
import tap
import tree
import usage

# Caches go cold between two reports, as they do in 10 s; below 50 ms there would be no power.
PACE_NS = 10**8
# Each has one turn per round, with as many reports as Telegraf writes at a time.
ROUNDS = 3
WARM_UP_SECONDS = 0.2
SECONDS = 1

# intel_powerstat only takes a package from the directory with its number: psys comes last.
ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
         "intel-rapl:1": "package-1", "intel-rapl:1:0": "core", "intel-rapl:1:1": "dram",
         "intel-rapl:2": "psys", "intel-rapl:3": "psys-1"}
WATTS = 45

CPU = ("processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
       "physical id\t: %d\ncore id\t\t: 0\nflags\t\t: msr\n\n")

INTERVAL = '  interval = "%dms"\n' % (PACE_NS / 1e6)
IDLE_INPUT = '[[inputs.execd]]\n  command = ["cat"]\n  signal = "none"\n' + INTERVAL
POWERSTAT_INPUT = (
    "[[inputs.intel_powerstat]]\n" + INTERVAL +
    '  package_metrics = ["current_power_consumption", "current_dram_power_consumption"]\n')
# What intel_powerstat reports, and no more.
SAME_FOUR = ("--include=package-*", "--include=*/dram", "--total=no", "--energy=no")


def execd_input(*options):
    return ('[[inputs.execd]]\n  command = %s\n  signal = "STDIN"\n  data_format = "influx"\n%s' %
            (json.dumps([execd.PROGRAM, *options]), INTERVAL))


Mark = collections.namedtuple("Mark", "time_ns cpu_ns")


class Contender:
    """A running program. seen: times at which it reported each counter. idle: the same program
    without the measured input."""

    def __init__(self, program, children=(), idle=None):
        self.program = program
        self.pids = [program.pid, *children]
        self.idle = idle
        self.seen = collections.defaultdict(list)
        self.turns = []

    def ask(self):
        """Asks for a report, if none comes by itself."""

    def read_seen(self):
        """Reads seen after the program has ended, if it only writes then."""

    def send(self, number):
        for pid in self.pids:
            os.kill(pid, number)

    def begin(self):
        self.began = Mark(time.time_ns(), self.used_ns())

    def end(self):
        self.turns.append((self.began, Mark(time.time_ns(), self.used_ns())))
        self.resident_mib = sum(map(usage.resident_kib, self.pids)) / 1024

    def used_ns(self):
        return sum(map(usage.cpu_ns, self.pids))

    def count_reports(self, from_ns, to_ns):
        counts = [sum(from_ns < ns <= to_ns for ns in times) for times in self.seen.values()]
        if not counts or max(counts) - min(counts) > 1:  # a turn may end within a report
            raise AssertionError("not the same counters in each report: %s" % counts)
        return max(counts)

    def cpu_us(self):
        """CPU time of a report, in microseconds: the median over the turns."""
        return statistics.median(
            (end.cpu_ns - began.cpu_ns) / self.count_reports(began.time_ns, end.time_ns) / 1000
            for began, end in self.turns)

    def added_us(self):
        return self.cpu_us() - (self.idle.cpu_us() if self.idle else 0)


class Idle(Contender):
    """Reports nothing; its cost during a report's time is subtracted."""

    def count_reports(self, from_ns, to_ns):
        return (to_ns - from_ns) / PACE_NS


class Prompted(Contender):
    def ask(self):
        for identity in self.program.ask().keys() - {"domain=total"}:
            self.seen[identity].append(time.time_ns())


class Scraped(Contender):
    """Scraped as by Prometheus, which keeps its connection (and also asks for compression)."""

    def __init__(self, program, port):
        super().__init__(program)
        self.connection = http.client.HTTPConnection("127.0.0.1", port,
                                                     timeout=daemons.PATIENCE_SECONDS)

    def ask(self):
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        for counter in re.findall(r"^node_rapl_\w+{.*}", text, re.MULTILINE):
            self.seen[counter].append(time.time_ns())


class Gathered(Contender):
    """Run by a Telegraf."""

    def read_seen(self):
        for point in self.program.points():
            for field in point.fields.keys() - {"energy_joules"}:
                if point.tags.get("domain") != "total":
                    self.seen[(*point.tags.items(), field)].append(point.timestamp)


class Dispatched(Contender):
    """Run in a collectd, whose csv plugin writes to its log."""

    def read_seen(self):
        for line in self.program.lines("^PUTVAL [^/]+/rapl-.*/power-"):
            _, name, _, value = line.split()
            self.seen[name].append(round(float(value.split(":")[0]) * 1e9))


class Peers(daemons.StageTest):
    @classmethod
    def missing(cls):
        return None

    @classmethod
    def prepare(cls):
        cls.rows = {}  # by name: the contender, or the reason why it is missing
        cls.tree = tree.Tree.make(ZONES)
        cls.addClassCleanup(cls.tree.__exit__)
        tree.write(cls.tree.root, "proc/cpuinfo", "".join(CPU % (cpu, cpu) for cpu in range(2)))
        with tree.Pump(cls.tree, list(ZONES), WATTS):  # until all know their counters
            cls.start_execd()
            cls.start_node_exporter()
            cls.start_telegraf()
            cls.start_collectd()
        cls.contenders = [row for row in cls.rows.values() if isinstance(row, Contender)]
        cls.measure()
        cls.show()

    @classmethod
    def start_execd(cls):
        program = execd.Execd(root=cls.tree.root)
        cls.addClassCleanup(program.kill)
        cls.rows["rapl-execd"] = Prompted(program)

    @classmethod
    def start_node_exporter(cls):
        name = "node_exporter"
        reason = daemons.missing_programs(prometheus_node_exporter="prometheus-node-exporter")
        if reason:
            cls.rows[name] = reason
            return
        port = daemons.free_port()
        program = cls.stage.keep(daemons.Program(name, [
            "prometheus-node-exporter", "--web.listen-address=127.0.0.1:%d" % port,
            "--web.disable-exporter-metrics", "--collector.disable-defaults", "--collector.rapl",
            "--path.sysfs=" + os.path.join(cls.tree.root, "sys")], cls.stage.path(name)))
        program.wait_log("Listening on")
        cls.rows[name] = Scraped(program, port)

    @classmethod
    def start_telegraf(cls):
        """Each sees the tree at the real path, the only one that intel_powerstat knows."""
        inputs = {"Telegraf: intel_powerstat": POWERSTAT_INPUT,
                  "Telegraf: rapl-execd, same four": execd_input(*SAME_FOUR),
                  "Telegraf: rapl-execd": execd_input()}
        telegraf, reason = None, daemons.missing_namespace()
        if not reason:
            telegraf, reason = daemons.build_telegraf()
        if reason:
            cls.rows.update(dict.fromkeys(inputs, reason))
            return
        before = daemons.in_namespace(
            *((os.path.join(cls.tree.root, path), "/" + path) for path in ("proc/cpuinfo", "sys")))
        program = cls.stage.telegraf(telegraf, "idle", IDLE_INPUT, before=before)
        program.wait_log("Config: Interval")
        idle = cls.rows["Telegraf alone"] = Idle(program)
        for name, text in inputs.items():
            program = cls.stage.telegraf(telegraf, re.sub(r"\W+", "-", name), text, before=before)
            program.wait_reports(1)
            cls.rows[name] = Gathered(program, program.children(), idle)

    @classmethod
    def start_collectd(cls):
        name = "collectd: rapl.so"
        reason = daemons.missing_programs(collectd="collectd-core")
        if not os.path.exists(daemons.COLLECTD_PLUGIN):
            reason = "rapl.so is not built"
        if reason:
            cls.rows[name] = reason
            return
        to_log = '<Plugin csv>\n  DataDir "stdout"\n</Plugin>'
        program = cls.stage.collectd("idle", load="", outputs=to_log)
        program.wait_log("Initialization complete")
        idle = cls.rows["collectd alone"] = Idle(program)
        program = cls.stage.collectd(
            "rapl", '<Plugin rapl>\n  Root "%s"\n</Plugin>' % cls.tree.root, outputs=to_log,
            load="<LoadPlugin rapl>\n  Interval %g\n</LoadPlugin>" % (PACE_NS / 1e9))
        program.wait_log("^PUTVAL .*/power-")
        cls.rows[name] = Dispatched(program, idle=idle)

    @classmethod
    def measure(cls):
        """Takes turns, so that other load on the machine affects all."""
        try:
            for one in cls.contenders:
                one.send(signal.SIGSTOP)
            for one in cls.contenders * ROUNDS:
                one.send(signal.SIGCONT)
                cls.go_on(one, WARM_UP_SECONDS)
                one.begin()
                cls.go_on(one, SECONDS)
                one.end()
                one.send(signal.SIGSTOP)
        finally:
            for one in cls.contenders:
                one.send(signal.SIGCONT)
        cls.stage.stop(cls.stage.programs)
        for one in cls.contenders:
            one.read_seen()

    @classmethod
    def go_on(cls, one, seconds):
        """Prompts half an interval after Telegraf gathers, whose intervals are aligned with the
        clock."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep((PACE_NS - (time.time_ns() - PACE_NS // 2) % PACE_NS) / 1e9)
            cls.tree.move(dict.fromkeys(ZONES, WATTS * PACE_NS // 1000))
            one.ask()

    @classmethod
    def show(cls):
        own = cls.rows["rapl-execd"]
        print("# a report each %d ms of %d counters; CPU and memory against those of rapl-execd" %
              (PACE_NS / 1e6, len(ZONES)))
        print("# %-32s %8s %9s %9s %7s %6s %7s" % (
            "", "counters", "us/report", "less idle", "Rss/MiB", "CPU", "memory"))
        for name, row in cls.rows.items():
            if row not in cls.contenders:
                print("# %-32s %s" % (name, row))
                continue
            print("# %-32s %8s %9.1f %9s %7.1f %5.1fx %6.1fx" % (
                name, len(row.seen) or "-", row.cpu_us(),
                "%.1f" % row.added_us() if row.idle else "-", row.resident_mib,
                row.cpu_us() / own.cpu_us(), row.resident_mib / own.resident_mib))

    def check(self, name, counters):
        row = self.rows[name]
        if row not in self.contenders:
            self.skipTest(row)
        self.assertEqual(counters, len(row.seen))
        return row

    def check_peer(self, name, counters):
        """It costs more than all of rapl-execd, even without the collector that a plugin needs."""
        own, peer = self.check("rapl-execd", len(ZONES)), self.check(name, counters)
        self.assertGreater(peer.added_us(), own.cpu_us())
        self.assertGreater(peer.resident_mib, own.resident_mib)

    def test_node_exporter(self):
        self.check_peer("node_exporter", len(ZONES))

    def test_telegraf_with_intel_powerstat(self):
        self.check_peer("Telegraf: intel_powerstat", 4)

    def test_telegraf_with_rapl_execd(self):
        self.check("Telegraf: rapl-execd, same four", 4)
        self.check("Telegraf: rapl-execd", len(ZONES))

    def test_collectd_with_rapl_so(self):
        self.check("collectd: rapl.so", len(ZONES))


if __name__ == "__main__":
    tap.main()
