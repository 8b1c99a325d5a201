// `npm test`: sets up what is missing or stale, then runs the tests. Arguments are vitest's, e.g. `npm test -- engine`.
import { join } from "node:path";
import { ensureClient, ensureDependencies, root, runOnBundledNode } from "./set-up.mjs";

ensureDependencies();
ensureClient();
runOnBundledNode([join(root, "node_modules", "vitest", "vitest.mjs"), "run", ...process.argv.slice(2)]);
