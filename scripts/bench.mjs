// `npm run bench`: sets up what is missing or stale, then measures. Arguments are bench/main.ts's, e.g. `-- --json`.
import { join } from "node:path";
import { ensureClient, ensureDependencies, root, runOnBundledNode } from "./set-up.mjs";

ensureDependencies();
ensureClient();
runOnBundledNode([join(root, "bench", "main.ts"), ...process.argv.slice(2)]);
