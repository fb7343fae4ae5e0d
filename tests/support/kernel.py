# SPDX-License-Identifier: MIT
"""In a guest of tests/vm: its drivers, its CPUs, and what its counters truly count."""
import os
import subprocess
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


def load_registers(**parameters):
    """Loads the registers anew with these parameters, and the drivers on top."""
    unload(*DRIVERS, "rapl_registers")
    load("rapl_registers", **parameters)
    for driver in DRIVERS:
        load(driver)


def set_online(online, *cpus):
    for cpu in cpus:
        write("%s/cpu%d/online" % (CPUS, cpu), int(online))


def zone_names():
    """Names by id, of the zones that the kernel shows now."""
    return {zone: read(os.path.join(POWERCAP, zone, "name"))
            for zone in sorted(os.listdir(POWERCAP)) if ":" in zone}


# --- the truth -----------------------------------------------------------------------------------


def is_amd():
    return "AuthenticAMD" in read("/proc/cpuinfo")


def truth_watts(tags):
    """What the register behind a series draws: the rule of tests/vm/README.md."""
    domain, amd = tags["domain"], is_amd()
    percent = 100 + 10 * int(tags.get("package_id", 0))
    if not amd:
        percent += 5 * int(tags.get("die_id", 0))
    if domain == "lead_core":
        domain = "core"
        percent += int(tags.get("core_id", 0))
    return int(read("%s/%s_mw" % (PARAMETERS, domain))) / 1000 * percent / 100


def true_watts(report):
    """By identity, for every series of a report but total; total from the packages and dram."""
    watts = {execd.name_line(line): truth_watts(line.tags) for line in report.lines
             if line.measurement == "rapl" and line.tags["domain"] != "total"}
    watts["domain=total"] = sum(watts[execd.name_line(line)] for line in report.lines
                                if line.tags.get("domain") in ("package", "dram"))
    return watts


class Watch:
    """Asks rapl-execd for reports and holds them against the truth.

    A counter was read between the instant before the prompt and the one after the report, so that
    what was used between two reads is known to lie between two bounds, however busy the guest is.
    To these comes 1 %.
    """

    # A counter may lag by one update (1 ms and its jitter).
    UPDATE_SECONDS = 0.0012

    def __init__(self, program):
        self.program = program
        self.asked = []  # (before, after, report); CLOCK_BOOTTIME, as the counters

    def ask(self):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        report = self.program.ask()
        self.asked.append((before, time.clock_gettime(time.CLOCK_BOOTTIME), report))
        return report

    def ask_for(self, seconds, every=0.5):
        """Reports for so long; the last one."""
        end = time.monotonic() + seconds
        report = self.ask()
        while time.monotonic() < end:
            time.sleep(every)
            report = self.ask()
        return report

    def reports(self):
        return [report for before, after, report in self.asked]

    def check_energy(self, identity, watts, first=0, last=-1, unit_joules=0.0):
        """The energy between two of the reports is that of the watts."""
        began, ended = self.asked[first], self.asked[last]
        joules = ended[2][identity]["energy_joules"] - began[2][identity]["energy_joules"]
        update = self.UPDATE_SECONDS
        least = 0.99 * watts * (ended[0] - began[1] - update) - unit_joules
        most = 1.01 * watts * (ended[1] - began[0] + update) + unit_joules
        if not least <= joules <= most:
            raise AssertionError("%s: %.3f J; %.1f W give %.3f to %.3f J" %
                                 (identity, joules, watts, least, most))

    def check_power(self, watts, tolerance=0.01):
        """No report shows another power than these by identity, nor leaves one of them out."""
        for index, report in enumerate(self.reports()):
            for identity, true in watts.items():
                if identity not in report:
                    raise AssertionError("report %d lacks %s" % (index, identity))
                power = report.power(identity)
                if power is not None and abs(power - true) > tolerance * true:
                    raise AssertionError("report %d: %s is %.3f W, not %.3f W" %
                                         (index, identity, power, true))
