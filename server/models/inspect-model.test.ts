import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { writeSampleModel } from "../adapters/sample-model.ts";
import { inspectModel } from "./inspect-model.ts";
import { readLicence } from "./licence.ts";
import { estimateMemory } from "./memory-estimate.ts";

const fixtures = join(import.meta.dirname, "../../test/fixtures");
const folder = mkdtempSync(join(tmpdir(), "inspect-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("inspectModel", () => {
  beforeEach(() => {
    rmSync(folder, { recursive: true });
    writeSampleModel(folder);
  });

  it("describes a chat model", () => {
    writeFileSync(join(folder, "README.md"), "---\nlicense: apache-2.0\ntags:\n- chat\n---\n# Model\n");
    expect(inspectModel(folder)).toMatchObject({
      kind: "chat",
      architecture: "LlamaForCausalLM",
      tokenizer: { kind: "byte-level", controlTokens: 4 },
      chatTemplate: "tokenizer_config.json",
      licence: "apache-2.0",
    });
  });

  it("says where a chat template is lacking, and where one was put", () => {
    writeFileSync(join(folder, "tokenizer_config.json"), "{}");
    expect(inspectModel(folder).chatTemplate).toBeNull();
    writeFileSync(join(folder, "chat_template.jinja"), "{{ messages }}");
    expect(inspectModel(folder).chatTemplate).toBe("chat_template.jinja");
  });

  it("describes an encoder by its labels", () => {
    cpSync(join(fixtures, "encoders/roberta-hate"), folder, { recursive: true });
    const described = inspectModel(folder);
    expect(described).toMatchObject({
      kind: "encoder",
      architecture: "RobertaForSequenceClassification",
      labels: ["nothate", "hate"],
      storedAs: ["F32"],
      contextLength: 48,
      chatTemplate: null,
    });
    expect(described.memory).toEqual({ none: 4 * described.parameters });
  });

  it("finds damage behind an intact header", () => {
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    // The last two bytes are the last weight, whether bfloat16 or the upper half of a float32: all ones is NaN.
    bytes.fill(0xff, bytes.length - 2);
    writeFileSync(path, bytes);
    expect(() => inspectModel(folder)).toThrow(/model\.safetensors: tensor .* holds NaN or infinity/);
  });
});

describe("estimateMemory", () => {
  it("adds up what each kind of weight takes", () => {
    // 128 words, hidden 32, two layers of 7,680 weights in linear layers with 224 outputs; see the fixture's config.json.
    const memory = estimateMemory(readArchitecture(join(fixtures, "tiny-llama/untied")), 23_712);
    const shared = 128 * 32 + 4 * 128 + 2 * 128 * 32 + 4 * 5 * 32;
    expect(memory).toEqual({
      none: 94_848,
      int8: 2 * (7680 + 4 * 224) + shared,
      // Blocks of 32 weights: 16 bytes and a scale; the rows of down_proj are 48 wide and take two.
      int4: 2 * 20 * (32 + 16 + 16 + 32 + 48 + 48 + 2 * 32) + shared,
      // Keys and values of two layers with two heads of 8, in float32.
      cachePerToken: 256,
    });
  });
});

describe("readLicence", () => {
  it.each([
    ["---\nlicense: mit\n---\n", "mit"],
    ['---\r\nlanguage: en\r\nlicense: "cc-by-4.0"\r\n---\r\n', "cc-by-4.0"],
    ["---\nlicense: other\nlicense_name: bespoke-1\n---\n", "bespoke-1"],
    ["---\nlicense:\n- mit\n- apache-2.0\ntags: []\n---\n", "mit, apache-2.0"],
    ["---\nlanguage: en\n---\nlicense: mit\n", null],
    ["# no front matter\nlicense: mit", null],
  ])("of %j is %j", (readme, licence) => {
    writeFileSync(join(folder, "README.md"), readme);
    expect(readLicence(folder)).toBe(licence);
  });
});
