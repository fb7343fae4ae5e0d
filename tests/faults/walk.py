# SPDX-License-Identifier: MIT
"""One run of rapl-execd on a machine whose true values are known, with or without a fault. Each run
must answer or say why not, report only correct values, leak no descriptor, not spin, recover
when a fault ends, and end."""
import collections
import os
import re
import select
import signal
import subprocess
import tempfile
import time

import calls
import machines
import tree
import usage
from execd import PROGRAM, parse_reports
from meter import Mark

STRACE = "/usr/bin/strace"
# A program that stays in one sleep for this long does not answer its prompt, or does not end: its
# own pauses take 0.1 s, and waiting for a processor on a busy machine is not a sleep.
SILENT_SECONDS = 0.3
# The same holds if it has slept for this long in all, by repeated tries.
ASLEEP_SECONDS = 2.0
LOOK_SECONDS = 0.1
# A program that neither sleeps nor answers hangs after this time, or after CPU_SECONDS.
HANGS_SECONDS = 20.0
# Limits for the failing call, and for all calls, in CPU time.
CALLS_FACTOR, CALLS_MORE = 10, 600
CPU_SECONDS = 0.6
# With an interval of its own and signals, a report may come too soon for power. Of the last
# reports, covering at least this time, one has power.
LAST_REPORTS, LAST_NS = 3, 120_000_000
HEALTH = "rapl_health"
TOTAL = "domain=total"

Told = collections.namedtuple("Told", "before after report steps")
Outcome = collections.namedtuple(
    "Outcome", "status messages told unanswered descriptors traced cpu_seconds killed early")


