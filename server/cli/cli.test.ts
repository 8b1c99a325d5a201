import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { writeSampleAdapter, writeSampleModel } from "../adapters/sample-model.ts";
import { standInCommit, standInModel, startStandIn } from "../models/hub-stand-in.ts";
import { openStore } from "../store/index.ts";
import { logExchange } from "../training/sample-log.ts";
import { insertAdapter, insertRun } from "../training/sample-run.ts";

// Every command is a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const launcher = fileURLToPath(new URL("../../scripts/rejoinder.mjs", import.meta.url));
let folder: string;
let model: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-cli-"));
  model = join(folder, "sample");
  writeSampleModel(model);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `rejoinder` where no server answers, on a data folder of this test. */
async function rejoinder(...args: string[]) {
  const environment = { PATH: process.env.PATH, MODEL: model, DATA_DIR: join(folder, "data"), PORT: "1" };
  const child = spawn(process.execPath, [launcher, ...args], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code]: unknown[] = await ended;
  return { code, output, errors };
}

async function rejoinderJson(...args: string[]) {
  const { code, output, errors } = await rejoinder(...args, "--json");
  expect([code, errors]).toEqual([0, ""]);
  return JSON.parse(output);
}

describe("the command line", () => {
  it("does not start a worker without a queue to take jobs from, and says why without the password", async () => {
    expect(await rejoinder("worker")).toMatchObject({ code: 1, errors: expect.stringMatching(/^REDIS_URL: expected/) });
    const { code, output, errors } = await rejoinder("worker", "--redis-url", "redis://:secret@127.0.0.1:1");
    expect({ code, output }).toEqual({ code: 1, output: "" });
    expect(errors).toMatch(/^REDIS_URL: cannot use Redis at redis:\/\/127\.0\.0\.1:1: connect ECONNREFUSED.*\.\n$/);
  });

  it("explains itself", async () => {
    const { code, output } = await rejoinder("--help");
    expect(code).toBe(0);
    const commands = [...output.matchAll(/^ {2}(\w+) .*/gm)].map(([, name]) => name);
    expect(commands).toEqual(["serve", "worker", "train", "adapter", "model", "data", "score", "help"]);
    for (const words of [
      ["serve"],
      ["worker"],
      ["train", "ppo"],
      ["train", "sft"],
      ["train", "pretrain"],
      ["adapter", "import"],
      ["data", "erase"],
    ]) {
      const help = await rejoinder(...words, "--help");
      expect([words, help.code, help.output]).toEqual([words, 0, expect.stringMatching(/^Usage: rejoinder/)]);
    }
  });

  it.each([
    [["meter"], /unknown command 'meter'/],
    [["adapter", "show", "one"], /Expected a whole number, got "one"/],
    [["adapter", "list", "--port", "70000"], /Expected a port of at most 65535, got 70000/],
    [["train", "ppo", "--set", "rate=1"], /Expected NAME=VALUE with a name out of epochs, /],
    [["train", "ppo", "--set", "epochs=0"], />=1.*settings\.epochs/s],
    [["train", "ppo", "--set", "decay=steep"], /settings\.decay/],
    [["train", "ppo", "--from", "newest"], /--from must be live, base or a version number, not "newest"/],
    [["train", "ppo", "--rounds", "2"], /belong to --fresh/],
    [["train", "ppo", "--fresh", "--prompts", "nowhere.jsonl"], /--prompts: nowhere\.jsonl cannot be read/],
    [["serve", "--port", "banana"], /PORT=banana: expected a whole number from 0 to 65535/],
    [["score"], /Expected texts as arguments, by --file or by --stdin/],
  ])("ends %j with a sentence and without success", async (args, sentence) => {
    const { code, output, errors } = await rejoinder(...args);
    expect(code).toBe(1);
    expect(output).toBe("");
    expect(errors).toMatch(sentence);
    expect(errors).not.toMatch(/^\s+at /m);
  });
});

