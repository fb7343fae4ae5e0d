# SPDX-License-Identifier: MIT
"""When samples inside an interval are taken: missed ones are counted and not interpolated; prompts
in between are answered; nothing runs without need."""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import sim
import tap
import tree
from samples import MS, Watch

PACKAGE_0 = "domain=package,package_id=0"
HEALTH = "rapl_health,source=powercap"


def middle(values):
    return sorted(values)[len(values) // 2]


def time_ns(action):
    """The duration of action."""
    began = time.monotonic_ns()
    action()
    return time.monotonic_ns() - began


@sim.needed
class Away(sim.Simulated):
    """Times on the grid at which the program could not sample."""

    INTERVAL_NS = 10 * MS

    def watch(self, machine):
        program = self.start(self.simulate(machine), "--sample-interval=10ms")
        return Watch(program, self.INTERVAL_NS)

    @staticmethod
    def stay_away():
        """Waits for 0.5 s; returns the actual time in nanoseconds."""
        began = time.monotonic_ns()
        time.sleep(0.5)
        return time.monotonic_ns() - began

    def check_no_peak(self, watch, away_ns):
        watch.ask_constant(self, 0.3)
        watch.check_every_instant(self, away_ns)

    def test_stopped(self):
        watch = self.watch("server")
        watch.ask()
        time.sleep(0.2)
        watch.program.pause()
        away_ns = self.stay_away()
        watch.program.signal(signal.SIGCONT)
        self.check_no_peak(watch, away_ns)

    def test_nobody_reads_what_it_writes(self):
        """A pipe of one page, and a report that does not fit into it."""
        watch = self.watch("16-packages")
        watch.ask()
        time.sleep(0.2)
        watch.program.fill_pipe()
        away_ns = self.stay_away()
        watch.take(watch.program.read_report)
        self.check_no_peak(watch, away_ns)

    def prompt_often(self, machine, interval, beside=lambda: None):
        """A hundred prompts a second, each soon after a time on the grid."""
        watch = Watch(self.start(machine, "--sample-interval=%dms" % interval), interval * MS)
        watch.ask()
        due = time.monotonic() // 0.01 * 0.01 + 0.0002
        for _ in range(200):
            due += 0.01
            time.sleep(max(0, due - time.monotonic()))
            watch.ask()
            beside()
        watch.check_every_instant(self)
        for report in watch.reports:
            fields = report[PACKAGE_0]
            self.assertEqual("samples" in fields, "power_watts" in fields)
        return watch

    def test_prompts_are_answered_while_it_samples(self):
        """At once, except for the time this machine needs to answer a prompt without sampling."""
        machine, others = self.simulate(), []
        other = self.start(machine)
        watch = self.prompt_often(machine, 1, lambda: others.append(time_ns(other.ask)))
        late = middle([after - before for before, after in watch.stamps])
        self.assertLess(late, 10 * MS + 3 * middle(others))
        watch.ask_constant(self, 0.2)

    def test_prompts_make_no_sample_longer(self):
        """No longer than those of a program that is not prompted meanwhile."""
        machine = self.simulate()
        other = Watch(self.start(machine, "--sample-interval=10ms"), 10 * MS)
        other.ask()
        watch = self.prompt_often(machine, 10)
        count = sum(report[PACKAGE_0].get("samples", 0) for report in watch.reports)
        unprompted = other.ask()[PACKAGE_0]["samples"]
        self.assertGreater(count, 0.6 * unprompted)
        if unprompted * 50 * MS > other.stamps[1][0] - other.stamps[0][0]:
            self.assertGreater(count * 50 * MS, watch.stamps[-1][0] - watch.stamps[0][0])
        watch.ask_constant(self, 0.2)


@sim.needed
class Quiet(sim.Simulated):
    """Nothing runs without need."""

    SECONDS = 1.2
    QUIET_SECONDS = 3.2  # long enough to show a wake-up every 3 s

    def count_switches(self, programs, seconds):
        """How often each program leaves the CPU meanwhile: never, if it sleeps all the time."""
        before = list(map(self.read_switches, programs))
        time.sleep(seconds)
        return [self.read_switches(program) - count for program, count in zip(programs, before)]

    @staticmethod
    def read_switches(program):
        with open("/proc/%d/status" % program.pid, encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches:" in line)

    def check_sleep(self, *programs):
        """Waits until they have finished what they were asked for; after that none may wake."""
        execd.wait_until(lambda: not any(self.count_switches(programs, 0.3)), "the programs sleep")
        self.assertEqual(self.count_switches(programs, self.QUIET_SECONDS), [0] * len(programs))

    def test_it_samples(self):
        """Shows that the method of the tests below detects samples."""
        program = self.start(self.simulate(), "--sample-interval=10ms")
        program.ask()
        self.assertGreater(self.count_switches([program], self.SECONDS)[0], self.SECONDS * 50)

    def test_nobody_asks(self):
        machine = self.simulate()
        programs = [self.start(machine, *options) for options in (
            (), ("--sample-interval=off",), ("--sample-interval=1ms", "--statistics=no"))]
        for program in programs:
            program.ask()
        self.check_sleep(*programs)

    def test_nothing_is_selected(self):
        program = self.start(self.simulate(), "--sample-interval=1ms", "--include=psys")
        self.assertEqual(program.ask().keys(), {HEALTH})
        self.check_sleep(program)

    def test_zones_are_gone(self):
        machine = self.simulate()
        program = self.start(machine, "--sample-interval=1ms")
        program.ask()
        for zone in ("package-0", "package-1"):
            machine.control("remove " + zone)
        self.check_sleep(program)
        self.assertEqual(program.ask().keys(), {HEALTH})
        self.check_sleep(program)
        for zone in ("package-0", "package-1"):
            machine.control("add " + zone)
        watch = Watch(program, MS)
        watch.ask()
        watch.ask_constant(self, 0.3)


class ManyZones(unittest.TestCase):
    """More zones than most machines read in a millisecond: prompts are still answered."""

    ZONES = 4096

    def test_prompts_are_answered_and_it_ends(self):
        names = {"intel-rapl:%d" % i: "package-%d" % i for i in range(self.ZONES)}
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tree.Tree.make(names, below=memory) as zones, \
                execd.Execd("--include=total", root=zones.root) as other, \
                execd.Execd("--sample-interval=1ms", "--include=total", "--health=yes",
                            root=zones.root) as program:
            watch, others = Watch(program, MS), []
            for _ in range(30):
                watch.ask()
                others.append(time_ns(other.ask))
                time.sleep(0.05)
            self.assertEqual(watch.ask()[HEALTH]["zones"], self.ZONES)
            watch.check_every_instant(self)
            # As fast as a program that does not sample.
            late = middle([after - before for before, after in watch.stamps])
            self.assertLess(late, 250 * MS + 4 * middle(others))
            self.assertEqual(program.terminate(), 0)


if __name__ == "__main__":
    tap.main()
