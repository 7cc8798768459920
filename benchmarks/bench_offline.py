"""Measure offline reviews: ``python -m benchmarks.bench_offline``.

It prints the time from the start of the command to its first finding on ``fixtures/demo.diff``, and
the seconds for a diff of 1 MB in ten languages on one core, with and without the linters. On a
busy machine the processor seconds say more.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.quality.linters_alone import lint_file

DEMO = Path("fixtures/demo.diff")
RUNS = 5
SIZE = 1_000_000
FILE_LINES = 300
"""Lines of a file of the generated diff, about."""
COMMAND = (sys.executable, "-m", "reviewbot", "review", "--model", "offline", "--format", "ndjson")

SNIPPETS = {
    "py": """\
def load_NAME(path, limit=10):
    rows = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition("=")
            if len(rows) < limit and key.strip():
                rows.append({"key": key.strip(), "value": value.strip()})
    return sorted(rows, key=lambda row: row["key"])
""",
    "js": """\
export async function loadNAME(client, ids) {
  const rows = await Promise.all(ids.map((id) => client.get(`/items/${id}`)));
  const byId = new Map();
  for (const row of rows) {
    if (row && row.id !== undefined) {
      byId.set(row.id, { name: row.name.trim(), tags: row.tags || [] });
    }
  }
  return byId;
}
""",
    "ts": """\
export class StoreNAME {
  private readonly items = new Map<string, { count: number; names: string[] }>();

  add(key: string, name: string): number {
    const found = this.items.get(key) ?? { count: 0, names: [] };
    found.count += 1;
    found.names.push(name);
    this.items.set(key, found);
    return found.count;
  }
}
""",
    "go": """\
func loadNAME(path string, limit int) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer file.Close()
	var rows []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() && len(rows) < limit {
		rows = append(rows, strings.TrimSpace(scanner.Text()))
	}
	return rows, scanner.Err()
}
""",
    "java": """\
class LoaderNAME {
    private final Map<String, List<String>> names = new HashMap<>();

    List<String> load(Path path, int limit) throws IOException {
        try (Stream<String> lines = Files.lines(path)) {
            List<String> rows = lines.map(String::trim).limit(limit).collect(Collectors.toList());
            names.computeIfAbsent(path.toString(), key -> new ArrayList<>()).addAll(rows);
            return rows;
        }
    }
}
""",
    "rb": """\
def load_NAME(path, limit: 10)
  rows = File.foreach(path).filter_map do |line|
    key, value = line.split("=", 2)
    next if key.nil? || key.strip.empty?
    { key: key.strip, value: value.to_s.strip }
  end
  rows.sort_by { |row| row[:key] }.first(limit)
end
""",
    "php": """\
function load_NAME(string $path, int $limit = 10): array {
    $rows = [];
    foreach (file($path, FILE_IGNORE_NEW_LINES) ?: [] as $line) {
        [$key, $value] = array_pad(explode('=', $line, 2), 2, '');
        if (count($rows) < $limit && trim($key) !== '') {
            $rows[] = ['key' => trim($key), 'value' => trim($value)];
        }
    }
    return $rows;
}
""",
    "c": """\
static int load_NAME(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    size_t count = fread(out, 1, size - 1, file);
    out[count] = '\\0';
    fclose(file);
    return (int)count;
}
""",
    "cpp": """\
std::vector<std::string> load_NAME(const std::string &path, std::size_t limit) {
  std::ifstream file(path);
  std::vector<std::string> rows;
  for (std::string line; rows.size() < limit && std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') {
      rows.push_back(line);
    }
  }
  return rows;
}
""",
    "sql": """\
CREATE TABLE items_NAME (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL DEFAULT 0
);
UPDATE items_NAME SET price = price * 2 WHERE id IN (SELECT id FROM sales WHERE total > 10);
""",
}
"""Code of ten languages, by the extension of its files, without a fault that a rule reports."""
HEADS = {"php": "<?php\n", "go": "package load\n"}


def generated_files() -> dict[str, str]:
    """Return about 1 MB of new files in ten languages, by path."""
    files: dict[str, str] = {}
    number = 0
    for extension, snippet in SNIPPETS.items():
        left, copies = SIZE / len(SNIPPETS), FILE_LINES // snippet.count("\n")
        while left > 0:
            parts = [snippet.replace("NAME", f"n{number + copy}") for copy in range(copies)]
            number += copies
            text = HEADS.get(extension, "") + "\n".join(parts)
            files[f"src/part{number}.{extension}"] = text
            left -= len(text)
    return files


def diff_of(files: dict[str, str]) -> str:
    """Return the diff that adds the files."""
    parts = []
    for path, text in files.items():
        lines = text.splitlines()
        parts.append(
            f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
            f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)
        )
    return "".join(parts)


def first_finding(diff: Path) -> tuple[float, float]:
    """Return the seconds to the first finding, and to the end of the command."""
    begun = time.perf_counter()
    first = 0.0
    with subprocess.Popen([*COMMAND, str(diff)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        for line in process.stdout:
            if not first and json.loads(line)["type"] == "finding":
                first = time.perf_counter() - begun
    assert first, "there is no finding"
    return first, time.perf_counter() - begun


def processor_time() -> float:
    """Return the processor seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def whole_review(diff: Path, *, linters: bool) -> tuple[float, float]:
    """Return the seconds and the processor seconds of a review whose files are all read.

    Args:
        diff: the diff.
        linters: whether the linters run, too.
    """
    config = diff.with_suffix(".yml")
    config.write_text(f"linters: {str(linters).lower()}\n", "utf-8")
    begun, used = time.perf_counter(), processor_time()
    command = [*COMMAND, "--config", str(config), str(diff)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took, used = time.perf_counter() - begun, processor_time() - used
    end = json.loads(done.stdout.splitlines()[-1])
    assert end["type"] == "review.finished", done.stderr
    states = {one["status"] for one in end["coverage"]}
    assert states == {"reviewed"}, [one for one in end["coverage"] if one["status"] != "reviewed"]
    return took, used


def linters_alone(files: dict[str, str]) -> tuple[float, float]:
    """Return the seconds and the processor seconds of the linters alone, file by file."""
    begun, used = time.perf_counter(), processor_time()
    for path, text in files.items():
        lint_file(path, text.encode(), {1})
    return time.perf_counter() - begun, processor_time() - used


def main() -> None:
    """Measure and print."""
    times = [first_finding(DEMO) for _ in range(RUNS + 1)][1:]  # the first run fills the caches
    firsts, ends = zip(*times, strict=True)
    print(f"{DEMO}, median of {RUNS} runs of the command")
    median = statistics.median(firsts)
    print(f"  first finding after {median:.2f} s, {min(firsts):.2f} to {max(firsts):.2f} s")
    print(f"  end after {statistics.median(ends):.2f} s")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # children inherit it
    files = generated_files()
    with tempfile.TemporaryDirectory() as folder:
        diff = Path(folder, "generated.diff")
        diff.write_text(diff_of(files), "utf-8")
        print(
            f"{diff.stat().st_size / 1e6:.2f} MB in {len(files)} new files of {len(SNIPPETS)}"
            " languages, on one core"
        )
        for name, (took, used) in (
            ("rules and linters", whole_review(diff, linters=True)),
            ("rules alone", whole_review(diff, linters=False)),
            ("linters alone", linters_alone(files)),
        ):
            print(f"  {name}: {took:.1f} s, of which {used:.1f} s on the processor")


if __name__ == "__main__":
    main()
