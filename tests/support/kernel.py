# SPDX-License-Identifier: MIT
"""The drivers, CPUs and true counter values of a guest of tests/vm."""
import contextlib
import os
import subprocess
import threading
import time

import execd

POWERCAP = "/sys/class/powercap"
PARAMETERS = "/sys/module/rapl_registers/parameters"
CPUS = "/sys/devices/system/cpu"
DRIVERS = ("intel_rapl_msr", "rapl")  # on top of rapl_registers

# --- drivers and CPUs ----------------------------------------------------------------------------


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def load(module, **parameters):
    subprocess.run(["modprobe", module, *("%s=%s" % pair for pair in parameters.items())],
                   check=True)


def unload(*modules):
    for module in modules:
        subprocess.run(["modprobe", "-r", module], check=True)


def load_registers(drivers=DRIVERS, **parameters):
    """Loads the registers again with these parameters, and the drivers on top."""
    unload(*drivers, "rapl_registers")
    load("rapl_registers", **parameters)
    for driver in drivers:
        load(driver)


def load_to_wrap(case, begin, drivers=DRIVERS):
    """Loads the registers so that each counter wraps after begin(stack) has returned. Returns its
    result, and the instant (time.monotonic()) at which all have wrapped. The stack keeps the
    reading programs; the test case closes it at its end."""
    for seconds in (4, 8, 16, 32):  # the load takes longer if the host is busy
        with contextlib.ExitStack() as stack:
            soonest = time.monotonic() + seconds
            load_registers(drivers, wrap_in_ms=seconds * 1000)
            latest = time.monotonic() + seconds + 0.1
            begun = begin(stack)
            if time.monotonic() < soonest:
                case.addCleanup(stack.pop_all().close)
                return begun, latest
    raise AssertionError("the counters wrapped in %d s, before all had begun" % seconds)


def set_online(online, *cpus):
    for cpu in cpus:
        write("%s/cpu%d/online" % (CPUS, cpu), int(online))


def zone_names():
    """Names of the zones that the kernel shows now, by id."""
    return {zone: read(os.path.join(POWERCAP, zone, "name"))
            for zone in sorted(os.listdir(POWERCAP)) if ":" in zone}


def zone_path(name):
    """The folder of the zone with that name."""
    return next(os.path.join(POWERCAP, zone) for zone, named in zone_names().items() if named == name)


# --- the truth -----------------------------------------------------------------------------------


def is_amd():
    return "AuthenticAMD" in read("/proc/cpuinfo")


def truth_watts(tags):
    """The power of the register behind a series, by the rule in tests/vm/README.md."""
    domain, amd = tags["domain"], is_amd()
    percent = 100 + 10 * int(tags.get("package_id", 0))
    if not amd:
        percent += 5 * int(tags.get("die_id", 0))
    if domain == "lead_core":
        domain = "core"
        percent += int(tags.get("core_id", 0))
    return int(read("%s/%s_mw" % (PARAMETERS, domain))) / 1000 * percent / 100


def true_watts(report):
    """By identity, for every series of a report; total from the packages and dram."""
    watts = {execd.name_line(line): truth_watts(line.tags) for line in report.lines
             if line.measurement == "rapl" and line.tags["domain"] != "total"}
    watts["domain=total"] = sum(watts[execd.name_line(line)] for line in report.lines
                                if line.tags.get("domain") in ("package", "dram"))
    return watts


class Stalls:
    """While entered, records when a CPU of the guest stood still for at least these seconds,
    because its host was busy or ran another CPU. Shows a test whether reads it did not request
    itself may have been late."""

    TICK_SECONDS = 0.02
    AFTER_SECONDS = 0.1  # longest duration of a read that nothing delays

    def __init__(self, seconds):
        self.seconds = seconds
        self.found = []  # (from, to), CLOCK_REALTIME in seconds, like the timestamps of reports
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.look, args=(cpu,))
                        for cpu in os.sched_getaffinity(0)]

    def look(self, cpu):
        os.sched_setaffinity(0, {cpu})  # of this thread
        last = time.time()
        while not self.ended.is_set():
            time.sleep(self.TICK_SECONDS)
            now = time.time()
            if now - last > self.TICK_SECONDS + self.seconds:
                self.found.append((last, now))
            last = now

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def reason(self):
        """Why a power since it was entered may be wrong. Empty if no CPU stood still."""
        longest = max((ended - began for began, ended in self.found), default=0)
        return longest and "a CPU stood still for %.0f ms" % (1000 * longest)

    def may_explain(self, from_ns, to_ns):
        """Whether a read at or between these timestamps may have been late."""
        return any(began <= to_ns / 1e9 + self.AFTER_SECONDS and ended >= from_ns / 1e9
                   for began, ended in self.found)


