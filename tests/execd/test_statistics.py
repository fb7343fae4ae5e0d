# SPDX-License-Identifier: MIT
"""Statistics of the power inside an interval: what a constant load and a pulse show."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import sim
import tap
from samples import (FIELDS, MS, PERCENTILE, SHARPNESS, Watch, ask_sampled, check_constant,
                     field)

PACKAGE_0 = "domain=package,package_id=0"
HEALTH = "rapl_health,source=powercap"


@sim.needed
class ConstantLoad(sim.Simulated):
    def measure(self, machine, seconds, least):
        """Two reports so far apart, or further, until there are so many samples."""
        program = self.start(self.simulate(machine), "--sample-interval=1ms")
        last = program.ask()
        for times in (1, 2, 4):
            first = last
            time.sleep(times * seconds)
            last = program.ask()
            if min(last[identity]["samples"] for identity in last.keys() - {HEALTH}) > least:
                break
        return first, last

    def test_two_packages_have_no_peak(self):
        first, last = self.measure("server", 3, 20)
        check_constant(self, last)
        self.assertEqual(len(last), 6)
        for identity in last.keys() - {HEALTH}:
            count = last[identity]["samples"]
            self.assertGreater(count, 20, identity)
            # 20 updates of a counter that moves once a millisecond; one was open at the first
            self.assertLess((count - 1) * 20 * MS, last.timestamp - first.timestamp, identity)

    def test_whole_joules_have_no_peak(self):
        first, last = self.measure("sapphire-rapids", 6, 5)
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
            check_constant(self, ask_sampled(watch.ask, 0.4))
        self.assertEqual(watch.grown("resets"), 6)
        self.assertGreaterEqual(watch.grown("gaps"), 1)
        watch.check_every_instant(self)

    def test_a_wrap_makes_no_peak(self):
        """Both packages pass their range within 2 s."""
        program = self.start(self.simulate("server", "--before-wrap", "200"),
                             "--sample-interval=1ms")
        program.ask()
        report = ask_sampled(program.ask, 2)
        check_constant(self, report)
        self.assertEqual(report[HEALTH]["wraps"], 2)

    def test_single_cores(self):
        program = self.start(self.simulate("epyc"), "--sample-interval=5ms", "--source=msr",
                             "--cores=yes", "--statistics=min,max,p50,p95,p99,stddev")
        program.ask()
        report = ask_sampled(program.ask, 1.5)
        check_constant(self, report)
        self.assertEqual(sum("core_id" in line.tags for line in report.lines), 16)

    def test_once(self):
        machine = self.simulate()
        for interval in ("1s", "2s", "4s"):
            ended = execd.run("--once", "--sample-interval=10ms", "--interval=" + interval,
                              root=machine.root)
            self.assertEqual((ended.status, ended.messages), (0, []))
            report, = execd.parse_reports(ended.text)
            if min(fields["samples"] for fields in report.values()) > 5:
                break
        check_constant(self, report)
        for identity, fields in report.items():
            self.assertEqual(fields.keys(), {"power_watts", *FIELDS}, identity)
            self.assertGreater(fields["samples"], 5)


@sim.needed
class Pulse(sim.Simulated):
    """200 W for 100 ms of two seconds, 50 W for the rest."""

    @tap.tries(3)
    def test_maximum_shows_what_the_mean_hides(self):
        machine = self.simulate("server", "--load", "pulse", "--load-period", "2s",
                                "--power", "package-0=57.5")
        program = self.start(machine, "--sample-interval=10ms")
        self.wait_for_rest(machine)
        program.ask()
        time.sleep(4)  # whole periods
        fields = program.ask()[PACKAGE_0]
        self.assertAlmostEqual(fields["power_watts"], 57.5, delta=0.02 * 57.5)
        # A pulse holds a whole sample, of 30 ms.
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
        time.sleep((3 - (truth.now_ns - truth.began_ns) / 1e9) % 2)


@sim.needed
class Fields(sim.Simulated):
    def fields(self, *options, machine=("laptop",), seconds=0.3, least=1):
        """A report with so many samples at least of each series."""
        program = self.start(self.simulate(*machine), *options)
        program.ask()
        report = ask_sampled(program.ask, seconds, least=least)
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
                self.check_fields(self.fields(*options, least=0), set())

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
        report = self.fields("--sample-interval=10ms", "--include=psys", seconds=0.6, least=0,
                             machine=("sapphire-rapids", "--power", "psys=10"))
        self.check_fields(report, {"samples"})
        self.assertEqual(report["domain=psys"]["samples"], 0)


if __name__ == "__main__":
    tap.main()
