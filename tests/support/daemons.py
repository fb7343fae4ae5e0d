# SPDX-License-Identifier: MIT
"""Starts the daemons that metrics pass through, and compares what arrives with the truth.

Everything that a Stage starts is private: folders below one temporary folder, unused ports on
loopback, a separate session for each process. Nothing of it remains.
"""
import atexit
import collections
import contextlib
import functools
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import execd

SOURCE = os.path.abspath(os.path.join(execd.HERE, "..", ".."))
SIMULATOR = os.path.join(execd.BUILD, "contrib", "simulator", "rapl-sim")
COLLECTD_PLUGIN = os.path.join(execd.BUILD, "plugins", "collectd", "rapl.so")
# Folder into which tests/run unpacks daemons that are not installed.
UNPACKED = os.path.join(os.path.dirname(os.path.abspath(execd.BUILD)), "packages")
PATH = ":".join([os.environ.get("PATH", ""), "/usr/sbin:/sbin:/usr/bin:/bin",
                 UNPACKED + "/usr/sbin", UNPACKED + "/usr/bin"])
PYTHONPATH = UNPACKED + "/usr/lib/python3/dist-packages"

# Longest wait on a busy machine before something counts as hanging.
PATIENCE_SECONDS = 90

# Expected domains of each simulated machine, by the zone that they are shown under.
DOMAINS = {
    "laptop": {"package-0": "package core uncore dram", "psys": "psys", "": "total"},
    "server": {"package-0": "package dram", "package-1": "package dram", "": "total"},
    "epyc": {"package-0": "package lead_core", "package-1": "package lead_core", "": "total"},
    "sapphire-rapids": {"package-0": "package dram", "package-1": "package dram",
                        "psys": "psys", "psys-1": "psys", "": "total"},
}


def identities(machine):
    """{(zone it is shown under, domain): the simulator's name of the series}"""
    series = {}
    for parent, domains in DOMAINS[machine].items():
        for domain in domains.split():
            if domain in ("package", "psys"):
                series[parent, domain] = parent
            elif domain == "total":
                series[parent, domain] = "total"
            else:
                series[parent, domain] = parent + "/" + domain.replace("lead_core", "core")
    return series


# --- what is missing -----------------------------------------------------------------------------


def find_program(name):
    return shutil.which(name, path=PATH)


def missing_programs(**packages):
    """Returns why these programs cannot be run, or None. Each is given with its package; _ stands
    for - in a program's name."""
    for name, package in packages.items():
        name = name.replace("_", "-")
        if find_program(name) is None:
            return "%s is not installed (package %s)" % (name, package)
    return None


def missing_simulator():
    if not os.path.exists(SIMULATOR):
        return "rapl-sim is not built"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be used: the simulated machine needs FUSE to be accurate"
    return missing_programs(fusermount3="fuse3")


def missing_namespace():
    if os.geteuid() != 0:
        return "a private mount namespace needs root"
    if missing_programs(unshare="util-linux", mount="mount"):
        return missing_programs(unshare="util-linux", mount="mount")
    tried = subprocess.run([find_program("unshare"), "--mount", "true"], stderr=subprocess.PIPE,
                           check=False)
    return "no private mount namespace: %s" % tried.stderr.decode() if tried.returncode else None


TELEGRAF_BUILD = os.path.join(SOURCE, "tests", "integration", "telegraf-build")
TELEGRAF_BUILD_SECONDS = 1200

Built = collections.namedtuple("Built", "path missing")


