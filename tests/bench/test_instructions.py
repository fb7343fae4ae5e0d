# SPDX-License-Identifier: MIT
"""Instructions and system calls of one report, which are the same in every run, compared with
instructions.txt. RAPL_BENCH_RENEW=1 writes that file again."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import time
import unittest

import bench
import execd
import tap

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.txt")
# With the same tools the counts differ only by changes of the code; otherwise also by the tools.
SAME, OTHER = 0.02, 0.25
LINEAR = 1.1
REPORTS = 100  # made by count_report
# A counter that stands still is read after every 32nd of the time it has stood.
STANDS_SECONDS = 2
REPORTS_TRACED = 6
# Functions counted by callgrind, by caller, so that the work at the start is excluded.
COUNTED = {"answer": ("main", "answer_prompt"), "prompt": ("answer_prompt", "prompt_wait"),
           "report": ("answer_prompt", "rapl_report"),
           "format": ("answer_prompt", "line_writer_format"),
           "write": ("answer_prompt", "stdout_write"), "sample": ("main", "rapl_sample"),
           "bare": ("main", "bare_read")}
COLUMNS = ("zones", "calls", *COUNTED)
HELD = ("calls", "answer", "sample")  # the other parts show where a change is
KINDS = ("plain", "samples")
HEAD = """\
# Instructions of a report in user space, from prompt to write, and of its parts; of a sample between
# two reports; of the bare reads. calls: system calls of a report. samples: with statistics.
# Renewed by: RAPL_BENCH_RENEW=1 ./tests/run bench"""
# The call that is added on a machine whose clock needs the kernel.
CLOCK = "clock_gettime"
VALGRIND = shutil.which("valgrind")
STRACE = shutil.which("strace")


def sum_calls(text):
    """Instructions within one function called by another, from callgrind's output."""
    names, sums = {}, {}
    caller = callee = None
    lines = iter(text.splitlines())
    for line in lines:
        match = re.fullmatch(r"(c?fn)=\((\d+)\)(?: (.*))?", line)
        if match:
            name = names.setdefault(match[2], match[3])
            if match[1] == "fn":
                caller = name
            else:
                callee = name
        elif line.startswith("calls="):
            instructions = int(next(lines).split()[-1])
            sums[caller, callee] = sums.get((caller, callee), 0) + instructions
    return sums


def count_instructions(machine, kind):
    """Instructions of one report by part, and what the numbers depend on."""
    out = os.path.join(machine.root, "callgrind.out")
    ended = subprocess.run([VALGRIND, "--tool=callgrind", "--callgrind-out-file=" + out,
                            bench.program("count_report"), kind, machine.root], env={"LC_ALL": "C"},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=bench.SECONDS, check=False)
    if ended.returncode != 0:
        raise AssertionError("count_report: " + ended.stderr)
    with open(out, encoding="utf-8") as file:
        text = file.read()
    sums = sum_calls(text)
    made = "%s, %s" % (ended.stdout.strip(), re.search("^creator: (.*)", text, re.M)[1])
    return {column: round(sums[pair] / REPORTS) for column, pair in COUNTED.items()}, made


def count_calls(machine):
    """System calls of rapl-execd from one report's write to the next: the minimum, because it also
    reads between reports while its counters have not moved. A counter that is read again at
    once, because the machine stalled, counts once."""
    log = os.path.join(machine.root, "strace.out")
    with execd.Execd(root=machine.root, before=(STRACE, "-o", log)) as program:
        time.sleep(STANDS_SECONDS)
        bench.prompt(program, REPORTS_TRACED)
        program.stop(bench.SECONDS)
    with open(log, encoding="utf-8", errors="replace") as file:
        calls = [line.split(",")[0] for line in file
                 if re.match("[a-z]", line) and not line.startswith(CLOCK)]
    names = [call.split("(")[0] for before, call in zip([None, *calls], calls)
             if call != before or not call.startswith("pread64(")]
    ends = [place for place, name in enumerate(names) if name == "write"]
    return min(end - begin for begin, end in zip(ends, ends[1:]))


def measure_one(kind, count):
    """A row, and the tools that made it."""
    with bench.make(count) as machine:
        calls = count_calls(machine)
        instructions, made = count_instructions(machine, kind)
        return {"zones": count, "calls": calls, **instructions}, made


def measure():
    """Rows by kind and count of zones, and the tools that made them. Two run at a time, the longest
    first: the counts do not depend on time."""
    places = [(kind, count) for kind in KINDS for count in bench.COUNTS]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        measured = {place: pool.submit(measure_one, *place) for place in reversed(places)}
        rows = {place: measured[place].result()[0] for place in places}
    return rows, measured[places[0]].result()[1]


def read_file():
    """The same values, from the file."""
    with open(FILE, encoding="utf-8") as file:
        made, names, *rows = [line for line in file.read().splitlines() if line[0] != "#"]
    rows = {tuple(row.split()[:2]): row.split() for row in rows}
    return {(kind, int(count)): dict(zip(names.split()[1:], map(int, row[1:])))
            for (kind, count), row in rows.items()}, made


def format_rows(rows):
    return ["%-7s" % "kind" + "".join("%8s" % name for name in COLUMNS),
            *("%-7s" % kind + "".join("%8d" % row[name] for name in COLUMNS)
              for (kind, _), row in rows.items())]


def write_file(rows, made):
    with open(FILE, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in (HEAD, made, *format_rows(rows)))


@unittest.skipUnless(VALGRIND and STRACE, "valgrind or strace is not installed")
class Instructions(unittest.TestCase):
    def test_against_file(self):
        rows, made = measure()
        bench.tell("made with " + made, *format_rows(rows))
        for kind in KINDS:
            one, few, many = (rows[kind, count]["answer"] for count in bench.COUNTS[1:])
            with self.subTest("it grows in a line", kind=kind):
                self.assertLess((many - few) / (512 - 48), LINEAR * (few - one) / (48 - 8))
        if os.environ.get("RAPL_BENCH_RENEW"):
            write_file(rows, made)
            return
        before, made_before = read_file()
        tolerance = SAME if made == made_before else OTHER
        if made != made_before:
            bench.tell("but instructions.txt with %s: held to %d %%" % (made_before, OTHER * 100))
        self.assertEqual([], [
            "%s, %d zones: %s is %d, and was %d" % (*place, name, rows[place][name], row[name])
            for place, row in before.items() for name in HELD
            if abs(rows[place][name] - row[name]) > (0 if name == "calls" else tolerance * row[name])
        ], "RAPL_BENCH_RENEW=1 renews the file")


if __name__ == "__main__":
    tap.LONGEST_SECONDS = 600  # on a busy machine
    tap.main()
