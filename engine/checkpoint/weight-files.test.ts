import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { CheckpointError } from "../types.ts";
import { openCheckpointTensors, readCheckpoint } from "./checkpoint.ts";
import { readArchitecture } from "./config.ts";
import { encodeSafetensors, openSafetensors, readTensor } from "./safetensors.ts";

const fixture = join(import.meta.dirname, "../../test/fixtures/tiny-llama/untied");
const folder = mkdtempSync(join(tmpdir(), "shards-"));
afterAll(() => rmSync(folder, { recursive: true }));

const shardNames = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"];
const lastShard = "model-00003-of-00003.safetensors";
const index = join(folder, "model.safetensors.index.json");
const at = (name: string) => join(folder, name);

type Tensors = Map<string, { data: Float32Array; shape: readonly number[] }>;

/** The fixture's tensors over three shards, the second one in half precision. */
function writeShards(change: (shards: Tensors[], map: Record<string, string>) => void = () => undefined): void {
  const file = openSafetensors(join(fixture, "model.safetensors"));
  const shards: Tensors[] = [new Map(), new Map(), new Map()];
  const names = [...shardNames, lastShard];
  const map: Record<string, string> = {};
  for (const [i, [name, { shape }]] of [...file.tensors].entries()) {
    shards[i % 3]?.set(name, { data: readTensor(file, name), shape });
    map[name] = names[i % 3] as string;
  }
  change(shards, map);
  for (const [i, tensors] of shards.entries()) {
    writeFileSync(at(names[i] as string), encodeSafetensors(tensors, i === 1 ? "BF16" : "F32"));
  }
  writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }));
}

describe("a checkpoint in shards", () => {
  beforeEach(() => {
    rmSync(folder, { recursive: true });
    cpSync(fixture, folder, { recursive: true, filter: (source) => !source.endsWith("model.safetensors") });
    writeShards();
  });

  it("gives the weights of the whole", () => {
    const whole = readCheckpoint(fixture);
    const { weights, parameters } = readCheckpoint(folder);
    expect(parameters).toBe(whole.parameters);
    expect([...weights.keys()]).toEqual([...whole.weights.keys()]);
    for (const [name, values] of whole.weights) {
      const shard = openCheckpointTensors(folder, whole.architecture).tensors.get(name);
      const tolerance = shard?.type === "BF16" ? 2 ** -8 : 0;
      const read = weights.get(name) ?? new Float32Array();
      expect(read.length).toBe(values.length);
      expect(read.every((value, i) => Math.abs(value - (values[i] ?? 0)) <= tolerance * Math.abs(values[i] ?? 0))).toBe(
        true,
      );
    }
  });

  it("is hashed as sha256sum prints its shards", () => {
    const command = "sha256sum model-*.safetensors | sha256sum";
    const expected = execFileSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" }).slice(0, 64);
    expect(readCheckpoint(folder).sha256).toBe(expected);
  });

  it("says where each tensor's bytes lie", () => {
    const { tensors } = openCheckpointTensors(folder, readArchitecture(folder));
    for (const { file, offset, length, read, readBytes, type, shape } of tensors.values()) {
      const bytes = readFileSync(file).subarray(offset, offset + length);
      expect(Buffer.from(readBytes()).equals(bytes)).toBe(true);
      expect(length).toBe(shape.reduce((a, b) => a * b, type === "F32" ? 4 : 2));
      const first = type === "F32" ? bytes.readFloatLE() : Buffer.from([0, 0, ...bytes.subarray(0, 2)]).readFloatLE();
      expect(read()[0]).toBe(first);
    }
  });

  it("names the shard and the tensor that do not fit the index", () => {
    const [first, second] = shardNames as [string, string];
    const norm = "model.norm.weight";
    const one = { data: new Float32Array(1), shape: [1] };
    const refused: [Parameters<typeof writeShards>[0], string][] = [
      [(s) => s[0]?.set("model.extra", one), `${at(first)}: tensor model.extra is not in the weight_map of ${index}`],
      [(_, map) => Object.assign(map, { [norm]: second }), `tensor ${norm} is missing, ${index} has it there`],
      [(s) => s.map((shard) => shard.delete(norm)), `tensor ${norm} is missing, ${index} has it there`],
      [
        (s, map) => {
          s.map((shard) => shard.delete(norm));
          delete map[norm];
        },
        `${index}: tensor ${norm} is missing`,
      ],
      [(s) => s.map((shard) => shard.set(norm, one)), `${at(second)}: tensor ${norm} is also in ${at(first)}`],
      [
        (_, map) => Object.assign(map, { a: "model-00004.safetensors" }),
        `${at("model-00004.safetensors")}: is missing, ${index} names it`,
      ],
      [
        (_, map) => Object.assign(map, { a: "../model.safetensors" }),
        `${index}: weight_map has tensor a in "../model.safetensors", which is no shard`,
      ],
    ];
    for (const [change, message] of refused) {
      writeShards(change);
      expect(() => readCheckpoint(folder), message).toThrow(CheckpointError);
      expect(() => readCheckpoint(folder)).toThrow(message);
    }
    writeShards();
    rmSync(at(second));
    expect(() => readCheckpoint(folder)).toThrow(`${at(second)}: is missing, ${index} names it`);
  });

  it("says that PyTorch's own format is not read", () => {
    for (const name of [...shardNames, lastShard, "model.safetensors.index.json"]) rmSync(at(name));
    writeFileSync(at("pytorch_model.bin"), "");
    expect(() => readCheckpoint(folder)).toThrow(
      `${at("model.safetensors")}: is missing; pytorch_model.bin is there, but weights are read as safetensors only`,
    );
  });

  it("whatever the index says: a checkpoint or a CheckpointError", () => {
    const text = readFileSync(index, "utf8");
    const edit = fc.record({ at: fc.nat(text.length - 1), cut: fc.nat(40), put: fc.string({ maxLength: 4 }) });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const edited = edits.reduce((now, e) => now.slice(0, e.at) + e.put + now.slice(e.at + e.cut), text);
        writeFileSync(index, edited);
        try {
          openCheckpointTensors(folder, readArchitecture(folder));
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