def build_telegraf():
    """Returns the path of Telegraf, with its unit beside it, or why it cannot be built."""
    built = subprocess.run([TELEGRAF_BUILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=TELEGRAF_BUILD_SECONDS, check=False)
    errors = built.stderr.strip()
    if built.returncode == 3:
        return Built(None, errors.splitlines()[-1])
    if built.returncode != 0:
        raise AssertionError("telegraf-build: status %d\n%s" % (built.returncode, errors))
    return Built(built.stdout.strip(), None)


# --- processes -----------------------------------------------------------------------------------

wait_until = functools.partial(execd.wait_until, pause=0.05)


class Program:
    """A process in its own session, with stdout and stderr in FOLDER/NAME.log."""

    def __init__(self, name, words, folder, environment=None, user=None, before=(),
                 stdin=subprocess.DEVNULL):
        self.name = name
        self.folder = folder
        self.log_path = os.path.join(folder, name + ".log")
        self.status = None
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*before, find_program(words[0]), *words[1:]], stdin=stdin,
                stdout=log, stderr=log, cwd=folder, start_new_session=True, user=user,
                group=user and "nogroup", extra_groups=[] if user else None,
                env={**os.environ, "PATH": PATH, "PYTHONPATH": PYTHONPATH, "HOST_MOUNT_PREFIX": "",
                     "HOST_SYS": "", "HOST_PROC": "", **(environment or {})})
        self.pid = self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_until(self, condition, what, seconds=PATIENCE_SECONDS):
        """Like wait_until(), but fails at once if the process has ended."""
        def look():
            result = condition()
            if not result and self.process.poll() is not None:
                raise AssertionError("%s ended with status %d before: %s\n%s" % (
                    self.name, self.process.returncode, what, self.tell()))
            return result
        try:
            return wait_until(look, what, seconds)
        except AssertionError as error:
            raise AssertionError("%s: %s\n%s" % (self.name, error, self.tell())) from None

    def wait_log(self, pattern, seconds=PATIENCE_SECONDS):
        return self.wait_until(lambda: self.lines(pattern), "a log line %r" % pattern, seconds)

    def children(self):
        pids = []
        for task in os.listdir("/proc/%d/task" % self.pid):  # each thread has its own list
            with open("/proc/%d/task/%s/children" % (self.pid, task), encoding="ascii") as file:
                pids += map(int, file.read().split())
        return pids

    def ask_to_stop(self):
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self, seconds=PATIENCE_SECONDS):
        """Returns its exit status. Kills it if it does not end in time, which the status shows."""
        if self.status is None:
            self.ask_to_stop()
            try:
                self.status = self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.status = self.process.wait()
            try:  # ends what is left of the session
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return self.status

    def tell(self):
        lines = self.log().splitlines()
        return "\n".join(["--- %s (%d lines)" % (self.log_path, len(lines)), *lines[-60:]])


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def free_port():
    """A port that is unused on loopback by TCP and UDP, below those that the kernel assigns."""
    while True:
        port = random.randrange(20000, 32000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue


def in_namespace(*binds):
    """Returns words to put before a command, so that only this command sees WHAT at WHERE, for each
    (what, where) in this order."""
    script = ('while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 99; shift 2; done; shift; '
              'exec "$@"')
    pairs = [path for bind in binds for path in bind]
    return [find_program("unshare"), "--mount", "--propagation", "slave", "/bin/sh", "-c", script,
            "sh", *pairs, "--"]


@contextlib.contextmanager
def renames(folder):
    """Renames files in the folder without a pause while the block runs."""
    names = [os.path.join(folder, name) for name in "ab"]
    os.mkdir(names[0])
    script = ("import os, sys\n"
              "while True: os.rename(*sys.argv[1:]), os.rename(*sys.argv[:0:-1])")
    with subprocess.Popen([sys.executable, "-c", script, *names]) as process:
        try:
            yield
        finally:
            process.kill()


# --- the simulated machine -----------------------------------------------------------------------


class Machine(Program):
    def __init__(self, machine, options, folder):
        self.machine = machine
        self.options = ["--machine", machine, *options]
        self.root = os.path.join(folder, "root")
        os.mkdir(self.root)
        super().__init__("rapl-sim", [SIMULATOR, "--leash", *self.options, self.root], folder,
                         stdin=subprocess.PIPE)
        self.wait_log(" served at ")
        self.began_ns = int(re.search(r"began_ns (\d+)", self.truth()).group(1))
        self._between = {}

    def truth(self):
        with open(os.path.join(self.root, "truth"), encoding="ascii") as file:
            return file.read()

    def true_joules(self, series):
        """True energy since the machine began."""
        for line in self.truth().splitlines():
            if series in line.split()[:2]:
                return float(line.split()[-1])
        raise KeyError(series)

    def command(self, *commands):
        with open(os.path.join(self.root, "control"), "w", encoding="ascii") as file:
            file.write("\n".join(commands) + "\n")

    def between(self, from_ns, to_ns):
        """{series: (true joules, true mean watts)}; ignores commands given in between."""
        if (from_ns, to_ns) not in self._between:
            instants = "%d,%d,%d" % (self.began_ns, from_ns, to_ns)
            text = subprocess.run([SIMULATOR, *self.options, "--between", instants], check=True,
                                  stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS).stdout
            self._between[from_ns, to_ns] = {
                series: (float(joules), float(watts))
                for series, joules, watts in map(str.split, text.decode().splitlines())}
        return self._between[from_ns, to_ns]

    def kill(self):
        """Ends it like a crash: its tree returns ENOTCONN from then on."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=PATIENCE_SECONDS):
        status = super().stop(seconds)
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            mounted = any(line.split()[1] == self.root for line in mounts)
        if mounted:
            subprocess.run([find_program("fusermount3"), "-u", "-z", self.root], check=False)
        return status


# --- sinks ---------------------------------------------------------------------------------------

INFLUXDB_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = true
[[collectd]]
  enabled = true
  bind-address = "127.0.0.1:{collectd}"
  database = "collectd"
  batch-size = 10
  batch-timeout = "200ms"
  typesdb = "{types}"
  security-level = "none"
  parse-multivalue-plugin = "split"
"""


class InfluxDB(Program):
    def __init__(self, folder):
        self.http, self.collectd = free_port(), free_port()
        config = os.path.join(folder, "influxdb.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(INFLUXDB_CONFIG.format(folder=folder, rpc=free_port(), http=self.http,
                                              collectd=self.collectd, types=collectd_types()))
        self.url = "http://127.0.0.1:%d" % self.http
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        super().__init__("influxd", ["influxd", "-config", config], folder)
        self.wait_until(self._answers, "an answer to /ping")

    def _answers(self):
        try:
            with self.opener.open(self.url + "/ping", timeout=5):
                return True
        except OSError:
            return False

    def query(self, database, text):
        """[({tag: value}, [{column: value}])], one per series."""
        words = urllib.parse.urlencode({"db": database, "q": text, "epoch": "ns"})
        with self.opener.open(self.url + "/query?" + words, timeout=PATIENCE_SECONDS) as answer:
            result = json.load(answer)["results"][0]
        if "error" in result:
            return []
        return [(series.get("tags", {}),
                 [dict(zip(series["columns"], row)) for row in series["values"]])
                for series in result.get("series", [])]

    def write_statuses(self):
        return [int(status) for status in re.findall(r'"POST /write\S* \S+" (\d+)', self.log())]


