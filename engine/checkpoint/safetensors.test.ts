import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../types.ts";
import { encodeSafetensors, openSafetensors, readTensor, readTensorInto } from "./safetensors.ts";

const folder = mkdtempSync(join(tmpdir(), "safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "model.safetensors");

/** A file as the format describes it: length of the header, header, data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  return Buffer.concat([length, Buffer.from(json), data]);
}

function open(bytes: Uint8Array) {
  writeFileSync(path, bytes);
  return openSafetensors(path);
}

const f32 = (shape: number[], begin: number, end: number) => ({ dtype: "F32", shape, data_offsets: [begin, end] });

describe("safetensors", () => {
  it("reads what the reference implementation wrote", () => {
    const fixture = join(import.meta.dirname, "../../test/fixtures/tiny-llama/untied/model.safetensors");
    const opened = openSafetensors(fixture);
    expect(opened.metadata.madeBy).toBe("scripts/fixtures/tiny-llama.py");
    expect(opened.tensors.get("model.layers.1.mlp.down_proj.weight")?.shape).toEqual([32, 48]);
    expect(readTensor(opened, "lm_head.weight")).toHaveLength(128 * 32);
  });

  it("reads the three float types", () => {
    const data = new Uint8Array([0, 0, 0x80, 0x3f, 0x00, 0x3c, 0x80, 0x3f]);
    const opened = open(
      file(
        {
          single: f32([1], 0, 4),
          half: { dtype: "F16", shape: [1, 1], data_offsets: [4, 6] },
          brain: { dtype: "BF16", shape: [], data_offsets: [6, 8] },
        },
        data,
      ),
    );
    expect(["single", "half", "brain"].map((name) => readTensor(opened, name)[0])).toEqual([1, 1, 1]);
  });

  it("gives back what it wrote, empty tensors and metadata included", () => {
    const values = Float32Array.of(1.5, -0, 3e-41, 1e38);
    const tensors = new Map([
      ["a", { data: values, shape: [2, 2] }],
      ["empty", { data: new Float32Array(0), shape: [0] }],
      ["ünï", { data: Float32Array.of(7), shape: [] }],
    ]);
    const opened = open(encodeSafetensors(tensors, "F32", { note: "kept" }));
    expect(opened.metadata).toEqual({ note: "kept" });
    expect([...readTensor(opened, "a")]).toEqual([...values]);
    expect(readTensor(opened, "empty")).toHaveLength(0);
    expect([...readTensor(opened, "ünï")]).toEqual([7]);
    const [first] = opened.tensors.values();
    expect((first?.offset ?? 1) % 8).toBe(0);
  });

  it("refuses each kind of damage by file and tensor", () => {
    const four = new Uint8Array(4);
    const damaged: [Uint8Array, string][] = [
      [new Uint8Array(5), "holds 5 bytes, too few for a safetensors header"],
      [Buffer.alloc(8, 0xff), "claims a header of 18446744073709552000 bytes, but holds 8 bytes in all"],
      [file({ a: f32([1], 0, 4) }, four).subarray(0, 30), "claims a header of 54 bytes, but holds 30 bytes in all"],
      [file({ a: f32([1], 0, 4) }, new Uint8Array(3)), "tensor a ends at byte 66, but the file at 65"],
      [file("{oh dear"), "the header is not JSON"],
      [file([]), "the header is not a JSON object"],
      [file({ a: null }), "tensor a is of unknown type undefined"],
      [file({ a: { ...f32([1], 0, 4), dtype: "F4" } }, four), `tensor a is of unknown type "F4"`],
      [file({ a: { ...f32([1], 0, 4), dtype: "toString" } }, four), `tensor a is of unknown type "toString"`],
      [file({ a: f32([-1], 0, 4) }, four), "tensor a has no valid shape and data_offsets"],
      [file({ a: { dtype: "F32", shape: [1], data_offsets: [0] } }, four), "tensor a has no valid shape"],
      [file({ a: f32([2], 0, 4) }, four), "tensor a of shape [2] needs 8 bytes, the header gives it 4"],
      [file({ a: f32([1], 4, 0) }, four), "tensor a of shape [1] needs 4 bytes, the header gives it -4"],
      [file({ a: f32([2 ** 40, 2 ** 40], 0, 4) }, four), "the header gives it 4"],
      [file({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, four), "tensor b overlaps the one before it"],
      [file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, Buffer.alloc(8)), "tensor b overlaps the one before it"],
      [file({ a: f32([1], 4, 8) }, Buffer.alloc(8)), "before tensor a, belong to no tensor"],
      [file({ a: f32([1], 0, 4) }, Buffer.alloc(7)), "the last 3 bytes belong to no tensor"],
      [file({ __metadata__: { step: 3 } }), "__metadata__ holds something else than texts"],
      [file({ __metadata__: null }), "__metadata__ holds something else than texts"],
    ];
    for (const [bytes, message] of damaged) {
      expect(() => open(bytes), message).toThrow(CheckpointError);
      expect(() => open(bytes)).toThrow(`${path}: `);
      expect(() => open(bytes)).toThrow(message);
    }
  });

  it("refuses what is no file, and a tensor that is not there", () => {
    mkdirSync(join(folder, "directory"), { recursive: true });
    expect(() => openSafetensors(join(folder, "directory"))).toThrow(CheckpointError);
    expect(() => openSafetensors(join(folder, "absent"))).toThrow(`${join(folder, "absent")}: cannot be read`);
    const opened = open(encodeSafetensors(new Map([["a", { data: new Float32Array(4), shape: [4] }]]), "F32"));
    expect(() => readTensor(opened, "b")).toThrow(`${path}: there is no tensor b`);
  });

  it("passes over what is no float, but does not read it as one", () => {
    const mask = { dtype: "BOOL", shape: [2, 2], data_offsets: [0, 4] };
    const opened = open(
      file({ mask, ids: { dtype: "I64", shape: [1], data_offsets: [4, 12] }, a: f32([1], 12, 16) }, Buffer.alloc(16)),
    );
    expect([...readTensor(opened, "a")]).toEqual([0]);
    expect(() => readTensor(opened, "mask")).toThrow(`${path}: tensor mask is of type BOOL; F32, F16 and BF16`);
    expect(() => readTensor(opened, "ids")).toThrow(CheckpointError);
  });

  it("widens half precision that is longer than a piece, and reads into an array of one's own", () => {
    const count = 2 ** 19 + 3;
    const bits = new Uint16Array(count).fill(0x3c00);
    bits[count - 1] = 0xc000;
    const opened = open(
      file({ a: { dtype: "F16", shape: [count], data_offsets: [0, 2 * count] } }, new Uint8Array(bits.buffer)),
    );
    const target = new Float32Array(count + 1);
    readTensorInto(opened, "a", target.subarray(1));
    // Binary16: 0x3c00 is 1, 0xc000 is -2.
    expect([target[0], target[1], target[count - 1], target[count]]).toEqual([0, 1, 1, -2]);
    expect(() => readTensorInto(opened, "a", target)).toThrow(RangeError);
  });

  it("refuses a tensor of a file that was cut off after it was opened", () => {
    const bytes = encodeSafetensors(new Map([["a", { data: new Float32Array(4), shape: [4] }]]), "F32");
    const opened = open(bytes);
    writeFileSync(path, bytes.subarray(0, bytes.length - 1));
    expect(() => readTensor(opened, "a")).toThrow(CheckpointError);
  });

  it("whatever bytes change: a CheckpointError, or tensors that fill the file exactly", () => {
    const tensors = new Map([
      ["first", { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }],
      ["second", { data: Float32Array.of(-1, 0.5), shape: [2] }],
    ]);
    const whole = encodeSafetensors(tensors, "F32");
    const position = fc.nat(whole.length - 1);
    const change = fc.oneof(
      fc.record({ kind: fc.constant("byte" as const), at: position, value: fc.nat(255) }),
      fc.record({ kind: fc.constant("cut" as const), at: position, value: fc.constant(0) }),
      fc.record({ kind: fc.constant("insert" as const), at: position, value: fc.nat(255) }),
      // What a hostile header would say, put over the numbers and names of the true one.
      fc.record({
        kind: fc.constantFrom("9", "-1", "1e999", '"', "[[", "null", "__proto__", "F16", "F64", "BOOL", "\\u0000"),
        at: fc.integer({ min: 8, max: 200 }),
        value: fc.nat(4),
      }),
    );
    const damage = (bytes: Uint8Array, { kind, at, value }: { kind: string; at: number; value: number }) => {
      const place = Math.min(at, bytes.length);
      if (!["byte", "cut", "insert"].includes(kind)) {
        return Uint8Array.from([...bytes.slice(0, place), ...Buffer.from(kind), ...bytes.slice(place + value)]);
      }
      if (kind === "cut") return bytes.slice(0, place);
      const rest = bytes.slice(kind === "insert" ? place : place + 1);
      return Uint8Array.from([...bytes.slice(0, place), value, ...rest]);
    };
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = changes.reduce(damage, whole);
        try {
          const opened = open(bytes);
          const read = [...opened.tensors.keys()].map((name) => readTensor(opened, name));
          const stored = [...opened.tensors.values()];
          expect(read.map(({ length }) => length)).toEqual(stored.map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
          const covered = stored.reduce((sum, { length }) => sum + length, 0);
          expect(8 + Number(Buffer.from(bytes).readBigUInt64LE()) + covered).toBe(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
