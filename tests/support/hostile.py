# SPDX-License-Identifier: MIT
"""Roots made to hang, exhaust or mislead rapl-execd, and its allowed behaviour with them."""
import fcntl
import os
import re
import resource
import tempfile
import time
import unittest

from execd import Execd, parse_reports
from tree import CLASS, Tree, write

SOUND = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
         "intel-rapl:1": "psys"}
SOUND_SERIES = {"intel-rapl:0": "domain=package,package_id=0",
                "intel-rapl:0:0": "domain=core,package_id=0",
                "intel-rapl:0:1": "domain=dram,package_id=0", "intel-rapl:1": "domain=psys"}
TOTAL = "domain=total"
BAD = "intel-rapl:2"
# Energy that each sound zone has used at the second report, all different.
USED_UJ = {"intel-rapl:0": 1000001, "intel-rapl:0:0": 200002, "intel-rapl:0:1": 30003,
           "intel-rapl:1": 4000004}

MOST_KB = 64 * 1024
# Limits of CPU time and of time asleep: a busy machine changes both little.
MOST_SECONDS = 20
MOST_ASLEEP_SECONDS = 5


def replace_with_link(path, target):
    os.unlink(path)
    os.symlink(target, path)


def peak_kb(pid):
    """Peak memory of the process; None: it is instrumented, which uses most of the memory."""
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="replace") as file:
        if "asan" in file.read():
            return None
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1))


def children_seconds():
    """CPU time of child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def awake_seconds(pid):
    """Time that it has run, or waited for a CPU. None: this kernel does not count it."""
    try:
        with open("/proc/%s/schedstat" % pid, encoding="ascii") as file:
            return sum(map(int, file.read().split()[:2])) / 1e9
    except FileNotFoundError:
        return None


def open_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def energies_of(report):
    return {series: report.energy_uj(series) for series in report}


class HostileCase(unittest.TestCase):
    def sound_tree(self):
        tree = Tree.make(SOUND)
        self.addCleanup(tree.__exit__)
        return tree

    def start(self, root, *options, **more):
        self.began, self.awake = time.monotonic(), awake_seconds("self")
        execd = Execd(*options, root=root, **more)
        self.addCleanup(execd.kill)
        # A report of thousands of series fits into the pipe and is read at once.
        fcntl.fcntl(execd.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
        return execd

    def check_memory(self, execd):
        used = peak_kb(execd.pid)
        if used is not None:
            self.assertLess(used, MOST_KB)

    def check_end(self, execd, most=MOST_SECONDS, report=None):
        """Checks that it ends with this last report, or with none, and that it has used little CPU
        time and slept little since its start, without what this test did in between."""
        awake, before = awake_seconds(execd.pid), children_seconds()
        status, text = execd.finish()
        self.assertEqual(status, 0)
        self.assertEqual([energies_of(last) for last in parse_reports(text)],
                         [] if report is None else [energies_of(report)])
        self.assertLess(children_seconds() - before, most)
        if awake is not None:
            took = time.monotonic() - self.began
            asleep = took - awake - (awake_seconds("self") - self.awake)
            self.assertLess(asleep, MOST_ASLEEP_SECONDS)

    def check_messages(self, execd, most):
        """Checks for one clear line per cause, with printable bytes only."""
        messages = execd.messages()
        self.assertLessEqual(len(messages), most, messages)
        for line in messages:
            self.assertRegex(line, r"\A[EWI]! [\x20-\x7e]+\Z")
        return messages

    def check_sound(self, tree, *options, messages=2, extra=(), total=True, **more):
        """Checks that the output is exactly the energy of the tree's sound zones."""
        execd = self.start(tree.root, *options, **more)
        wanted = {*SOUND_SERIES.values(), *extra} | ({TOTAL} if total else set())
        self.assertEqual(set(execd.ask()), wanted)
        tree.move(USED_UJ)
        report = execd.ask()
        self.assertEqual(set(report), wanted)
        for zone, series in SOUND_SERIES.items():
            self.assertEqual(report.energy_uj(series), USED_UJ[zone], series)
        for series in extra:
            self.assertEqual(report.energy_uj(series), 0, series)
        if total:
            self.assertEqual(report.energy_uj(TOTAL), USED_UJ["intel-rapl:0"] +
                             USED_UJ["intel-rapl:0:1"])
        self.check_memory(execd)
        self.check_end(execd, report=report)
        return self.check_messages(execd, messages)

    def check_silent(self, root, *options, messages=3):
        """Checks that it prints nothing, survives each prompt, and ends with stdin."""
        execd = self.start(root, *options)
        for _ in range(3):
            execd.prompt()
            execd.wait_taken()
        self.check_end(execd)
        return self.check_messages(execd, messages)


class InMemory(HostileCase):
    """Puts its trees into memory: on a disk, thousands of zones take long."""

    def setUp(self):
        before = tempfile.tempdir
        if os.access("/dev/shm", os.W_OK):
            tempfile.tempdir = "/dev/shm"
        self.addCleanup(setattr, tempfile, "tempdir", before)


def class_path(root, *parts):
    return os.path.join(root, CLASS, *parts)