CARBON_CONFIG = """
[cache]
STORAGE_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
CONF_DIR = {folder}
LOG_DIR = {folder}
PID_DIR = {folder}
USER =
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = inf
MAX_CREATES_PER_MINUTE = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
"""

STORAGE_SCHEMAS = """
[all]
pattern = .*
retentions = 1s:1h
"""


class Carbon(Program):
    def __init__(self, folder):
        self.port = free_port()
        self.whisper = os.path.join(folder, "whisper")
        config = os.path.join(folder, "carbon.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(CARBON_CONFIG.format(folder=folder, line=self.port, pickle=free_port(),
                                            query=free_port()))
        with open(os.path.join(folder, "storage-schemas.conf"), "w", encoding="ascii") as file:
            file.write(STORAGE_SCHEMAS)
        super().__init__("carbon-cache", ["carbon-cache", "--nodaemon", "--debug",
                                          "--config=" + config, "start"], folder)
        self.wait_until(self._listens, "its port")

    def _listens(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False

    def metrics(self):
        names = []
        for folder, _, files in os.walk(self.whisper):
            for file in files:
                path = os.path.relpath(os.path.join(folder, file[:-len(".wsp")]), self.whisper)
                names.append(path.replace(os.sep, "."))
        return sorted(names)

    def fetch(self, metric):
        """[(second, value)]"""
        path = os.path.join(self.whisper, *metric.split(".")) + ".wsp"
        words = [find_program("whisper-fetch"), "--json", "--from=%d" % (time.time() - 600), path]
        text = subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS,
                              env={**os.environ, "PYTHONPATH": PYTHONPATH}).stdout
        answer = json.loads(text)
        return [(answer["start"] + i * answer["step"], value)
                for i, value in enumerate(answer["values"]) if value is not None]


# --- collectors ----------------------------------------------------------------------------------

COLLECTD_CONFIG = """
Hostname "{name}"
FQDNLookup false
Interval 1
BaseDir "{folder}"
{types}
PIDFile "{folder}/pid"
{stock}
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File STDOUT
  Timestamp true
  PrintSeverity true
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
{ours}
{rapl}
{stock}
{outputs}
"""

WRITE_GRAPHITE = """
LoadPlugin write_graphite
<Plugin write_graphite>
  <Node "carbon">
    Host "127.0.0.1"
    Port "%d"
    Protocol "tcp"
  </Node>
</Plugin>
"""

