import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { loadTokenizer } from "../tokenizer/tokenizer.ts";
import type { GenerationRequest } from "../types.ts";
import { EngineClient } from "./engine-client.ts";

const modelDir = join(import.meta.dirname, "../../models/rejoinder-tiny");
const tokenizer = loadTokenizer(modelDir, 8192);

/** A thread that says it is ready and breaks as soon as something is asked of it. */
const breaking = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", () => { throw new Error("something gave way"); });
  parentPort.postMessage({ type: "ready", model: {} });
`;

const request: GenerationRequest = {
  promptTokens: [1],
  adapter: null,
  sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
  maxTokens: 5,
  stop: [],
};

describe("EngineClient", () => {
  it("tells everybody who waits when its thread breaks, and everybody who comes later", async () => {
    const failures: string[] = [];
    const thread = new Worker(breaking, { eval: true });
    const client = await EngineClient.attach(thread, modelDir, tokenizer, ({ message }) => failures.push(message));
    const waiting = [
      client.generate(request).next(),
      client.generate(request).next(),
      client.score({ tokens: [1, 2], from: 1, adapter: null }),
    ];
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { message: "the engine's thread failed: something gave way", cause: { message: "something gave way" } },
      });
    }
    await expect(client.generate(request).next()).rejects.toThrow("something gave way");
    await expect(client.unloadAdapter("any")).rejects.toThrow("something gave way");
    expect(client.stats()).toMatchObject({ active: 0, queued: 0 });
    await client.close();
    expect(failures).toEqual(["the engine's thread failed: something gave way"]);
  });

  it("does not wait for a thread that ends before it is ready", async () => {
    const ending = new Worker("process.exit(3)", { eval: true });
    await expect(EngineClient.attach(ending, modelDir, tokenizer)).rejects.toThrow("ended with code 3");
  });
});
