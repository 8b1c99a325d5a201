import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FetchOptions, fetchModel } from "./fetch-model.ts";
import { HubError } from "./hub-error.ts";
import { type StandIn, standInCommit, standInModel, startStandIn } from "./hub-stand-in.ts";

let hub: StandIn;
let folder: string;
let target: string;
/** Weights of a size that is sent in more than one piece. */
const weights = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));

beforeEach(async () => {
  hub = await startStandIn();
  folder = mkdtempSync(join(tmpdir(), "fetch-"));
  target = join(folder, "model");
  const small = (text: string) => ({ content: Buffer.from(text), lfs: false });
  hub.files = new Map([
    ["README.md", small("---\nlicense: mit\n---\n")],
    ["config.json", small("{}")],
    ["tokenizer.json", small("{ }")],
    ["model.safetensors", { content: weights, lfs: true }],
    ["pytorch_model.bin", { content: weights, lfs: true }],
    ["onnx/model.onnx", { content: weights, lfs: true }],
    ["1_Pooling/config.json", small('{"pooling_mode_mean_tokens": true}')],
    ["generation_config.json", small("")],
  ]);
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true });
});

const fetchIt = (options: Partial<FetchOptions> = {}) =>
  fetchModel({
    name: standInModel,
    revision: "main",
    target,
    access: { url: hub.url },
    onProgress: () => undefined,
    pauses: [1, 1],
    ...options,
  });

/** The message of the HubError that the fetch must end with. */
async function refusal(options: Partial<FetchOptions> = {}): Promise<string> {
  const error: unknown = await fetchIt(options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HubError);
  expect(existsSync(target)).toBe(false);
  return (error as HubError).message;
}

describe("fetchModel", () => {
  it("takes what is needed to run a model and nothing else", async () => {
    const progress: number[] = [];
    const fetched = await fetchIt({ onProgress: ({ done }) => progress.push(done) });
    expect(fetched).toMatchObject({ name: standInModel, commit: standInCommit, folder: target });
    expect(fetched.files.map(({ path }) => path).sort()).toEqual(
      [
        "1_Pooling/config.json",
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
      ].sort(),
    );
    for (const { path } of fetched.files) {
      expect(readFileSync(join(target, path)).equals(hub.files.get(path)?.content ?? Buffer.alloc(0))).toBe(true);
    }
    expect(existsSync(`${target}.partial`)).toBe(false);
    expect(existsSync(join(target, ".fetching.json"))).toBe(false);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(fetched.bytes);
  });

  it("takes shards where the weights are in shards", async () => {
    hub.files.delete("model.safetensors");
    for (const part of ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]) {
      hub.files.set(part, { content: weights, lfs: true });
    }
    hub.files.set("model.safetensors.index.json", { content: Buffer.from("{}"), lfs: false });
    const { files } = await fetchIt();
    expect(files.filter(({ path }) => path.startsWith("model")).map(({ path }) => path)).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ]);
  });

  it("goes on in the middle of a file after the connection broke off", async () => {
    hub.drops.set("model.safetensors", [100_000, 50_000]);
    await fetchIt();
    expect(readFileSync(join(target, "model.safetensors")).equals(weights)).toBe(true);
    const ranges = hub.requests.filter(({ path }) => path === "model.safetensors").map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=100000-", "bytes=150000-"]);
  });

  it("gives up when nothing comes any more, and goes on when asked again", async () => {
    hub.drops.set("model.safetensors", [100_000, 0, 0, 0, 0, 0]);
    const message =
      "model.safetensors: the connection broke off after 100000 of 300000 bytes; the same command goes on";
    expect(await refusal()).toContain(message);
    hub.drops.clear();
    hub.requests.length = 0;
    await fetchIt();
    expect(readFileSync(join(target, "model.safetensors")).equals(weights)).toBe(true);
    const asked = hub.requests.map(({ path, range }) => [path, range]);
    // What was there as a whole is not asked for again.
    expect(asked).not.toContainEqual(["config.json", undefined]);
    expect(asked).toContainEqual(["model.safetensors", "bytes=100000-"]);
  });

  it("begins a file anew where the server knows no ranges", async () => {
    hub.ranges = false;
    hub.drops.set("model.safetensors", [100_000]);
    await fetchIt();
    expect(readFileSync(join(target, "model.safetensors")).equals(weights)).toBe(true);
  });

  it("does not mix the files of two commits", async () => {
    const left = join(`${target}.partial`, "model.safetensors");
    mkdirSync(dirname(left));
    writeFileSync(left, Buffer.alloc(200_000));
    writeFileSync(join(`${target}.partial`, ".fetching.json"), JSON.stringify({ name: standInModel, commit: "other" }));
    await fetchIt();
    expect(readFileSync(join(target, "model.safetensors")).equals(weights)).toBe(true);
  });

  it.each(["model.safetensors", "config.json"])("refuses a %s that is not what the hub lists", async (path) => {
    // A partial file of wrong bytes stands for a disk or a cache that changed them.
    const left = join(`${target}.partial`, path);
    mkdirSync(dirname(left));
    writeFileSync(left, "!");
    const mark = { name: standInModel, commit: standInCommit };
    writeFileSync(join(`${target}.partial`, ".fetching.json"), JSON.stringify(mark));
    expect(await refusal()).toMatch(new RegExp(`^${path}: expected (sha256|git-blob) [0-9a-f]+ by the hub, got `));
    expect(existsSync(left)).toBe(false);
    await fetchIt();
    expect(existsSync(join(target, path))).toBe(true);
  });

  it("says what is wrong with a name, a token or a repository", async () => {
    expect(await refusal({ name: "maker/none" })).toBe(
      `${hub.url} knows no maker/none at main (404): check the name and the revision`,
    );
    expect(await refusal({ name: "../escape" })).toContain("Expected a model as ORGANISATION/NAME");
    hub.statuses.set(`/${standInModel}/resolve/${standInCommit}/model.safetensors`, 403);
    expect(await refusal()).toContain(
      `${hub.url} refuses model.safetensors of ${standInModel} (403): it is private, gated or does not exist; set HF_TOKEN`,
    );
    expect(await refusal({ access: { url: hub.url, token: "hf_x" } })).toContain(
      "a gated model's terms are accepted on",
    );
    expect(hub.requests.at(-1)?.authorization).toBe("Bearer hf_x");
    hub.statuses.set(`/api/models/${standInModel}/revision/main`, 401);
    expect(await refusal()).toContain(`refuses ${standInModel} at main (401)`);
    expect(await refusal({ access: { url: "http://127.0.0.1:1" } })).toMatch(
      /^http:\/\/127\.0\.0\.1:1 cannot be reached/,
    );
  });

  it("says which file a repository lacks", async () => {
    hub.files.delete("model.safetensors");
    expect(await refusal()).toContain("has no model.safetensors and no index of shards");
    hub.files.delete("tokenizer.json");
    expect(await refusal()).toContain(`${standInModel} has no tokenizer.json`);
  });

  it("leaves a folder that is there alone", async () => {
    mkdirSync(target);
    await expect(fetchIt()).rejects.toThrow(`${target} exists already`);
  });
});
