# SPDX-License-Identifier: MIT
"""Tests that tests/run counts what its programs printed and how they ended."""
import fnmatch
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", name) for name in ("support", "newcomer")]
import handbook  # noqa: E402
import tap  # noqa: E402
import test_newcomer  # noqa: E402

RUN = os.path.join(HERE, "..", "run")
SCRIPT = """set -u
logs=%(logs)s
. %(parts)s/tap.bash
%(body)s"""


class Tap(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def bash(self, body):
        script = SCRIPT % {"logs": self.folder, "parts": shlex.quote(HERE), "body": body}
        return subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, check=False, timeout=60).stdout

    def program(self, text, status=0):
        """Makes a program that prints the text and exits with the status."""
        path = os.path.join(self.folder, "test_program.py")
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/usr/bin/python3\nprint(%r)\nraise SystemExit(%d)\n" % (text, status))
        os.chmod(path, 0o755)
        return path

    def check(self, text, status, lines, counts):
        """Runs a program that prints the text, and checks the lines about tests and the counts."""
        printed = self.bash("tap unit/test_program %s" % self.program(text, status))
        self.assertEqual(lines, [line for line in printed.splitlines() if "ok" in line])
        path = os.path.join(self.folder, "printed")
        with open(path, "w", encoding="utf-8") as file:
            file.write(printed)
        self.assertEqual(counts, self.bash("count_tap " + path).strip())
        failed = [line[9:] for line in lines if line.startswith("not ok") and "SKIP" not in line]
        self.assertEqual(failed, self.bash("list_failed " + path).splitlines())

    def test_names_are_those_of_the_program_and_its_tests(self):
        self.check("1..2\nok 1 - test_a\nok 2 - test_program Class.test_b", 0,
                   ["ok - unit/test_program: test_a", "ok - unit/test_program: Class.test_b"],
                   "2 0 0")

    def test_a_failed_test_is_counted_once(self):
        self.check("not ok 1 - test_a\nok 2 - test_b", 1,
                   ["not ok - unit/test_program: test_a", "ok - unit/test_program: test_b"],
                   "1 1 0")

    def test_cmocka_prints_not_ok_for_a_skipped_test(self):
        self.check("not ok 1 - test_a # SKIP\nok 2 - test_b # skip no FUSE", 0,
                   ["not ok - unit/test_program: test_a # SKIP",
                    "ok - unit/test_program: test_b # skip no FUSE"], "0 0 2")

    def test_a_status_that_no_test_explains_is_a_failure(self):
        self.check("ok 1 - test_a", 3, ["ok - unit/test_program: test_a",
                                        "not ok - unit/test_program ended with status 3"], "1 1 0")
        self.check("not ok 1 - test_a # SKIP", 3,
                   ["not ok - unit/test_program: test_a # SKIP",
                    "not ok - unit/test_program ended with status 3"], "0 1 1")

    def test_a_program_without_tests_is_a_failure(self):
        self.check("nothing", 0, ["not ok - unit/test_program ran no test (status 0)"], "0 1 0")

    def test_programs_at_a_time_do_not_mix_their_lines(self):
        paths = []
        for name in "abcd":
            paths.append(os.path.join(self.folder, "test_%s.py" % name))
            with open(paths[-1], "w", encoding="ascii") as file:
                file.write("import time\nfor i in range(1, 6):\n"
                           "    print('ok %%d - test_%s T.%%d' %% (i, i), flush=True)\n"
                           "    time.sleep(0.02)\n" % name)
        lines = self.bash("tap_each 3 vm " + " ".join(paths)).splitlines()
        blocks = [lines[i:i + 6] for i in range(0, len(lines), 6)]
        self.assertEqual(
            [["# vm/test_%s" % name, *("ok - vm/test_%s: T.%d" % (name, i) for i in range(1, 6))]
             for name in "abcd"], sorted(blocks))


    def test_a_program_that_is_cut_short_is_a_failure(self):
        path = self.program("ok 1 - test_a")
        lines = self.bash("tap() { printf 'ok - first\\n'; exit 1; }; tap_each 2 vm %s" % path)
        self.assertEqual("not ok - vm: test_program.py was cut short\n", lines)


class Options(unittest.TestCase):
    def check(self, word, message):
        ended = subprocess.run([RUN, word], stdin=subprocess.DEVNULL, text=True, check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((2, "", "tests/run: %s\n" % message),
                         (ended.returncode, ended.stdout, ended.stderr))

    def test_wrong_words(self):
        self.check("--lnog", "unknown option --lnog; --help lists them")
        self.check("units", 'there is no layer "units"; --help lists them')

    def test_help_lists_each_layer(self):
        text = subprocess.run([RUN, "--help"], stdout=subprocess.PIPE, text=True, check=True,
                              timeout=60).stdout
        layers = subprocess.run(
            ["bash", "-c", '. "$0"/layers.bash; echo "${all_layers[@]}" "${long_layers[@]}"', HERE],
            stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.split()
        self.assertGreater(len(layers), 10)
        for layer in layers:
            self.assertRegex(text, r"(?m)^  %s +[a-z]" % layer)


class Table(unittest.TestCase):
    def test_each_line_on_newcomers_is_a_test(self):
        tests = [name[len("test_"):] for name in dir(test_newcomer.Trixie) if name.startswith("test_")]
        rows = handbook.rows("docs/newcomer.md", "where")
        self.assertGreater(len(rows), 8)
        for row in rows:
            self.assertTrue(fnmatch.filter(tests, row[-1]), row)
        for test in tests:
            self.assertTrue([row for row in rows if fnmatch.fnmatch(test, row[-1])], test)


if __name__ == "__main__":
    tap.main()
