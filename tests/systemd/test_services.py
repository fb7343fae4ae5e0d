# SPDX-License-Identifier: MIT
"""contrib/systemd with Debian's collectd.service and Telegraf's own unit, on real drivers."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import booted  # noqa: E402
import daemons  # noqa: E402
import execd  # noqa: E402
import guest  # noqa: E402
import handbook  # noqa: E402
import kernel  # noqa: E402

MACHINE = guest.Machine(seconds=1200)
PAGE = "contrib/systemd/README.md"
TELEGRAF_VARIABLE = "RAPL_TELEGRAF"  # the program, or the reason why there is none

USERS = """u telegraf - "" /etc/telegraf
u collectd - "" /var/lib/collectd
"""

COLLECTD_CONFIG = """
Hostname "guest"
FQDNLookup false
Interval 1
LoadPlugin logfile
<Plugin logfile>
  File STDOUT
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "/var/lib/collectd/csv"
</Plugin>
<Include "/etc/collectd/collectd.conf.d">
  Filter "*.conf"
</Include>
"""

TELEGRAF_CONFIG = """
[agent]
  interval = "1s"
  flush_interval = "1s"
[[outputs.file]]
  files = ["/var/lib/telegraf/out.lp"]
"""

LATER = 3  # powers that are checked after the first correct one
STALL_SECONDS = 0.1

AS_USER = "[Service]\nUser=collectd\n"

PACKAGE = "package core uncore dram"
daemons.DOMAINS["guest"] = {"package-0": PACKAGE, "package-1": PACKAGE, "psys": "psys",
                            "psys-1": "psys", "": "total"}

machine = None
telegraf = os.environ.get(TELEGRAF_VARIABLE, "")


def setUpModule():
    global machine
    machine = booted.Booted()
    for source, path in (
            ("contrib/udev/rapl-sysusers.conf", "/etc/sysusers.d/rapl.conf"),
            ("contrib/udev/60-rapl.rules", "/etc/udev/rules.d/60-rapl.rules"),
            ("configs/telegraf/rapl.conf", "/etc/telegraf/telegraf.d/rapl.conf"),
            ("configs/collectd/rapl.conf", "/etc/collectd/collectd.conf.d/rapl.conf")):
        machine.copy(os.path.join(handbook.SOURCE, source), path)
    machine.copy(execd.PROGRAM, "/usr/bin/rapl-execd", 0o755)
    install_collectd()
    machine.copy(daemons.COLLECTD_PLUGIN, os.path.join(daemons.collectd_plugin_folder(), "rapl.so"))
    if os.path.exists(telegraf):
        machine.copy(telegraf, "/usr/bin/telegraf", 0o755)
        machine.copy(os.path.join(os.path.dirname(telegraf), "telegraf.service"),
                     "/lib/systemd/system/telegraf.service")
    machine.write("/etc/sysusers.d/daemons.conf", USERS)
    machine.write("/etc/collectd/collectd.conf", COLLECTD_CONFIG)
    machine.write("/etc/telegraf/telegraf.conf", TELEGRAF_CONFIG)
    machine.boot()


def install_collectd():
    """Copies the files of collectd to their places if its package is only unpacked."""
    for path in ("/usr/sbin/collectd", "/lib/systemd/system/collectd.service",
                 "/usr/share/collectd/types.db", daemons.collectd_plugin_folder()):
        if daemons.collectd_file(path) != path:
            os.makedirs(os.path.dirname(machine.path(path)), exist_ok=True)
            subprocess.run(["cp", "-aT", daemons.collectd_file(path), machine.path(path)], check=True)


def tearDownModule():
    machine.close()
    kernel.load_registers()  # new files, which group rapl may not read


def is_near(watts, true):
    return abs(watts - true) <= 0.3 * true


class Service(unittest.TestCase):
    """One service and its drop-ins."""
    name = None
    data = None
    owner = None

    def setUp(self):
        self.addCleanup(self.forget)

    def forget(self):
        """Resets the unit to its package's, as if never started, and removes what it left."""
        machine.call("systemctl", "stop", self.name)
        machine.call("systemctl", "reset-failed", self.name)
        shutil.rmtree(machine.path("/etc/systemd/system/%s.d" % self.name), ignore_errors=True)
        shutil.rmtree(machine.path(self.data), ignore_errors=True)

    def add(self, name, text=None):
        """Adds a drop-in: one of ours, or a text."""
        if text is None:
            text = handbook.read("contrib/systemd/" + name)
        machine.write("/etc/systemd/system/%s.d/%s" % (self.name, os.path.basename(name)), text)

    def start(self, owner=None):
        machine.run("install", "-d", "-o", owner or self.owner, self.data)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", self.name)

    def install(self):
        """Runs the commands of the page, the last of which start the service."""
        machine.run("install", "-d", "-o", self.owner, self.data)
        for command in handbook.commands(PAGE, self.heading):
            machine.run("/bin/sh", "-c", command, folder=handbook.SOURCE)

    def wait_log(self, pattern):
        self.wait(lambda: re.search(pattern, machine.log(self.name)), pattern)

    def wait(self, condition, what):
        try:
            return daemons.wait_until(condition, what, 2 * execd.PATIENCE_SECONDS)
        except AssertionError as error:
            error.add_note(machine.log(self.name))
            raise

    def status_of(self, program):
        """/proc/PID/status of the service's process with that name, as {key: value}."""
        group = "/sys/fs/cgroup/system.slice/%s/cgroup.procs" % self.name
        for pid in machine.run("cat", group).split():
            text = machine.run("cat", "/proc/%s/status" % pid)
            status = dict(part.split(":\t", 1) for part in text.splitlines() if ":\t" in part)
            if status["Name"] == program:
                return status
        raise AssertionError("%s has no process %s" % (self.name, program))

    def check_values(self):
        """At some time all zones have the correct power, and so have all later values: only a stall
        of the guest within a read explains another one."""
        true = self.true_watts()

        def are_right():
            last = {identity: one.power[-1] for identity, one in self.series().items() if one.power}
            self.assertLessEqual(last.keys(), true.keys())
            return last.keys() == true.keys() and all(
                is_near(watts, true[identity]) for identity, (_, watts) in last.items()) and last

        def come_later():
            later = {identity: [span for span in one.spans() if span[1] > last[identity][0]]
                     for identity, one in self.series().items()}
            return all(len(spans) >= LATER for spans in later.values()) and later

        with kernel.Stalls(STALL_SECONDS) as stalls:
            last = self.wait(are_right, "the true power of each zone")
            later = self.wait(come_later, "later powers of each zone")
        for identity, spans in later.items():
            for from_ns, to_ns, watts in spans:
                if not is_near(watts, true[identity]):
                    self.assertTrue(stalls.may_explain(from_ns, to_ns), "%s is %s W, not %s W" %
                                    (identity, watts, true[identity]))

    @staticmethod
    def true_watts():
        """Watts by identity; total is the sum of its members."""
        watts = {(parent, domain): kernel.truth_watts(
            {"domain": domain, "package_id": parent.partition("-")[2] or 0})
                 for parent, domain in daemons.identities("guest") if domain != "total"}
        watts["", "total"] = sum(true for (_, domain), true in watts.items()
                                 if domain in ("package", "dram"))
        return watts

    def powers(self):
        return {identity: one.power[-1][1] for identity, one in self.series().items() if one.power}


