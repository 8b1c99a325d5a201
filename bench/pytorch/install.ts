/**
 * PyTorch with transformers and PEFT, fetched when training is compared. It is no dependency of ours: it lies in a
 * virtual environment in the cache folder, or wherever BENCH_PYTHON names an interpreter that has it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../test/support/running-server.ts";

const packages = ["torch==2.15.0", "transformers==5.24.0", "peft==0.21.2"];
const folder = join(projectFolder, ".cache", "pytorch");

function succeeds(command: string, args: readonly string[]): boolean {
  const { status, error, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) console.error(`${command} ${args.slice(0, 3).join(" ")}: ${error?.message ?? stderr.slice(-500)}`);
  return status === 0;
}

/** @returns an interpreter that can import all three, or null, having said why */
export function openPytorch(): string | null {
  const named = process.env.BENCH_PYTHON;
  const python = named ?? join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  if (named === undefined && !existsSync(python)) {
    mkdirSync(folder, { recursive: true });
    console.error(`Installing ${packages.join(", ")} into .cache/pytorch (some gigabytes)…`);
    if (!succeeds("python3", ["-m", "venv", folder])) return null;
    if (!succeeds(python, ["-m", "pip", "install", "--quiet", ...packages])) return null;
  }
  return succeeds(python, ["-c", "import torch, transformers, peft"]) ? python : null;
}
