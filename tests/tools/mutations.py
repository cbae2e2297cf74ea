"""Shows that the tests can fail: tests/tools/mutations [--list] [NAME...]

Applies one mutation after the other to a copy of the repository. The test that the mutation names has to turn red, and is green without it.
A line of tests/tools/mutations.list is

    NAME FILE 'CHANGE' 'TARGET' TEST

CHANGE is what cargo-mutants can do, in its words (cargo mutants --list), as a regular expression: each change that fits has to turn the
test red. If none fits, CHANGE is "replace X with Y in FUNCTION" or "delete X in FUNCTION". X is code that stands once in the function, in
one line or in several. FUNCTION is a regular expression for its name, as cargo-mutants has it.
TARGET is what `cargo test` takes, "--test simulation" or "--lib".
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
WORK = ROOT / "target/mutations"
TREE = WORK / "tree"  # stays, with what was built of it, so that the next run compiles little
ENVIRONMENT = os.environ | {
    "CARGO_TARGET_DIR": str(WORK / "target"), "CARGO_INCREMENTAL": "1", "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_PROFILE_TEST_DEBUG": "0",
    "RUST_BACKTRACE": "0",
}
SECONDS = 120  # a test that has not ended by then is red


class Mutation(NamedTuple):
    name: str
    file: str
    change: str
    target: str
    test: str


class Failed(Exception):
    pass


def copy_tree():
    files = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT).decode().split("\0")
    files = {file for file in files if (ROOT / file).is_file()}
    for file in files:
        copy = TREE / file
        if not copy.exists() or copy.read_bytes() != (ROOT / file).read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, copy)
    for copy in [path for path in TREE.rglob("*") if path.is_file() and str(path.relative_to(TREE)) not in files]:
        copy.unlink()


def position(text, place):
    """The index into the text of a place as cargo-mutants has it."""
    return len("".join(text.splitlines(keepends=True)[:place["line"] - 1])) + place["column"] - 1


def changed(mutation, mutants):
    """The texts of the file after each change that the mutation names."""
    original = (TREE / mutation.file).read_text()
    mutants = [mutant for mutant in mutants if mutant["file"] == mutation.file]
    # Their names begin with FILE:LINE:COLUMN. A file of two modules has them twice.
    diffs = {mutant["diff"] for mutant in mutants if re.fullmatch(mutation.change, mutant["name"].split(" ", 1)[1])}
    if diffs:
        patch = ["patch", "--silent", "--output=-", mutation.file]
        return [subprocess.run(patch, cwd=TREE, input=diff, capture_output=True, text=True, check=True).stdout for diff in sorted(diffs)]

    words = re.fullmatch(r"(?:replace (?P<old>.*?) with (?P<new>.*)|delete (?P<gone>.*)) in (?P<function>.*)", mutation.change)
    if not words:
        raise Failed("cargo-mutants makes no such change")
    spans = [mutant["function"]["span"] for mutant in mutants
             if mutant["function"] and re.fullmatch(words["function"], mutant["function"]["function_name"])]
    functions = {(position(original, span["start"]), position(original, span["end"])) for span in spans}
    code = re.compile(r"\s+".join(map(re.escape, (words["old"] or words["gone"]).split())))
    found = [match.span() for function in functions for match in code.finditer(original, *function)]
    if len(found) != 1:
        raise Failed(f"it stands {len(found)} times in {words['function']}")
    [(start, end)] = found
    return [original[:start] + (words["new"] or "") + original[end:]]


def cargo(*arguments, timeout=None):
    """Its status and what it printed. After so many seconds all that it has started is ended, and the status is None."""
    process = subprocess.Popen(["cargo", *arguments], cwd=TREE, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    try:
        printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, ""
    return process.returncode, printed


def red(mutation):
    """Runs the one test. Returns None if it is green, or else what it said first."""
    command = ["test", "--locked", *mutation.target.split()]
    status, printed = cargo(*command, "--no-run")
    if status != 0:
        raise Failed("it does not compile\n" + printed)
    status, printed = cargo(*command, "--", "--exact", mutation.test, timeout=SECONDS)
    if status is None:
        return "it does not end"
    if "\nrunning 1 test\n" not in printed:
        raise Failed(f"{mutation.target} has no test {mutation.test}")
    if status == 0:
        return None
    said = re.search(r"panicked at .*\n(.*)", printed)
    return said[1].partition(": ")[0][:60] if said else f"it ended with {status}"


def show(mutation, mutants, green):
    """Demands that the test is green, and red with each of the changes."""
    test = (mutation.target, mutation.test)
    if test not in green:
        said = red(mutation)
        if said:
            raise Failed(f"{mutation.test} is red without it: {said}")
        green.add(test)
    file = TREE / mutation.file
    original = file.read_text()
    for text in changed(mutation, mutants):
        try:
            file.write_text(text)
            said = red(mutation)
        finally:
            file.write_text(original)
        if not said:
            raise Failed(f"{mutation.test} stays green")
        print(f"{mutation.name:28} red: {mutation.test}: {said}", flush=True)


def main(names):
    lines = [shlex.split(line, comments=True) for line in (ROOT / "tests/tools/mutations.list").open()]
    mutations = {line[0]: Mutation(*line) for line in lines if line}
    if names == ["--list"]:
        print(*mutations, sep="\n")
        return
    if unknown := set(names) - set(mutations):
        sys.exit(f"no mutation {', '.join(unknown)}; --list names them")
    copy_tree()
    mutants = json.loads(subprocess.check_output(["cargo", "mutants", "--no-config", "--list", "--json", "--diff", "--level=error"], cwd=TREE))
    green, failed = set(), []
    for name in names or mutations:
        try:
            show(mutations[name], mutants, green)
        except Failed as failure:
            failed.append(name)
            print(f"{name:28} FAILED: {failure}", flush=True)
    print(f"{len(names or mutations)} mutations, {len(failed)} without a red test: {' '.join(failed)}")
    sys.exit(bool(failed))


main(sys.argv[1:])
