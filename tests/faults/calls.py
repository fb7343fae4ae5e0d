# SPDX-License-Identifier: MIT
"""The system calls of a run of rapl-execd, taken from strace, and where to make them fail.

No call of the program is named here: the calls that fail are those seen in a run without a fault,
so that new calls in the sampling path are covered as well.
"""
import collections
import re

# --- output of strace ----------------------------------------------------------------------------

LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\w+)")
MAIN_BEGINS = '"/dev/null"'  # keep_standard_files() is the first call of main()
NEVER = {"execve", "exit_group", "exit", "rt_sigreturn", "restart_syscall"}

Call = collections.namedtuple("Call", "name number detail is_report")


def describe(name, arguments, root):
    """The object of the call, the same for all zones and CPUs: its paths without their numbers."""
    if name == "close":
        return ""
    words = [path or quoted for quoted, path in
             re.findall(r'"((?:[^"\\]|\\.)*)"|\d<([^>]*)>', arguments)]
    if not words or name == "getrandom":
        return re.match(r"[A-Z_]*", arguments).group()
    text = " ".join(words if "open" in name else words[:1]).replace(root, "").strip()
    if "stderr" in text:
        return "stderr"
    text = re.sub(r"(intel-rapl:)[0-9a-f:]+", r"\1N", text)
    text = re.sub(r"constraint_\d+_\w+", "constraint", text)
    text = re.sub(r"(intel-rapl:N/)+", "intel-rapl:N/", text)
    text = re.sub(r"topology/\w+", "topology", text)
    text = re.sub(r"energy-(pkg|ram)", "energy-N", text)
    return re.sub(r"[0-9]+", "N", text)


def parse_calls(text, root):
    """The calls from main() on, each with its number among the calls of that name."""
    numbers = collections.Counter()
    calls, in_main = [], False
    for name, arguments, _ in (match.groups() for match in map(LINE.match, text.splitlines())
                               if match):
        numbers[name] += 1
        in_main = in_main or MAIN_BEGINS in arguments
        if not in_main or name in NEVER:
            continue
        is_report = name.startswith("write") and arguments.startswith("1<")
        calls.append(Call(name, numbers[name], describe(name, arguments, root), is_report))
    return calls


# --- errors to inject ----------------------------------------------------------------------------

OPEN = "EACCES EINTR EIO EMFILE ENFILE ENODEV ENOENT ENOMEM EPERM EAGAIN ENOSYS".split()
ERRORS = {
    "openat2": OPEN,
    "openat": OPEN[:8],
    "pread64": "EINTR EIO ENODATA ENODEV ENXIO EAGAIN ENOMEM EACCES EOF".split(),
    "read": "EINTR EAGAIN EIO EBADF ENODEV EINVAL EOF".split(),
    "write": "EINTR EAGAIN EIO ENOSPC EPIPE EBADF NOTHING".split(),
    "ppoll": "EINTR ENOMEM EINVAL EFAULT".split(),
    "poll": "EINTR ENOMEM EINVAL".split(),
    "close": "EINTR EIO".split(),
    "fstat": "EIO ENOMEM EBADF".split(),
    "newfstatat": "EIO ENOMEM ENOENT EACCES".split(),
    "getdents64": "EIO ENOENT ENOMEM EBADF".split(),
    "fcntl": "EBADF EINTR".split(),
    "readlink": "EACCES ENOENT ENOMEM".split(),
    "brk": ["NOTHING"],  # the kernel returns the current break: not an error
    "mmap": "ENOMEM EAGAIN".split(),
    "munmap": ["ENOMEM"],
    "signalfd4": "EMFILE ENFILE ENOMEM".split(),
    "timerfd_create": "EMFILE ENFILE ENOMEM".split(),
    "timerfd_settime": ["EINVAL"],
    "setitimer": ["EINVAL"],
    "rt_sigaction": ["EINVAL"],
    "rt_sigprocmask": ["EINVAL"],
    "perf_event_open": "EACCES EPERM EMFILE ENFILE ENODEV ENOENT ENOMEM EBUSY EINVAL EOPNOTSUPP "
                       "EINTR ENOSPC".split(),
    "sched_setaffinity": "EINVAL EPERM".split(),
    "sched_getaffinity": "EINVAL EPERM".split(),
    "clock_nanosleep": "EINTR EINVAL".split(),
    "ioctl": "ENOTTY EIO".split(),
    "getxattr": "ENODATA EOPNOTSUPP EACCES".split(),
    "capget": ["EINVAL"],
    "getrandom": "EAGAIN ENOSYS".split(),
    "geteuid": [],  # cannot fail
    "getegid": [],
}
OTHERS = "EINTR EAGAIN EIO ENOMEM EACCES EPERM EINVAL ENOSYS".split()

Fault = collections.namedtuple("Fault", "name number detail error lasts late")


def action(error):
    return "retval=0" if error in ("EOF", "NOTHING") else "error=" + error


def inject_option(fault):
    return "inject=%s:%s:when=%d%s" % (fault.name, action(fault.error), fault.number,
                                       "+" if fault.lasts else "")


def name_fault(fault):
    return "%s(%s) %s %s #%d" % (fault.name, fault.detail, fault.error,
                                 "for ever" if fault.lasts else "once", fault.number)


def find_places(calls):
    """The number of the first call of each kind, and of the first one after the second report."""
    first, later = {}, {}
    reports = 0
    for call in calls:
        place = first if reports < 2 else later
        place.setdefault((call.name, call.detail), call.number)
        reports += call.is_report
    return first, later


def find_number(calls, fault):
    """Where the fault has to be in a run that makes these calls."""
    return find_places(calls)[fault.late].get((fault.name, fault.detail), fault.number)


def list_faults(calls, known=()):
    """Each kind of call, except the known ones, fails with each of its errors, once and
    permanently, at its first occurrence and at its first one after the second report."""
    first, later = find_places(calls)
    return [Fault(name, number, detail, error, lasts, place is later)
            for place in (first, later) for (name, detail), number in place.items()
            if (name, detail) not in known
            for error in ERRORS.get(name, OTHERS) for lasts in (False, True)]


def kinds(calls):
    return {(call.name, call.detail) for call in calls}
