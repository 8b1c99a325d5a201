/**
 * node-llama-cpp, fetched when a comparison is asked for. It is no dependency of ours: its native libraries for all
 * kinds of graphics cards are large, and only the benchmark wants it. So it lies in a cache folder of its own, with the
 * prebuilt processor library of this platform alone.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { projectFolder } from "../../test/support/running-server.ts";

export const version = "3.22.1";
const folder = join(projectFolder, ".cache", "llama-cpp");
const installed = join(folder, "node_modules", "node-llama-cpp");

/** What the benchmark uses of the package. */
export interface LlamaSequence {
  evaluate(
    tokens: readonly number[],
    options: { temperature: number; yieldEogToken: boolean },
  ): AsyncGenerator<number, void, void>;
  clearHistory(): Promise<void>;
}
export interface LlamaContext {
  getSequence(): LlamaSequence;
  currentThreads: number;
  dispose(): Promise<void>;
}
export interface LlamaModel {
  createContext(options: {
    sequences: number;
    contextSize: number;
    batchSize: number;
    threads: number;
  }): Promise<LlamaContext>;
}
export interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
interface Package {
  getLlama(options: { gpu: false; build: "never"; logLevel: "error"; maxThreads: number }): Promise<Llama>;
}

const platformPackages: Readonly<Record<string, string>> = {
  "darwin-arm64": "mac-arm64-metal",
  "darwin-x64": "mac-x64",
  "linux-arm64": "linux-arm64",
  "linux-x64": "linux-x64",
  "win32-arm64": "win-arm64",
  "win32-x64": "win-x64",
};

function isInstalled(): boolean {
  const manifest = join(installed, "package.json");
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version;
}

/** @throws Error that says what npm said */
function install(): void {
  const platform = platformPackages[`${process.platform}-${process.arch}`];
  if (platform === undefined) throw new Error(`it has no library for ${process.platform}-${process.arch}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const packages = [`node-llama-cpp@${version}`, `@node-llama-cpp/${platform}@${version}`];
  // Its install script would build from source; the library comes as a package, and is named outright because the
  // optional ones are left out.
  const flags = ["--no-save", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  console.error(`Installing ${packages.join(" and ")} into .cache/llama-cpp…`);
  const { status, error, stderr } = spawnSync("npm", ["install", ...flags, ...packages], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm install failed: ${error?.message ?? stderr.trim().slice(-500)}`);
}

/** The package ready for use, or why it is not. */
export async function openLlamaCpp(threads: number): Promise<Llama | { missing: string }> {
  try {
    if (!isInstalled()) install();
    const entry = pathToFileURL(join(installed, "dist", "index.js")).href;
    const { getLlama } = (await import(entry)) as Package;
    return await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
