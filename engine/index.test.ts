import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rememberWeights } from "./architectures/architecture.ts";
import { scoringExpressions } from "./architectures/scoring-graph.ts";
import { scoringFeeds } from "./architectures/tiny-llama-fixture.ts";
import { readCheckpoint } from "./checkpoint/checkpoint.ts";
import { randomCheckpoint } from "./generation/random-checkpoint.ts";
import * as ops from "./graph/ops.ts";
import { createEngine } from "./index.ts";
import { loraFeeds, trainableLora } from "./lora/lora-context.ts";
import { readPeftAdapter } from "./lora/peft.ts";
import { createSession, floats } from "./runtime/session.ts";
import {
  CheckpointError,
  type Device,
  DeviceError,
  type Engine,
  EngineBusyError,
  EngineRequestError,
  type GenerationChunk,
  type GenerationRequest,
  type GenerationResult,
} from "./types.ts";

const checkpoint = randomCheckpoint();
const folders = [checkpoint.addAdapter(1, 4), checkpoint.addAdapter(2, 8)];
const adapters: (string | null)[] = [null];
let engine: Engine;

beforeAll(async () => {
  engine = await createEngine({ modelDir: checkpoint.folder, threads: 1, maxConcurrent: 8, maxQueue: 4 });
  for (const folder of folders) adapters.push((await engine.loadAdapter(folder)).sha256);
});
afterAll(async () => {
  await engine.close();
  checkpoint.remove();
});

const sampling = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };

function request(change: Partial<GenerationRequest> = {}): GenerationRequest {
  const promptTokens = engine.renderChat([{ role: "user", content: "Who are you?" }]);
  return { promptTokens, adapter: null, sampling, maxTokens: 20, stop: [], ...change };
}

async function collect(
  steps: AsyncGenerator<GenerationChunk, GenerationResult, void>,
): Promise<{ chunks: GenerationChunk[]; result: GenerationResult }> {
  const chunks: GenerationChunk[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done) return { chunks, result: step.value };
    chunks.push(step.value);
  }
}

const generate = async (change: Partial<GenerationRequest> = {}) =>
  (await collect(engine.generate(request(change)))).result;

/** A prompt of a length that is read in several chunks, different for each seed. */
function longPrompt(seed: number, length: number): number[] {
  return Array.from({ length }, (_, i) => 10 + ((seed * 7919 + i * 31) % 8000));
}

