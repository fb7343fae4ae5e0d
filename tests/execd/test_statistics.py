# SPDX-License-Identifier: MIT
"""Statistics of the power inside an interval: what a constant load and a pulse show, and that
instants which nobody was there for are counted, not made up."""
import fcntl
import os
import signal
import sys
import termios
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import sim
import tap
import tree
from samples import FIELDS, MS, PERCENTILE, SHARPNESS, Watch, check_constant, field

PACKAGE_0 = "domain=package,package_id=0"
HEALTH = "rapl_health,source=powercap"
PAGE = 4096


@sim.needed
class Simulated(unittest.TestCase):
    def simulate(self, name="server", *options):
        machine = sim.Machine("--machine", name, *options)
        self.addCleanup(machine.stop)
        return machine

    def start(self, machine, *options, **more):
        program = execd.Execd("--health=yes", *options, root=machine.root, **more)
        self.addCleanup(program.kill)
        return program


class ConstantLoad(Simulated):
    def measure(self, machine, seconds):
        """Two reports so far apart."""
        program = self.start(self.simulate(machine), "--sample-interval=1ms")
        first = program.ask()
        time.sleep(seconds)
        return first, program.ask()

    def test_two_packages_have_no_peak(self):
        first, last = self.measure("server", 3)
        check_constant(self, last)
        self.assertEqual(len(last), 6)
        for identity in last.keys() - {HEALTH}:
            count = last[identity]["samples"]
            self.assertGreater(count, 20, identity)
            # 20 updates of a counter that moves once a millisecond; one was open at the first
            self.assertLess((count - 1) * 20 * MS, last.timestamp - first.timestamp, identity)

    def test_whole_joules_have_no_peak(self):
        first, last = self.measure("sapphire-rapids", 6)
        check_constant(self, last)
        for identity in ("domain=psys", "domain=psys,package_id=1"):
            count = last[identity]["samples"]
            self.assertGreater(count, 5)
            # not under 20 units, of a joule each
            joules = last[identity]["energy_joules"] - first[identity]["energy_joules"]
            self.assertLessEqual((count - 1) * 20, joules)

    def test_what_happens_to_a_counter_makes_no_peak(self):
        machine = self.simulate()
        watch = Watch(self.start(machine, "--sample-interval=10ms"), 10 * MS)
        watch.ask()
        for commands in (("fail package-0 EIO", "heal package-0"), *[("reset package-0",)] * 5,
                         ("reset package-0 100000",), ("remove package-1", "add package-1")):
            for command in commands:
                time.sleep(0.3)
                machine.control(command)
            time.sleep(0.005)  # more often than not, the sample in which it happened is still open
            watch.ask()
            time.sleep(0.4)
            check_constant(self, watch.ask())
        self.assertEqual(watch.grown("resets"), 6)
        self.assertGreaterEqual(watch.grown("gaps"), 1)
        watch.check_every_instant(self)

    def test_a_wrap_makes_no_peak(self):
        """Both packages pass their range within 2 s."""
        program = self.start(self.simulate("server", "--before-wrap", "200"),
                             "--sample-interval=1ms")
        program.ask()
        time.sleep(2)
        report = program.ask()
        check_constant(self, report)
        self.assertEqual(report[HEALTH]["wraps"], 2)

    def test_single_cores(self):
        program = self.start(self.simulate("epyc"), "--sample-interval=5ms", "--source=msr",
                             "--cores=yes", "--statistics=min,max,p50,p95,p99,stddev")
        program.ask()
        time.sleep(1.5)
        report = program.ask()
        check_constant(self, report)
        self.assertEqual(sum("core_id" in line.tags for line in report.lines), 16)

    def test_once(self):
        ended = execd.run("--once", "--sample-interval=10ms", root=self.simulate().root)
        self.assertEqual((ended.status, ended.messages), (0, []))
        report, = execd.parse_reports(ended.text)
        check_constant(self, report)
        for identity, fields in report.items():
            self.assertEqual(fields.keys(), {"power_watts", *FIELDS}, identity)
            self.assertGreater(fields["samples"], 5)


