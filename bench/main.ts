/** `npm run bench`: speed and memory on this machine, beside what is asked. `--only NAME` runs one part alone. */
import { parseArgs } from "node:util";
import { type RunningServer, startServer } from "../test/support/running-server.ts";
import { measureChatSpeed } from "./chat-speed.ts";
import { measureComparison } from "./compare.ts";
import { measureCurves } from "./curves.ts";
import { measureLargeModels } from "./large-models.ts";
import { measureLoraTraining } from "./lora-training/main.ts";
import { describeMachine } from "./machine.ts";
import { measurePpoPass } from "./ppo-pass.ts";
import { type Figure, formatFigure, meets } from "./report.ts";
import { measureTrainingAndSwap } from "./training-and-swap.ts";

const withServer = (measure: (server: RunningServer) => Promise<Figure[]>) => async () => {
  const server = await startServer();
  try {
    return await measure(server);
  } finally {
    await server.stop();
    server.remove();
  }
};

const parts: Readonly<Record<string, () => Promise<Figure[]>>> = {
  chat: withServer(measureChatSpeed),
  training: withServer(measureTrainingAndSwap),
  compare: measureComparison,
  curves: measureCurves,
  large: measureLargeModels,
  lora: measureLoraTraining,
  ppo: measurePpoPass,
};

const { values } = parseArgs({ options: { json: { type: "boolean", default: false }, only: { type: "string" } } });
const { only } = values;
if (only !== undefined && !Object.hasOwn(parts, only)) {
  console.error(`--only takes ${Object.keys(parts).join(", ")}, not ${only}`);
  process.exit(2);
}
const machine = describeMachine();
if (!values.json) console.log(machine);
const figures: Figure[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (only !== undefined && name !== only) continue;
  const measured = await measure();
  figures.push(...measured);
  if (!values.json) for (const figure of measured) console.log(formatFigure(figure));
}
if (values.json) console.log(JSON.stringify({ machine, at: new Date().toISOString(), figures }, null, 2));
if (!figures.every(meets)) process.exitCode = 1;
