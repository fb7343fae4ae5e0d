# SPDX-License-Identifier: MIT
"""Each parser over the inputs in corpus/, and under libFuzzer for RAPL_FUZZ_SECONDS (3). Where the
build has no libFuzzer (fuzz_NAME), the corpus alone is replayed (replay_NAME)."""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import tap  # noqa: E402

BUILD = os.environ.get("RAPL_BUILD", os.path.join(HERE, "..", "..", "build"))
PROGRAMS = os.path.join(BUILD, "tests", "fuzz")
FOUND = os.path.join(os.path.abspath(BUILD), "found")  # stays, to be replayed
SECONDS = int(os.environ.get("RAPL_FUZZ_SECONDS", "3"))
AT_ONCE = 2
# One input: by the clock on the wall, and the machine may be busy.
LONGEST_SECONDS = 20
# For all inputs of a corpus, and for the fuzzer to end.
PATIENCE_SECONDS = 60

NAMES = sorted(re.sub(r"^fuzz_|\.c$", "", os.path.basename(path))
               for path in glob.glob(os.path.join(HERE, "fuzz_*.c")))


def corpus(name):
    return os.path.join(HERE, "corpus", name)


class Target:
    """One program, and what it says of the corpus and of the inputs that it makes up."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.fuzzes = os.path.exists(os.path.join(PROGRAMS, "fuzz_" + name))
        self.program = os.path.join(PROGRAMS, ("fuzz_" if self.fuzzes else "replay_") + name)
        self.ended = {}
        self.log = {}

    def run(self, how, *words):
        temporary = os.path.join(self.folder, self.name + "-" + how)
        os.mkdir(temporary)
        try:
            done = subprocess.run(
                [self.program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=SECONDS + PATIENCE_SECONDS, check=False,
                cwd=temporary, env={**os.environ, "TMPDIR": temporary})
            self.ended[how] = "status %d" % done.returncode if done.returncode else ""
            self.log[how] = done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as error:
            self.ended[how] = "no end"
            self.log[how] = (error.output or b"").decode(errors="replace")
        except OSError as error:
            self.ended[how], self.log[how] = str(error), ""

    def run_all(self):
        limits = ["-timeout=%d" % LONGEST_SECONDS, "-rss_limit_mb=1024",
                  "-artifact_prefix=%s/%s-" % (FOUND, self.name)] if self.fuzzes else []
        self.run("corpus", *limits, *(["-runs=0"] if self.fuzzes else []), corpus(self.name))
        if not self.fuzzes or self.ended["corpus"]:
            return
        new = os.path.join(self.folder, self.name + "-new")
        os.mkdir(new)
        words = os.path.join(HERE, self.name + ".dict")
        self.run("inputs", *limits, "-max_total_time=%d" % SECONDS, "-use_value_profile=1",
                 "-print_final_stats=1", *(["-dict=" + words] if os.path.exists(words) else []),
                 new, corpus(self.name))

    def tell(self, how):
        kept = re.findall(r"Test unit written to (\S+)", self.log[how])
        tail = self.log[how].splitlines()[-60:]
        replay = ["the input is kept, and does it again: %s %s" % (self.program, path)
                  for path in kept]
        return "\n".join([self.ended[how], *tail, *replay])

    def figures(self):
        """Executions, and edges of the code that they took."""
        executions = re.findall(r"number_of_executed_units: (\d+)", self.log["inputs"])
        edges = re.findall(r"cov: (\d+)", self.log["inputs"])
        return int(executions[-1]) if executions else 0, int(edges[-1]) if edges else 0


class Fuzz(unittest.TestCase):
    targets = {}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="rapl-fuzz-",
                                  dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.addClassCleanup(shutil.rmtree, folder, True)
        os.makedirs(FOUND, exist_ok=True)
        cls.targets = {name: Target(name, folder) for name in NAMES}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(Target.run_all, cls.targets.values()))

    def check_corpus(self, name):
        target = self.targets[name]
        self.assertEqual(target.ended["corpus"], "", target.tell("corpus"))
        self.assertGreater(len(os.listdir(corpus(name))), 0)

    def check_inputs(self, name):
        target = self.targets[name]
        if not target.fuzzes:
            self.skipTest("no libFuzzer in this build (clang, libclang-rt-dev)")
        if target.ended["corpus"]:
            self.fail("the corpus did not pass")
        executions, edges = target.figures()
        print("# %s: %d executions, %d edges" % (name, executions, edges), flush=True)
        self.assertEqual(target.ended["inputs"], "", target.tell("inputs"))
        self.assertGreater(executions, 20, target.tell("inputs"))


def add_tests():
    fuzzes = glob.glob(os.path.join(PROGRAMS, "fuzz_*"))
    for name in NAMES:
        setattr(Fuzz, "test_%s_corpus" % name, lambda self, name=name: self.check_corpus(name))
        if fuzzes:
            setattr(Fuzz, "test_%s_inputs" % name, lambda self, name=name: self.check_inputs(name))


add_tests()

if __name__ == "__main__":
    tap.main()
