#!/usr/bin/env node
// Runs the command line on the Node that this package brings along, whatever Node the caller has (20 or later).
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bundledNode, root, runOnBundledNode, serverEnvironment } from "./set-up.mjs";

if (!existsSync(bundledNode)) {
  console.error(`Rejoinder needs Node 24, which \`npm install\` in ${root} brings along. Run that first.`);
  process.exit(1);
}
const args = process.argv.slice(2);
const env = args[0] === "serve" ? serverEnvironment() : process.env;
runOnBundledNode([join(root, "server", "cli", "main.ts"), ...args], env);
