# SPDX-License-Identifier: MIT
"""Machines of plain files whose true energy is known to the microjoule at each step of a walk, and
the values that are correct for them."""
import itertools
import os
import shutil
import struct

from meter import Meter
from tree import Tree

CPUS = os.path.join("sys", "devices", "system", "cpu")
EVENTS = os.path.join("sys", "bus", "event_source", "devices", "power")

# Before each step, a zone uses its portion every millisecond or two, less than SETTLE_MOVES times
# in all, so that the program learns that its counter moves as usual. In step n it uses its portion
# 2^n * SETTLE_MOVES times: an energy is then a sum of steps, and identifies them. The total stays
# below the ceiling of 400 W, where a step is 53 ms.
SETTLE_MOVES, SETTLE_MOVES_ONCE = 256, 80
STEPS = 6
STEP_SECONDS = 0.053
TOTAL = "domain=total"


def put(root, path, text):
    """Writes in place, as the kernel's files change: a process that has the file open reads the new
    text."""
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write("%s\n" % text)


def put_cpus(root, model):
    put(root, os.path.join(CPUS, "online"), "0-1")
    for cpu in range(2):
        for name, number in (("physical_package_id", cpu), ("die_id", 0), ("core_id", 0)):
            put(root, os.path.join(CPUS, "cpu%d" % cpu, "topology", name), number)
    put(root, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
        "model\t\t: %d\n" % model)


class Energies:
    """The sums of steps that are correct for an identity."""

    def __init__(self, portions_uj):
        self.portions_uj = portions_uj  # by identity, except total
        self.settled = 0  # how often each was used between steps

    def split(self, identity, energy_uj):
        """The steps that the energy contains, as bits; the portions used between steps; the
        remainder.
        """
        used, rest = divmod(energy_uj, self.portions_uj[identity])
        return *divmod(used, SETTLE_MOVES), rest

    def check(self, identity, energy_uj, before_uj, steps, fresh):
        """The energy contains steps that were made, none twice, and never decreases; fresh: the
        last step is included."""
        if energy_uj < before_uj:
            raise AssertionError("%s: falls from %d to %d uJ" % (identity, before_uj, energy_uj))
        if identity == TOTAL:
            most = ((2**steps - 1) * SETTLE_MOVES + self.settled) * sum(
                uj for other, uj in self.portions_uj.items()
                if "domain=package" in other or "domain=dram" in other)
            if energy_uj > most:
                raise AssertionError("total: %d uJ, of %d" % (energy_uj, most))
            return
        told, used, rest = self.split(identity, energy_uj)
        before = self.split(identity, before_uj)[0]
        if rest or used > self.settled or told >> steps or before & ~told or fresh and not told >> (steps - 1):
            raise AssertionError("%s: %d uJ after %d are no steps of %d uJ, of %d that were made"
                                 % (identity, energy_uj, before_uj, self.portions_uj[identity],
                                    steps))

    def has_hole(self, identity, energy_uj):
        """Whether a step is missing between others."""
        bits = bin(self.split(identity, energy_uj)[0])[2:].rstrip("0")
        return "0" in bits


