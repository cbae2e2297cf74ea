// Spelling, grammar and the house's own rules, in documents and in the comments of Rust: language.mjs HARPER CLEAN FILE...
// HARPER is the folder of harper.js, CLEAN one with a mark for each text that had no findings. Prints a line for each finding.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [harper, clean, ...files] = process.argv.slice(2);
const tools = import.meta.dirname;
const words = readFileSync(`${tools}/words`, "utf8").split("\n").filter((word) => word && !word.startsWith("#"));
const version = readFileSync(import.meta.filename, "utf8") + words.join() + readFileSync(`${harper}/package.json`, "utf8");

// Harper's kinds that are about right and wrong. The others are about taste, and some of them about American taste.
const KINDS = "Spelling Typo Agreement Grammar Usage Repetition BoundaryError Eggcorn Malapropism Nonstandard Readability".split(" ");
// Rules that are wrong about this text: "a static PIE", "a bit is set", "one of the three is", "non-empty", "ok" in a table.
const OFF = "DisjointPrefixes MassNouns MissingDeterminer OkToOkay OneOfTheSingular SimplePastToPastParticiple ThatThan".split(" ");

// A sentence that has its subject later, or nowhere. Questions have a question mark, and cells of a table are not sentences.
const RULES = [
  [/(?:^|[.:;] )(?:What|Who|Whose|Whom) [^?\n]*$/, "headless: name the actor, or begin with the verb"],
  [/\b(?:but for|other than|Linux has not)\b/i, "write: unless, except for, does not"],
];

// What is not prose becomes a code span of the same length: code, links, paths, names, numbers with their unit.
const CODE = RegExp(
  "(?:`[^`\\n]*`|\\]\\([^)\\s]*\\)|<[^<>\\n]*>|[\\w.~$-]*\\/[\\w.\\/*{},$~-]*|\\w+(?:::\\w+)+|\\d[\\d,]* m?s\\b|\\b\\w*[_0-9]\\w*\\b|\\b[A-Z]\\w*[A-Z]\\w*\\b|\\b[A-Z]\\*?\\.)(?:'s\\b)?",
  "g",
);
const asCode = (text) => (text.startsWith("](") ? `](${"x".repeat(text.length - 3)})` : `\`${"x".repeat(Math.max(1, text.length - 2))}\``);

// The prose of a file, line by line: lines of code are empty.
function prose(file, text) {
  let code = false;
  return text.split("\n").map((line) => {
    if (!file.endsWith(".md")) {
      const comment = /^\s*\/\/[\/!]?( .*|)$/.exec(line) ?? /[;,{})] \/\/( .*)$/.exec(line);
      if (!comment) return "";
      line = comment[1].slice(1);
    }
    if (/^\s*(> )?```/.test(line)) {
      code = !code;
      return "";
    }
    return code || /^\s*\[[^\]]+\]: |^# shellcheck/.test(line) ? "" : line;
  });
}

let linter;
async function lint(text) {
  if (!linter) {
    const load = (name) => import(pathToFileURL(`${harper}/dist/${name}.js`));
    const [{ LocalLinter, Dialect }, { binary }] = [await load("index"), await load("binary")];
    linter = new LocalLinter({ binary, dialect: Dialect.British });
    await linter.setup();
    await linter.importWords(words.flatMap((word) => [word, `${word}'s`]));
  }
  const found = await linter.organizedLints(text, { language: "markdown" });
  return Object.entries(found).flatMap(([rule, lints]) => (OFF.includes(rule) ? [] : lints));
}

let findings = 0;
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const mark = `${clean}/${createHash("sha256").update(version).update(file.replace(/.*\./, "")).update(text).digest("hex")}`;
  if (existsSync(mark)) continue;
  const before = findings;
  const report = (line, what) => {
    findings++;
    console.log(`${file}:${line}: ${what}`);
  };
  const lines = prose(file, text);
  // Tests and programs are not held to the rules of style.
  const plain = /^(?:src|arch)\/|\.md$|planted/.test(file);
  lines.forEach((line, i) => {
    if (!plain) return;
    const sentence = line.replace(/`[^`]*`/g, "x").replace(/^\s*(?:[-*>] |\d+\. )*/, "");
    if (sentence.startsWith("|") || sentence.startsWith("#")) return;
    for (const [rule, what] of RULES) if (rule.test(sentence)) report(i + 1, `${what}: ${line.trim()}`);
  });
  const masked = lines.join("\n").replace(CODE, asCode);
  for (const found of await lint(masked)) {
    const line = masked.slice(0, found.span().start).split("\n").length;
    if (!KINDS.includes(found.lint_kind())) continue;
    // Cells of a table are not sentences.
    if (found.lint_kind() === "Readability" && (!plain || lines[line - 1].startsWith("|"))) continue;
    // Units and initials.
    if (/^\w\W?$/.test(found.get_problem_text())) continue;
    report(line, `${found.get_problem_text()}: ${found.message()}`);
  }
  if (findings === before) writeFileSync(mark, "");
}
process.exit(findings ? 1 : 0);