NETWORK = """
LoadPlugin network
<Plugin network>
  Server "127.0.0.1" "%d"
</Plugin>
"""


@functools.lru_cache(maxsize=None)
def collectd_plugin_folder():
    """The folder in which it looks for plugins by default."""
    text = subprocess.run([find_program("collectd"), "-h"], stdout=subprocess.PIPE, check=False,
                          timeout=PATIENCE_SECONDS).stdout.decode()
    return re.search(r"Plugin directory\s+(\S+)", text).group(1)


def collectd_file(path):
    """The path of a file of its packages."""
    return (UNPACKED if find_program("collectd").startswith(UNPACKED) else "") + path


def collectd_types():
    return collectd_file("/usr/share/collectd/types.db")


class Collectd(Program):
    """collectd with rapl.so, each value in a csv file. rapl: its lines of the configuration; load:
    how it is loaded, and TypesDB where that is not the stock one; binds: what it sees elsewhere than
    it is (in_namespace), and then rapl.so is in the folder where collectd looks for plugins unless
    it is told; plugins: {name: file} of more that are there beside it, or in its place."""

    def __init__(self, name, rapl, folder, load="LoadPlugin rapl", outputs="", binds=(),
                 plugins=None, **more):
        files = {"rapl.so": COLLECTD_PLUGIN, **(plugins or {})}
        plugins = os.path.join(folder, "plugins")
        os.mkdir(plugins)
        for file, path in files.items():  # its user may have no access to the build
            shutil.copy(path, os.path.join(plugins, file))
        stock = collectd_file(collectd_plugin_folder())
        mounts = [(plugins, stock)] if binds and os.path.isdir(collectd_plugin_folder()) else []
        config = os.path.join(folder, "collectd.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(COLLECTD_CONFIG.format(
                name=name, folder=folder, outputs=outputs,
                types="" if "TypesDB" in load else 'TypesDB "%s"' % collectd_types(),
                rapl=load + "\n" + rapl,
                ours="" if mounts else 'PluginDir "%s"' % plugins,
                stock="" if mounts else 'PluginDir "%s"' % stock))
        self.csv = os.path.join(folder, "csv", name)
        if binds:
            for plugin in ("logfile.so", "csv.so"):
                shutil.copy(os.path.join(stock, plugin), plugins)
            more["before"] = in_namespace(*binds, *mounts)
        if more.get("user"):
            for path in (folder, plugins):
                shutil.chown(path, more["user"])
        super().__init__(name, ["collectd", "-f", "-C", config], folder, **more)

    def rows(self):
        return read_csv(self.csv)

    def count(self, name):
        return len(self.rows().get(name, []))

    def wait_rows(self, name, count):
        self.wait_until(lambda: self.count(name) >= count, "%d values of %s" % (count, name))

    def wait_more(self, name, more):
        self.wait_rows(name, self.count(name) + more)

    def series(self):
        """{(zone it is shown under, domain): Series}"""
        return series_of_collectd(self.rows())


def read_csv(folder):
    """What collectd's csv plugin wrote: {"rapl-package-0/power-dram": [(ns, value)]}, without the
    values of other plugins."""
    rows = {}
    for parent, _, files in os.walk(folder):
        if not os.path.basename(parent).startswith("rapl"):
            continue
        for file in sorted(files):
            name = re.sub(r"-\d{4}-\d\d-\d\d$", "", file)
            with open(os.path.join(parent, file), encoding="ascii") as lines:
                for line in lines.read().split("\n")[1:-1]:
                    second, value = line.split(",")
                    rows.setdefault(os.path.basename(parent) + "/" + name, []).append(
                        (round(float(second) * 1000) * 1000000, float(value)))
    return rows


def series_of_collectd(rows):
    series = {}
    for name, values in rows.items():
        match = re.fullmatch(r"rapl-?(.*)/(power|energy)-(.*)", name)
        if match:
            parent, kind, domain = match.groups()
            series.setdefault((parent, domain), Series()).add(kind, values)
    return series


TELEGRAF_AGENT = """
[agent]
  interval = "1s"
  round_interval = true
  flush_interval = "1s"
  hostname = "{name}"
  skip_processors_after_aggregators = true
"""