class Powercap:
    """Two packages with DRAM; one DRAM goes and returns."""

    OPTIONS = ()  # auto: powercap is tried first
    CLOCKED = False
    ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram",
             "intel-rapl:1": "package-1", "intel-rapl:1:0": "dram"}
    PORTIONS_UJ = {"intel-rapl:0": 397, "intel-rapl:0:0": 193, "intel-rapl:1": 353,
                   "intel-rapl:1:0": 157}
    IDENTITIES = {"intel-rapl:0": "domain=package,package_id=0",
                  "intel-rapl:0:0": "domain=dram,package_id=0",
                  "intel-rapl:1": "domain=package,package_id=1",
                  "intel-rapl:1:0": "domain=dram,package_id=1"}
    GOES = "intel-rapl:1:0"

    def __init__(self):
        self.tree = Tree.make(self.ZONES)
        self.root = self.tree.root
        put_cpus(self.root, 85)
        self.gone_uj = None
        self.energies = Energies({self.IDENTITIES[zone]: uj
                                  for zone, uj in self.PORTIONS_UJ.items()})

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def settle(self):
        """The zone that has gone uses its portion, too."""
        if self.energies.settled == SETTLE_MOVES - 1:
            return
        self.energies.settled += 1
        for zone, uj in self.PORTIONS_UJ.items():
            self.use(zone, uj)

    def use(self, zone, uj):
        if zone == self.GOES and self.gone_uj is not None:
            self.gone_uj += uj
        else:
            self.tree.set_energy(zone, self.tree.energy_uj(zone) + uj)

    def step(self, number):
        for zone, uj in self.PORTIONS_UJ.items():
            self.use(zone, uj * SETTLE_MOVES << number)
        if number == 2:
            self.gone_uj = self.tree.energy_uj(self.GOES)
            self.tree.remove(self.GOES)
            put(self.root, os.path.join(CPUS, "online"), "0")
        if number == 3:
            self.tree.add(self.GOES, self.ZONES[self.GOES], self.gone_uj)
            self.gone_uj = None
            put(self.root, os.path.join(CPUS, "online"), "0-1")

    def check(self, identity, fields, before_uj, steps, told):
        """told: the series was in the report before, too. A process that has the file of a removed
        zone open can still read it here; on a real kernel it could not."""
        energy_uj = round(fields["energy_joules"] * 1e6)
        fresh = told and not self.CLOCKED and identity != self.IDENTITIES.get(self.GOES)
        self.energies.check(identity, energy_uj, before_uj, steps, fresh)

    def lost(self, identity, fields):
        return identity not in (TOTAL, self.IDENTITIES.get(self.GOES)) and self.energies.has_hole(
            identity, round(fields["energy_joules"] * 1e6))

    def expected(self):
        return set(self.IDENTITIES.values()) | {TOTAL}

    @staticmethod
    def check_power(identity, watts, joules, mark, before, after):
        Meter.check(identity, watts, joules, mark, before, after)


class Clocked(Powercap):
    """The same machine, with reports at the program's own interval and by signals."""

    OPTIONS = ("--interval=55ms", "--source=powercap")
    CLOCKED = True


class Registers(Powercap):
    """MSRs of two processors, as bytes of plain files; one package goes and returns."""

    OPTIONS = ("--source=msr", "--max-power=40000")
    GOES = None
    UNIT = 6  # 2^-6 J: 15625 uJ, without a remainder
    UNIT_UJ = 15625
    ADDRESSES = {"package": 0x611, "dram": 0x619, "core": 0x639}
    TICKS = {"package": 6, "dram": 3, "core": 4}

    def __init__(self):  # pylint: disable=super-init-not-called
        self.tree = Tree()
        self.root = self.tree.root
        put_cpus(self.root, 60)  # Haswell, with DRAM of the same unit
        self.ticks = {(cpu, domain): 1000 for cpu in range(2) for domain in self.ADDRESSES}
        for cpu in range(2):
            put(self.root, self.path(cpu), "")
            self.poke(cpu, 0x606, struct.pack("<Q", self.UNIT << 8 | 3))
            self.poke(cpu, 0x700, b"\0" * 8)  # no read is cut short
        for cpu, domain in self.ticks:
            self.poke_counter(cpu, domain)
        self.energies = Energies({self.identity(cpu, domain): self.TICKS[domain] * self.UNIT_UJ
                                  for cpu, domain in self.ticks})

    @staticmethod
    def path(cpu):
        return os.path.join("dev", "cpu", str(cpu), "msr")

    @staticmethod
    def identity(cpu, domain):
        return "domain=%s,package_id=%d" % (domain, cpu)

    def poke(self, cpu, address, content):
        with open(os.path.join(self.root, self.path(cpu)), "r+b") as file:
            file.seek(address)
            file.write(content)

    def poke_counter(self, cpu, domain):
        self.poke(cpu, self.ADDRESSES[domain], struct.pack("<I", self.ticks[cpu, domain]))

    def use_all(self, times):
        for cpu, domain in self.ticks:
            self.ticks[cpu, domain] += self.TICKS[domain] * times
            self.poke_counter(cpu, domain)

    def settle(self):
        if self.energies.settled < SETTLE_MOVES - 1:
            self.energies.settled += 1
            self.use_all(1)

    def step(self, number):
        self.use_all(SETTLE_MOVES << number)
        if number in (2, 3):
            put(self.root, os.path.join(CPUS, "online"), "0" if number == 2 else "0-1")

    def expected(self):
        return {self.identity(cpu, domain) for cpu, domain in self.ticks} | {TOTAL}


