import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { loadRewardModel } from "../load-reward-model.ts";
import { logOdds } from "./encoder-classifier.ts";
import { toxicLabel } from "./toxic-label.ts";

const fixtures = join(import.meta.dirname, "../../test/fixtures/encoders");
const folder = mkdtempSync(join(tmpdir(), "encoder-reward-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Reference {
  texts: string[];
  logits: [number, number][];
}
const referenceOf = (name: string) =>
  JSON.parse(readFileSync(join(fixtures, name, "reference.json"), "utf8")) as Reference;

describe("a reward model from Hugging Face", () => {
  it("scores by the odds of hate against the rest", async () => {
    const { texts, logits } = referenceOf("roberta-hate");
    const model = await loadRewardModel(join(fixtures, "roberta-hate"));
    const scores = await model.score(texts);
    for (const [i, [no, yes]] of logits.entries()) {
      expect(scores[i]?.logit).toBeCloseTo(yes - no, 4);
      expect(scores[i]?.toxicity).toBeCloseTo(1 / (1 + Math.exp(no - yes)), 4);
    }
    expect(model.name).toBe("roberta-hate");
    expect(model.version).toMatch(/^[0-9a-f]{12}$/);
    await model.dispose();
  });

  it("scores by the label's own odds where labels stand alone, and names the others as Perspective does", async () => {
    const { texts, logits } = referenceOf("bert-multi-label");
    const model = await loadRewardModel(join(fixtures, "bert-multi-label"));
    const [first] = await model.score(texts);
    expect(first?.logit).toBeCloseTo(logits[0]?.[0] ?? 0, 4);
    expect(Object.keys(first?.attributes ?? {}).sort()).toEqual(
      ["IDENTITY_ATTACK", "INSULT", "PROFANITY", "SEVERE_TOXICITY", "THREAT", "TOXICITY"].sort(),
    );
    expect(await model.score([])).toEqual([]);
    expect(await model.score([""])).toHaveLength(1);
    await model.dispose();
  });

  it("finds a toxic end of a long text", async () => {
    const model = await loadRewardModel(join(fixtures, "distilbert-unnamed"));
    const tail = "The question is not what they are, but what we are.";
    const long = `${"people ".repeat(80)}${tail}`;
    const [whole, start] = await model.score([long, "people ".repeat(80)]);
    expect(whole?.logit).not.toBeCloseTo(start?.logit ?? 0, 3);
    expect(whole?.logit).toBeGreaterThanOrEqual((start?.logit ?? 0) - 1e-6);
    await model.dispose();
  });

  it("is refused by name where files are damaged or it is no classifier", async () => {
    cpSync(join(fixtures, "bert-embedding"), folder, { recursive: true });
    await expect(loadRewardModel(folder)).rejects.toThrow(`${join(folder, "config.json")}: BertModel is no classifier`);
    cpSync(join(fixtures, "roberta-hate"), folder, { recursive: true });
    writeFileSync(join(folder, "model.safetensors"), "no");
    await expect(loadRewardModel(folder)).rejects.toThrow("model.safetensors: holds 2 bytes");
  });
});

describe("logOdds", () => {
  it("is ln p / (1 - p) of the softmax", () => {
    // Probabilities 0.7, 0.2, 0.1 have logarithms as logits.
    const logits = [0.7, 0.2, 0.1].map(Math.log);
    expect(logOdds(logits, 0, false)).toBeCloseTo(Math.log(0.7 / 0.3), 12);
    expect(logOdds(logits, 2, false)).toBeCloseTo(Math.log(0.1 / 0.9), 12);
    expect(logOdds([1.5, -2], 1, true)).toBe(-2);
  });
});

describe("toxicLabel", () => {
  beforeEach(() => rmSync(join(folder, "reward.json"), { force: true }));

  it.each([
    [["nothate", "hate"], 1],
    [["hate", "nothate"], 0],
    [["neutral", "toxic"], 1],
    [["non-toxic", "toxic"], 1],
    [["LABEL_0", "LABEL_1"], 1],
    [["not-offensive", "offensive"], 1],
    [["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"], 0],
    [["toxicity"], 0],
  ])("of %j is number %i", (labels, index) => expect(toxicLabel(folder, labels)).toBe(index));

  it("is asked for where none or several could be meant", () => {
    const file = join(folder, "reward.json");
    expect(() => toxicLabel(folder, ["LABEL_0", "LABEL_1", "LABEL_2"])).toThrow(
      `${folder}: of the labels "LABEL_0", "LABEL_1", "LABEL_2" none says that a text is toxic; name it in ${file}`,
    );
    expect(() => toxicLabel(folder, ["hate", "offensive", "neither"])).toThrow("several may say that a text is toxic");
    writeFileSync(file, '{"toxicLabel": "offensive"}');
    expect(toxicLabel(folder, ["hate", "offensive", "neither"])).toBe(1);
    expect(() => toxicLabel(folder, ["a"])).toThrow(
      `${file}: toxicLabel "offensive" is none of the model's labels "a"`,
    );
    writeFileSync(file, '{"label": 1}');
    expect(() => toxicLabel(folder, ["a"])).toThrow(`${file}: `);
  });
});
