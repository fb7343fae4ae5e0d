# SPDX-License-Identifier: MIT
"""Starts tests/vm/boot and its callers, and checks what they leave behind."""
import collections
import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import daemons

TOP = daemons.SOURCE
BOOT = os.path.join(TOP, "tests", "vm", "boot")
IMAGE = os.path.join(TOP, "build-tests", "vm")
QEMU = "qemu-system-x86_64"

# The guest gives up earlier than the test.
SECONDS = 300

Ended = collections.namedtuple("Ended", "status text errors seconds")


def run(command, **more):
    began = time.monotonic()
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, encoding="utf-8", check=False, **more)
    return Ended(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)


def boot(*words, program=BOOT, **more):
    """A guest that loads no driver."""
    return run([program, "--smp", "1", "--load", "", "--seconds", str(SECONDS), *words], **more)


def two_at_a_time(function, all_words):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda words: function(*words), all_words))


def processes_of(folder, program=""):
    """Running processes whose command line begins with the program and contains the folder, as
    QEMU's does."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words.startswith(program.encode()) and os.fsencode(folder) in words and \
                daemons.is_alive(int(pid)):
            found.append(int(pid))
    return found


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


class BootTest(unittest.TestCase):
    """Provides a folder with a difficult name."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rapl boot,")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        return write(self.path(name), text, mode)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def check_gone(folder):
        daemons.wait_until(lambda: not processes_of(folder), "the end of QEMU", SECONDS)

    def end(self, name, command, number, guests=1):
        """Sends the signal once this number of guests has started. Returns the status, the
        remaining files in the folder for temporary files, and stderr."""
        temporary = self.path(name)
        os.mkdir(temporary)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": temporary}) as it:
            try:
                daemons.wait_until(lambda: len(processes_of(temporary, QEMU)) == guests, "QEMU",
                                   SECONDS)
                it.send_signal(number)
                it.wait(SECONDS)
            finally:
                it.kill()
            self.check_gone(temporary)
            return it.returncode, os.listdir(temporary), it.stderr.read()
