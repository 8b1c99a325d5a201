/**
 * The gate's process: `node trainer/gate/main.ts gate.json`. When it is done, the verdict is in `<outputDir>/verdict.json`,
 * whichever way it went; stopped, the same job starts anew.
 */
import { runProgram } from "../program.ts";
import { gate } from "./gate.ts";
import { readGateJob } from "./read-gate-job.ts";

await runProgram({ usage: "node trainer/gate/main.ts gate.json", readJob: readGateJob, work: gate });
