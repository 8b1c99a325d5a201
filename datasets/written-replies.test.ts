import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadPromptList } from "./real-toxicity-prompts.ts";
import { loadWrittenReplies, messageKey } from "./written-replies.ts";

describe("replies written for this project", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "written-replies-"));
    write("claims.jsonl", '{"claim":"a.one","about":"one thing","replies":["No.","Not so."]}');
    write("messages.jsonl", '{"claim":"a.one","text":"Is it so?"}');
    write("labels.tsv", "key\tclaim", "0123456789ab\ta.one");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(name: string, ...lines: string[]) {
    writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
  }

  it("are read with their claims, messages and labels", () => {
    expect(loadWrittenReplies(folder)).toEqual({
      claims: [{ claim: "a.one", about: "one thing", replies: ["No.", "Not so."] }],
      messages: [{ claim: "a.one", text: "Is it so?" }],
      claimOfKey: new Map([["0123456789ab", "a.one"]]),
    });
  });

  it("are refused where a claim is unknown or there twice, or a key is none", () => {
    write("labels.tsv", "key\tclaim", "0123456789ab\tb.two");
    expect(() => loadWrittenReplies(folder)).toThrow(/no claim b\.two/);
    write("labels.tsv", "key\tclaim", "0123\ta.one");
    expect(() => loadWrittenReplies(folder)).toThrow(/labels\.tsv, row 1: column "key"/);
    const twice = '{"claim":"a.one","about":"one thing","replies":["No."]}';
    write("claims.jsonl", twice, twice);
    expect(() => loadWrittenReplies(folder)).toThrow(/a\.one is there twice/);
  });

  it("know a message by what is left of it without case, accents' forms and punctuation", () => {
    // printf 'they are all the same' | sha256sum
    expect(messageKey("They are all the SAME!")).toBe("906fa2155204");
    expect(messageKey("They are not the same")).not.toBe(messageKey("They are all the same"));
  });

  it("come with this repository, at least four to each claim, each short", () => {
    const { claims, messages, claimOfKey } = loadWrittenReplies(join(import.meta.dirname, "written-replies"));
    expect(claims.filter(({ replies }) => replies.length < 4)).toEqual([]);
    const all = claims.flatMap(({ replies }) => replies);
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((reply) => reply.split(" ").length > 40)).toEqual([]);
    const labelled = new Set([...messages.map(({ claim }) => claim), ...claimOfKey.values()]);
    expect(claims.filter(({ claim }) => !labelled.has(claim))).toEqual([]);
  });

  it("answer none of the messages that the embedded model and the gate are measured with", () => {
    const { messages, claimOfKey } = loadWrittenReplies(join(import.meta.dirname, "written-replies"));
    const known = new Set([...claimOfKey.keys(), ...messages.map(({ text }) => messageKey(text))]);
    const root = join(import.meta.dirname, "..");
    for (const file of ["models/rejoinder-tiny/messages.jsonl", "datasets/gate/prompts.jsonl"]) {
      const prompts = loadPromptList(join(root, file));
      expect(prompts.filter((text) => known.has(messageKey(text)))).toEqual([]);
    }
  });
});