class Telegraf(Program):
    """Telegraf, which gathers every second and writes everything to a file."""

    def __init__(self, program, name, inputs, folder, outputs="", words=(), **more):
        config = os.path.join(folder, "telegraf.conf")
        self.out = os.path.join(folder, "out.lp")
        with open(config, "w", encoding="utf-8") as file:
            file.write(TELEGRAF_AGENT.format(name=name))
            file.write(inputs)
            file.write('[[outputs.file]]\n  files = ["%s"]\n  data_format = "influx"\n' % self.out)
            file.write(outputs)
        super().__init__(name, [program, "--config", config, *words], folder, **more)

    def points(self, **tags):
        """The lines in its file with these tags."""
        return [point for point in read_points(self.out)
                if all(point.tags.get(key) == value for key, value in tags.items())]

    def wait_reports(self, count, **tags):
        self.wait_until(
            lambda: len({point.timestamp for point in self.points(**tags)}) >= count,
            "%d reports of %s" % (count, tags or "any"))

    def series(self, **tags):
        return series_of_points(self.points(**tags))


def read_point(text):
    """Parses a line of Telegraf, which formats numbers differently from rapl-execd."""
    match = re.fullmatch(r"([a-z_]+),((?:\\.|[^\\ ]|\\(?=[^ ]))+) ([^ ]+) (\d+)", text)
    if not match:
        raise ValueError("not a line: %r" % text)
    tags = dict(map(execd.unescape, execd.split_unescaped(pair, "="))
                for pair in execd.split_unescaped(match[2], ","))
    fields = dict(pair.split("=") for pair in match[3].split(","))
    fields = {name: int(value[:-1]) if value.endswith("i") else float(value)
              for name, value in fields.items()}
    return execd.Line(match[1], tags, fields, int(match[4]))


def read_points(path):
    """Parses what Telegraf has written so far."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    return list(map(read_point, text.split("\n")[:-1]))


def identity_of_tags(tags):
    domain, package = tags["domain"], tags.get("package_id")
    if domain == "total":
        return "", domain
    parent = "psys" if domain == "psys" else "package"
    parent += "-" + package if package is not None else ""
    return parent + ("-die-" + tags["die_id"] if "die_id" in tags else ""), domain


def series_of_points(points):
    series = {}
    for point in points:
        if point.measurement != "rapl":
            continue
        one = series.setdefault(identity_of_tags(point.tags), Series())
        for kind, field in (("energy", "energy_joules"), ("power", "power_watts")):
            if field in point.fields:
                one.add(kind, [(point.timestamp, point.fields[field])])
    return series


# --- what arrived --------------------------------------------------------------------------------


class Series:
    """The values of one zone: energy and power as [(ns, value)]."""

    def __init__(self):
        self.energy = []
        self.power = []

    def add(self, kind, values):
        getattr(self, kind).extend(values)

    def spans(self):
        """[(from_ns, to_ns, watts)]: each power is the mean since the previous one."""
        return [(self.power[i - 1][0], *self.power[i]) for i in range(1, len(self.power))]

    def before_ns(self, ns):
        """The values before that time."""
        part = Series()
        part.energy = [value for value in self.energy if value[0] < ns]
        part.power = [value for value in self.power if value[0] < ns]
        return part

    def after_ns(self, ns):
        part = Series()
        part.energy = [value for value in self.energy if value[0] >= ns]
        part.power = [value for value in self.power if value[0] >= ns]
        return part


def fetch_seconds(carbon, path, series):
    """All that Graphite can have kept of a series, with the times of sending: of two values in one
    second only the last is kept, and carbon writes with a delay."""
    times = [ns / 1e9 for ns, _ in series]
    # the sender may round or truncate its seconds
    least = min(len(set(map(int, times))), len(set(map(round, times))))
    carbon.wait_until(lambda: len(carbon.fetch(path)) >= least, "%d values of %s" % (least, path))
    return match_seconds(carbon.fetch(path), series)


def match_seconds(stored, series):
    """Gives Graphite's values, which have whole seconds, the times they were sent with. Each is
    (second, value); series is [(ns, value)] of the same values."""
    matched = []
    next_one = 0
    for second, value in stored:
        for i in range(next_one, len(series)):
            ns, sent = series[i]
            if abs(ns / 1e9 - second - 0.5) < 1.1 and abs(sent - value) < 0.0006:
                matched.append((ns, value))
                next_one = i + 1
                break
        else:
            raise AssertionError("%f of second %d was not sent then: %s" % (value, second, series))
    return matched


# --- the stage -----------------------------------------------------------------------------------

open_stages = []


class Stage:
    """The programs of a test case. Sinks start before the collectors that send to them, and
    everything stops in reverse order: influxd waits half a minute for clients that stay
    connected."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rapl-stage-")
        os.chmod(self.folder, 0o755)
        self.programs = []
        open_stages.append(self)

    def path(self, name):
        """A new folder."""
        folder = os.path.join(self.folder, "%02d-%s" % (len(os.listdir(self.folder)), name))
        os.mkdir(folder)
        return folder

    def keep(self, program):
        self.programs.append(program)
        return program

    def simulate(self, machine, *options):
        return self.keep(Machine(machine, options, self.path(machine)))

    def influxdb(self):
        return self.keep(InfluxDB(self.path("influxdb")))

    def carbon(self):
        return self.keep(Carbon(self.path("carbon")))

    def collectd(self, name, rapl="", **more):
        return self.keep(Collectd(name, rapl, self.path(name), **more))

    def telegraf(self, program, name, inputs, **more):
        return self.keep(Telegraf(program, name, inputs, self.path(name), **more))

    def stop(self, programs, seconds=PATIENCE_SECONDS):
        """Stops them in parallel; their exit statuses by name."""
        for program in programs:
            program.ask_to_stop()
        return {program.name: program.stop(seconds) for program in programs}

    def tell(self):
        return "\n".join(program.tell() for program in self.programs)

    def close(self):
        try:
            for program in reversed(self.programs):
                program.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            if self in open_stages:
                open_stages.remove(self)


