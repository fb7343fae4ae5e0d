# SPDX-License-Identifier: MIT
"""The cost of a report of each source compared with its bare system calls: bench_sources on trees
of plain files, where calls are cheapest, and on the software events of the kernel's own perf."""
import struct
import unittest

import bench
import tap
import tree
from tree import write

# Above the measured ratio by more than the noise of a busy machine; a report that opens or lists
# files each time costs many times as much.
MOST = 3.0

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
         "intel-rapl:1": "psys", "intel-rapl:2": "package-1", "intel-rapl:2:0": "core",
         "intel-rapl:2:1": "dram", "intel-rapl:3": "psys-1"}
CPUS = 4


def add_processor(machine):
    """Two sockets with two Skylake-X cores each."""
    write(machine.root, "proc/cpuinfo",
          "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n")
    write(machine.root, "sys/devices/system/cpu/online", "0-%d\n" % (CPUS - 1))
    for cpu in range(CPUS):
        for name, number in (("physical_package_id", cpu // 2), ("die_id", 0), ("core_id", cpu % 2)):
            write(machine.root, "sys/devices/system/cpu/cpu%d/topology/%s" % (cpu, name),
                  "%d\n" % number)


def add_registers(machine):
    """Units of 61 uJ, and counters that do not move."""
    for cpu in range(CPUS):
        content = bytearray(b"\x01" * 0x700)
        content[0x606:0x60e] = struct.pack("<Q", 0xA0E03)
        write(machine.root, "dev/cpu/%d/msr" % cpu, bytes(content))


def add_events(machine):
    """cpu-clock of the software PMU counts nanoseconds: 45 W."""
    folder = "sys/bus/event_source/devices/power/"
    write(machine.root, folder + "type", "1\n")
    write(machine.root, folder + "cpumask", "0\n")
    for name in ("pkg", "cores", "ram"):
        write(machine.root, folder + "events/energy-" + name, "event=0x00\n")
        write(machine.root, folder + "events/energy-%s.scale" % name, "4.5e-8\n")
        write(machine.root, folder + "events/energy-%s.unit" % name, "Joules\n")


class Cost(unittest.TestCase):
    def test_report_against_bare_calls(self):
        with tree.Tree.make(ZONES) as machine:
            add_processor(machine)
            add_registers(machine)
            add_events(machine)
            # On the last CPU: reading a perf event of the first one costs several times as much
            # from here as from there.
            rows = bench.run_table("bench_sources", *("%s=%s" % (source, machine.root)
                                                      for source in ("powercap", "perf", "msr")))
        rows = {row[0]: row for row in rows}
        self.assertEqual({"powercap", "perf", "msr"}, set(rows))
        self.assertEqual("8", rows["powercap"][1])
        self.assertEqual("1", rows["perf"][2])  # one read for the group
        for source, row in rows.items():
            with self.subTest(source):
                self.assertLess(float(row[-1]), MOST)


if __name__ == "__main__":
    tap.main()