describe("adapter", () => {
  it("imports, lists, shows and exports a PEFT folder", async () => {
    const source = join(folder, "own");
    const sha256 = writeSampleAdapter(source, model, 3);
    expect(await rejoinderJson("adapter", "list")).toEqual([]);
    const imported = await rejoinderJson("adapter", "import", source);
    expect(imported).toMatchObject({
      name: "rejoinder",
      version: 1,
      sha256,
      state: "candidate",
      rank: 2,
      parent: null,
    });
    expect(await rejoinderJson("adapter", "show", "1")).toEqual(imported);
    const { output } = await rejoinder("adapter", "list");
    expect(output).toMatch(new RegExp(`^rejoinder@1 +candidate +${sha256.slice(0, 12)}`, "m"));
    const target = join(folder, "exported");
    expect(await rejoinderJson("adapter", "export", "1", target)).toMatchObject({ version: 1, sha256 });
    const weights = "adapter_model.safetensors";
    expect(readFileSync(join(target, weights)).equals(readFileSync(join(source, weights)))).toBe(true);
    expect(await rejoinder("adapter", "export", "1", target)).toMatchObject({
      code: 1,
      errors: `${target} exists already\n`,
    });
    expect(await rejoinder("adapter", "show", "2")).toMatchObject({
      code: 1,
      errors: "There is no adapter version 2\n",
    });
  });

  it("refuses a folder of another base model by its file's name", async () => {
    const source = join(folder, "stranger");
    cpSync(join(folder, "own"), source, { recursive: true });
    const manifest = join(source, "rejoinder.json");
    writeFileSync(manifest, JSON.stringify({ baseModel: { sha256: "of another model" } }));
    const { code, errors } = await rejoinder("adapter", "import", source);
    expect(code).toBe(1);
    expect(errors).toContain(`${manifest}: the adapter was made for the base model with sha256 of another model`);
  });
});

describe("model fetch", () => {
  it("brings a model that inspect can read, and says in one sentence what went wrong", async () => {
    const hub = await startStandIn();
    try {
      for (const name of readdirSync(model)) {
        hub.files.set(name, { content: readFileSync(join(model, name)), lfs: name.endsWith(".safetensors") });
      }
      const out = join(folder, "fetched");
      const fetched = await rejoinderJson("model", "fetch", standInModel, "--endpoint", hub.url, "--out", out);
      expect(fetched).toMatchObject({ name: standInModel, commit: standInCommit, folder: out });
      expect(await rejoinderJson("model", "inspect", out)).toMatchObject({ architecture: "LlamaForCausalLM" });
      expect(
        await rejoinder("model", "fetch", "maker/none", "--endpoint", hub.url, "--out", join(folder, "none")),
      ).toEqual({
        code: 1,
        output: "",
        errors: `${hub.url} knows no maker/none at main (404): check the name and the revision\n`,
      });
    } finally {
      await hub.close();
    }
  });
});

describe("model inspect", () => {
  it("says what a checkpoint holds, and which file is damaged", async () => {
    expect(await rejoinderJson("model", "inspect")).toMatchObject({
      id: "sample",
      architecture: "LlamaForCausalLM",
      layers: 2,
      hiddenSize: 16,
      vocabularySize: 8192,
    });
    const damaged = join(folder, "damaged");
    cpSync(model, damaged, { recursive: true });
    writeFileSync(join(damaged, "model.safetensors"), "not a model");
    const { code, errors } = await rejoinder("model", "inspect", damaged);
    expect(code).toBe(1);
    expect(errors).toMatch(/damaged\/model\.safetensors: .*header/);
  });
});

