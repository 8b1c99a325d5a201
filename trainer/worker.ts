/** The trainer process: `node trainer/worker.ts job.json`. When it is done, the adapter is in `<outputDir>/adapter`. */
import { ppo } from "./ppo/ppo.ts";
import { runProgram } from "./program.ts";
import { readJob } from "./read-job.ts";
import { loggedSft } from "./sft/logged-sft.ts";

await runProgram({
  usage: "node trainer/worker.ts job.json",
  readJob,
  work: (job, reporter, signal) => ({ ppo, sft: loggedSft })[job.algorithm](job, reporter, signal),
});
