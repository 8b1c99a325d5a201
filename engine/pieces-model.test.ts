/** A model as Llama 2 is published, in shards of bfloat16 and with SentencePiece tokens, is served like the embedded. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readArchitecture } from "./checkpoint/config.ts";
import { encodeSafetensors } from "./checkpoint/safetensors.ts";
import { randomStream } from "./generation/random.ts";
import { createEngine } from "./index.ts";
import { readTokenizerFile } from "./tokenizer/tokenizer-file.ts";
import type { Engine } from "./types.ts";

const folder = mkdtempSync(join(tmpdir(), "pieces-model-"));
const config = {
  architectures: ["LlamaForCausalLM"],
  vocab_size: 512,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  max_position_embeddings: 256,
  eos_token_id: 2,
};
let engine: Engine;

beforeAll(async () => {
  cpSync(join(import.meta.dirname, "../test/fixtures/tokenizers/llama2"), folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const random = randomStream(5);
  const tensors = [...readArchitecture(folder).parameters].map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < data.length; i++) data[i] = shape.length === 1 ? 0.5 + random() : random() - 0.5;
    return [name, { data, shape }] as const;
  });
  const map: Record<string, string> = {};
  for (const [i, part] of [tensors.slice(0, 4), tensors.slice(4)].entries()) {
    const file = `model-0000${i + 1}-of-00002.safetensors`;
    writeFileSync(join(folder, file), encodeSafetensors(new Map(part), "BF16"));
    for (const [name] of part) map[name] = file;
  }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
  engine = await createEngine({ modelDir: folder, threads: 1 });
});
afterAll(async () => {
  await engine?.close();
  rmSync(folder, { recursive: true });
});

it("streams text that is whole characters and, joined, what its tokens spell", async () => {
  const { kind, bytes } = readTokenizerFile(folder, config.vocab_size);
  expect(kind).toBe("pieces");
  let byteTokens = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const stream = engine.generate({
      promptTokens: engine.renderChat([{ role: "user", content: "Hello there! 🙂" }]),
      adapter: null,
      sampling: { temperature: 2, topK: 0, topP: 1, repetitionPenalty: 1, seed },
      maxTokens: 60,
      stop: [],
    });
    const texts: string[] = [];
    for (;;) {
      const step = await stream.next();
      if (step.done) {
        expect(texts.join("")).toBe(step.value.text);
        // By hand: the bytes of the tokens one after another, without the one space that a text begins with.
        const spelled = Buffer.concat(
          step.value.tokens.map((token) => bytes.bytes.subarray(bytes.offsets[token], bytes.offsets[token + 1])),
        );
        expect(step.value.text).toBe(spelled.toString("utf8").replace(/^ /, ""));
        // <0x00> to <0xFF> are numbered from 3 on.
        byteTokens += step.value.tokens.filter((token) => token >= 3 && token < 259).length;
        break;
      }
      expect(step.value.text.isWellFormed()).toBe(true);
      texts.push(step.value.text);
    }
  }
  expect(byteTokens).toBeGreaterThan(20);
});
