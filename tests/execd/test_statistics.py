# SPDX-License-Identifier: MIT
"""Statistics of the power inside an interval, for a constant load and for a pulse."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import sim
import tap
from samples import (FIELDS, MS, PERCENTILE, SHARPNESS, Lateness, Watch, ask_sampled,
                     check_constant, field, pulse, try_pulses, with_samples)

PACKAGE_0 = "domain=package,package_id=0"
HEALTH = "rapl_health,source=powercap"


@sim.needed
class ConstantLoad(sim.Simulated):
    def measure(self, machine, seconds, least):
        """The two reports around the first interval in which each series has at least this many
        samples."""
        watch = Watch(self.start(self.simulate(machine), "--sample-interval=1ms"), MS)
        watch.ask()
        watch.ask_constant(self, seconds, least)
        return watch.reports[-2:]

    def test_two_packages_have_no_peak(self):
        first, last = self.measure("server", 3, 21)
        self.assertEqual(len(last), 6)
        for identity in last.keys() - {HEALTH}:
            count = last[identity]["samples"]
            self.assertGreater(count, 20, identity)
            # 20 updates of a counter that moves once a millisecond; one sample was open at the
            # first report
            self.assertLess((count - 1) * 20 * MS, last.timestamp - first.timestamp, identity)

    def test_whole_joules_have_no_peak(self):
        first, last = self.measure("sapphire-rapids", 6, 6)
        for identity in ("domain=psys", "domain=psys,package_id=1"):
            count = last[identity]["samples"]
            self.assertGreater(count, 5)
            # at least 20 units of a joule each
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
            time.sleep(0.005)  # usually the sample in which it happened is still open
            watch.ask()
            watch.ask_constant(self, 0.4)
        self.assertEqual(watch.grown("resets"), 6)
        self.assertGreaterEqual(watch.grown("gaps"), 1)
        watch.check_every_instant(self)

    def test_a_wrap_makes_no_peak(self):
        """Both packages exceed their range within 2 s."""
        watch = Watch(self.start(self.simulate("server", "--before-wrap", "200"),
                                 "--sample-interval=1ms"), MS)
        watch.ask()
        report = watch.ask_constant(self, 2)
        self.assertEqual(report[HEALTH]["wraps"], 2)

    def test_single_cores(self):
        program = self.start(self.simulate("epyc"), "--sample-interval=5ms", "--source=msr",
                             "--cores=yes", "--statistics=min,max,p50,p95,p99,stddev")
        watch = Watch(program, 5 * MS, "msr")
        watch.ask()
        report = watch.ask_constant(self, 1.5)
        self.assertEqual(sum("core_id" in line.tags for line in report.lines), 16)

    def test_once(self):
        machine = self.simulate()
        for interval in ("1s", "2s", "4s"):
            ended = execd.run("--once", "--sample-interval=10ms", "--interval=" + interval,
                              root=machine.root)
            self.assertEqual((ended.status, ended.messages), (0, []))
            report, = execd.parse_reports(ended.text)
            check_constant(self, with_samples(report))
            if min(fields["samples"] for fields in report.values()) > 5:
                break
        check_constant(self, report)
        for identity, fields in report.items():
            self.assertEqual(fields.keys(), {"power_watts", *FIELDS}, identity)
            self.assertGreater(fields["samples"], 5)


@sim.needed
class Pulse(sim.Simulated):
    """200 W for a twentieth of each period, 50 W for the rest."""

    def test_maximum_shows_what_the_mean_hides(self):
        try_pulses(self.check_pulse)

    def check_pulse(self, period):
        machine = self.simulate("server", *pulse(period))
        program = self.start(machine, "--sample-interval=10ms")
        self.wait_for_rest(machine, period)
        program.ask()
        with Lateness(machine.root) as lateness:
            time.sleep(max(period, 4))  # whole periods
            fields = program.ask()[PACKAGE_0]
        self.assertAlmostEqual(fields["power_watts"], 57.5, delta=0.02 * 57.5)
        self.assertAlmostEqual(fields[field("min")], 50, delta=SHARPNESS * 50)
        with tap.excused(lateness.reason(period)):
            self.assertAlmostEqual(fields[field("max")], 200, delta=SHARPNESS * 200)
            self.assertAlmostEqual(fields[field("p50")], 50, delta=PERCENTILE * 50)
            self.assertGreater(fields[field("p99")], 100)
            # The root of 0.05 * 0.95, times 150 W, less the share of samples that span an edge.
            self.assertAlmostEqual(fields[field("stddev")], 32.7, delta=6)

    @staticmethod
    def wait_for_rest(machine, period):
        """Waits until the middle between two pulses."""
        truth = machine.truth()
        time.sleep((1.5 * period - (truth.now_ns - truth.began_ns) / 1e9) % period)


@sim.needed
class Fields(sim.Simulated):
    def fields(self, *options, machine=("laptop",), seconds=0.3, least=1):
        """A report with at least this many samples of each series."""
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
        """With a unit of a joule, power is reported after half a second; 20 units take 2 s."""
        report = self.fields("--sample-interval=10ms", "--include=psys", seconds=0.6, least=0,
                             machine=("sapphire-rapids", "--power", "psys=10"))
        self.check_fields(report, {"samples"})
        self.assertEqual(report["domain=psys"]["samples"], 0)


if __name__ == "__main__":
    tap.main()