@atexit.register
def close_stages():
    for stage in list(open_stages):
        stage.close()


class StageTest(unittest.TestCase):
    """Provides a stage, set up by prepare(). If missing() returns a reason, each test is skipped by
    name; if a test fails, the logs of the programs are shown."""

    stage = None
    reason = None

    @classmethod
    def missing(cls):
        return missing_simulator()

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def setUpClass(cls):
        cls.reason = cls.missing()
        if cls.reason:
            return
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        try:
            cls.prepare()
        except Exception as error:
            error.add_note(cls.stage.tell())
            raise

    def setUp(self):
        if self.reason:
            self.skipTest(self.reason)

    told = False

    @contextlib.contextmanager
    def show_logs(self):
        try:
            yield
        except unittest.SkipTest:
            raise
        except BaseException as error:
            if self.stage and not self.told:
                self.told = True
                error.add_note(self.stage.tell())
            raise

    @contextlib.contextmanager
    def subTest(self, *words, **parameters):
        with super().subTest(*words, **parameters), self.show_logs():
            yield

    def run(self, result=None):
        method = getattr(self, self._testMethodName)

        @functools.wraps(method)
        def with_logs():
            with self.show_logs():
                method()

        setattr(self, self._testMethodName, with_logs)
        return super().run(result)

    # Compares energy and power with the simulator's. A report has one time for all zones, but each
    # zone is read at a time of its own: on a busy machine a single span can be off by part of that
    # difference.

    def check_spans(self, machine, spans, name, least):
        """Checks power as [(from_ns, to_ns, watts)] within 1 %: over all spans, and the median of
        single ones."""
        self.assertGreaterEqual(len(spans), least, name)
        errors = []
        joules = true_joules = 0
        for from_ns, to_ns, watts in spans:
            true = machine.between(from_ns, to_ns)[name]
            errors.append(abs(watts / true[1] - 1))
            joules += watts * (to_ns - from_ns) / 1e9
            true_joules += true[0]
        self.assertLess(abs(joules / true_joules - 1), 0.01, "%s: %s" % (name, spans))
        self.assertLess(statistics.median(errors), 0.01, "%s: %s" % (name, spans))
        self.assertLess(max(errors), 0.1, "%s: %s" % (name, spans))

    def check_power(self, machine, series, name, least=8):
        self.check_spans(machine, series.spans(), name, least)

    def check_energy(self, machine, series, name, least=9):
        values = series.energy
        self.assertGreaterEqual(len(values), least, name)
        numbers = [joules for _, joules in values]
        self.assertEqual(numbers, sorted(numbers), name)
        joules = numbers[-1] - numbers[0]
        true = machine.between(values[0][0], values[-1][0])[name][0]
        self.assertLess(abs(joules / true - 1), 0.01, "%s: %s" % (name, values))

    def check_truth(self, machine, found, least=8):
        """Checks power and energy of each series of the machine, and that there is no other."""
        wanted = identities(machine.machine)
        self.assertEqual(sorted(found), sorted(wanted))
        for identity, name in wanted.items():
            with self.subTest(machine=machine.machine, series=name):
                self.check_power(machine, found[identity], name, least)
                self.check_energy(machine, found[identity], name, least + 1)