class Pulse(Simulated):
    """200 W for 50 ms of each second, 50 W for the rest."""

    def test_maximum_shows_what_the_mean_hides(self):
        machine = self.simulate("server", "--load", "pulse", "--load-period", "1s",
                                "--power", "package-0=57.5")
        program = self.start(machine, "--sample-interval=10ms")
        self.wait_for_rest(machine)
        program.ask()
        time.sleep(4)  # whole periods
        fields = program.ask()[PACKAGE_0]
        self.assertAlmostEqual(fields["power_watts"], 57.5, delta=0.02 * 57.5)
        # In 4 s some pulse holds a whole sample, of 30 ms.
        self.assertAlmostEqual(fields[field("max")], 200, delta=SHARPNESS * 200)
        self.assertAlmostEqual(fields[field("min")], 50, delta=SHARPNESS * 50)
        self.assertAlmostEqual(fields[field("p50")], 50, delta=PERCENTILE * 50)
        self.assertGreater(fields[field("p99")], 100)
        # The root of 0.05 * 0.95, times 150 W, less what falls into samples across an edge.
        self.assertAlmostEqual(fields[field("stddev")], 32.7, delta=6)

    @staticmethod
    def wait_for_rest(machine):
        """Until the middle between two pulses."""
        truth = machine.truth()
        time.sleep((1.5 - (truth.now_ns - truth.began_ns) / 1e9) % 1)


class Fields(Simulated):
    def fields(self, *options, machine=("laptop",), seconds=0.3):
        program = self.start(self.simulate(*machine), *options)
        program.ask()
        time.sleep(seconds)
        report = program.ask()
        report.pop(HEALTH)
        return report

    def check_fields(self, report, expected):
        for identity, fields in report.items():
            self.assertEqual(fields.keys(), {"energy_joules", "power_watts", *expected}, identity)

    def test_none_without_samples(self):
        for options in ((), ("--statistics=yes",), ("--statistics=max",),
                        ("--sample-interval=10ms", "--statistics=no"),
                        ("--sample-interval=off", "--statistics=max")):
            with self.subTest(options=options):
                self.check_fields(self.fields(*options), set())

    def test_all_with_samples(self):
        self.check_fields(self.fields("--sample-interval=10ms"), FIELDS)

    def test_a_list_chooses(self):
        self.check_fields(self.fields("--sample-interval=10ms", "--statistics=p99,max"),
                          {field("max"), field("p99"), "samples"})

    def test_of_what_is_selected(self):
        report = self.fields("--sample-interval=10ms", "--include=total", "--include=*/dram")
        self.assertEqual(report.keys(), {"domain=total", "domain=dram,package_id=0"})
        self.check_fields(report, FIELDS)

    def test_no_sample_was_closed(self):
        """Of whole joules, power is told after half a second; 20 of them take 2 s."""
        report = self.fields("--sample-interval=10ms", "--include=psys", seconds=0.6,
                             machine=("sapphire-rapids", "--power", "psys=10"))
        self.check_fields(report, {"samples"})
        self.assertEqual(report["domain=psys"]["samples"], 0)


