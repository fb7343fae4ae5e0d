# SPDX-License-Identifier: MIT
"""Memory of the running rapl-execd: what is resident, how often it allocates, and that neither
grows from one report to the next."""
import contextlib
import struct
import time
import unittest

import bench
import execd
import tap
import tree

MOST_KIB = 2048  # resident, without samples, at 8 zones
LINEAR = 1.25
REPORTS = 1000
SAMPLES = "--sample-interval=10ms"
SAMPLE_SECONDS = 1
LOOKS = 3  # discoveries that follow a change of the online CPUs
HEAD = "zones  resident KiB  proportional  own  heap KiB  at start  reports  a look"


def resident_kib(pid):
    """Resident memory, its proportional share of shared pages, memory that no other process has,
    and anonymous memory."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
        sizes = {line.split()[0]: int(line.split()[1]) for line in file if line.endswith(" kB\n")}
    own = sizes["Private_Clean:"] + sizes["Private_Dirty:"]
    return sizes["Rss:"], sizes["Pss:"], own, sizes["Anonymous:"]


class Memory(unittest.TestCase):
    @contextlib.contextmanager
    def counted(self, machine, *options):
        """rapl-execd, and a function that returns the number of allocations so far and the bytes in
        use."""
        path = tree.write(machine.root, "counts", bytes(4096))

        def read():
            with open(path, "rb") as file:
                return struct.unpack("QQ", file.read(16))

        with execd.Execd(*options, root=machine.root, environment={
                "LD_PRELOAD": execd.preload(bench.program("count_allocations.so")),
                "RAPL_BENCH_COUNTS": path}) as program:
            yield program, read

    def check_reports(self, program, read, reports, pause=0.0):
        """Allocations and bytes after the first report; the next reports allocate nothing."""
        program.ask()
        at_start = read()
        self.assertGreater(at_start[0], 100)  # the counting works
        for _ in range(reports):
            bench.prompt(program, 1)
            time.sleep(pause)
        self.assertEqual(at_start, read())
        return at_start

    def measure(self, count, *options):
        """A row, and the bytes of heap."""
        with bench.make(count) as machine:
            with execd.Execd(*options, root=machine.root) as program:
                bench.prompt(program, 10)
                resident = resident_kib(program.pid)
                bench.prompt(program, REPORTS)
                # Pages of files are not counted: they come and go with other load on the machine.
                with self.subTest("nothing grows", zones=count):
                    self.assertEqual(resident[3], resident_kib(program.pid)[3])
            with self.counted(machine, *options) as (program, read):
                allocations, heap = self.check_reports(program, read, REPORTS)
                tree.write(machine.root, bench.ONLINE, "0-2\n")
                bench.prompt(program, LOOKS + 1)
                looks = (read()[0] - allocations) / LOOKS
        bench.tell("%5d  %12d  %12d  %3d  %8d  %8d  %7d  %6d" %
                   (count, *resident[:3], heap // 1024, allocations, 0, looks))
        return resident[0], heap

    def check(self, *options):
        bench.tell(HEAD)
        rows = {count: self.measure(count, *options) for count in bench.COUNTS}
        heap = {count: row[1] for count, row in rows.items()}
        with self.subTest("linear"):
            self.assertLess((heap[512] - heap[48]) / (512 - 48),
                            LINEAR * (heap[48] - heap[8]) / (48 - 8))
        return {count: row[0] for count, row in rows.items()}

    def test_without_samples(self):
        bench.tell("memory without samples inside the interval; allocations at the start and in "
                   "%d reports," % REPORTS, "and in one of the looks for zones (once a minute), "
                   "which gives all back")
        resident = self.check()
        self.assertLessEqual(resident[8], MOST_KIB)

    def test_with_samples(self):
        bench.tell("the same with %s" % SAMPLES)
        self.check(SAMPLES)

    def test_samples_allocate_nothing(self):
        with bench.make(8) as machine, self.counted(machine, SAMPLES) as (program, read):
            self.check_reports(program, read, 10, SAMPLE_SECONDS / 10)


if __name__ == "__main__":
    tap.LONGEST_SECONDS = 600  # on a busy machine
    tap.main()
