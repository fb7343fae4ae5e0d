# SPDX-License-Identifier: MIT
"""Starts rapl-execd, prompts it and reads its reports."""
import atexit
import collections
import fcntl
import functools
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("RAPL_BUILD") or os.path.join(HERE, "..", "..", "build"))
PROGRAM = os.path.join(BUILD, "plugins", "telegraf", "rapl-execd")

# After its start the program finds out for this long how often its counters move. The reads are at
# most a 32nd of the elapsed time apart.
SEEKING_SECONDS = 13
QUIET_SECONDS = 0.8
# Longest wait on a busy machine before something counts as hanging.
PATIENCE_SECONDS = float(os.environ.get("RAPL_PATIENCE_SECONDS", 60))

SOURCE_MESSAGE = "I! (source |no source reads energy)"
# Messages about the kernel that runs the tests.
USUAL_MESSAGE = SOURCE_MESSAGE + "|I! sandbox incomplete, .*: files: the kernel has no Landlock"

# --- line protocol -------------------------------------------------------------------------------

Line = collections.namedtuple("Line", "measurement tags fields timestamp")

LINE = re.compile(r"([a-z_]+)((?:,(?:\\[,= ]|[^ ])+)?) ([^ ]+) ([1-9][0-9]{18})")
FLOAT = re.compile(r"(?:0|[1-9][0-9]*)\.[0-9]+")
INTEGER = re.compile(r"(?:0|[1-9][0-9]*)i")


def split_unescaped(text, separator):
    """Splits where the separator has no backslash before it."""
    return re.split(r"(?<!\\)" + re.escape(separator), text)


def unescape(text):
    """A backslash is literal unless a comma, = or space follows."""
    return re.sub(r"\\([,= ])", r"\1", text)


def parse_field(name, text):
    if INTEGER.fullmatch(text):
        return int(text[:-1])
    if not FLOAT.fullmatch(text):
        raise ValueError("field %s=%s is neither a plain decimal nor an integer" % (name, text))
    decimals = len(text.partition(".")[2])
    if name == "energy_joules" and decimals != 6 or decimals < 3:
        raise ValueError("field %s=%s has %d decimals" % (name, text, decimals))
    return float(text)


def parse_line(text):
    """Parses one line without its newline: (measurement, tags, fields, timestamp). ValueError:
    rapl-execd may not write it, although line protocol may allow it."""
    match = LINE.fullmatch(text)
    if not match:
        raise ValueError("not line protocol: %r" % text)
    measurement, tag_text, field_text, timestamp = match.groups()
    pairs = []
    for pair in split_unescaped(tag_text[1:], ",") if tag_text else []:
        parts = split_unescaped(pair, "=")
        if len(parts) != 2 or not all(parts):
            raise ValueError("tag %r in %r" % (pair, text))
        pairs.append((unescape(parts[0]), unescape(parts[1])))
    keys = [key.encode() for key, value in pairs]
    if keys != sorted(set(keys)):
        raise ValueError("tags are not in byte order, or one is there twice: %r" % text)
    fields = {}
    for pair in field_text.split(","):
        name, equals, value = pair.partition("=")
        if not re.fullmatch("[a-z0-9_]+", name) or name in fields:
            raise ValueError("field %r in %r" % (pair, text))
        fields[name] = parse_field(name, value)
    return Line(measurement, dict(pairs), fields, int(timestamp))


def name_line(line):
    """Its tags as "domain=dram,package_id=0"; for other measurements than rapl, with the name."""
    tags = ",".join("%s=%s" % pair for pair in line.tags.items())
    return tags if line.measurement == "rapl" else "%s,%s" % (line.measurement, tags)


class Report(dict):
    """Fields by identity (see name_line); all lines share one timestamp."""

    def __init__(self, lines):
        super().__init__()
        self.lines = lines
        self.timestamp = lines[0].timestamp
        for line in lines:
            if line.timestamp != self.timestamp:
                raise ValueError("two timestamps in one report")
            if name_line(line) in self:
                raise ValueError("%s is there twice" % name_line(line))
            self[name_line(line)] = line.fields

    def energy_uj(self, identity):
        return round(self[identity]["energy_joules"] * 1000000)

    def power(self, identity):
        return self[identity].get("power_watts")


