# SPDX-License-Identifier: MIT
"""Powercap trees of ordinary files in a temporary folder, with counters that the test moves."""
import contextlib
import multiprocessing
import os
import shutil
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LAYOUTS = os.path.join(HERE, "..", "trees")
CLASS = os.path.join("sys", "class", "powercap")
ALIAS = os.path.join("sys", "devices", "system", "cpu", "modalias")
RANGE_UJ = 262143328850  # client processors: 61 uJ a tick

# See settle(): moves of a single unit may also come from a counter that has no load.
SETTLE_UNITS = 4
SETTLED_SECONDS = 0.03  # longer than a usual counter stands still (core/energy/period.h)
SETTLE_LONGEST_SECONDS = 60


def move_until_settled(move, number_sleep, most=None):
    """Moves counters, each about once a millisecond, until a program that reads them knows that
    they move as usual: it then sleeps until it is prompted. Returns the number of moves, at most
    `most`. number_sleep: returns the number of the current sleep, None: it is awake."""
    count, longest = 0, 0  # longest time between two moves: the program may sleep that long until the next one
    sleep, slept_from = None, 0
    passed = began = time.monotonic()
    while sleep is None or passed - slept_from < SETTLED_SECONDS + 2 * longest:
        if count == most:
            break
        move()
        count += 1
        time.sleep(0.001)
        before, passed = passed, time.monotonic()
        longest = max(longest, passed - before)
        last, sleep = sleep, number_sleep()
        if sleep != last:
            slept_from = passed
        if passed - began > SETTLE_LONGEST_SECONDS:
            raise AssertionError("the program still reads between prompts")
    return count


def number_sleep(pid):
    """The number of a process's current sleep; None: it is awake."""
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    return int(status["voluntary_ctxt_switches"]) if status["State"][0] == "S" else None


def write(root, path, content):
    """Writes a file below the root, and makes its folders."""
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