def number_sleep(pid):
    """The number of the program's current sleep; None: it does not sleep, has ended, or strace has
    not started it yet."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    except (FileNotFoundError, ProcessLookupError):
        return None
    if status["Name"] != os.path.basename(PROGRAM) or status["State"][0] != "S":
        return None
    return int(status["voluntary_ctxt_switches"])


def spins(pid):
    try:
        return usage.cpu_ns(pid) > CPU_SECONDS * 1e9
    except ProcessLookupError:
        return False


class Watch:
    """Detects that a program will never do what the test waits for."""

    def __init__(self, pid, asleep_seconds):
        self.pid = pid
        self.left = asleep_seconds
        self.began = self.looked = self.slept_from = time.monotonic()
        self.sleep = None

    def is_over(self):
        now, sleep = time.monotonic(), number_sleep(self.pid)
        if sleep is not None and self.sleep is not None:
            self.left -= now - self.looked
        if sleep is None or sleep != self.sleep:
            self.slept_from = now
        self.looked, self.sleep = now, sleep
        return (self.left < 0 or sleep is not None and now - self.slept_from >= SILENT_SECONDS
                or now - self.began >= HANGS_SECONDS or spins(self.pid))


class Walk:
    """One run; fault None: the run from which the calls are taken."""

    def __init__(self, machine, fault=None, environment=None):
        self.machine = machine
        self.fault = fault
        self.folder = tempfile.mkdtemp(prefix="rapl-walk-")
        self.log = os.path.join(self.folder, "strace")
        self.errors = os.path.join(self.folder, "stderr")
        self.text = b""
        self.told, self.descriptors = [], []
        self.unanswered = 0
        self.steps = 0
        self.environment = environment or {}
        self.process = None

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        os.rmdir(self.folder)
        self.machine.close()

    def command(self):
        trace = ["-y", "-s", "200"]
        if self.fault:
            trace = ["--seccomp-bpf", "-e", "trace=" + self.fault.name, "-e",
                     calls.inject_option(self.fault), "-e", "signal=none"]
        # -D makes the program, and not strace, our child, whose end and CPU time we receive.
        return [STRACE, "-D", "-f", "-o", self.log, *trace, "--", PROGRAM,
                "--root=" + self.machine.root, "--health=yes", *self.machine.OPTIONS]

    def run(self):
        self.began = time.monotonic()
        with open(self.errors, "wb") as errors:
            process = self.process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                bufsize=0, env={**os.environ, "HOST_MOUNT_PREFIX": "", "HOST_SYS": "", **self.environment})
        for number in range(machines.STEPS):
            self.settle(process)
            self.machine.step(number)
            self.steps = number + 1
            if not self.ask(process):
                self.wait_end(process)
                break
            self.count_descriptors(process)
        early = self.has_ended(process)
        killed = self.end(process)
        rest = process.stdout.read()
        process.stdout.close()
        if rest:
            self.take(rest, time.monotonic(), time.monotonic())
        return Outcome(process.returncode, self.messages(), self.told, self.unanswered,
                       self.descriptors, self.count_traced(), self.cpu_seconds, killed, early)

    def settle(self, process):
        """Uses energy until the zones are known to the program."""
        began = time.monotonic()
        tree.move_until_settled(self.machine.settle, lambda: number_sleep(process.pid),
                                machines.SETTLE_MOVES_ONCE)
        time.sleep(max(0, began + machines.STEP_SECONDS - time.monotonic()))

    # --- prompts ---

    def ask(self, process):
        """Returns False if the program has ended."""
        before = time.monotonic()
        try:
            if not self.machine.CLOCKED:
                process.stdin.write(b"\n")
            elif self.told:  # it is ready for signals
                self.send(process, signal.SIGUSR1)
        except BrokenPipeError:
            return False
        watch = Watch(process.pid, SILENT_SECONDS if self.unanswered else ASLEEP_SECONDS)
        while True:
            if not select.select([process.stdout], [], [], LOOK_SECONDS)[0]:
                if not watch.is_over():
                    continue
                self.unanswered += 1
                return not self.has_ended(process)
            part = os.read(process.stdout.fileno(), 1 << 20)
            if not part:
                return False
            if self.take(part, before, time.monotonic()):
                return True

    def take(self, part, before, after):
        """Whether a report is complete: its last line is health's."""
        self.text += part
        if not self.text.endswith(b"\n") or HEALTH not in self.text.decode().splitlines()[-1]:
            return False
        if self.machine.CLOCKED:  # it may have been made at any time since the last one
            before = self.told[-1].after if self.told else self.began
        for report in parse_reports(self.text.decode()):
            self.told.append(Told(before, after, report, self.steps))
        self.text = b""
        return True

    # --- ending ---

    def has_ended(self, process):
        if process.returncode is None:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                self.note_end(process, status, used)
        return process.returncode is not None

    def note_end(self, process, status, used):
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = used.ru_utime + used.ru_stime

    def wait_end(self, process, asleep_seconds=ASLEEP_SECONDS):
        """Returns False if the program is still running."""
        watch = Watch(process.pid, asleep_seconds)
        while not self.has_ended(process):
            # Its output must be read, or it waits for us.
            if select.select([process.stdout], [], [], 0.005)[0]:
                part = os.read(process.stdout.fileno(), 1 << 20)
                if part:
                    self.take(part, self.last_before(), time.monotonic())
                else:
                    time.sleep(0.005)
            if watch.is_over():
                return False
        return True

    def last_before(self):
        return self.told[-1].before if self.told else self.began

    def end(self, process):
        """Ends it through stdin, or by SIGTERM if stdin can never be read; None: it was not killed."""
        process.stdin.close()
        lasts = self.fault is not None and self.fault.lasts
        if self.wait_end(process, SILENT_SECONDS if lasts else ASLEEP_SECONDS):
            return None
        self.send(process, signal.SIGTERM)
        if lasts and self.wait_end(process):
            return None
        self.send(process, signal.SIGKILL)
        while not self.has_ended(process):
            time.sleep(0.005)
        return "goes on after the end of stdin" + (" and SIGTERM" if lasts else "")

    def send(self, process, number):
        """Not through Popen, which would collect its exit status and CPU time."""
        if not self.has_ended(process):
            os.kill(process.pid, number)

    # --- after a run ---

    def count_descriptors(self, process):
        try:
            self.descriptors.append(len(os.listdir("/proc/%d/fd" % process.pid)))
        except FileNotFoundError:
            pass

    def count_traced(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return sum(1 for _ in file)

    def messages(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return [line for line in file.read().splitlines() if line]

    def calls(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return calls.parse_calls(file.read(), self.machine.root)


# --- checks of a run -----------------------------------------------------------------------------

# Landlock's rules hold a directory open from the start if its file system cannot be determined.
HOLDS = {"fstatfs"}

Usual = collections.namedtuple("Usual", "descriptors counts")


def rapl_lines(report):
    return {identity: fields for identity, fields in report.items()
            if not identity.startswith(HEALTH)}


def check_power(machine, identity, fields, energy, marks, told):
    """Power covers a span from an earlier time: that of the last reported power or, after an
    interval was left out, a later one."""
    wrong = None
    for mark in reversed(marks):
        try:
            machine.check_power(identity, fields["power_watts"], energy - mark.joules, mark,
                                told.before, told.after)
            return
        except AssertionError as error:
            wrong = error
    raise wrong


def check_told(machine, began, told):
    """Every reported number is correct."""
    energies, marks, last = {}, {}, ()
    for one in told:
        lines = rapl_lines(one.report)
        for identity, fields in lines.items():
            energy = fields["energy_joules"]
            machine.check(identity, fields, round(energies.get(identity, 0.0) * 1e6), one.steps,
                          identity in last)
            # The first sample was taken between the start and the first report.
            known = marks.setdefault(identity, [Mark(began, one.after, 0.0)])
            if "power_watts" in fields:
                check_power(machine, identity, fields, energy, known, one)
                marks[identity] = []
            marks[identity].append(Mark(one.before, one.after, energy))
            energies[identity] = energy
        # A silent series may restart the span of its power; the total contains what its members
        # reported.
        for identity in set(marks) - set(lines):
            told_of = energies[identity] if identity != TOTAL else sum(
                joules for member, joules in energies.items()
                if "domain=package" in member or "domain=dram" in member)
            marks[identity].append(Mark(one.before, one.after, told_of))
        last = lines


def problems_of(machine, fault, outcome, usual, began):
    """Texts that describe what is wrong with a run. A close that fails here was not made."""
    wrong = []
    lasts = fault.lasts
    if outcome.killed:
        wrong.append("hangs: " + outcome.killed)
    elif outcome.status < 0:
        wrong.append("ended by signal %d" % -outcome.status)
    elif outcome.early and not ends_rightly(fault, outcome):
        wrong.append("ended with status %d and %r" % (outcome.status, outcome.messages[-1:]))
    elif not outcome.early and outcome.status != 0 and not outcome.messages:
        wrong.append("status %d without a word" % outcome.status)
    if outcome.unanswered and not any(re.match("[EW]! ", line) for line in outcome.messages) and \
            not (fault.name == "write" and lasts):
        wrong.append("%d prompts are not answered, without a word" % outcome.unanswered)
    if outcome.unanswered and not lasts:
        wrong.append("%d prompts are not answered" % outcome.unanswered)
    most = max([usual.descriptors] + outcome.descriptors[:fault.name in HOLDS])
    if fault.name != "close" and outcome.descriptors and outcome.descriptors[-1] > most:
        wrong.append("%d descriptors, of %d" % (outcome.descriptors[-1], most))
    if outcome.traced > CALLS_FACTOR * usual.counts[fault.name] + CALLS_MORE:
        wrong.append("spins: %d calls, of %d" % (outcome.traced, usual.counts[fault.name]))
    if outcome.cpu_seconds > CPU_SECONDS:
        wrong.append("spins: %.2f s of processor time" % outcome.cpu_seconds)
    if any(not re.match("[EWID]! .", line) for line in outcome.messages):
        wrong.append("a message without a level: %r" % outcome.messages)
    try:
        check_told(machine, began, outcome.told)
    except (AssertionError, ValueError) as error:
        wrong.append("tells what is not true: %s" % error)
    # If the root cannot be opened at the start, the next try comes after a minute.
    if not lasts and not outcome.early and any(rapl_lines(one.report) for one in outcome.told):
        wrong += missing_after(machine, outcome)
    return wrong


QUIET_ENDS = {("write", "EPIPE"), ("read", "EOF"), ("read", "EBADF")}


def ends_rightly(fault, outcome):
    """It ends by itself, with an exit status and a message; if nobody reads its output or stdin has
    ended, without a message.
    """
    if (fault.name, fault.error) in QUIET_ENDS and outcome.status == 0:
        return True
    told = any(line.startswith("E! ") for line in outcome.messages)
    return outcome.status != 0 and (told or fault.name == "write" and fault.lasts)


def missing_after(machine, outcome):
    """After a single fault the last report contains every series, and the last reports their power."""
    ended_ns = outcome.told[-1].report.timestamp
    last = [rapl_lines(one.report) for place, one in enumerate(outcome.told, 1)
            if place > len(outcome.told) - LAST_REPORTS
            or one.report.timestamp > ended_ns - LAST_NS]
    missing = machine.expected() - set(last[-1])
    if missing:
        return ["not well again: without %s" % sorted(missing)]
    silent = [identity for identity in machine.expected()
              if not any("power_watts" in lines.get(identity, ()) for lines in last)]
    if silent:
        return ["not well again: no power of %s" % silent]
    first = next(rapl_lines(one.report) for one in outcome.told if rapl_lines(one.report))
    return ["lost what it used in a gap: %s" % identity for identity in first
            if machine.lost(identity, last[-1][identity])]
