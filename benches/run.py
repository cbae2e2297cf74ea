"""Measures the parts that are named, or all, and writes target/bench-report/report.md with plots, and report.json. With --write, the tables of
docs/measured.md as well."""

import sys

import bulk
import calls
import growth
import promise
import segments
import server
import small
import stack
import weight
from common import OUT, Report, machine

PARTS = {part.__name__: part for part in [calls, stack, weight, segments, promise, small, bulk, server, growth]}


def main():
    names = [name for name in sys.argv[1:] if name != "--write"] or PARTS
    report = Report(writes_page="--write" in sys.argv)
    report.lines += ["# Measurements", "", f"By `benches/all`, on {machine()}", ""]
    for name in names:
        PARTS[name].report(report)
        report.write()
    print(f"{OUT}/report.md")


main()
