# SPDX-License-Identifier: MIT
"""Attempts from inside of rapl-execd's sandbox (tests/sandbox), and their expected results."""
import errno
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import execd

TRIES = os.path.join(execd.BUILD, "tests", "sandbox")
INTRUDER = os.path.join(TRIES, "intruder.so")
LOCKED = os.path.join(TRIES, "try_locked")

FOUR = sum(1 << number for number in (2, 17, 21, 38))  # read_search, rawio, admin, perfmon

# By attempt: result with Landlock alone, with seccomp alone (None: allowed), and with both, where
# seccomp comes first.
EACH = {
    **dict.fromkeys(("read_passwd", "read_shadow", "read_file", "read_device", "read_register",
                     "list_folder"), ("EACCES", None, "EACCES")),
    # Their flags are behind a pointer, which a filter cannot check: Landlock refuses them.
    **dict.fromkeys(("write_file_by_openat2", "create_file_by_openat2"),
                    ("EACCES", None, "EACCES")),
    **dict.fromkeys(("write_file", "create_file", "remove_file", "rename_file", "link_file",
                     "make_folder", "make_fifo", "execute"), ("EACCES", "EPERM", "EPERM")),
    "mount_folder": ("EPERM", "EPERM", "EPERM"),
    **dict.fromkeys(("change_mode", "change_root", "execute_memory", "fork_process",
                     "clone_process", "be_traced", "map_code", "protect_code", "open_socket",
                     "open_local_socket", "open_kernel_socket", "change_user", "set_dumpable",
                     "unshare_user", "use_ports"), (None, "EPERM", "EPERM")),
}
# Known only to Landlock version 3 and later.
NEWER = {"truncate_file": "EPERM", "signal_parent": "EPERM"}
RULES = ("set_rules", "set_rules_by_prctl")  # possible until a source reads
WHOLE = {**{name: ends[2] for name, ends in EACH.items()}, **NEWER, "take_capability": "EPERM"}

# May be impossible without the sandbox in a container, on some kernels or as an ordinary user. In
# the guest each has to be possible.
MAY_LACK = {"read_shadow", "read_register", "mount_folder", "change_root", "use_ports",
            "count_event", "take_capability"}


def is_built_in():
    """Whether this build has the sandbox."""
    try:
        with open(os.path.join(execd.BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
            text = cache.read()
    except FileNotFoundError:
        return True
    return not re.search(r"^RAPL_(SANITIZE:\w+=(?!OFF)|SANDBOX:\w+=OFF)", text, re.MULTILINE)


NOT_BUILT_IN = "this build has no lock (RAPL_SANITIZE, or RAPL_SANDBOX=OFF)"


def read_status(pid):
    """/proc/PID/status by name; capabilities as numbers."""
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {name: int(value, 16) if name.startswith("Cap") else value
            for name, value in fields.items()}


@unittest.skipUnless(is_built_in(), NOT_BUILT_IN)
class Tries(unittest.TestCase):
    """Runs attempts and compares their results with a table."""

    ALL_THERE = False  # whether every attempt must succeed without the sandbox

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rapl-try-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        for stage in ("before", "locked", "parses", "waits"):
            os.mkdir(os.path.join(self.folder, stage))
            os.chmod(os.path.join(self.folder, stage), 0o777)
            for name in ("file", "removed", "renamed"):
                with open(os.path.join(self.folder, stage, name), "w", encoding="ascii") as file:
                    file.write("kept")

    @staticmethod
    def parse(lines):
        """Results by stage and attempt: "done", or the name of the errno."""
        results = {}
        for line in lines:
            match = re.fullmatch(r"D! try (\w+) (\w+) (\d+)", line)
            if match:
                result = errno.errorcode.get(int(match[3]), match[3]) if match[3] != "0" else "done"
                results.setdefault(match[1], {})[match[2]] = result
        return results

    def check(self, results, stage, expected):
        """Checks that each is refused with its errno, and succeeded before."""
        wrong = []
        for name, end in expected.items():
            before, now = results["before"].get(name), results[stage].get(name)
            if before != "done":
                if self.ALL_THERE or name not in MAY_LACK:
                    wrong.append("%s is not possible without the lock: %s" % (name, before))
            elif now != end:
                wrong.append("%s: %s, not %s" % (name, now, end))
        self.assertEqual([], wrong)

    def check_untouched(self, *stages):
        """Checks that nothing was written to the files of these stages."""
        for stage in stages:
            folder = os.path.join(self.folder, stage)
            self.assertEqual(["file", "removed", "renamed"], sorted(os.listdir(folder)))
            with open(os.path.join(folder, "file"), encoding="ascii") as file:
                self.assertEqual("kept", file.read())

    def run_locked(self, lock, root, source="auto", *more):
        """Runs try_locked; its exit status, and the lines it printed."""
        ended = subprocess.run([LOCKED, lock, root, source, *more], capture_output=True, text=True,
                               env={**os.environ, "TRY_FOLDER": self.folder}, check=False,
                               timeout=execd.PATIENCE_SECONDS)
        return ended.returncode, ended.stderr.splitlines()

    def intrude(self, *options, **more):
        """Runs rapl-execd with the intruder in it, until it has given a report."""
        program = execd.Execd(*options, environment={"LD_PRELOAD": execd.preload(INTRUDER),
                                                     "TRY_FOLDER": self.folder}, **more)
        self.addCleanup(program.kill)
        self.report = program.ask(execd.PATIENCE_SECONDS * 2)
        return program