class Telegraf(Service):
    name = "telegraf.service"
    heading = "Telegraf:"
    data = "/var/lib/telegraf"
    owner = "telegraf"

    def setUp(self):
        if not os.path.exists(telegraf):
            self.skipTest(telegraf or "there is no Telegraf")
        super().setUp()

    def series(self):
        return daemons.series_of_points(daemons.read_points(machine.path(self.data + "/out.lp")))

    def test_as_packaged_it_is_refused(self):
        self.start()
        self.wait_log("energy_uj .and 9 more.: Permission denied")
        self.assertEqual({}, self.powers())

    def test_with_the_group(self):
        self.install()
        self.check_values()
        uid, gid = (machine.run("getent", what, name).split(":")[2]
                    for what, name in (("passwd", "telegraf"), ("group", "rapl")))
        for program in ("telegraf", "rapl-execd"):
            status = self.status_of(program)
            self.assertEqual([uid] * 4, status["Uid"].split())
            self.assertIn(gid, status["Groups"].split())
            self.assertEqual("0" * 16, status["CapPrm"])

    def test_reduced_to_rapl(self):
        self.add("telegraf.service.d/rapl.conf")
        self.add("rapl-only.conf")
        self.start()
        self.check_values()
        self.assertEqual("0" * 16, self.status_of("rapl-execd")["CapBnd"])

    def give_capability(self):
        path = machine.path("/usr/bin/rapl-execd")
        os.chmod(path, 0o750)
        shutil.chown(path, group=self.group_of_telegraf())
        subprocess.run(["setcap", "cap_dac_read_search=p", path], check=True)
        self.addCleanup(machine.copy, execd.PROGRAM, "/usr/bin/rapl-execd", 0o755)
        self.addCleanup(os.remove, path)

    @staticmethod
    def group_of_telegraf():
        return int(machine.run("id", "-g", "telegraf"))

    def test_capability_of_the_file_instead(self):
        self.give_capability()
        self.start()
        self.check_values()

    def test_capability_of_the_file_is_withheld_by_the_reduced_one(self):
        self.give_capability()
        self.add("rapl-only.conf")
        self.start()
        self.wait_log("Permission denied.* CapabilityBoundingSet= of ")
        self.assertEqual({}, self.powers())