class Away(Simulated):
    """What happens at the instants of the grid at which the program could not sample."""

    INTERVAL_NS = 10 * MS

    def watch(self, machine):
        program = self.start(self.simulate(machine), "--sample-interval=10ms")
        return Watch(program, self.INTERVAL_NS)

    def check_no_peak(self, watch, away_ns):
        time.sleep(0.3)
        check_constant(self, watch.ask())
        watch.check_every_instant(self, away_ns)

    def test_stopped(self):
        watch = self.watch("server")
        watch.ask()
        time.sleep(0.2)
        watch.program.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, watch.program.pid, os.WSTOPPED)
        began = time.monotonic_ns()
        time.sleep(0.5)
        away_ns = time.monotonic_ns() - began
        watch.program.signal(signal.SIGCONT)
        self.check_no_peak(watch, away_ns)

    def test_nobody_reads_what_it_writes(self):
        """A pipe of one page, and a report that does not fit into it."""
        watch = self.watch("16-packages")
        fcntl.fcntl(watch.program.stdout, fcntl.F_SETPIPE_SZ, PAGE)
        watch.ask()
        time.sleep(0.2)
        watch.program.prompt()
        self.wait_full(watch.program.stdout)
        began = time.monotonic_ns()
        time.sleep(0.5)
        away_ns = time.monotonic_ns() - began
        watch.take(watch.program.read_report)
        self.check_no_peak(watch, away_ns)

    @staticmethod
    def wait_full(pipe):
        end = time.monotonic() + execd.PATIENCE_SECONDS
        while time.monotonic() < end:
            held = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
            if int.from_bytes(held, sys.byteorder) == PAGE:
                return
            time.sleep(0.001)
        raise AssertionError("the pipe is not full")

    def prompt_often(self, interval):
        """A hundred prompts a second, each soon after an instant of the grid."""
        watch = Watch(self.start(self.simulate(), "--sample-interval=%dms" % interval),
                      interval * MS)
        watch.ask()
        due = time.monotonic() // 0.01 * 0.01 + 0.0002
        for _ in range(200):
            due += 0.01
            time.sleep(max(0, due - time.monotonic()))
            watch.ask()
        watch.check_every_instant(self)
        for report in watch.reports:
            fields = report[PACKAGE_0]
            self.assertEqual("samples" in fields, "power_watts" in fields)
        return watch

    def test_prompts_are_answered_while_it_samples(self):
        watch = self.prompt_often(1)
        late = sorted(after - before for before, after in watch.stamps)
        self.assertLess(late[len(late) // 2], 10 * MS)
        time.sleep(0.2)
        check_constant(self, watch.ask())

    def test_prompts_make_no_sample_longer(self):
        watch = self.prompt_often(10)
        count = sum(report[PACKAGE_0].get("samples", 0) for report in watch.reports)
        self.assertGreater(count * 50 * MS, watch.stamps[-1][0] - watch.stamps[0][0])
        time.sleep(0.2)
        check_constant(self, watch.ask())


class Quiet(Simulated):
    """Nothing runs when nothing asks for it."""

    SECONDS = 1.2

    def count_switches(self, program):
        """How often it leaves the CPU meanwhile: not once, where it sleeps all the time."""
        before = self.read_switches(program)
        time.sleep(self.SECONDS)
        return self.read_switches(program) - before

    @staticmethod
    def read_switches(program):
        with open("/proc/%d/status" % program.pid, encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches:" in line)

    def check_sleeps(self, program):
        time.sleep(0.2)
        self.assertEqual(self.count_switches(program), 0)

    def test_it_samples(self):
        """What is not to be seen below is seen here."""
        program = self.start(self.simulate(), "--sample-interval=10ms")
        program.ask()
        self.assertGreater(self.count_switches(program), self.SECONDS * 50)

    def test_nobody_asks(self):
        machine = self.simulate()
        for options in ((), ("--sample-interval=off",),
                        ("--sample-interval=1ms", "--statistics=no")):
            with self.subTest(options=options):
                program = self.start(machine, *options)
                program.ask()
                self.check_sleeps(program)

    def test_nothing_is_selected(self):
        program = self.start(self.simulate(), "--sample-interval=1ms", "--include=psys")
        self.assertEqual(program.ask().keys(), {HEALTH})
        self.check_sleeps(program)

    def test_zones_are_gone(self):
        machine = self.simulate()
        program = self.start(machine, "--sample-interval=1ms")
        program.ask()
        for zone in ("package-0", "package-1"):
            machine.control("remove " + zone)
        self.check_sleeps(program)
        self.assertEqual(program.ask().keys(), {HEALTH})
        self.check_sleeps(program)
        for zone in ("package-0", "package-1"):
            machine.control("add " + zone)
        program.ask()
        time.sleep(0.3)
        check_constant(self, program.ask())


class ManyZones(unittest.TestCase):
    """More zones than most machines read in a millisecond: what asks meanwhile has its turn."""

    ZONES = 4096

    def test_prompts_are_answered_and_it_ends(self):
        names = {"intel-rapl:%d" % i: "package-%d" % i for i in range(self.ZONES)}
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tree.Tree.make(names, below=memory) as zones, \
                execd.Execd("--sample-interval=1ms", "--include=total", "--health=yes",
                            root=zones.root) as program:
            watch = Watch(program, MS)
            for _ in range(30):
                watch.ask()
                time.sleep(0.05)
            self.assertEqual(watch.ask()[HEALTH]["zones"], self.ZONES)
            watch.check_every_instant(self)
            late = sorted(after - before for before, after in watch.stamps)
            self.assertLess(late[len(late) // 2], 250 * MS)
            self.assertEqual(program.terminate(), 0)


if __name__ == "__main__":
    tap.main()
