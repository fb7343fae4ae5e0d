# SPDX-License-Identifier: MIT
"""The cost of one report of rapl-execd, from its prompt to its write, compared with a bare loop of
the same reads (the counters and the online CPUs) and one write: the ratio, and that it does not
grow with the number of zones."""
import statistics
import unittest

import bench
import daemons
import execd
import tap
import usage

# Multiples of the bare loop, from 8 zones on. The rest of a report is large compared with reads
# that cost almost nothing, as those of plain files in memory; it is not compared with reads of the
# kernel's own files.
MOST = 1.5
MOST_PLAIN = 2.0
MOST_STATISTICS = 2.5  # a line is then three times as long; see add_own
NOISE = 1.1
TURNS = 15
NO_NAMESPACE = daemons.missing_namespace()


def judge(ratios, most):
    """Judges ratios by count of zones. With few zones, the fixed cost of a report dominates."""
    return ["%d zones: %.2f times" % (count, ratio) for count, ratio in ratios.items()
            if count >= 8 and ratio > most * NOISE]


def run_parts(machines, kind, prepare=lambda machines: None):
    """Microseconds of a report and of the bare loop, by count of zones."""
    rows = bench.run_table("bench_report", kind, *(machine.root for machine in machines),
                           prepare=lambda: prepare(machines))
    return {int(row[0]): (float(row[2]), float(row[3])) for row in rows}


def add_own(plain, kernel):
    """The cost of a report on plain files without its reads, plus the reads of the kernel's files:
    the cost of plain files varies by half between kernels, but only their counters move, which
    statistics need."""
    return {count: (report - bare + kernel[count][1], kernel[count][1])
            for count, (report, bare) in plain.items()}


class Report(unittest.TestCase):
    def check_parts(self, most, run):
        def measure():
            with bench.make_all() as machines:
                parts = run(machines)
            ratios = {count: report / bare for count, (report, bare) in parts.items()}
            self.assertEqual(list(bench.COUNTS), list(ratios))
            return judge(ratios, most) + [
                "grows faster than the bare loop from %d to %d zones" % (fewer, more)
                for fewer, more in zip(bench.COUNTS, bench.COUNTS[1:])
                if ratios[more] > ratios[fewer] * NOISE]

        self.assertEqual([], bench.try_measure(measure))

    def test_plain_files(self):
        bench.tell("rapl-execd's parts in one process, over plain files in memory: where reads cost "
                   "least")
        self.check_parts(MOST_PLAIN, lambda machines: run_parts(machines, "plain"))

    @unittest.skipIf(NO_NAMESPACE, NO_NAMESPACE)
    def test_statistics(self):
        bench.tell("the same, each line with the statistics of samples every 10 ms (which are not "
                   "timed); and", "what its reads cost over an attribute of the kernel's")
        self.check_parts(MOST_STATISTICS, lambda machines: add_own(
            run_parts(machines, "samples"), run_parts(machines, "plain", bench.cover)))

    @unittest.skipIf(NO_NAMESPACE, NO_NAMESPACE)
    def test_kernel_attributes(self):
        bench.tell("rapl-execd's parts in one process, over an attribute of the kernel's "
                   "(%s);" % bench.ATTRIBUTE,
                   "a real energy_uj costs more: it also reads a register, on another CPU")
        self.check_parts(MOST, lambda machines: run_parts(machines, "plain", bench.cover))

    def test_process(self):
        def measure():
            bench.tell("zones   bytes  report us   bare us  ratio")
            ratios = {}
            for count in bench.COUNTS:
                ratios[count], *row = measure_process(count)
                bench.tell("%5d  %6d  %9.2f  %8.2f  %5.2f" % (count, *row, ratios[count]))
            return judge(ratios, MOST_PLAIN)  # the seccomp filter also checks each call

        bench.tell("CPU time of rapl-execd as it runs, locked in, and of a process that reads a "
                   "newline, the same", "plain files, and writes once")
        self.assertEqual([], bench.try_measure(measure))


def measure_process(count):
    """Median of the ratio, bytes of a report, and microseconds of both. All run on one CPU, so that
    no wake-up crosses CPUs."""
    times = 200 if count <= 8 else 10000 // count

    def take_us(process):
        began = usage.cpu_ns(process.pid)
        bench.prompt(process, times)
        return (usage.cpu_ns(process.pid) - began) / times / 1000

    with bench.make(count) as machine, execd.Execd(root=machine.root) as reporter:
        machine.settle(reporter)
        bench.prompt(reporter, 1)
        length = len(bench.prompt(reporter, 1))  # too soon for power, as in all that follow
        with bench.run_bare(machine, "prompted", length) as bare:
            for pid in (0, reporter.pid, bare.pid):
                bench.run_apart(pid)
            turns = [(take_us(reporter), take_us(bare)) for _ in range(TURNS)]
    ratio = statistics.median(report / bare for report, bare in turns)
    return (ratio, length, *(statistics.median(us) for us in zip(*turns)))


if __name__ == "__main__":
    tap.main()