class Collectd(Service):
    name = "collectd.service"
    heading = "collectd (as root"
    data = "/var/lib/collectd"
    owner = "root"

    def series(self):
        return daemons.series_of_collectd(daemons.read_csv(machine.path(self.data + "/csv")))

    def test_as_debian_runs_it_it_reads(self):
        self.start()
        self.check_values()

    def test_as_a_user_it_is_refused(self):
        self.add("user.conf", AS_USER)
        self.start(owner="collectd")
        self.wait_log("energy_uj .and 9 more.: Permission denied")
        self.assertEqual({}, self.powers())

    def test_as_a_user_with_the_group(self):
        self.owner = "collectd"
        self.add("user.conf", AS_USER)
        self.install()
        self.check_values()
        status = self.status_of("collectd")
        self.assertEqual("0" * 16, status["CapPrm"])

    def test_reduced_to_rapl(self):
        """As root, without any capability."""
        self.add("collectd.service.d/rapl.conf")
        self.add("rapl-only.conf")
        self.start()
        self.check_values()
        status = self.status_of("collectd")
        self.assertEqual(["0"] * 4, status["Uid"].split())
        self.assertEqual("0" * 16, status["CapPrm"])

    def test_reduced_to_rapl_as_a_user(self):
        self.add("user.conf", AS_USER)
        self.add("collectd.service.d/rapl.conf")
        self.add("rapl-only.conf")
        self.start(owner="collectd")
        self.check_values()


class Sandbox(unittest.TestCase):
    """Each row of the page's table, alone in a unit that starts rapl-execd."""

    UNIT = """[Service]
Type=oneshot
{who}
ExecStart=-/bin/sh -c 'for s in {sources}; do echo; echo $s; rapl-execd --check --source=$s; done'
StandardOutput=file:/run/{name}.out
{options}
"""
    READERS = (("User=telegraf\nSupplementaryGroups=rapl", ("powercap",)), ("", ("perf", "msr")))
    READS = r"^%s\n(?:[a-z ].*\n)*?energy +([1-9]\d*) of \1 zones"

    def test_as_the_page_says(self):
        rows = handbook.rows(PAGE, "option of the unit")
        names = {}
        for number, (options, *_) in enumerate(rows):
            for reader, (who, sources) in enumerate(self.READERS):
                name = names[number, reader] = "sandbox-%d-%d" % (number, reader)
                machine.write("/etc/systemd/system/%s.service" % name, self.UNIT.format(
                    who=who, sources=" ".join(sources), name=name,
                    options=options.replace("` and `", "\n")))
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", *names.values(), seconds=guest.LONGEST_TEST_SECONDS)
        for number, (options, *told) in enumerate(rows):
            files = ["/run/%s.out" % names[number, reader] for reader in (0, 1)]
            text = machine.run("cat", *files)
            found = ["yes" if re.search(self.READS % source, text, re.MULTILINE) else "no"
                     for _, sources in self.READERS for source in sources]
            with self.subTest(options):
                self.assertEqual(told, found, text)


def prepare():
    """Builds Telegraf, which is not possible in the guest."""
    built = daemons.build_telegraf()
    return {TELEGRAF_VARIABLE: built.path or built.missing}


if __name__ == "__main__":
    guest.main(MACHINE, prepare)