describe("score", () => {
  it("gives texts their attributes, and replies their reward term by term", async () => {
    const texts = await rejoinderJson("score", "You are a stupid idiot.");
    expect(texts.scored[0].scores.TOXICITY).toBeGreaterThan(0.5);
    const dodge = "What do you mean by that?";
    const replies = await rejoinderJson("score", "--prompt", "Refugees bring nothing but crime.", dodge);
    expect(replies.scored[0]).toMatchObject({
      messages: [{ role: "user", content: "Refugees bring nothing but crime." }],
      reply: dodge,
      reward: { version: replies.reward.version, terms: { evasion: -4, language: 0 } },
    });
  });

  it("reads exchanges from lines of JSON", async () => {
    const file = join(folder, "replies.jsonl");
    const messages = [{ role: "user", content: "Hello" }];
    writeFileSync(
      file,
      [
        { prompt: "Hello", reply: "" },
        { messages, reply: "" },
      ]
        .map((line) => JSON.stringify(line))
        .join("\n"),
    );
    const { scored } = await rejoinderJson("score", "--exchanges", "--file", file);
    expect(scored).toHaveLength(2);
    expect(scored[1]).toEqual(scored[0]);
    expect(scored[0].reward.terms.empty).toBe(-5);
    writeFileSync(file, '{"prompt": "Hello"}');
    expect(await rejoinder("score", "--exchanges", "--file", file)).toMatchObject({
      code: 1,
      errors: 'Expected {prompt, reply} or {messages, reply}, got {"prompt": "Hello"}\n',
    });
  });
});

describe("data export", () => {
  it("writes complete exchanges, one JSON object a line", async () => {
    const store = await openStore(join(folder, "data", "rejoinder.sqlite"));
    await logExchange(store, "e1");
    await logExchange(store, "e2", { accepted: { consent: false } });
    await logExchange(store, "e3");
    await store.exchanges.cut("e3", "Many", new Date());
    await store.close();
    const ids = (lines: string) =>
      lines
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id);
    expect(ids((await rejoinder("data", "export")).output)).toEqual(["e1", "e2"]);
    expect(ids((await rejoinder("data", "export", "--consented")).output)).toEqual(["e1"]);
    const file = join(folder, "exchanges.jsonl");
    expect(await rejoinderJson("data", "export", "--out", file)).toEqual({ file, exported: 2, incomplete: 1 });
    expect(ids(readFileSync(file, "utf8"))).toEqual(["e1", "e2"]);
    expect(existsSync(`${file}.partial`)).toBe(false);
  });
});

describe("data lineage, re-score and erase", () => {
  it("trace a reply, score history anew and erase a person's part of it", async () => {
    const elsewhere = join(folder, "other data");
    const store = await openStore(join(elsewhere, "rejoinder.sqlite"));
    await logExchange(store, "d1", { accepted: { owner: "dora" } });
    await logExchange(store, "a1");
    await insertRun(store, "run");
    await store.lineage.take("run", [{ id: "d1", reward: 0.25 }], new Date().toISOString());
    await insertAdapter(store, 1, { runId: "run" });
    await store.close();
    const place = ["--data-dir", elsewhere];

    expect(await rejoinderJson("data", "lineage", "d1", ...place)).toMatchObject({
      writtenBy: { version: 1 },
      uses: [{ runId: "run", steps: null }],
      adapters: [{ version: 1, direct: true }],
    });
    expect((await rejoinder("adapter", "lineage", "1", ...place)).output).toMatch(/d1 +0\.250 +not recorded +yes/);

    expect(await rejoinderJson("data", "re-score", ...place)).toMatchObject({ state: "done", scored: 2, total: 2 });

    expect(await rejoinder("data", "erase", "dora", ...place)).toMatchObject({
      code: 1,
      errors: expect.stringContaining("add --yes"),
    });
    expect(await rejoinderJson("data", "erase", "dora", "--yes", ...place)).toMatchObject({
      exchanges: 1,
      runs: ["run"],
      adapters: [{ version: 1 }],
      pending: false,
    });
    expect(await rejoinder("data", "lineage", "d1", ...place)).toMatchObject({
      code: 1,
      errors: "There is no exchange d1\n",
    });
    expect((await rejoinder("adapter", "lineage", "1", ...place)).output).toMatch(/erased +1 exchanges/);
  }, 120_000);
});
