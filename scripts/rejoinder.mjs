#!/usr/bin/env node
// Runs the command line on the Node that this package brings along, whatever Node the caller has (20 or later).
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The binary inside the `node` package; npm's shim in .bin is no executable on Windows. */
function bundledNode() {
  try {
    const require = createRequire(join(root, "package.json"));
    const folder = dirname(require.resolve("node/package.json"));
    const file = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(file) ? file : null;
  } catch {
    return null;
  }
}

const node = bundledNode() ?? (Number(process.versions.node.split(".")[0]) >= 24 ? process.execPath : null);
if (node === null) {
  console.error(`Rejoinder needs Node 24, which \`npm install\` in ${root} brings along. Run that first.`);
  process.exit(1);
}

const child = spawn(node, [join(root, "server", "cli", "main.ts"), ...process.argv.slice(2)], { stdio: "inherit" });
// The terminal sends Ctrl+C to both; the child decides when it is done. Other signals reach only this process.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exit(signal === null ? (code ?? 1) : 1);
});
child.on("error", (error) => {
  console.error(`Cannot start ${node}: ${error.message}`);
  process.exit(1);
});
