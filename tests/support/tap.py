# SPDX-License-Identifier: MIT
"""Runs the unittest cases of the calling module and prints TAP.

    if __name__ == "__main__":
        tap.main()

Words on the command line select the tests whose names contain one of them. Exit status 0: none
failed.
"""
import contextlib
import functools
import os
import signal
import sys
import unittest

# A test that hangs counts as failed. Waits inside a test have limits of their own.
LONGEST_SECONDS = 600


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.failed = 0

    def startTest(self, test):
        super().startTest(test)
        self.wrong = []
        self.skip_reason = None
        signal.alarm(LONGEST_SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        self._tell(test)

    def addError(self, test, error):
        self._fail(test, self._exc_info_to_string(error, test))

    addFailure = addError

    def addSubTest(self, test, part, error):
        if error is not None:
            where = part._subDescription() + "\n"
            self._fail(test, where + self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        self.skip_reason = reason
        if not isinstance(test, unittest.TestCase):
            self.wrong = []
            self._tell(test)

    def addUnexpectedSuccess(self, test):
        self._fail(test, "succeeded, though it is marked as an expected failure\n")

    def _fail(self, test, text):
        if isinstance(test, unittest.TestCase):
            self.wrong.append(text)
        else:  # setUpClass and the like, which have no startTest
            self.wrong, self.skip_reason = [text], None
            self._tell(test)

    def _tell(self, test):
        self.count += 1
        name = name_of(test)
        if self.wrong:
            self.failed += 1
            self.say("not ok %d - %s" % (self.count, name))
            for line in "".join(self.wrong).splitlines():
                self.say("# " + line)
        elif self.skip_reason is not None:
            reason = " ".join(self.skip_reason.split())
            self.say("ok %d - %s # SKIP %s" % (self.count, name, reason))
        else:
            self.say("ok %d - %s" % (self.count, name))

    def say(self, line):
        try:
            print(line, flush=True)
        except BrokenPipeError:  # the cleanup of the test still has to run
            self.failed += 1
            self.stop()
            sys.stdout = open(os.devnull, "w", encoding="utf-8")


class Late(AssertionError):
    """Something took longer than allowed."""


@contextlib.contextmanager
def excused(reason):
    """Makes a failure inside Late if there is a measured reason."""
    try:
        yield
    except AssertionError as error:
        if not reason:
            raise
        raise Late("%s: %s" % (reason, error)) from error


def tries(count):
    """Repeats the test up to `count` times while it is late: a busy machine makes it late now and
    then, a bug makes it late each time. Any other failure counts at once."""
    def decorate(test):
        @functools.wraps(test)
        def try_again(self, *arguments):
            for _ in range(count - 1):
                try:
                    return test(self, *arguments)
                except Late as error:
                    print("# %s is tried again: %s" % (test.__name__, str(error).splitlines()[:1]),
                          flush=True)
            return test(self, *arguments)
        return try_again
    return decorate


def name_of(test):
    if not isinstance(test, unittest.TestCase):
        return str(test)
    file = os.path.basename(sys.modules[type(test).__module__].__file__)
    return "%s %s.%s" % (os.path.splitext(file)[0], type(test).__name__, test._testMethodName)


def each_test(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each_test(test)
        else:
            yield test


def too_long(number, frame):
    raise TimeoutError("took longer than %d seconds" % LONGEST_SECONDS)


def main(module="__main__"):
    words = sys.argv[1:]
    tests = each_test(unittest.defaultTestLoader.loadTestsFromName(module))
    chosen = [t for t in tests if not words or any(word in name_of(t) for word in words)]
    result = Result()

    def stop(number, frame):
        # The current test fails, so that its cleanup runs, and no other test starts.
        result.stop()
        raise InterruptedError("ended by signal %d" % number)

    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    unittest.TestSuite(chosen).run(result)
    result.say("1..%d" % result.count)
    sys.exit(1 if result.failed or not result.count else 0)
