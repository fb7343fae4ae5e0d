# SPDX-License-Identifier: MIT
"""The cost of a second of samples inside the interval, compared with a bare process that reads the
same files at the same rate: CPU time of both, side by side on one CPU. Other load there evicts
the caches of both, which costs the larger one more: the test waits for seconds without it."""
import collections
import time
import unittest

import bench
import execd
import tap
import tree
import usage

MOST = 1.3  # times the bare process
NOISE = 1.15
NOISE_BUSY = 1.6  # if there is no quiet second
ZONES = 8
SETTLE_SECONDS = 0.3
WINDOWS = 5  # of a second each: the quietest are used
WINDOWS_MOST = 9
QUIET = 0.05  # share of the CPU's time used by others
HEALTH = "rapl_health,source=powercap"

# CPU time of both, and of everything that runs on the CPU, in seconds.
Mark = collections.namedtuple("Mark", "sampler bare cpu")


def others_share(window):
    return max(0.0, window.cpu - window.sampler - window.bare)


def take_windows(mark):
    """The quietest seconds."""
    windows = []
    while True:
        before, began = mark(), time.monotonic()
        time.sleep(max(0, began + 1 - time.monotonic()))
        windows.append(Mark(*(now - then for now, then in zip(mark(), before))))
        quiet = sorted(windows, key=others_share)[:WINDOWS]
        if len(windows) == WINDOWS_MOST or (
                len(quiet) == WINDOWS and others_share(quiet[-1]) <= QUIET):
            return quiet


def measure(milliseconds):
    """The sum of the quietest seconds, and the samples per second of rapl-execd."""
    cpu = bench.find_idlest_cpu()
    with bench.make(ZONES) as machine, \
            execd.Execd("--sample-interval=%dms" % milliseconds, "--health=yes",
                        root=machine.root) as sampler, \
            bench.run_bare(machine, "every", milliseconds) as bare:
        for process in (sampler, bare):
            bench.run_apart(process.pid, cpu)
        with tree.Pump(machine, machine.zones(), 20):  # until it knows its counters
            time.sleep(SETTLE_SECONDS)
        before, began = sampler.ask()[HEALTH]["sweeps"], time.monotonic()
        windows = take_windows(lambda: Mark(usage.cpu_ns(sampler.pid) / 1e9,
                                            usage.cpu_ns(bare.pid) / 1e9,
                                            bench.used_seconds(cpu)))
        samples = sampler.ask()[HEALTH]["sweeps"] - before
        return Mark(*map(sum, zip(*windows))), samples / (time.monotonic() - began)


def check(hertz):
    """Prints a row; returns the problems found."""
    seconds, rate = measure(1000 // hertz)
    ratio = seconds.sampler / seconds.bare
    others = others_share(seconds) / WINDOWS
    bench.tell("%5d  %7.0f  %8.0f  %8.0f  %5.2f  %5.2f  %8.1f" % (
        hertz, rate, seconds.sampler / WINDOWS * 1e6, seconds.bare / WINDOWS * 1e6, ratio,
        seconds.sampler / WINDOWS * 100, others * 100))
    if rate < 0.5 * hertz:  # a busy machine makes it late, but it must sample
        return ["%.0f samples in a second" % rate]
    noise = NOISE if others < QUIET else NOISE_BUSY
    return ["%.2f times" % ratio] if ratio > MOST * noise else []


class Rate(unittest.TestCase):
    def test_a_second_of_samples(self):
        bench.tell("CPU time of one second of samples of %d zones, plain files in memory; others: "
                   "what else ran there" % ZONES,
                   "hertz  samples  execd us   bare us  ratio  CPU %  others %")
        for hertz in (10, 100, 1000):
            with self.subTest(hertz=hertz):
                self.assertEqual([], bench.try_measure(lambda: check(hertz)))


if __name__ == "__main__":
    tap.main()