class Events:
    """Events that the kernel really opens: cpu-clock counts as energy. See test_perf.py."""

    OPTIONS = ("--source=perf",)
    CLOCKED = False
    WATTS = {"energy-pkg": 45.0, "energy-ram": 5.0}
    NAMES = {"energy-pkg": "package", "energy-ram": "dram"}

    def __init__(self):
        self.tree = Tree()
        self.root = self.tree.root
        put_cpus(self.root, 85)
        put(self.root, os.path.join(EVENTS, "type"), 1)
        put(self.root, os.path.join(EVENTS, "cpumask"), "0-1")
        put(self.root, os.path.join(EVENTS, "format", "event"), "config:0-7")
        for event, watts in self.WATTS.items():
            path = os.path.join(EVENTS, "events", event)
            put(self.root, path, "event=0x00")
            put(self.root, path + ".scale", "%ge-9" % watts)
            put(self.root, path + ".unit", "Joules")
        self.watts = {"domain=%s,package_id=%d" % (self.NAMES[event], package): watts
                      for event, watts in self.WATTS.items() for package in range(2)}
        self.watts[TOTAL] = sum(self.watts.values())

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    @staticmethod
    def settle():
        """Does nothing: these events always move."""

    def step(self, number):
        folder = os.path.join(self.root, EVENTS)
        if number == 2:  # registered again
            put(self.root, os.path.join(EVENTS, "type.new"), 1)
            os.rename(os.path.join(folder, "type.new"), os.path.join(folder, "type"))
        if number in (2, 3):
            put(self.root, os.path.join(CPUS, "online"), "0" if number == 2 else "0-1")

    @staticmethod
    def check(identity, fields, before_uj, _steps, _told):
        if round(fields["energy_joules"] * 1e6) < before_uj:
            raise AssertionError("%s: its energy falls" % identity)

    def expected(self):
        return set(self.watts)

    @staticmethod
    def lost(_identity, _fields):
        return False  # unknown for a PMU that was registered again

    def check_power(self, identity, watts, joules, mark, before, after):
        """The counter advances with time. If a reader waits between the clock and the counter,
        power is off by that time, at most the wait for its report. The total may cover only the
        events that have been read."""
        least, most = 0.8, 1.25
        if before > mark.after:
            stretch = (after - mark.before) / (before - mark.after)
            least, most = min(least, 1 / stretch), max(most, stretch)
        true = [self.watts[identity]]
        if identity == TOTAL:
            single = [power for other, power in self.watts.items() if other != identity]
            true = [sum(some) for count in range(1, len(single) + 1)
                    for some in itertools.combinations(single, count)]
        if not any(least * power <= watts <= most * power for power in true):
            raise AssertionError("%s: %s W, of %s" % (identity, watts, true))
        if joules > self.watts[identity] * (after - mark.before) * 1.01 + 0.001:
            raise AssertionError("%s: %s J, at %s W" % (identity, joules, true))
