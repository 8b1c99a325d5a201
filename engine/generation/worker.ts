/** The engine's thread: it owns the session, whose runs block whoever calls them, and hears messages between steps. */
import { basename, resolve } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { openBaseModel } from "../open-base-model.ts";
import { checkDevice } from "../runtime/device.ts";
import type { ModelInfo } from "../types.ts";
import { EventFrames } from "./event-frames.ts";
import { type FromWorker, type ToWorker, toWire, type WorkerSettings } from "./messages.ts";
import { Scheduler } from "./scheduler.ts";
import { StepModel } from "./step-model.ts";

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker thread only");
const settings = workerData as WorkerSettings;
const tell = (message: FromWorker) => port.postMessage(message);

async function open(): Promise<{ model: StepModel; info: ModelInfo }> {
  const { modelDir, quantization, cacheDir, kvCache, threads, device, goal } = settings;
  await checkDevice(device);
  const base = await openBaseModel(modelDir, { quantization, cacheDir });
  const model = await StepModel.create(base, { threads, kvCache, device, goal });
  const info: ModelInfo = {
    id: basename(resolve(modelDir)),
    architecture: base.architecture.name,
    parameters: base.parameters,
    quantization: base.quantization,
    contextLength: base.architecture.contextLength,
    sha256: base.sha256,
    hasAdapterSupport: true,
  };
  return { model, info };
}

function serve(model: StepModel): void {
  let running: Promise<void> | null = null;
  let isClosing = false;

  const frames = new EventFrames((events) => {
    const { active, queued, tokensGenerated } = scheduler;
    tell({ type: "events", events, counts: { active, queued, tokensGenerated } });
  });
  const scheduler = new Scheduler(model, settings.vocabulary, {
    maxConcurrent: settings.maxConcurrent,
    maxQueue: settings.maxQueue,
    prefixBytes: settings.prefixBytes,
    goal: settings.goal,
    emit: (event) => frames.add("error" in event ? { id: event.id, error: toWire(event.error) } : event),
  });

  /** Steps until there is nothing to do. Each run begins in a new turn of the event loop, so messages get in between. */
  async function run(): Promise<void> {
    while (!isClosing) {
      const goesOn = await scheduler.advance();
      frames.sendDue(goesOn && scheduler.onlySpeaks);
      if (!goesOn) break;
    }
    running = null;
  }

  async function answer(id: number, work: () => Promise<{ logProbs?: number[] }>): Promise<void> {
    try {
      tell({ type: "answer", id, ...(await work()) });
    } catch (error) {
      tell({ type: "refusal", id, error: toWire(error) });
    }
  }

  async function close(): Promise<void> {
    isClosing = true;
    await running;
    await model.dispose();
    port?.close();
  }

  port?.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "generate":
        try {
          scheduler.submit(message.id, message.request);
        } catch (error) {
          tell({ type: "refusal", id: message.id, error: toWire(error) });
        }
        break;
      case "cancel":
        scheduler.cancel(message.id);
        break;
      case "score":
        void answer(message.id, async () => ({
          logProbs: await scheduler.score(message.tokens, message.from, message.adapter),
        }));
        break;
      case "addAdapter":
        void answer(message.id, async () => {
          await scheduler.addAdapter(message.adapter);
          return {};
        });
        break;
      case "removeAdapter":
        void answer(message.id, async () => {
          await scheduler.removeAdapter(message.sha256);
          return {};
        });
        break;
      case "close":
        void close();
        break;
    }
    running ??= run();
  });
}

try {
  const { model, info } = await open();
  serve(model);
  tell({ type: "ready", model: info });
} catch (error) {
  tell({ type: "unusable", error: toWire(error) });
}
