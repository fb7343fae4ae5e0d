# SPDX-License-Identifier: MIT
"""Trees that change while they are read, and reads that do not return: every printed value belongs
to the zone that it names."""
import ctypes
import itertools
import os
import random
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import sim
import tap
from execd import PATIENCE_SECONDS, Execd
from hostile import HostileCase, class_path, write
from meter import Meter
from tree import RANGE_UJ, Tree

SECONDS = float(os.environ.get("RAPL_CHANGE_SECONDS", 5))
# Each counter moves by multiples of its own prime, so that its energy identifies it.
PRIMES = {"package-0": 1000003, "package-1": 1000033, "package-2": 1000037, "package-3": 1000039,
          "package-0/dram": 100003, "package-1/dram": 100019, "package-2/dram": 100043,
          "package-3/dram": 100049}
RENAME_EXCHANGE = 2
RENAMEAT2 = 316  # x86-64
AT_FDCWD = -100
HEALTH = "rapl_health,source=powercap"
UPDATE_SECONDS = 0.0012  # a counter of the machine moves each millisecond, 10 % early or late


def exchange(one, other):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(RENAMEAT2, AT_FDCWD, one.encode(), AT_FDCWD, other.encode(),
                    RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def series_of(identity):
    tags = dict(pair.split("=") for pair in identity.split(","))
    name = "package-" + tags["package_id"]
    return name if tags["domain"] == "package" else "%s/%s" % (name, tags["domain"])


class Restless(threading.Thread):
    """Keeps exchanging directories of packages, giving their links in the class other ids, and
    replacing them for a moment by links, files and loops."""

    def __init__(self, root, seed):
        super().__init__()
        self.root = root
        self.random = random.Random(seed)
        self.ended = threading.Event()
        self.rounds = 0
        self.ids = list(range(4))
        self.counts = dict.fromkeys(PRIMES, 0)
        self.failure = None
        os.makedirs(class_path(root))
        for package in range(4):
            name = "package-%d" % package
            self.make_zone(self.folder(package), name, name)
            self.make_zone(os.path.join(self.folder(package), "sub"), "dram", name + "/dram")
            self.link(package)

    def folder(self, place):
        return os.path.join(self.root, "sys/devices/place%d" % place)

    def make_zone(self, folder, name, series):
        write(folder, "name", name + "\n")
        write(folder, "series", series)
        write(folder, "max_energy_range_uj", "%d\n" % RANGE_UJ)
        write(folder, "constraint_0_max_power_uw", "2000000000\n")
        write(folder, "energy_uj", "%d\n" % (PRIMES[series] * 1000))

    def link(self, place):
        zone = class_path(self.root, "intel-rapl:%x" % self.ids[place])
        os.symlink("../../devices/place%d" % place, zone)
        os.symlink("../../devices/place%d/sub" % place, zone + ":0")

    def unlink(self, place):
        zone = class_path(self.root, "intel-rapl:%x" % self.ids[place])
        os.unlink(zone + ":0")
        os.unlink(zone)

    def rename(self, place, numbers):
        """Gives its zones other ids."""
        self.unlink(place)
        self.ids[place] = next(numbers)
        if self.random.random() < 0.3:
            self.misplace(class_path(self.root, "intel-rapl:%x" % self.ids[place]))
        self.link(place)

    def misplace(self, path):
        """Replaces the path by something else for a moment."""
        what = self.random.randrange(4)
        if what == 0:
            os.symlink(os.path.basename(path), path)
        elif what == 1:
            os.mkfifo(path)
        elif what == 2:
            os.symlink("/", path)
        else:
            os.mkdir(path)
            os.rmdir(path)
            return
        os.unlink(path)

    def use(self, place):
        """Moves the counters in that directory, in place, so that open descriptors see it."""
        for folder in (self.folder(place), os.path.join(self.folder(place), "sub")):
            with open(os.path.join(folder, "series"), encoding="ascii") as file:
                series = file.read()
            self.counts[series] += 1
            text = b"%d\n" % (PRIMES[series] * (1000 + self.counts[series]))
            file = os.open(os.path.join(folder, "energy_uj"), os.O_WRONLY)
            os.pwrite(file, text, 0)
            os.close(file)

    def run(self):
        numbers = itertools.count(16)
        try:
            while not self.ended.is_set():
                self.rounds += 1
                one, other = self.random.sample(range(4), 2)
                exchange(self.folder(one), self.folder(other))
                self.rename(self.random.randrange(4), numbers)
                exchange(self.folder(one), self.folder(other))
                exchange(self.folder(other), self.folder(self.random.choice(
                    [place for place in range(4) if place != other])))
                self.use(one)
        except OSError as error:
            self.failure = error


class Change(HostileCase):
    @staticmethod
    def has_seen_enough(seen, report, seconds):
        """On a busy machine it takes longer to see everything."""
        all_seen = report and set(seen) == set(PRIMES) and report[HEALTH]["rediscoveries"] > 20
        return seconds > SECONDS and (all_seen or seconds > PATIENCE_SECONDS)

    def test_folders_that_trade_places(self):
        seed = random.randrange(1 << 30)
        tree = Tree()
        self.addCleanup(tree.__exit__)
        online = write(tree.root, "sys/devices/system/cpu/online", "0\n")
        restless = Restless(tree.root, seed)
        execd = self.start(tree.root, "--health=yes")
        restless.start()
        seen, report = {}, None
        try:
            begun = time.monotonic()
            while not self.has_seen_enough(seen, report, time.monotonic() - begun):
                # Each change of the online CPUs makes it list the class again.
                with open(online, "w", encoding="ascii") as file:
                    file.write("0-%d\n" % random.randrange(1, 9))
                report = execd.ask()
                for identity in set(report) - {HEALTH, "domain=total"}:
                    series = series_of(identity)
                    energy_uj = report.energy_uj(identity)
                    self.assertEqual(energy_uj % PRIMES[series], 0,
                                     "%s has used %d: seed %d" % (series, energy_uj, seed))
                    self.assertLessEqual(energy_uj // PRIMES[series], restless.counts[series])
                    self.assertGreaterEqual(energy_uj, seen.get(series, 0))
                    seen[series] = energy_uj
        finally:
            restless.ended.set()
            restless.join()
        self.assertIsNone(restless.failure)
        self.assertEqual(set(seen), set(PRIMES))
        self.assertGreater(sum(seen.values()), 0)
        self.assertGreater(report[HEALTH]["rediscoveries"], 20)
        self.check_memory(execd)
        self.assertEqual(execd.stop(), 0)
        self.check_messages(execd, 40)


@sim.needed
class Blocked(unittest.TestCase):
    """A file system that does not answer: no program that reads it can avoid blocking, and
    O_NONBLOCK has no effect there. Here it is the simulated machine, stopped."""

    WATTS = {"domain=package,package_id=0": 142.5, "domain=package,package_id=1": 166.25}

    def setUp(self):
        self.machine = sim.Machine("--machine", "server")
        self.addCleanup(self.machine.stop)
        began = time.monotonic()
        self.execd = Execd(root=self.machine.root)
        self.addCleanup(self.execd.kill)
        self.meter = Meter(self.execd, began)
        self.meter.ask()
        time.sleep(0.1)
        self.meter.ask()
        os.kill(self.machine.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.machine.process.pid, signal.SIGCONT)

    def test_it_waits_and_goes_on(self):
        self.execd.prompt()
        self.assertIsNone(self.execd.read_report(1.5))
        before = time.monotonic()  # the machine answers no read until now
        os.kill(self.machine.process.pid, signal.SIGCONT)
        late = self.meter.take(before, self.execd.read_report())
        for identity, watts in self.WATTS.items():
            if late.get(identity, {}).get("power_watts") is not None:
                self.assertAlmostEqual(late.power(identity), watts, delta=watts / 50)
        time.sleep(0.2)
        report = self.meter.ask()
        for identity, watts in self.WATTS.items():
            self.assertIsNotNone(report.power(identity))
            self.meter.check_energy(identity, watts, first=-2, lag=UPDATE_SECONDS)
        self.assertEqual(self.execd.stop(), 0)

    def test_only_sigkill_ends_it_meanwhile(self):
        self.execd.prompt()
        self.execd.wait_taken()
        time.sleep(0.1)
        self.execd.signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertIsNone(self.execd.process.poll())
        self.execd.signal(signal.SIGKILL)
        self.assertEqual(self.execd.wait(), -signal.SIGKILL)

    def test_a_sigterm_that_waited_ends_it(self):
        self.execd.prompt()
        self.execd.wait_taken()
        time.sleep(0.1)
        self.execd.signal(signal.SIGTERM)
        os.kill(self.machine.process.pid, signal.SIGCONT)
        self.assertEqual(self.execd.wait(), 0)


if __name__ == "__main__":
    tap.main()