class Watch:
    """Requests reports from rapl-execd and compares them with the truth.

    A counter was read between the instant before the prompt and the one after the report, so the
    energy between two reads has two bounds, however busy the guest is. A tolerance of 1 % is added.
    """

    # A counter may lag by one update (1 ms and its jitter).
    UPDATE_SECONDS = 0.0012

    def __init__(self, program):
        self.program = program
        self.asked = []  # (before, after, report); CLOCK_BOOTTIME, like the counters

    def ask(self):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        report = self.program.ask()
        self.asked.append((before, time.clock_gettime(time.CLOCK_BOOTTIME), report))
        return report

    def ask_for(self, seconds, every=0.5, least=2):
        """Requests reports for these seconds, at least `least`; returns the last one."""
        end = time.monotonic() + seconds
        until = len(self.asked) + least
        report = self.ask()
        while time.monotonic() < end or len(self.asked) < until:
            time.sleep(every)
            report = self.ask()
        return report

    def ask_during(self, action, *arguments, every=0.2):
        """Requests reports while a thread runs the action, and one after it; returns the last
        one."""
        failures = []

        def act():
            try:
                action(*arguments)
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(failure)

        thread = threading.Thread(target=act)
        thread.start()
        while thread.is_alive():
            self.ask()
            thread.join(every)
        if failures:
            raise failures[0]
        return self.ask()

    def reports(self):
        return [report for before, after, report in self.asked]

    def check_energy(self, identity, watts, first=0, last=-1, unit_joules=0.0, kept=None):
        """Checks the energy between two of the reports against the watts. kept: the report that has
        the energy at the first, if the first took a new baseline and has none."""
        began, ended = self.asked[first], self.asked[last]
        start = self.asked[first if kept is None else kept][2]
        joules = ended[2][identity]["energy_joules"] - start[identity]["energy_joules"]
        update = self.UPDATE_SECONDS
        least = 0.99 * watts * (ended[0] - began[1] - update) - unit_joules
        most = 1.01 * watts * (ended[1] - began[0] + update) + unit_joules
        if not least <= joules <= most:
            raise AssertionError("%s: %.3f J; %.1f W give %.3f to %.3f J" %
                                 (identity, joules, watts, least, most))

    def check_each_power(self, watts, first=0, until=None, tolerance=0.01):
        """Checks every power of these identities and of total. It may only be off by the lateness
        of the reads, which lay between prompt and report."""
        late = {}
        for index, (before, after, report) in enumerate(self.asked[first:until], first):
            members = [identity for identity in report
                       if "domain=package" in identity or "domain=dram" in identity]
            true = {**watts, "domain=total": sum(watts[member] for member in members)}
            for identity in true:
                late[identity] = max(late.get(identity, 0), after - before)
                power = report.power(identity) if identity in report else None
                if power is None:
                    continue
                if index > first:
                    span = before - self.asked[index - 1][1]
                    off = tolerance + (2 * late[identity] + self.UPDATE_SECONDS) / span
                    if abs(power - true[identity]) > off * true[identity]:
                        raise AssertionError("report %d: %s is %.3f W, not %.3f W +- %.1f %%" %
                                             (index, identity, power, true[identity], 100 * off))
                late[identity] = after - before

    def check_energies(self):
        """Checks that no energy falls, and that total contains the energy of its members, even of
        those that have gone."""
        last = {}
        for index, report in enumerate(self.reports()):
            for identity in report:
                if "energy_joules" not in report[identity]:
                    continue
                energy_uj = report.energy_uj(identity)
                if energy_uj < last.get(identity, 0):
                    raise AssertionError("report %d: %s falls to %d uJ" %
                                         (index, identity, energy_uj))
                last[identity] = energy_uj
            total_uj = sum(energy_uj for identity, energy_uj in last.items()
                           if identity.startswith(("domain=package", "domain=dram")))
            if "domain=total" in report and total_uj != last["domain=total"]:
                raise AssertionError("report %d: total is %d uJ, its members %d uJ" %
                                     (index, last["domain=total"], total_uj))
