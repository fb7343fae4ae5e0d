# SPDX-License-Identifier: MIT
"""Machines made of plain files in memory, and the programs to measure on them."""
import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import execd
import tree

COUNTS = (1, 8, 48, 512)
PARTS = ("package-%d", "core", "uncore", "dram")
MEMORY = "/dev/shm"
ONLINE = "sys/devices/system/cpu/online"
SECONDS = 300  # until a program counts as hung
TRIES = 3


# --- machines ------------------------------------------------------------------------------------


def zones(count):
    """The first count zones of sockets with four zones each."""
    names = {}
    for number in range(count):
        package, part = divmod(number, len(PARTS))
        if part == 0:
            names["intel-rapl:%x" % package] = PARTS[0] % package
        else:
            names["intel-rapl:%x:%x" % (package, part - 1)] = PARTS[part]
    return names


def make(count):
    """An Intel machine in memory, where reads are cheapest."""
    if os.path.isdir(MEMORY):
        tempfile.tempdir = MEMORY
    machine = tree.Tree.make(zones(count))
    tree.write(machine.root, "proc/cpuinfo",
               "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n")
    tree.write(machine.root, ONLINE, "0-3\n")
    return machine


@contextlib.contextmanager
def make_all():
    """One machine for each count."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(make(count)) for count in COUNTS]


# --- the kernel's own files ----------------------------------------------------------------------

ATTRIBUTE = "/sys/devices/system/cpu/kernel_max"
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 1 << 18


def cover(machines):
    """In its own mount namespace, the process reads an attribute of the kernel instead of each
    energy_uj, and the kernel's own list of CPUs. OSError: not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(status):
        if status != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    check(libc.unshare(CLONE_NEWNS))
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    for machine in machines:
        paths = [(ATTRIBUTE, machine.path(zone, "energy_uj")) for zone in machine.zones()]
        for source, path in [*paths, ("/" + ONLINE, os.path.join(machine.root, ONLINE))]:
            check(libc.mount(source.encode(), path.encode(), None, MS_BIND, None))


# --- measures ------------------------------------------------------------------------------------


def tell(*lines):
    for line in lines:
        print("# " + line, flush=True)


def try_measure(measure):
    """The list of problems in the best of some tries: other load makes some measurements worse,
    while a problem of the program appears in each."""
    for _ in range(TRIES):
        wrong = measure()
        if not wrong:
            break
    return wrong


def used_seconds(cpu):
    """CPU time used on this CPU by all that ran there, interrupts included."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = next(line for line in file if line.startswith("cpu%d " % cpu)).split()[1:9]
    user, nice, system, _idle, _wait, interrupt, soft, steal = map(int, ticks)
    return (user + nice + system + interrupt + soft + steal) / os.sysconf("SC_CLK_TCK")


def find_idlest_cpu(seconds=0.3):
    before = {cpu: used_seconds(cpu) for cpu in os.sched_getaffinity(0)}
    time.sleep(seconds)
    return min(before, key=lambda cpu: used_seconds(cpu) - before[cpu])


# --- programs ------------------------------------------------------------------------------------


def program(name):
    return os.path.join(execd.BUILD, "tests", "bench", name)


def run_apart(pid=0, cpu=None):
    """Runs a process on one CPU alone (default: the last), because the scheduler's choice is
    random, and with priority over everything else there if that is permitted, so that a busy
    machine does not delay it."""
    os.sched_setaffinity(pid, {max(os.sched_getaffinity(pid)) if cpu is None else cpu})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def run_table(name, *words, prepare=lambda: None):
    """Runs a program of this directory, prints its output, and returns the rows below the headings."""

    def begin():
        run_apart()
        prepare()

    ended = subprocess.run([program(name), *words], stdout=subprocess.PIPE, text=True, check=True,
                           timeout=SECONDS, preexec_fn=begin)
    lines = ended.stdout.splitlines()
    tell(*lines)
    return [line.split() for line in lines[1:]]


@contextlib.contextmanager
def run_bare(machine, *words):
    """bare_reader with its files open: a subprocess.Popen with pipes."""
    process = subprocess.Popen([program("bare_reader"), machine.root, *map(str, words)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        if process.stdout.read(6) != b"ready\n":
            raise AssertionError("bare_reader did not start")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def prompt(process, times):
    """Prompts several times and returns the last answer, unread: a report is one write and fits
    into the pipe."""
    for _ in range(times):
        os.write(process.stdin.fileno(), b"\n")
        text = os.read(process.stdout.fileno(), 1 << 20)
        while not text.endswith(b"\n"):
            text += os.read(process.stdout.fileno(), 1 << 20)
    return text
