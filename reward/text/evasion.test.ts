import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { conversations, loadCounterNarratives } from "../../datasets/counter-narratives.ts";
import { evasion } from "./evasion.ts";
import { parroting } from "./parroting.ts";

const message = "Refugees bring nothing but crime to our towns.";
const of = (reply: string) => evasion(message, reply);

describe("evasion", () => {
  it.each([
    ["What do you mean by that?"],
    ["I'm sorry, but I can’t help with that request."],
    ["As an AI language model, I cannot express opinions on this topic."],
    ["Let's talk about something else."],
    ["Everyone is entitled to their own opinion."],
    ["Okay, thank you for sharing."],
    ["How can I help you today?"],
    ["Where did you hear that?"],
  ])("is all of %j", (reply) => expect(of(reply)).toBe(1));

  it.each([
    ["Most refugees fled from crime and want to live in peace."],
    ["I can't believe that you would say this about families."],
    ["I don't understand why you hate families that fled a war."],
    ["I can't stand by while people spread rumours about refugees."],
    ["Can you explain why crime fell while more refugees came?"],
    ["You are wrong about that."],
    ["I am sorry for the victims, and punishing their neighbours helps nobody."],
    ["It depends on the city, and statistics show fewer crimes here."],
  ])("is none of %j", (reply) => expect(of(reply)).toBe(0));

  it("is the share of the words that dodge", () => {
    // Six words of a dodge before nine of an argument.
    expect(of("What do you mean by that? Crime has fallen in every town with refugees.")).toBeCloseTo(6 / 14, 12);
    // What fits everywhere takes nothing from an argument.
    expect(of("I see. Crime has fallen in every town with refugees.")).toBe(0);
  });

  it("is not what an empty reply is blamed for", () => {
    expect(of("")).toBe(0);
    expect(of("...")).toBe(0);
  });

  it("finds nearly all of a list of evasive replies", () => {
    const path = join(import.meta.dirname, "../../test/fixtures/evasive-replies.json");
    const replies = JSON.parse(readFileSync(path, "utf8")) as string[];
    const found = replies.filter((reply) => of(reply) >= 0.5);
    expect(replies.length).toBe(210);
    expect(found.length / replies.length).toBeGreaterThan(0.9);
  });

  it("blames none of the sample counter-narratives", () => {
    const samples = conversations(loadCounterNarratives(join(import.meta.dirname, "../../datasets/samples")));
    expect(samples.length).toBeGreaterThan(10);
    const blamed = samples.filter(({ messages, reply }) => evasion(messages.at(-1)?.content ?? "", reply) >= 0.5);
    expect(blamed).toEqual([]);
  });
});

describe("parroting", () => {
  it("is the share of words in runs of three from the message, beyond what an answer may quote", () => {
    expect(parroting(message, message)).toBe(1);
    expect(parroting(message, "refugees bring nothing but crime to OUR towns!")).toBe(1);
    expect(parroting(message, "Refugees bring work, ideas and new life to our towns.")).toBe(0);
    // Eight of nine words: (8/9 - 0.7) / 0.3.
    expect(parroting(message, "Yes, refugees bring nothing but crime to our towns.")).toBeCloseTo(0.62963, 5);
  });

  it("lets a short reply off unless it is the whole message", () => {
    expect(parroting("Go home", "go home!")).toBe(1);
    expect(parroting(message, "our towns")).toBe(0);
    expect(parroting("", "")).toBe(0);
  });
});
