# SPDX-License-Identifier: MIT
"""Resources that a process has used so far, as the kernel counts them."""
import ctypes
import time

libc = ctypes.CDLL(None)


def cpu_ns(pid):
    """CPU time of all its threads, including ended ones; in nanoseconds, unlike the ticks of
    /proc/PID/stat."""
    clock = ctypes.c_int()
    error = libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error != 0:
        raise ProcessLookupError(error, "no CPU clock of process %d" % pid)
    return time.clock_gettime_ns(clock.value)


def resident_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))
