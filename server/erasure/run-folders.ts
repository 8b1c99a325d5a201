/** Copies of exchanges in the folders of training runs. */
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSnapshotFile } from "../training/snapshot.ts";

/** What a run's folder may keep when data that it used is erased. The rest may hold some of it, in whatever form. */
const kept = new Set(["job.json", "metrics.jsonl", "steps.jsonl", "snapshot.jsonl", "snapshot.jsonl.sha256"]);
/** Numbers and names of metrics, never of exchanges. */
const free = new Set(["metrics.jsonl"]);

/** A line of JSON without the exchanges; null when it is about one of them. */
function cleanLine(line: string, erased: ReadonlySet<string>): string | null {
  let content: Record<string, unknown>;
  try {
    content = JSON.parse(line);
  } catch {
    // Half a line, of which nobody can say whom it is about.
    return null;
  }
  const { exchanges } = content;
  if (Array.isArray(exchanges)) {
    const left = exchanges.filter((id) => !erased.has(id));
    return left.length === exchanges.length ? line : JSON.stringify({ ...content, exchanges: left });
  }
  const about = [content.id, content.exchangeId];
  return about.some((id) => typeof id === "string" && erased.has(id)) ? null : line;
}

async function cleanFile(folder: string, name: string, erased: ReadonlySet<string>): Promise<void> {
  const path = join(folder, name);
  const before = await readFile(path, "utf8");
  const lines = before.split("\n").filter((line) => line !== "");
  const after = lines.flatMap((line) => cleanLine(line, erased) ?? []);
  if (after.length === lines.length && after.every((line, index) => line === lines[index])) return;
  const content = after.map((line) => `${line}\n`).join("");
  if (name === "snapshot.jsonl") {
    await writeSnapshotFile(path, content);
    return;
  }
  await writeFile(`${path}.partial`, content);
  await rename(`${path}.partial`, path);
}

/**
 * Takes exchanges out of the runs' folders. A run that used one keeps only its job, its numbers and the rest of its
 * snapshot: checkpoints, rollouts and saved batches go whole. Folders of other runs lose the lines of JSONL that are about
 * one. Doing it again changes nothing.
 * @param runs ids of the runs that used some of them, all ended
 */
export async function removeFromRunFolders(
  runsFolder: string,
  erased: ReadonlySet<string>,
  runs: ReadonlySet<string>,
): Promise<void> {
  const folders = await readdir(runsFolder, { withFileTypes: true }).catch(() => []);
  for (const entry of folders) {
    if (!entry.isDirectory()) continue;
    const folder = join(runsFolder, entry.name);
    for (const file of await readdir(folder, { withFileTypes: true })) {
      if (runs.has(entry.name) && !kept.has(file.name)) {
        await rm(join(folder, file.name), { recursive: true, force: true });
      } else if (file.isFile() && /\.jsonl(\.partial)?$/.test(file.name) && !free.has(file.name)) {
        await cleanFile(folder, file.name, erased);
      }
    }
  }
}
