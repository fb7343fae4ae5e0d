# SPDX-License-Identifier: MIT
"""Instructions and system calls of one report, which are the same in every run, against those of
instructions.txt. With RAPL_BENCH_RENEW=1 that file is written anew."""
import os
import re
import shutil
import subprocess
import unittest

import bench
import execd
import tap

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.txt")
# Made with the same tools they differ by what was changed; otherwise by what those make of it, too.
SAME, OTHER = 0.02, 0.25
LINEAR = 1.1
REPORTS = 100  # of count_report
# What callgrind counts: by its caller, so that what is done at the start is not among it.
COUNTED = {"answer": ("main", "answer_prompt"), "prompt": ("answer_prompt", "prompt_wait"),
           "report": ("answer_prompt", "rapl_report"),
           "format": ("answer_prompt", "line_writer_format"),
           "write": ("answer_prompt", "output_write"), "sample": ("main", "rapl_sample"),
           "bare": ("main", "bare_read")}
COLUMNS = ("zones", "calls", *COUNTED)
# In a machine whose clock the kernel has to be asked for.
CLOCK = "clock_gettime"
VALGRIND = shutil.which("valgrind")
STRACE = shutil.which("strace")


def sum_calls(text):
    """Instructions within one function by another, of callgrind's output."""
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


def count_instructions(machine):
    """Of one report by part, and what the numbers depend on."""
    out = os.path.join(machine.root, "callgrind.out")
    ended = subprocess.run([VALGRIND, "--tool=callgrind", "--callgrind-out-file=" + out,
                            bench.program("count_report"), machine.root], env={"LC_ALL": "C"},
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
    """System calls of rapl-execd from one write of a report to the next."""
    log = os.path.join(machine.root, "strace.out")
    with execd.Execd(root=machine.root, before=(STRACE, "-o", log)) as program:
        for _ in range(3):
            program.ask()
        program.stop()
    with open(log, encoding="utf-8", errors="replace") as file:
        names = [line.split("(")[0] for line in file
                 if re.match("[a-z]", line) and not line.startswith(CLOCK)]
    ends = [place for place, name in enumerate(names) if name == "write"]
    return ends[-1] - ends[-2]


def read_file():
    """What it was made with, and the rows by count of zones."""
    with open(FILE, encoding="utf-8") as file:
        made = re.search("^# made with (.*)", file.read(), re.M)[1]
        file.seek(0)
        rows = [line.split() for line in file if line[0] != "#"]
    return made, {int(row[0]): dict(zip(rows[0], map(int, row))) for row in rows[1:]}


def format_rows(rows):
    return ["  ".join("%7s" % name for name in COLUMNS),
            *("  ".join("%7d" % row[name] for name in COLUMNS) for row in rows.values())]


def write_file(made, rows):
    with open(FILE, "w", encoding="utf-8") as file:
        file.write("# Instructions of a report in user space, from prompt to write, and of its parts; "
                   "of a sample; of the bare\n# reads. calls: system calls of a report. Renewed by: "
                   "RAPL_BENCH_RENEW=1 ./tests/run bench\n# made with %s\n" % made)
        file.writelines(line + "\n" for line in format_rows(rows))


@unittest.skipUnless(VALGRIND and STRACE, "valgrind or strace is not installed")
class Instructions(unittest.TestCase):
    def test_against_file(self):
        rows = {}
        for count in bench.COUNTS:
            with bench.make(count) as machine:
                instructions, made = count_instructions(machine)
                rows[count] = {"zones": count, "calls": count_calls(machine), **instructions}
        bench.tell("instructions of a report and of its parts, made with %s" % made,
                   *format_rows(rows))
        with self.subTest("linear"):
            self.assertLess((rows[512]["answer"] - rows[48]["answer"]) / (512 - 48),
                            LINEAR * (rows[48]["answer"] - rows[8]["answer"]) / (48 - 8))
        if os.environ.get("RAPL_BENCH_RENEW"):
            write_file(made, rows)
            return
        made_before, rows_before = read_file()
        tolerance = SAME if made == made_before else OTHER
        bench.tell("instructions.txt was made with %s%s: held to %d %%" % (
            "the same" if made == made_before else "", made_before if made != made_before else "",
            tolerance * 100))
        for count, row in rows.items():
            for name in COLUMNS:
                before = rows_before[count][name]
                with self.subTest(zones=count, column=name):
                    self.assertLessEqual(abs(row[name] - before),
                                         0 if name == "calls" else tolerance * before,
                                         "%d, %d before; RAPL_BENCH_RENEW=1 renews the file" %
                                         (row[name], before))


if __name__ == "__main__":
    tap.main()
