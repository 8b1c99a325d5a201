/** Encoders against transformers: scripts/fixtures/tiny-encoders.py. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { encodeSafetensors, openSafetensors, readTensor } from "../checkpoint/safetensors.ts";
import { CheckpointError } from "../types.ts";
import { openEncoder } from "./encoder.ts";
import { readEncoderDescription } from "./encoder-config.ts";

const fixtures = join(import.meta.dirname, "../../test/fixtures/encoders");
const folder = mkdtempSync(join(tmpdir(), "encoder-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Reference {
  texts: string[];
  ids: number[][];
  logits: number[][];
  means: number[][];
}

const referenceOf = (name: string) =>
  JSON.parse(readFileSync(join(fixtures, name, "reference.json"), "utf8")) as Reference;

/** Largest difference of the numbers of two lists. */
function difference(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] ?? Number.NaN))), 0);
}

const classifiers = ["bert-multi-label", "roberta-hate", "distilbert-unnamed"];
const embedders = ["bert-embedding", "distilbert-embedding"];

describe.each(classifiers)("%s", (name) => {
  it("gives the logits of transformers, for a padded batch and for each text alone", async () => {
    const { texts, logits } = referenceOf(name);
    const encoder = await openEncoder({ folder: join(fixtures, name) });
    const together = await encoder.classify(texts);
    for (const [i, text] of texts.entries()) {
      const [alone] = await encoder.classify([text]);
      for (const windows of [together[i], alone]) {
        expect(windows).toHaveLength(1);
        expect(difference(windows?.[0]?.logits ?? [], logits[i] ?? [])).toBeLessThan(1e-4);
      }
    }
    await encoder.dispose();
  });
});

describe.each(embedders)("%s", (name) => {
  it("gives the mean of transformers' hidden states, padding left out", async () => {
    const { texts, means } = referenceOf(name);
    const encoder = await openEncoder({ folder: join(fixtures, name), batch: 3 });
    const embedded = await encoder.embed(texts);
    for (const [i, mean] of means.entries()) expect(difference(embedded[i] ?? [], mean)).toBeLessThan(1e-4);
    const [unit] = await encoder.embed(texts.slice(0, 1), { normalize: true });
    const length = Math.hypot(...(means[0] ?? []));
    expect(
      difference(
        unit ?? [],
        (means[0] ?? []).map((value) => value / length),
      ),
    ).toBeLessThan(1e-5);
    await expect(encoder.classify(["a"])).rejects.toThrow("has no classification head");
    await encoder.dispose();
  });
});

describe("probabilities", () => {
  it("are of each label alone where several may hold", async () => {
    const name = "bert-multi-label";
    const encoder = await openEncoder({ folder: join(fixtures, name) });
    const { texts, logits } = referenceOf(name);
    const [[first] = []] = await encoder.classify(texts.slice(0, 1));
    const expected = (logits[0] ?? []).map((logit) => 1 / (1 + Math.exp(-logit)));
    expect(difference(first?.probabilities ?? [], expected)).toBeLessThan(1e-5);
    expect(encoder.info.labels).toEqual(["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]);
    await encoder.dispose();
  });

  it("share one among labels that exclude each other", async () => {
    const name = "roberta-hate";
    const encoder = await openEncoder({ folder: join(fixtures, name) });
    const { texts, logits } = referenceOf(name);
    const [[first] = []] = await encoder.classify(texts.slice(0, 1));
    const [no = 0, yes = 0] = logits[0] ?? [];
    expect(first?.probabilities[1]).toBeCloseTo(1 / (1 + Math.exp(no - yes)), 5);
    expect(encoder.info.labels).toEqual(["nothate", "hate"]);
    await encoder.dispose();
  });
});

describe("a text longer than the context", () => {
  it("is read to its end in windows", async () => {
    const encoder = await openEncoder({ folder: join(fixtures, "bert-multi-label") });
    // 48 positions, 46 without [CLS] and [SEP]; windows begin 34 tokens apart: 46, 80, 114 tokens are reached.
    const [windows] = await encoder.classify([`${"the ".repeat(99)}people`]);
    expect(windows).toHaveLength(3);
    const [[tail] = []] = await encoder.classify([`${"the ".repeat(99 - 68)}people`]);
    expect(difference(windows?.[2]?.logits ?? [], [...(tail?.logits ?? [])])).toBeLessThan(1e-5);
    await encoder.dispose();
  });
});

describe("folders", () => {
  const source = join(fixtures, "bert-embedding");
  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true });
    cpSync(source, folder, { recursive: true });
  });
  const configure = (changes: object) => {
    const config = JSON.parse(readFileSync(join(source, "config.json"), "utf8")) as object;
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...changes }));
  };

  it("are read as masked language models and TensorFlow name things", async () => {
    const file = openSafetensors(join(source, "model.safetensors"));
    const older = (name: string) =>
      `bert.${name}`.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    const tensors = new Map(
      [...file.tensors].map(([name, { shape }]) => [older(name), { data: readTensor(file, name), shape }]),
    );
    tensors.set("cls.predictions.bias", { data: new Float32Array(3), shape: [3] });
    writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(tensors, "F32"));
    configure({ architectures: ["BertForMaskedLM"] });
    const { texts, means } = referenceOf("bert-embedding");
    const encoder = await openEncoder({ folder });
    const [first] = await encoder.embed(texts.slice(0, 1));
    expect(difference(first ?? [], means[0] ?? [])).toBeLessThan(1e-4);
    await encoder.dispose();
  });

  it("say how sentence-transformers pools", () => {
    mkdirSync(join(folder, "1_Pooling"));
    const pool = (modes: object) => writeFileSync(join(folder, "1_Pooling/config.json"), JSON.stringify(modes));
    pool({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false });
    writeFileSync(join(folder, "modules.json"), '[{"type": "sentence_transformers.models.Normalize"}]');
    writeFileSync(join(folder, "sentence_bert_config.json"), '{"max_seq_length": 16}');
    expect(readEncoderDescription(folder)).toMatchObject({ pooling: "first", normalize: true, contextLength: 16 });
    pool({ pooling_mode_max_tokens: true });
    expect(() => readEncoderDescription(folder)).toThrow("pooling by pooling_mode_max_tokens is not supported");
  });

  it.each([
    [{ architectures: ["T5Model"] }, 'architectures names "T5Model"; encoders are of BERT'],
    [{ hidden_size: 33 }, "hidden size 33 is no multiple of 4"],
    [{ hidden_act: "swish" }, 'activation "swish" is not supported'],
    [{ position_embedding_type: "relative_key" }, "position_embedding_type"],
    [{ num_hidden_layers: 1e9 }, "num_hidden_layers"],
    [{ num_hidden_layers: 3 }, "tensor bert.encoder.layer.2.attention.self.query.weight is missing"],
  ])("that ask for %j are refused by name", async (changes, message) => {
    configure(changes);
    const refused: unknown = await openEncoder({ folder }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CheckpointError);
    expect((refused as Error).message).toContain(folder);
    expect((refused as Error).message).toContain(message);
  });
});