def parse_reports(text):
    """Parses a text of whole lines into reports: the lines of a report share one timestamp."""
    if text and not text.endswith("\n"):
        raise ValueError("cut short: %r" % text[-200:])
    reports = []
    for line in map(parse_line, text.splitlines()):
        if not reports or reports[-1][0].timestamp != line.timestamp:
            reports.append([])
        reports[-1].append(line)
    return [Report(lines) for lines in reports]


# --- the program ---------------------------------------------------------------------------------


def wait_until(condition, what, seconds=PATIENCE_SECONDS, pause=0.005):
    """Returns the condition's first true result, or raises an AssertionError that names what did
    not happen: a text, or a function that makes it."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(pause)


@functools.lru_cache(maxsize=None)
def preload(library):
    """Copies it for LD_PRELOAD, which allows no space in a path (ld.so(8))."""
    folder = tempfile.mkdtemp(prefix="rapl-preload-")
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    return shutil.copy(library, folder)


def count_held(pipe):
    """The number of bytes in a pipe; both ends report the same."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


class Execd:
    """rapl-execd with pipes. Ends with its with block:

    with Execd(root=tree.root) as execd:
        report = execd.ask()
    """

    def __init__(self, *options, root=None, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 stderr=None, environment=None, user=None, before=(), program=PROGRAM):
        self.folder = tempfile.mkdtemp(prefix="rapl-execd-")
        self.errors_path = os.path.join(self.folder, "stderr")
        try:
            self.process = self._start(program, options, root, stdin, stdout, stderr, environment,
                                       user, before)
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.stdin = self.process.stdin
        self.stdout = self.process.stdout
        self.pid = self.process.pid
        self._text = b""
        self._reports = []

    def _start(self, program, options, root, stdin, stdout, stderr, environment, user, before):
        os.chmod(self.folder, 0o755)
        if os.geteuid() != 0:
            user = None  # Only root can start it as another user; without root, files with mode 0
            # are unreadable, too.
        if user is not None:  # the user may have no access to the build
            program = shutil.copy(program, self.folder)
        root_option = ["--root=" + root] if root is not None else []
        with open(self.errors_path, "wb") as errors:
            return subprocess.Popen(
                [*before, program, *root_option, *options], stdin=stdin, stdout=stdout,
                stderr=errors if stderr is None else stderr, bufsize=0, user=user,
                group=user and "nogroup", extra_groups=[] if user else None,
                env={**os.environ, "HOST_MOUNT_PREFIX": "", "HOST_SYS": "",
                     "HOST_PROC": "", **(environment or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for file in (self.stdin, self.stdout):
            if file is not None:
                file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prompt(self, text=b"\n"):
        self.stdin.write(text)

    def signal(self, number):
        os.kill(self.pid, number)

    def pause(self):
        """Stops it by SIGSTOP, and returns once it has stopped."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def wait_listening(self, number):
        """Waits until it blocks this signal: before that, the signal would kill it."""
        def blocks():
            with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
                mask = next(line.split()[1] for line in file if line.startswith("SigBlk:"))
            return int(mask, 16) & 1 << (number - 1)
        wait_until(blocks, "%s is blocked" % signal.Signals(number).name)

    def wait_asleep(self):
        """Waits until it sleeps, so that its first sample has been taken."""
        def waits():
            with open("/proc/%d/wchan" % self.pid, encoding="ascii") as file:
                place = file.read()
            return "poll" in place or place == "0" and time.monotonic() > later
        later = time.monotonic() + 1  # 0: this kernel does not report where a process waits
        wait_until(waits, "rapl-execd waits")

    def wait_taken(self):
        """Waits until it has read all prompts."""
        wait_until(lambda: count_held(self.stdin) == 0, "the prompts are read")

    def fill_pipe(self):
        """Makes stdout a pipe of one page, prompts, and returns once the pipe is full."""
        size = fcntl.fcntl(self.stdout, fcntl.F_SETPIPE_SZ, os.sysconf("SC_PAGE_SIZE"))
        self.prompt()
        wait_until(lambda: count_held(self.stdout) == size, "the pipe is full")

    def read_rest(self, size=1 << 20, pause=0.0):
        """Reads until it closes stdout, in parts of that size."""
        text, self._text = self._text, b""
        while True:
            if not select.select([self.stdout], [], [], PATIENCE_SECONDS)[0]:
                raise AssertionError("neither text nor an end")
            part = os.read(self.stdout.fileno(), size)
            if not part:
                return text.decode()
            text += part
            time.sleep(pause)

    def finish(self):
        """Closes stdin; returns its exit status and its remaining output."""
        self.stdin.close()
        text = self.read_rest()
        return self.wait(), text

    def read_report(self, seconds=PATIENCE_SECONDS):
        """Returns the next report, or None after that time. A report is one write, so a read ends
        at the end of a report unless the pipe was full."""
        end = time.monotonic() + seconds
        while not self._reports:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.stdout], [], [], left)[0]:
                return None
            text = os.read(self.stdout.fileno(), 1 << 20)
            if not text:
                return None
            self._text += text
            if self._text.endswith(b"\n"):
                self._reports += parse_reports(self._text.decode())
                self._text = b""
        return self._reports.pop(0)

    def ask(self, seconds=PATIENCE_SECONDS):
        """Prompts by newline and returns the report; fails if none comes."""
        self.prompt()
        report = self.read_report(seconds)
        if report is None:
            raise AssertionError("no report; stderr: %s" % self.messages())
        return report

    def wait_quiet(self):
        """Waits until it reads nothing between two prompts: for up to SEEKING_SECONDS after its
        start it finds out how often its counters move."""
        end = time.monotonic() + PATIENCE_SECONDS
        last = None
        while last != (last := self.count_reads()):
            if time.monotonic() > end:
                raise AssertionError("it goes on reading")
            time.sleep(QUIET_SECONDS)

    def count_reads(self):
        with open("/proc/%d/io" % self.pid, encoding="ascii") as file:
            return int(re.search(r"syscr: (\d+)", file.read())[1])

    def messages(self):
        """Its messages, except the source it reads (see source_message) and that the kernel has no
        Landlock."""
        return [line for line in self.lines() if not re.match(USUAL_MESSAGE, line)]

    def source_message(self):
        """The single line that names the source it reads, and why no other."""
        lines = [line for line in self.lines() if re.match(SOURCE_MESSAGE, line)]
        if len(lines) != 1:
            raise AssertionError("not one line about the source: %s" % lines)
        return lines[0]

    def lines(self):
        with open(self.errors_path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        for line in lines:
            if not re.match(r"[EWID]! .", line):
                raise AssertionError("Telegraf does not know the level of %r" % line)
        return lines

    def wait_line(self, pattern, seconds=PATIENCE_SECONDS):
        """Waits for a line on stderr that contains the pattern."""
        return self._wait_among(self.lines, pattern, seconds)

    def wait_message(self, pattern, seconds=PATIENCE_SECONDS):
        """The same, ignoring the usual messages."""
        return self._wait_among(self.messages, pattern, seconds)

    def _wait_among(self, list_lines, pattern, seconds):
        def find():
            return next((line for line in list_lines() if re.search(pattern, line)), None)
        try:
            return wait_until(find, repr(pattern), seconds)
        except AssertionError as error:
            raise AssertionError("%s; stderr: %s" % (error, self.messages())) from None

    def wait(self, seconds=PATIENCE_SECONDS):
        """Returns its exit status; raises tap.Late if it does not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise tap.Late("it still runs after %s s" % seconds) from None

    def stop(self, seconds=PATIENCE_SECONDS):
        """Closes stdin and returns the exit status."""
        self.stdin.close()
        return self.wait(seconds)

    def terminate(self, seconds=PATIENCE_SECONDS):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)


Ended = collections.namedtuple("Ended", "status text messages lines")


def run(*options, seconds=PATIENCE_SECONDS, text=b"", **more):
    """Runs it to its end with the text as stdin: (status, stdout, stderr without the source
    message, all lines of stderr)."""
    with Execd(*options, **more) as execd:
        if execd.stdin is not None:
            try:
                execd.stdin.write(text)
            except BrokenPipeError:
                pass
            execd.stdin.close()
        output = b""
        end = time.monotonic() + seconds
        while select.select([execd.stdout], [], [], max(0, end - time.monotonic()))[0]:
            part = os.read(execd.stdout.fileno(), 1 << 20)
            if not part:
                break
            output += part
        return Ended(execd.wait(seconds), output.decode(), execd.messages(), execd.lines())