class Tree:
    """A root folder, removed at the end of its block. below: where it is made; on a disk, thousands
    of zones take long."""

    def __init__(self, below=None):
        self.root = tempfile.mkdtemp(prefix="rapl-tree-", dir=below)
        os.chmod(self.root, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    @classmethod
    def copy(cls, layout):
        """Copies a layout of tests/trees. There .gitkeep stands for an empty folder."""
        tree = cls()
        shutil.copytree(os.path.join(LAYOUTS, layout), tree.root, symlinks=True,
                        dirs_exist_ok=True, ignore=shutil.ignore_patterns(".gitkeep"))
        return tree

    @classmethod
    def make(cls, names, range_uj=RANGE_UJ, below=None):
        """Makes zones by kernel id, parents first: {"intel-rapl:0": "package-0", …}. Each starts at
        a different energy. One limit of 100 W makes the ceiling 400 W. The vendor is Intel."""
        tree = cls(below)
        tree.set_alias(0)
        for count, (zone, name) in enumerate(names.items(), 1):
            tree.add(zone, name, 10**9 + count * 10**8, range_uj)
        return tree

    def add(self, zone, name, energy_uj, range_uj=RANGE_UJ):
        """Adds a zone as the kernel does: a folder below its parent's, and a link in the class."""
        folder = self.device(zone)
        os.makedirs(os.path.join(self.root, folder))
        os.makedirs(os.path.join(self.root, CLASS), exist_ok=True)
        os.symlink(os.path.join("..", "..", "..", folder), os.path.join(self.root, CLASS, zone))
        self.write(zone, "name", name + "\n")
        self.write(zone, "max_energy_range_uj", "%d\n" % range_uj)
        self.write(zone, "energy_uj", "%d\n" % energy_uj)
        if zone.count(":") == 1:
            self.write(zone, "constraint_0_max_power_uw", "100000000\n")

    @staticmethod
    def device(zone):
        kind, *numbers = zone.split(":")
        parts = [":".join([kind, *numbers[:depth]]) for depth in range(len(numbers) + 1)]
        return os.path.join("sys", "devices", "virtual", "powercap", *parts)

    def path(self, zone, attribute=""):
        return os.path.join(self.root, CLASS, zone, attribute)

    def zones(self):
        return sorted(zone for zone in os.listdir(os.path.join(self.root, CLASS)) if ":" in zone)

    def write(self, zone, attribute, text):
        """Writes in place, so that an open descriptor sees the new text."""
        if isinstance(text, str):
            text = text.encode()
        file = os.open(self.path(zone, attribute), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, text, 0)
            os.ftruncate(file, len(text))
        finally:
            os.close(file)

    def energy_uj(self, zone):
        with open(self.path(zone, "energy_uj"), encoding="ascii") as file:
            return int(file.read().rstrip("\0"))

    def set_energy(self, zone, energy_uj):
        self.write(zone, "energy_uj", "%d\n" % energy_uj)

    def move(self, zones_uj):
        for zone, energy_uj in zones_uj.items():
            self.set_energy(zone, self.energy_uj(zone) + energy_uj)

    def settle(self, program, zones=None):
        """Moves these counters, or all, until the program knows that they move as usual. Returns by
        how much each was moved, all of it after the program's first reading."""
        zones = list(zones or self.zones())
        moved = dict.fromkeys(zones, 0)
        counters = [(os.open(self.path(zone, "energy_uj"), os.O_WRONLY), zone, self.energy_uj(zone),
                     SETTLE_UNITS * self.unit_uj(zone)) for zone in zones]

        def move():
            for file, zone, first, step in counters:
                moved[zone] += step
                os.pwrite(file, b"%d\n" % (first + moved[zone]), 0)

        try:
            program.wait_asleep()
            move_until_settled(move, lambda: number_sleep(program.pid))
        finally:
            for file, *_ in counters:
                os.close(file)
        return moved

    def unit_uj(self, zone):
        """The unit of a 32-bit counter, rounded up; a millijoule if the range is unknown."""
        try:
            with open(self.path(zone, "max_energy_range_uj"), encoding="ascii") as file:
                return -(-int(file.read().rstrip("\0")) // (2**32 - 1)) or 1000
        except (OSError, ValueError):
            return 1000

    def remove(self, zone):
        """Removes the zone and its subzones from the class and from below its parent."""
        for other in self.zones():
            if (other + ":").startswith(zone + ":"):
                os.unlink(os.path.join(self.root, CLASS, other))
        shutil.rmtree(os.path.join(self.root, self.device(zone)))

    def set_vendor(self, vendor, model=None):
        """Writes proc/cpuinfo for two CPUs and removes the alias; None: removes both."""
        folder = os.path.join(self.root, "proc")
        shutil.rmtree(folder, ignore_errors=True)
        self.set_alias(None)
        if vendor is None:
            return
        os.mkdir(folder)
        family = 23 if model is None else 6
        with open(os.path.join(folder, "cpuinfo"), "w", encoding="ascii") as file:
            for cpu in range(2):
                file.write("processor\t: %d\nvendor_id\t: %s\ncpu family\t: %d\n" %
                           (cpu, vendor, family))
                file.write("\n" if model is None else "model\t\t: %d\n\n" % model)

    def set_alias(self, vendor, family=6, model=0x9E):
        """Writes the module alias of the processor, with the kernel's number of the vendor (0:
        Intel, 2: AMD, 9: Hygon); None: removes it."""
        path = os.path.join(self.root, ALIAS)
        if vendor is not None:
            write(self.root, ALIAS, "cpu:type:x86,ven%04Xfam%04Xmod%04X:feature:,0000,0001\n" %
                  (vendor, family, model))
        elif os.path.exists(path):
            os.unlink(path)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(path))


class Pump:
    """Moves the counters of zones (a list, or one id) in a loop while the block runs, each at the
    same power, in a process with higher priority. Of each, a reader has seen at least written_uj by
    now, and at most begun_uj."""

    STEP_SECONDS = 0.002
    LATE_SECONDS = 0.08

    def __init__(self, tree, zones, watts, range_uj=RANGE_UJ):
        self.tree, self.zones = tree, [zones] if isinstance(zones, str) else zones
        self.watts = watts
        self.modulus_uj = range_uj + round(range_uj / (2**32 - 1))  # one unit more than the range
        self.written, self.begun = [multiprocessing.Value("q", 0, lock=False) for _ in range(2)]
        self.longest_step = multiprocessing.Value("d", 0, lock=False)
        self.ended = multiprocessing.Event()
        self.process = multiprocessing.Process(target=self.run, args=(os.getpid(),), daemon=True)

    @property
    def written_uj(self):
        return self.written.value

    @property
    def begun_uj(self):
        return self.begun.value

    def lateness(self, seconds=LATE_SECONDS):
        """Why a failure is excused: a step took so long that reads find more power than the pump
        has, such as 133 ms of 300 W in 50 ms, which are judged as 800 W. Otherwise empty."""
        longest = self.longest_step.value
        return "" if longest < seconds else "a step of the pump took %.3f s" % longest

    def run(self, parent):
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -15)
        began = written = time.monotonic()
        while not self.ended.wait(self.STEP_SECONDS) and os.getppid() == parent:
            used_uj = int(self.watts * 1e6 * (time.monotonic() - began))
            self.begun.value = used_uj
            for file, first in self.counters:
                text = b"%d\n" % ((first + used_uj) % self.modulus_uj)
                # After a wrap the text is padded to the previous length, as some kernels do, so
                # that a concurrent reader gets a complete number.
                os.pwrite(file, text.ljust(os.fstat(file).st_size, b"\0"), 0)
            self.written.value = used_uj
            last, written = written, time.monotonic()
            self.longest_step.value = max(self.longest_step.value, written - last)

    def __enter__(self):
        self.counters = [(os.open(self.tree.path(zone, "energy_uj"), os.O_WRONLY),
                          self.tree.energy_uj(zone)) for zone in self.zones]
        self.process.start()
        for file, _ in self.counters:
            os.close(file)
        while self.written_uj == 0 and self.process.is_alive():
            time.sleep(0.001)
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.process.join()
