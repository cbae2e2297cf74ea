"""Shows that the tests can fail: tests/tools/mutations [NAME...]

Applies one mutation after the other to a copy of the repository. The test that the mutation names has to turn red, and is green without it.
A line of tests/tools/mutations.list is

    NAME FILE 'CHANGE' 'TARGET' TEST

CHANGE is a mutation of cargo-mutants, by its name (cargo mutants --list) as a regular expression, or one of three that it does not make:

    delete assignment of X in FUNCTION    to the field or variable X, or to several of which it is one
    delete call of X in FUNCTION          of the method X; what stands before it is used as it is
    delete pattern X in FUNCTION          which begins with "|", in the arm of a match

FUNCTION is a regular expression for its name, as cargo-mutants has it. Each change that fits has to turn the test red. With "#2" behind
it, only the second has to. No line has the text of the code, so the code can change and its mutations stay.
TARGET is what `cargo test` takes, "--test simulation" or "--lib".
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from collections import namedtuple

ROOT = pathlib.Path(__file__).parents[2]
WORK = ROOT / "target/mutations"
TREE = WORK / "tree"  # stays, with what was built of it, so that the next run compiles little
ENVIRONMENT = os.environ | {
    "CARGO_TARGET_DIR": str(WORK / "target"), "CARGO_INCREMENTAL": "1", "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_PROFILE_TEST_DEBUG": "0",
    "RUST_BACKTRACE": "0", "TEST_SECONDS": "120",  # a test that has not ended by then is red
}
# How a deletion begins that cargo-mutants does not make.
BEGINS = {
    "assignment": r"(?<!let )(?<!mut )(?<![\w.])(?:\([^()=;]*\bNAME\b[^()=;]*\)|[*\w.]*\bNAME) [-+*/|&]?=(?![=>])",
    "call": r"\.NAME\(",
    "pattern": r"\|\s*[\w:(]*\bNAME\b",
}
Mutation = namedtuple("Mutation", "name file change target test")


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


def between(text, span):
    """The two indexes into the text of a span as cargo-mutants has it."""
    lines = text.splitlines(keepends=True)
    return tuple(len("".join(lines[:span[end]["line"] - 1])) + span[end]["column"] - 1 for end in ("start", "end"))


def deletions(text, kind, name, start, end):
    """Those between two indexes, in the form of `changes`. A call or a pattern ends with its brackets, an assignment before , ; or }."""
    assignment = kind == "assignment"  # leaves {}, because the arm of a match needs an expression
    for match in re.compile(BEGINS[kind].replace("NAME", name)).finditer(text, start, end):
        last, depth = match.end(), match[0].count("(") - match[0].count(")")
        while depth or assignment and text[last] not in ",;}":
            depth += (text[last] in "([{") - (text[last] in ")]}")
            last += 1
        yield match.start(), last, "{}" if assignment else ""


def changes(mutation, text, mutants):
    """Where in the text each change that the mutation names begins and ends, and what stands there afterwards."""
    change, _, number = mutation.change.partition(" #")
    mutants = [mutant for mutant in mutants if mutant["file"] == mutation.file]
    # Their names begin with FILE:LINE:COLUMN. A file of two modules has them twice.
    fitting = [mutant for mutant in mutants if re.fullmatch(change, mutant["name"].split(" ", 1)[1])]
    found = {(*between(text, mutant["span"]), mutant["replacement"]) for mutant in fitting}
    if words := re.fullmatch(r"delete (assignment|call|pattern) (?:of )?(\w+) in (.*)", change):
        functions = [mutant["function"] for mutant in mutants if mutant["function"]]
        for span in [function["span"] for function in functions if re.fullmatch(words[3], function["function_name"])]:
            found.update(deletions(text, words[1], words[2], *between(text, span)))
    if len(found) < int(number or 1):
        raise Failed(f"there are {len(found)} such changes")
    return sorted(found)[int(number) - 1:int(number)] if number else sorted(found)


def run(*command):
    """Its status and what it printed."""
    ended = subprocess.run(command, cwd=TREE, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace")
    return ended.returncode, ended.stdout


def red(mutation):
    """Runs the one test. Returns None if it is green, or else what it said first."""
    command = ["cargo", "test", "--locked", *mutation.target.split()]
    status, printed = run(*command, "--no-run")
    if status != 0:
        raise Failed("it does not compile\n" + printed)
    status, printed = run("tests/tools/limit", *command, "--", "--exact", mutation.test)
    if status == 124:
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
        if said := red(mutation):
            raise Failed(f"{mutation.test} is red without it: {said}")
        green.add(test)
    file = TREE / mutation.file
    original = file.read_text()
    for start, end, new in changes(mutation, original, mutants):
        try:
            file.write_text(original[:start] + new + original[end:])
            said = red(mutation)
        finally:
            file.write_text(original)
        if not said:
            raise Failed(f"{mutation.test} stays green after the change of line {original.count(chr(10), 0, start) + 1}")
        print(f"{mutation.name:28} red: {mutation.test}: {said}", flush=True)


def main(names):
    lines = [shlex.split(line, comments=True) for line in (ROOT / "tests/tools/mutations.list").open()]
    mutations = {line[0]: Mutation(*line) for line in lines if line}
    if unknown := set(names) - set(mutations):
        sys.exit(f"no mutation {', '.join(unknown)}")
    copy_tree()
    mutants = json.loads(subprocess.check_output(["cargo", "mutants", "--no-config", "--list", "--json", "--level=error"], cwd=TREE))
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
