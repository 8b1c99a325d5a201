/** `npm run bench`: speed and memory of the embedded model on this machine, beside what is asked. */
import { parseArgs } from "node:util";
import { startServer } from "../test/support/running-server.ts";
import { measureChatSpeed } from "./chat-speed.ts";
import { describeMachine } from "./machine.ts";
import { type Figure, formatFigure, meets } from "./report.ts";
import { measureTrainingAndSwap } from "./training-and-swap.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const machine = describeMachine();
const figures: Figure[] = [];
for (const measure of [measureChatSpeed, measureTrainingAndSwap]) {
  const server = await startServer();
  try {
    figures.push(...(await measure(server)));
  } finally {
    await server.stop();
    server.remove();
  }
}
if (values.json) {
  console.log(JSON.stringify({ machine, at: new Date().toISOString(), figures }, null, 2));
} else {
  console.log(machine);
  for (const figure of figures) console.log(formatFigure(figure));
}
if (!figures.every(meets)) process.exitCode = 1;
