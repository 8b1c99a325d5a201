// What `npm start` and `npm test` need before they can begin, on a machine that has only Node 20 or later and npm:
// plain JavaScript, and no package of ours may be imported here.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Node 24 as the npm package `node` brings it along; npm's shim in .bin is no executable on Windows. */
export const bundledNode = join(
  root,
  "node_modules",
  "node",
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return null;
  }
}

/** npm writes its own lock into node_modules at the end of an install: does it hold what ours asks for? */
function areDependenciesFresh() {
  const wanted = readPackages(join(root, "package-lock.json"));
  const installed = readPackages(join(root, "node_modules", ".package-lock.json"));
  if (wanted === null) throw new Error(`Cannot read package-lock.json in ${root}`);
  if (installed === null || !existsSync(bundledNode)) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    // Packages for other platforms are optional and not installed.
    return path === "" || (installed[path]?.version ?? (optional ? version : undefined)) === version;
  });
}

function run(what, command, args, options = {}) {
  console.error(what);
  // Standard output belongs to what runs afterwards.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], ...options });
  if (status === 0) return;
  console.error(`${what} It failed${error ? `: ${error.message}` : ` with exit code ${status}`}.`);
  process.exit(1);
}

export function ensureDependencies() {
  if (areDependenciesFresh()) return;
  // Not `npm ci`: it refuses a lock file that leaves out the optional packages of other platforms, as npm writes it.
  // With --no-save the lock file is followed and left as it is.
  const args = ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund"];
  const npm = process.env.npm_execpath;
  const what = "Installing the dependencies (npm install)…";
  if (npm?.endsWith(".js")) run(what, process.execPath, [npm, ...args]);
  else run(what, "npm", args, { shell: process.platform === "win32" });
}

/** Milliseconds since 1970 of the newest change below a path. */
function newestChange(path) {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestChange(join(path, name))), mtimeMs);
}

export function ensureClient() {
  const built = join(root, "dist", "client", "index.html");
  const sources = ["client", "server/protocol", "vite.config.ts", "package-lock.json"].map((path) => join(root, path));
  if (existsSync(built) && sources.every((path) => newestChange(path) <= statSync(built).mtimeMs)) return;
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  run("Building the pages (vite build)…", bundledNode, [vite, "build", "--logLevel", "warn"]);
}

/**
 * The environment a server process should have. glibc otherwise raises the size from which memory is given back as
 * soon as it is free, and keeps about 100 MB of what was needed only while the model was loaded; and V8 lets short-lived
 * objects, to which each step's arrays belong, pile up to as much again before it looks which are still in use.
 */
export function serverEnvironment() {
  const recommended = JSON.parse(readFileSync(join(root, "scripts", "server-environment.json"), "utf8"));
  return { ...recommended, ...process.env };
}

/** Runs a program on the bundled Node in this process's place: its signals passed on, its exit code kept. */
export function runOnBundledNode(args, env = process.env) {
  const child = spawn(bundledNode, args, { stdio: "inherit", env });
  // A terminal sends Ctrl+C to both; the child decides when it is done. Other signals reach only this process.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`Cannot start ${bundledNode}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
