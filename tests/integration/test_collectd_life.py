# SPDX-License-Identifier: MIT
"""rapl.so in the real collectd: its start and end, its thread, and how many counters it reads."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import daemons  # noqa: E402
import tap  # noqa: E402
import tree  # noqa: E402
from collectd import (  # noqa: E402
    block, complaints, missing_collectd, names_of, root_of, warnings)


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
        # To resolve a link below a root, the kernel follows its "..", and returns EAGAIN if
        # anything was renamed or mounted anywhere at that moment.
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


class Guard(daemons.StageTest):
    """A counter that wraps more than once between two reads of collectd."""

    @classmethod
    def missing(cls):
        return missing_collectd()

    @tap.tries(3)
    def test_no_turn_is_missed(self):
        watts, range_uj = 300, 1199999999  # a wrap takes 4 s, and 1.5 s at 800 W
        with tree.Tree.make({"intel-rapl:0": "package-0"}, range_uj) as machine:
            with tree.Pump(machine, "intel-rapl:0", watts, range_uj) as pump:
                collectd = self.stage.collectd(
                    "guard", block(root_of(machine), "MaxPower 800", "ReportHealth true"),
                    load="<LoadPlugin rapl>\n  Interval 5\n</LoadPlugin>")
                collectd.wait_rows("rapl-package-0/energy-package", 3)
            self.assertEqual({"guard": 0}, self.stage.stop([collectd]))
        rows = collectd.rows()["rapl-package-0/energy-package"]
        seconds = (rows[2][0] - rows[0][0]) / 1e9
        with tap.excused(pump.lateness()):
            self.assertAlmostEqual(watts, (rows[2][1] - rows[0][1]) / seconds, delta=0.01 * watts)
            for name in ("gaps", "resets"):
                values = {value for _, value in collectd.rows()["rapl/derive-" + name]}
                self.assertEqual({0}, values)
            self.assertEqual([], complaints(collectd))


class ManyZones(daemons.StageTest):
    """More zones than most machines read in a millisecond, read every millisecond: collectd still
    gets access to the handle, and can end."""

    ZONES = 4096
    INTERVAL_SECONDS = 0.4

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
            collectd.wait_rows("rapl/energy-total", 16)
            self.assertEqual({"many": 0}, self.stage.stop([collectd], seconds=30))
        rows = collectd.rows()
        times = [ns for ns, _ in rows["rapl/energy-total"]]
        late = [after - before - self.INTERVAL_SECONDS * 1e9
                for before, after in zip(times, times[1:])]
        # A read waits for one sample and takes another: the time of both on this machine.
        taken = [value for _, value in rows["rapl/derive-sweeps"]]
        sample_ns = (times[-1] - times[0]) / (taken[-1] - taken[0])
        self.assertLess(sorted(late)[len(late) // 2], 0.1e9 + 2 * sample_ns)
        self.assertEqual({self.ZONES}, {value for _, value in rows["rapl/count-zones"]})
        self.assertGreater(taken[-1], 5 * len(times))
        self.assertEqual([], complaints(collectd))
        self.assertEqual([], warnings(collectd))


class Limits(daemons.StageTest):
    """More counters than half of the daemon's open files, and a root with invalid files."""

    FILES = 64
    OWN_FILES = 5  # of the core, besides counters (rapl.c)

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
            with tree.Pump(machine, machine.zones(), 50):
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
                                  r"package-\d/uncore: at most %d open files .*Fix: raise "
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
        # No total: it lacks three packages that exist.
        self.assertEqual({name for name in rows if "/energy-" in name}, {
            "rapl-package-0/energy-package", "rapl-__31mred/energy-__31mred"})
        for _, watts in rows["rapl-package-0/power-package"]:
            self.assertAlmostEqual(watts, 50, delta=15)  # the pump pauses on a busy machine
        said = complaints(collectd)
        self.assertLessEqual(len(said), 3, said)
        for line in said:
            self.assertRegex(line, r"\A\[warning\] rapl plugin: [\x20-\x7e]+\Z")


if __name__ == "__main__":
    tap.main()
