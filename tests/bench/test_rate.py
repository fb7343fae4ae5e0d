# SPDX-License-Identifier: MIT
"""What a second of samples inside the interval costs rapl-execd, against a bare process that reads
the same files at the same rate: CPU time of both, side by side on one CPU."""
import statistics
import time
import unittest

import bench
import execd
import tap

MOST = 1.3  # times the bare process
NOISE = 1.1
ZONES = 8
SETTLE_SECONDS = 0.3
WINDOWS = 5  # of a second each
HEALTH = "rapl_health,source=powercap"


def measure(machine, milliseconds):
    """Seconds of CPU of both by window, and how many samples rapl-execd took in all."""
    option = "--sample-interval=%dms" % milliseconds
    with execd.Execd(option, "--health=yes", root=machine.root) as sampler, \
            bench.run_bare(machine, "every", milliseconds) as bare:
        for process in (sampler, bare):
            bench.run_apart(process.pid)
        before = sampler.ask()[HEALTH]["samples"]
        began = time.monotonic()
        time.sleep(SETTLE_SECONDS)
        marks = []
        for window in range(WINDOWS + 1):
            time.sleep(max(0, began + SETTLE_SECONDS + window - time.monotonic()))
            marks.append((bench.cpu_ns(sampler.pid), bench.cpu_ns(bare.pid)))
        rate = (sampler.ask()[HEALTH]["samples"] - before) / (time.monotonic() - began)
    return [tuple((after - before) / 1e9 for before, after in zip(*pair))
            for pair in zip(marks, marks[1:])], rate


def check(hertz):
    """Tells a row; what is wrong with it."""
    with bench.make(ZONES) as machine:
        windows, rate = measure(machine, 1000 // hertz)
    sampler, bare = (statistics.median(seconds) for seconds in zip(*windows))
    ratio = statistics.median(window[0] / window[1] for window in windows)
    bench.tell("%5d  %7.0f  %8.0f  %8.0f  %5.2f  %5.2f" %
               (hertz, rate, sampler * 1e6, bare * 1e6, ratio, sampler * 100))
    if rate < 0.9 * hertz:
        return ["%d Hz: %.0f samples in a second" % (hertz, rate)]
    return ["%d Hz: %.2f times" % (hertz, ratio)] if ratio > MOST * NOISE else []


class Rate(unittest.TestCase):
    def test_a_second_of_samples(self):
        bench.tell("CPU time of one second of samples of %d zones, plain files in memory" % ZONES,
                   "hertz  samples  execd us   bare us  ratio  CPU %")
        for hertz in (10, 100, 1000):
            with self.subTest(hertz=hertz):
                self.assertEqual([], bench.try_measure(lambda: check(hertz)))


if __name__ == "__main__":
    tap.main()
