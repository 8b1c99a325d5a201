import { once } from "node:events";
import { Command } from "commander";
import { readConfig } from "../config.ts";

const settingsHelp = `
Settings, as flags or from the environment (--port 3000 is PORT=3000):
  --port                    0 picks a free one                          [3000]
  --host                                                                [127.0.0.1]
  --data-dir                log, adapters, training runs                [./data]
  --model                   checkpoint folder                           [the embedded model]
  --quantization            none, int8 or int4: precision of its weights [none]
  --kv-cache                fp32, fp16 or int8: precision of cached keys and values [fp32]
  --device                  cpu, cuda or webgpu: where the model runs   [cpu]
  --adapter                 first adapter: a folder, a version or base  [what comes with the model]
  --reward                  configuration file or classifier folder     [embedded]
  --threads                 threads of the engine
  --retrain-cron            train at these times, such as "0 4 * * *"
  --retrain-min-exchanges   train when so many new exchanges may be trained on
  --consent-default         true: exchanges may train unless told otherwise  [false]
  --redis-url               keep jobs there instead of in the data folder
  --trainer                 here or worker: where training runs         [here]
  --job-lock-seconds        how long a silent process keeps its job     [30]
  --log-level               trace, debug, info, warn, error or silent   [info]`;

async function serve(args: string[]): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const config = readConfig(process.env, args);
  const { startServer } = await import("../main.ts");
  const server = await startServer(config);
  process.stdout.write(`Rejoinder is listening on ${server.url}\n`);
  if (!stop.signal.aborted) await once(stop.signal, "abort");
  await server.close();
  process.exit(0);
}

export function createServeCommand(): Command {
  return new Command("serve")
    .description("start the server")
    .argument("[settings...]")
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText("after", settingsHelp)
    .action(serve);
}
