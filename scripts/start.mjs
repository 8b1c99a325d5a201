// `npm start`: sets up what is missing or stale, then serves. Flags are passed on, e.g. `npm start -- --port 8080`.
import { join } from "node:path";
import { ensureClient, ensureDependencies, root, runOnBundledNode, serverEnvironment } from "./set-up.mjs";

ensureDependencies();
ensureClient();
runOnBundledNode([join(root, "server", "main.ts"), ...process.argv.slice(2)], serverEnvironment());