/** ln softmax at each token of a sequence by the full forward pass, of which scoring and training are made. */
async function fullForward(tokens: readonly number[], folder: string | null): Promise<Float32Array> {
  const { architecture, weights } = readCheckpoint(checkpoint.folder);
  const adapter = folder === null ? null : readPeftAdapter(folder, architecture);
  const weight = rememberWeights((name, shape) => ops.weight(name, shape));
  const context = adapter === null ? { weight } : { weight, adapt: trainableLora(architecture, adapter.shape).adapt };
  const { logProbs } = scoringExpressions(architecture, context);
  const buffers = Object.fromEntries(
    [...weights].map(([name, data]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  );
  const locate = (name: string) => ({ file: name, offset: 0, length: buffers[name]?.byteLength ?? 0 });
  const session = await createSession({ logProbs }, { threads: 1, buffers, locate });
  const lora = adapter === null ? {} : loraFeeds(architecture, adapter);
  const result = await session.run({ ...scoringFeeds([tokens]), ...lora });
  await session.dispose();
  return floats(result.logProbs);
}

function expectClose(actual: readonly number[], expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4);
}

describe("generate", () => {
  it("samples from the distribution of the full forward pass, in a batch with others as alone", async () => {
    const requests = Array.from({ length: 8 }, (_, i) =>
      request({
        promptTokens: longPrompt(i, 20 + 40 * i),
        adapter: adapters[i % 3] as string | null,
        sampling: { ...sampling, seed: i },
        maxTokens: 10 + 5 * i,
      }),
    );
    const together = await Promise.all(requests.map(async (r) => (await collect(engine.generate(r))).result));
    for (const [i, each] of requests.entries()) {
      const alone = (await collect(engine.generate(each))).result;
      const batched = together[i] as GenerationResult;
      expect(batched.tokens).toEqual(alone.tokens);
      expect(batched.text).toBe(alone.text);
      expectClose(batched.logProbs, alone.logProbs);
      const all = await fullForward([...each.promptTokens, ...alone.tokens], [null, ...folders][i % 3] ?? null);
      expectClose(alone.logProbs, all.slice(each.promptTokens.length - 1));
    }
  });

  it("gives the same reply for the same seed and another for another", async () => {
    const seeded = (seed: number) => generate({ sampling: { ...sampling, seed } });
    const [first, again, other] = [await seeded(5), await seeded(5), await seeded(6)];
    // The second time its prompt was not read anew, which may round otherwise.
    expect(again.tokens).toEqual(first.tokens);
    expectClose(again.logProbs, first.logProbs);
    expect(other.tokens).not.toEqual(first.tokens);
  });

  it("goes on with a conversation as if all of it were read anew, whatever adapter said it", async () => {
    for (const adapter of adapters) {
      const first = await generate({ adapter, promptTokens: longPrompt(3, 90), maxTokens: 30 });
      const later = [...longPrompt(3, 90), ...first.tokens, ...longPrompt(4, 7)];
      // Read by another adapter first, whose keys and values must not be taken.
      const other = adapters[(adapters.indexOf(adapter) + 1) % adapters.length] ?? null;
      await generate({ adapter: other, promptTokens: later, maxTokens: 2 });
      const { tokens, logProbs } = await generate({ adapter, promptTokens: later, maxTokens: 10 });
      const folder = [null, ...folders][adapters.indexOf(adapter)] ?? null;
      const all = await fullForward([...later, ...tokens], folder);
      expectClose(logProbs, all.slice(later.length - 1));
    }
  });

  it("streams chunks that add up to the result", async () => {
    const { chunks, result } = await collect(engine.generate(request({ maxTokens: 60, topLogProbs: 3 })));
    expect(chunks.flatMap(({ tokens }) => tokens)).toEqual(result.tokens);
    expect(chunks.flatMap(({ logProbs }) => logProbs)).toEqual(result.logProbs);
    expect(chunks.map(({ text }) => text).join("")).toBe(result.text);
    expect(result.finishReason).toBe("length");
    expect(engine.decode(result.tokens).startsWith(result.text)).toBe(true);
    for (const { alternatives } of chunks) expect(alternatives?.[0]?.length).toBe(3);
  });

  it("ends before a stop string and says so", async () => {
    const whole = await generate({ maxTokens: 60 });
    const stop = whole.text.slice(30, 34);
    const stopped = await generate({ maxTokens: 60, stop: [stop] });
    expect(stopped.finishReason).toBe("stop");
    expect(stopped.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
  });

  it("is certain of what it says at temperature 0", async () => {
    const greedy = await generate({ sampling: { ...sampling, temperature: 0 } });
    expect(greedy.logProbs).toEqual(greedy.tokens.map(() => 0));
    expect(await generate({ sampling: { ...sampling, temperature: 0, seed: 99 } })).toEqual(greedy);
  });

  it("ends for want of room when prompt and reply fill the context", async () => {
    const result = await generate({ promptTokens: longPrompt(1, 500), maxTokens: 100 });
    expect([result.finishReason, result.tokens.length]).toEqual(["length", 12]);
  });

  it("ends at the next token when aborted, with what was said so far", async () => {
    const abort = new AbortController();
    const steps = engine.generate(request({ maxTokens: 400 }), { signal: abort.signal });
    const said: number[] = [];
    for (let i = 0; i < 3; i++) said.push(...((await steps.next()).value as GenerationChunk).tokens);
    abort.abort();
    const { chunks, result } = await collect(steps);
    expect(result.finishReason).toBe("cancelled");
    expect(result.tokens).toEqual([...said, ...chunks.flatMap(({ tokens }) => tokens)]);
    expect(result.tokens.length).toBeLessThan(200);
    expect((await collect(engine.generate(request(), { signal: abort.signal }))).result).toEqual({
      tokens: [],
      logProbs: [],
      text: "",
      finishReason: "cancelled",
    });
  });

  it("stops working for a reader that turned away", async () => {
    for await (const _ of engine.generate(request({ maxTokens: 400 }))) break;
    await expect.poll(() => engine.stats().active).toBe(0);
  });

  it("refuses requests beyond the queue and serves the others", async () => {
    const started = Array.from({ length: 13 }, (_, seed) =>
      generate({ maxTokens: 30, sampling: { ...sampling, seed } }).then(
        ({ finishReason }) => finishReason,
        (error: unknown) => error,
      ),
    );
    const outcomes = await Promise.all(started);
    expect(outcomes.filter((outcome) => outcome instanceof EngineBusyError).length).toBe(1);
    expect(outcomes.filter((outcome) => outcome === "length").length).toBe(12);
  });

  it("refuses what cannot be served, before the first chunk and by name", async () => {
    const refusal = (change: Partial<GenerationRequest>) =>
      generate(change).then(
        () => null,
        (error: EngineRequestError) => [error instanceof EngineRequestError, error.code, error.message],
      );
    expect(await refusal({ adapter: "f00" })).toEqual([
      true,
      "unknown_adapter",
      "no adapter with sha256 f00 is loaded",
    ]);
    expect((await refusal({ promptTokens: longPrompt(1, 512) }))?.[1]).toBe("context_length_exceeded");
    for (const [change, words] of [
      [{ promptTokens: [] }, "holds no token"],
      [{ promptTokens: [8192] }, "token 0 has the id 8192"],
      [{ maxTokens: 0 }, "maxTokens must be"],
      [{ stop: ["a", ""] }, 'stop[1] must be a string that is not empty, not ""'],
      [{ topLogProbs: 21 }, "topLogProbs must be a whole number from 0 to 20, not 21"],
      [{ sampling: { ...sampling, temperature: Number.NaN } }, "temperature must be"],
      [{ sampling: { ...sampling, topP: 0 } }, "topP must be"],
      [{ sampling: { ...sampling, topK: 1.5 } }, "topK must be"],
      [{ sampling: { ...sampling, seed: 0.5 } }, "seed must be"],
    ] as [Partial<GenerationRequest>, string][]) {
      const [isRequestError, code, message] = (await refusal(change)) ?? [];
      expect([isRequestError, code]).toEqual([true, "invalid_option"]);
      expect(message).toContain(words);
    }
  });
});

describe("score", () => {
  it("gives the log-probs of the full forward pass, for base and adapters, over several chunks", async () => {
    const tokens = longPrompt(3, 200);
    for (const [i, adapter] of adapters.entries()) {
      const expected = await fullForward(tokens, i === 0 ? null : (folders[i - 1] as string));
      expectClose(await engine.score({ tokens, from: 30, adapter }), expected.slice(29));
    }
  });

  it("gives the log-probs that a reply was sampled with, while others are speaking", async () => {
    const busy = generate({ maxTokens: 100 });
    const asked = request({ adapter: adapters[1] as string, maxTokens: 15 });
    const { result } = await collect(engine.generate(asked));
    const tokens = [...asked.promptTokens, ...result.tokens];
    expectClose(
      await engine.score({ tokens, from: asked.promptTokens.length, adapter: asked.adapter }),
      result.logProbs,
    );
    await busy;
  });

  it("refuses a place that nothing comes before", async () => {
    await expect(engine.score({ tokens: [1, 2], from: 0, adapter: null })).rejects.toThrow(
      "from must lie between 1 and 1",
    );
  });
});

describe("adapters", () => {
  it("come and go while a reply that uses them goes on to its end", async () => {
    const folder = checkpoint.addAdapter(7, 4);
    const { sha256, rank, alpha, targetModules } = await engine.loadAdapter(folder);
    expect({ rank, alpha, targetModules }).toEqual({
      rank: 4,
      alpha: 8,
      targetModules: ["q_proj", "v_proj", "o_proj", "down_proj"],
    });
    expect(engine.stats().residentAdapters).toContain(sha256);
    const expected = await generate({ adapter: sha256, maxTokens: 120 });
    const steps = engine.generate(request({ adapter: sha256, maxTokens: 120 }));
    const first = await steps.next();
    let isGone = false;
    const gone = engine.unloadAdapter(sha256).then(() => {
      isGone = true;
    });
    await expect(generate({ adapter: sha256 })).rejects.toThrow(EngineRequestError);
    expect(isGone).toBe(false);
    const { chunks } = await collect(steps);
    await gone;
    const tokens = [first.value as GenerationChunk, ...chunks].flatMap((chunk) => chunk.tokens);
    expect(tokens).toEqual(expected.tokens);
    expect(engine.stats().residentAdapters).not.toContain(sha256);
  });

  it("are the same however often they are loaded", async () => {
    expect((await engine.loadAdapter(folders[0] as string)).sha256).toBe(adapters[1]);
    expect(engine.stats().residentAdapters.length).toBe(2);
  });

  it("are refused with the weights of another and its own scaling, which the hash does not tell apart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rejoinder-adapter-"));
    cpSync(folders[0] as string, folder, { recursive: true });
    const path = join(folder, "adapter_config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as { lora_alpha: number };
    writeFileSync(path, JSON.stringify({ ...config, lora_alpha: 2 * config.lora_alpha }));
    await expect(engine.loadAdapter(folder)).rejects.toThrow(/scales by .* loaded already scaled by/);
    rmSync(folder, { recursive: true });
  });

  it("are refused by file and tensor when they do not fit", async () => {
    const folder = checkpoint.addAdapter(8, 4);
    writeFileSync(join(folder, "adapter_model.safetensors"), "damaged");
    await expect(engine.loadAdapter(folder)).rejects.toThrow(CheckpointError);
    await expect(engine.loadAdapter(join(folder, "nowhere"))).rejects.toThrow("adapter_config.json");
  });
});

