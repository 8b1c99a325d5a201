import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { loadReward } from "./reward.ts";
import type { ExchangeToJudge, Reward } from "./types.ts";

const encoders = join(import.meta.dirname, "../test/fixtures/encoders");
const embedded = join(import.meta.dirname, "../models/toxicity-small");
const folder = mkdtempSync(join(tmpdir(), "rejoinder-reward-"));
afterAll(() => rmSync(folder, { recursive: true }));

const opened: Reward[] = [];
afterEach(async () => {
  for (const reward of opened.splice(0)) await reward.dispose();
});
async function open(path?: string, environment: NodeJS.ProcessEnv = {}): Promise<Reward> {
  const reward = await loadReward(path, environment);
  opened.push(reward);
  return reward;
}

let files = 0;
function write(content: string, ending = "yaml"): string {
  const path = join(folder, `reward-${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const exchange = (prompt: string, reply: string): ExchangeToJudge => ({
  messages: [{ role: "user", content: prompt }],
  reply,
});
const message = "Refugees bring nothing but crime to our towns.";

describe("the reward that comes with the product", () => {
  it("puts a counter-narrative above every way to dodge one", async () => {
    const reward = await open();
    const answer =
      "Refugees commit no more crimes than their neighbours; most of them fled from crime and war themselves.";
    const replies = [
      answer,
      "What do you mean by that?",
      "",
      "No.",
      message,
      "peace and love ".repeat(12),
      "Das stimmt doch einfach nicht, die meisten sind selbst vor dem Krieg geflohen.",
      "You are a stupid idiot, go and drown yourself.",
      "I had pancakes with maple syrup for breakfast on Sunday morning.",
    ];
    const judged = await reward.judge(replies.map((reply) => exchange(message, reply)));
    const [best, ...others] = judged.map((one) => one.reward.total);
    for (const other of others) expect(best).toBeGreaterThan(other + 1);
    for (const { reward: given } of judged) {
      expect(Object.keys(given.terms).sort()).toEqual(
        ["annotation", "empty", "evasion", "language", "length", "relevance", "repetition", "toxicity"].sort(),
      );
      expect(Object.values(given.terms).reduce((sum, term) => sum + term, 0)).toBeCloseTo(given.total, 9);
      expect(given.version).toBe(reward.version);
    }
    expect(judged[0]?.reward.terms).toMatchObject({ evasion: 0, length: 0, language: 0, empty: 0, repetition: 0 });
    expect(judged.map((one) => one.reward.terms.evasion)[1]).toBe(-4);
  });

  it("is the same from its own folder, and another with another classifier", async () => {
    const reward = await open();
    expect((await open(embedded)).version).toBe(reward.version);
    const other = await open(join(encoders, "roberta-hate"));
    expect(other.name).toBe("roberta-hate");
    expect(other.version).not.toBe(reward.version);
  });
});

describe("a configuration file", () => {
  it("names the terms that count and no others, in YAML or JSON", async () => {
    const yaml = await open(write("name: quiet\nterms:\n  toxicity: { weight: 1 }\n  empty: { weight: 2 }\n"));
    const json = await open(write('{"terms": {"empty": {"weight": 2}, "toxicity": {"weight": 1}}}', "json"));
    expect([yaml.name, json.name]).toEqual(["quiet", "toxicity-small"]);
    expect(json.version).toBe(yaml.version);
    expect(yaml.annotationWeight).toBe(0);
    const [judged] = await yaml.judge([exchange(message, "")]);
    // The classifier gives a text without words the log-odds -4, more than enough.
    expect(judged?.reward.terms).toEqual({ toxicity: 3, empty: -2, annotation: 0 });
  });

  it("means folders from where it lies, and its version goes by what they hold", async () => {
    cpSync(join(encoders, "roberta-hate"), join(folder, "classifier"), { recursive: true });
    const near = await open(write("terms: { toxicity: { weight: 1, model: ./classifier } }"));
    const far = await open(write(`terms: { toxicity: { weight: 1, model: ${join(encoders, "roberta-hate")} } }`));
    const own = await open(write("terms: { toxicity: { weight: 1 } }"));
    expect(near.version).toBe(far.version);
    expect(own.version).not.toBe(far.version);
  });

  it("composes ensembles, and relevance by an encoder", async () => {
    const hate = join(encoders, "roberta-hate");
    const embedding = join(encoders, "bert-embedding");
    const reward = await open(
      write(`
terms:
  ensemble: { weight: 1, models: [embedded, ${hate}], combine: minimum, disagreement: 0.5 }
  relevance: { weight: 1, model: ${embedding}, unrelated: -1, related: 1 }
`),
    );
    const [same, other] = await reward.judge([exchange("people", "people"), exchange("people", "Hello there!")]);
    expect(same?.reward.terms.relevance).toBeCloseTo(1, 5);
    expect(other?.reward.terms.relevance).toBeLessThan(1);
    expect(Object.keys(same?.reward.terms ?? {})).toEqual(["ensemble", "relevance", "annotation"]);
    const [alone] = await (await open(write(`terms: { toxicity: { weight: 1, model: ${hate} } }`))).judge([
      exchange("people", "people"),
    ]);
    expect(same?.reward.terms.ensemble).not.toBe(alone?.reward.terms.toxicity);
  });

  it("shows toxicity although no term counts it", async () => {
    const reward = await open(write("terms: { length: { weight: 1, least: 2, most: 3 } }"));
    const [judged] = await reward.judge([exchange(message, "one")]);
    expect(judged?.reward.terms).toEqual({ toxicity: 0, length: -0.5, annotation: 0 });
    expect(judged?.toxicity.prompt).toBeGreaterThan(0);
  });

  it.each([
    ["terms: { toxicity: { weight: heavy } }", "terms.toxicity.weight: "],
    ["terms: { wit: { weight: 1 } }", 'terms: Unrecognized key: "wit"'],
    ["terms: { evasion: { weight: -1 } }", "terms.evasion.weight: "],
    ["terms: {}", "terms: expected at least one term"],
    ["terms: { length: { weight: 1, least: 9, most: 3 } }", "terms.length: expected least to be at most most"],
    ["terms: { language: { weight: 1, expected: tlh } }", "terms.language.expected: "],
    ["terms: { ensemble: { weight: 1, models: [embedded] } }", "terms.ensemble.models: "],
    ["terms: { perspective: { weight: 1, endpoint: nowhere } }", "terms.perspective.endpoint: "],
    ["terms: [", "is not YAML: "],
    ["terms: { toxicity: { weight: 1, model: ./missing } }", "missing"],
    ["terms: { relevance: { weight: 1, related: -1 } }", "relevance: expected unrelated to be less than related"],
    [`terms: { relevance: { weight: 1, model: ${join(encoders, "roberta-hate")} } }`, "is a classifier"],
    ["terms: { perspective: { weight: 1 } }", "environment variable PERSPECTIVE_API_KEY, which is not set"],
  ])("that says %s is refused by its name and the place in it", async (content, sentence) => {
    const path = write(content);
    const failure = await open(path).catch((error: unknown) => String(error));
    expect(failure).toContain(`${path}: `);
    expect(failure).toContain(sentence);
  });

  it("is asked for where there is neither file nor folder", async () => {
    await expect(open(join(folder, "nothing"))).rejects.toThrow(
      "expected a folder with a classifier, or a configuration",
    );
    await expect(open(join(folder, "nothing.yaml"))).rejects.toThrow("nothing.yaml: cannot be read");
  });

  it("takes the key of a service from the environment", async () => {
    const path = write("terms: { perspective: { weight: 1, keyVariable: MY_KEY, requestsPerSecond: 10 } }");
    const reward = await open(path, { MY_KEY: "secret" });
    expect(reward.name).toBe("perspective commentanalyzer.googleapis.com");
    expect((await open(path, { MY_KEY: "another" })).version).toBe(reward.version);
  });
});

describe("a reward whose encoder dies", () => {
  it("says so instead of judging without it", async () => {
    const reward = await loadReward(join(encoders, "roberta-hate"));
    await reward.dispose();
    await expect(reward.judge([exchange(message, "people")])).rejects.toThrow("The reward's term toxicity failed: ");
  });
});
