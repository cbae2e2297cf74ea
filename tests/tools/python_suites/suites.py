"""CPython's own tests of sendfile, with examples/python in os.sendfile's place, and the tests of headers and trailers on, which
Python skips on Linux. Prints a line for each suite: suites.py
"""

import functools
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples/python"))
import bare_sendfile

calls = {"first form": 0, "second form": 0}


@functools.wraps(bare_sendfile.sendfile)
def sendfile(*args, **kwargs):
    calls["second form" if len(args) + len(kwargs) > 4 else "first form"] += 1
    return bare_sendfile.sendfile(*args, **kwargs)


# Before the suites are loaded, which look for them.
os.sendfile = sendfile
for name in ("SF_NODISKIO", "SF_MNOWAIT", "SF_SYNC", "SF_NOCACHE"):
    setattr(os, name, getattr(bare_sendfile, name))

import test.test_asyncio.test_sendfile
import test.test_os
import test.test_shutil
import test.test_socket


def with_headers_and_trailers(case):
    """Takes the skipping off that says so."""
    case.SUPPORT_HEADERS_TRAILERS = True
    for name, function in list(vars(case).items()):
        if getattr(function, "__unittest_skip_why__", "") == "requires headers and trailers support":
            setattr(case, name, function.__wrapped__)
    return case


SUITES = {
    "test_os.TestSendfile": [with_headers_and_trailers(test.test_os.TestSendfile)],
    "test_asyncio.test_sendfile": [
        case for case in vars(test.test_asyncio.test_sendfile).values()
        if isinstance(case, type) and issubclass(case, unittest.TestCase)
    ],
    "test_shutil.TestZeroCopySendfile": [test.test_shutil.TestZeroCopySendfile],
    "test_socket.SendfileUsingSendfileTest": [test.test_socket.SendfileUsingSendfileTest],
}  # fmt: skip


def main():
    loader = unittest.defaultTestLoader
    failed = False
    for name, cases in SUITES.items():
        before = dict(calls)
        suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
        result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
        bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
        passed = result.testsRun - len(result.skipped) - bad - len(result.expectedFailures)
        used = {form: calls[form] - before[form] for form in calls}
        print(f"{name}: {passed} passed, {bad} failed, {len(result.skipped)} skipped; "
              f"{used['first form']} calls of the first form, {used['second form']} of the second", flush=True)  # fmt: skip
        # A suite that never came here has shown nothing; nor has one of headers without the second form.
        if bad or not passed or not used["first form"] or name.startswith("test_os") and not used["second form"]:
            failed = True
    sys.exit(failed)


# The suites write to the folder that they are run in.
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    try:
        main()
    finally:
        os.chdir("/")
