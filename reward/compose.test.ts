import { describe, expect, it } from "vitest";
import { rejudge } from "./annotations/rejudge.ts";
import { type Composition, createReward, type WeightedModel } from "./compose.ts";
import { textTerm } from "./terms/term.ts";
import { type ExchangeToJudge, RewardError, type RewardModel } from "./types.ts";

/** Log-odds of a text are the number that it spells. */
const spelling: RewardModel = {
  name: "spelling",
  version: "0123456789ab",
  score: async (texts) =>
    texts.map((text) => ({
      logit: Number(text),
      toxicity: 1 / (1 + Math.exp(-Number(text))),
      attributes: { INSULT: 0.25 },
    })),
  dispose: async () => undefined,
};
const classified = (change: Partial<WeightedModel> = {}): WeightedModel => ({
  term: "toxicity",
  weight: 0.5,
  range: { bound: 6, enough: 3 },
  model: spelling,
  ...change,
});
const lengthTerm = textTerm({ code: 1 }, ({ reply }) => -reply.length);
const composition: Composition = {
  name: "a reward",
  models: [classified()],
  terms: [{ name: "shortness", weight: 0.1, term: lengthTerm }],
  annotationWeight: 4,
};
const exchange = (prompt: string, reply: string): ExchangeToJudge => ({
  messages: [
    { role: "user", content: "earlier" },
    { role: "assistant", content: "said" },
    { role: "user", content: prompt },
  ],
  reply,
});

describe("a composed reward", () => {
  it("adds up its weighted terms and reports each apart", async () => {
    const [first, second] = await createReward(composition).judge([exchange("1", "-2"), exchange("0", "50")]);
    // 0.5 * 2 nats of harmlessness, and 0.1 for each of two characters.
    expect(first?.reward.terms).toEqual({ toxicity: 1, shortness: -0.2, annotation: 0 });
    expect(first?.reward.total).toBeCloseTo(0.8, 12);
    expect(first?.toxicity.prompt).toBeCloseTo(0.731059, 6); // 1 / (1 + e^-1)
    expect(first?.toxicity.reply).toBeCloseTo(0.119203, 6); // 1 / (1 + e^2)
    expect(first?.toxicity.attributes).toEqual({ INSULT: 0.25, TOXICITY: first?.toxicity.reply });
    expect(second?.reward.terms).toEqual({ toxicity: -3, shortness: -0.2, annotation: 0 }); // clipped at 6 nats
  });

  it("leaves a place for what annotators say later", async () => {
    const [judged] = await createReward(composition).judge([exchange("0", "-2")]);
    if (judged === undefined) throw new Error("nothing was judged");
    const again = rejudge(judged.reward, 0.5, composition.annotationWeight);
    expect(again.terms).toEqual({ toxicity: 1, shortness: -0.2, annotation: 2 });
    expect(again.total).toBeCloseTo(2.8, 12);
    expect(again.version).toBe(judged.reward.version);
  });

  it("shows the first model's toxicity and counts every model's", async () => {
    const opposite: RewardModel = {
      ...spelling,
      score: async (texts) => texts.map(() => ({ logit: 3, toxicity: 0.95, attributes: {} })),
    };
    const models = [classified(), classified({ term: "perspective", weight: 0.1, model: opposite })] as const;
    const [judged] = await createReward({ ...composition, models }).judge([exchange("0", "-2")]);
    expect(judged?.reward.terms).toMatchObject({ toxicity: 1, perspective: expect.closeTo(-0.3, 12) });
    expect(judged?.toxicity.reply).toBeCloseTo(0.119203, 6);
  });

  it("has a version that depends on all that it is made of, and on nothing else", () => {
    const { version } = createReward(composition);
    expect(version).toMatch(/^[0-9a-f]{12}$/);
    const of = (change: Partial<Composition>) => createReward({ ...composition, ...change }).version;
    expect(of({ name: "another name" })).toBe(version);
    const second = { name: "second", weight: 1, term: textTerm({ code: 1 }, () => 0) };
    expect(of({ terms: [...composition.terms, second] })).toBe(of({ terms: [second, ...composition.terms] }));
    const others = [
      of({ terms: [...composition.terms, second] }),
      of({ annotationWeight: 3 }),
      of({ models: [classified({ weight: 1 })] }),
      of({ models: [classified({ range: { bound: 5, enough: 3 } })] }),
      of({ models: [classified({ range: { bound: 6, enough: 4 } })] }),
      of({ models: [classified({ model: { ...spelling, version: "another" } })] }),
      of({ terms: [{ name: "shortness", weight: 0.2, term: lengthTerm }] }),
      of({ terms: [{ name: "shortness", weight: 0.1, term: textTerm({ code: 2 }, () => 0) }] }),
      of({ terms: [{ name: "brevity", weight: 0.1, term: lengthTerm }] }),
    ];
    expect(new Set([version, ...others]).size).toBe(others.length + 1);
  });

  it("judges nothing rather than silently without a term that fails", async () => {
    const term = textTerm({}, () => Number.NaN);
    const broken = createReward({ ...composition, terms: [{ name: "shortness", weight: 1, term }] });
    await expect(broken.judge([exchange("0", "0")])).rejects.toThrow(
      new RewardError("shortness", { cause: new Error("expected finite values, got NaN") }),
    );
    const died: RewardModel = { ...spelling, score: () => Promise.reject(new Error("the encoder's thread failed")) };
    const dead = createReward({ ...composition, models: [classified({ model: died })] });
    const failure = await dead.judge([exchange("0", "0")]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RewardError);
    expect(failure).toMatchObject({
      term: "toxicity",
      message: "The reward's term toxicity failed: the encoder's thread failed",
    });
    await expect(dead.attributes("0")).rejects.toThrow(RewardError);
    const short: RewardModel = { ...spelling, score: async () => [] };
    const lacking = createReward({ ...composition, models: [classified({ model: short })] });
    await expect(lacking.judge([exchange("0", "0")])).rejects.toThrow("spelling was given 2 texts and scored 0");
    await expect(createReward(composition).judge([exchange("x", "0")])).rejects.toThrow("log-odds NaN");
  });

  it("judges no exchanges without asking anyone", async () => {
    expect(await createReward(composition).judge([])).toEqual([]);
  });
});
