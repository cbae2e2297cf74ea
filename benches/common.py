"""What the measurements share: running programs, medians with their spread, and a report of tables and plots."""

import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "target" / "bench-report"
PAGE = ROOT / "docs" / "measured.md"
PROGRAMS = ROOT / "benches" / "programs"
# The processors on which the programs are measured: Rust's target, QEMU's name, GNU's prefix of tools.
CPUS = {
    cpu: (target, emulates, tools)
    for cpu, target, emulates, _, tools, what, *_ in (
        line.split() for line in (ROOT / "tests" / "tools" / "processors.list").read_text().splitlines() if not line.startswith("#")
    )
    if what == "all"
}


def run(*command, **options):
    """The output of a program that must succeed, within ten minutes."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=True, **options)
    return done.stdout


def build(manifest, *arguments, cpu=None, env=None):
    """The folder with the release programs of a package, for a CPU or for this machine."""
    env = {**os.environ, **(env or {})}
    folder = Path(manifest) / "target"
    if cpu:
        target, _, tools = CPUS[cpu]
        arguments = [*arguments, "--target", target]
        env[f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER"] = f"{tools}-gcc"
        folder /= target
    run("cargo", "build", "--quiet", "--locked", "--release", "--manifest-path", Path(manifest) / "Cargo.toml", *arguments, env=env)
    return folder / "release"


def spread(values):
    """Median and quartiles."""
    values = sorted(values)
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def ratio(values):
    """A median with its quartiles, for a table."""
    middle, low, high = spread(values)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


class Report:
    """Sections of text and tables in Markdown, plots beside them as SVG, and all numbers as JSON."""

    def __init__(self, writes_page=False):
        self.writes_page = writes_page
        self.lines = []
        self.data = {}
        OUT.mkdir(parents=True, exist_ok=True)

    def section(self, title, text):
        print(f"== {title}", flush=True)
        self.lines += [f"## {title}", "", text, ""]

    def table(self, name, header, rows):
        self.data[name] = [dict(zip(header, row)) for row in rows]
        self.lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        self.lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        self.lines.append("")
        for row in rows:
            print("  ".join(map(str, row)), flush=True)

    def page(self, name, header, rows):
        """Puts a table between its marks in docs/measured.md, with --write."""
        if self.writes_page:
            begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
            before, rest = PAGE.read_text().split(begin)
            head, *lines = [f"| {' | '.join(map(str, line))} |\n".replace("|  |", "| |") for line in [header, *rows]]
            table = head + "|" + "---|" * len(header) + "\n" + "".join(lines)
            PAGE.write_text(before + begin + table + end + rest.split(end, 1)[1])

    def note(self, text):
        self.lines += [text, ""]

    def plot(self, name, title, draw):
        """`draw` gets the axes of a figure."""
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        draw(axes)
        axes.set_title(title)
        figure.savefig(OUT / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
        self.lines += [f"![{title}]({name}.svg)", ""]

    def write(self):
        (OUT / "report.md").write_text("\n".join(self.lines))
        (OUT / "report.json").write_text(json.dumps(self.data, indent=1, ensure_ascii=False) + "\n")


def machine():
    """What it ran on."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    rustc = run("rustc", "--version").strip()
    load = os.getloadavg()[0]
    return (
        f"{cpu.split(':')[1].strip()}, {os.cpu_count()} CPUs, Linux {platform.release()}, {rustc}; "
        f"load average {load:.1f} at the start."
    )