describe("createEngine", () => {
  it("knows the model", () => {
    const { id, parameters, ...rest } = engine.model;
    expect(rest).toEqual({
      architecture: "LlamaForCausalLM",
      quantization: "none",
      contextLength: 512,
      sha256: readCheckpoint(checkpoint.folder).sha256,
      hasAdapterSupport: true,
    });
    expect(checkpoint.folder.endsWith(id)).toBe(true);
    // Two embeddings of 8192 x 32; in each layer q and o of 32 x 32, k and v of 16 x 32, three of 64 x 32, two norms.
    expect(parameters).toBe(2 * 8192 * 32 + 2 * (2048 + 1024 + 6144 + 64) + 32);
  });

  it("refuses a checkpoint whose weights are missing", async () => {
    const broken = randomCheckpoint();
    rmSync(join(broken.folder, "model.safetensors"));
    await expect(createEngine({ modelDir: broken.folder })).rejects.toThrow(CheckpointError);
    broken.remove();
  });

  it("refuses settings that make no sense", async () => {
    await expect(createEngine({ modelDir: checkpoint.folder, threads: 0 })).rejects.toThrow("threads must be");
  });

  it("refuses a device that is not there by its name, with what is, and one that never was", async () => {
    const start = (device: string) => createEngine({ modelDir: checkpoint.folder, device: device as Device });
    const refused = await start("cuda").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DeviceError);
    expect((refused as Error).message).toMatch(
      /^onnxruntime's cuda provider is not there: .*cuda12.* \(it offers: cpu/,
    );
    await expect(start("tpu")).rejects.toThrow("device must be one of cpu, cuda, webgpu, not tpu");
    await (await start("cpu")).close();
  });

  it("ends what is in work when it is closed", async () => {
    const other = await createEngine({ modelDir: checkpoint.folder, threads: 1 });
    const steps = other.generate(request({ maxTokens: 400 }));
    await steps.next();
    await other.close();
    await expect(collect(steps)).rejects.toThrow("the engine was closed");
    await expect(other.generate(request()).next()).rejects.toThrow("the engine was closed");
    await other.close();
  });
});
