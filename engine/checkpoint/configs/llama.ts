/** config.json of Llama and its kin. */
import { activationNames } from "../../architectures/activations.ts";
import type { Architecture } from "../../architectures/architecture.ts";
import { type LlamaConfig, llama } from "../../architectures/llama.ts";
import { readHeads } from "../attention-heads.ts";
import type { ConfigEntries } from "../config-entries.ts";
import { readWindows } from "../layer-windows.ts";
import { readRope, ropeSection } from "../rope-config.ts";

interface Family {
  name: string;
  contextLength: number;
  ropeTheta?: number;
  headSize?: number;
  tied?: boolean;
}

function common(entries: ConfigEntries, family: Family): LlamaConfig {
  const heads = readHeads(entries, family.headSize);
  const { headSize } = heads;
  const longest = entries.size("max_position_embeddings", family.contextLength);
  const rope = readRope(entries, ropeSection(entries), { headSize, contextLength: longest, theta: family.ropeTheta });
  // Llama's code rotates whole heads whatever the file says, so a file that says otherwise means another model.
  if (rope.rotated !== headSize) entries.refuse("partial_rotary_factor");
  return {
    name: family.name,
    ...heads,
    vocabularySize: entries.size("vocab_size"),
    intermediateSize: entries.size("intermediate_size"),
    layers: entries.size("num_hidden_layers"),
    contextLength: rope.contextLength,
    rmsNormEpsilon: entries.real("rms_norm_eps", 1e-6),
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    tiedEmbeddings: entries.flag("tie_word_embeddings", family.tied ?? false),
    activation: entries.choice("hidden_act", activationNames, "silu"),
  };
}

function biases(entries: ConfigEntries) {
  const attention = entries.flag("attention_bias", false);
  return { queryKeyValueBias: attention, outputBias: attention };
}

/** Qwen and SmolLM 3 slide only where `use_sliding_window` says so. */
function optionalWindow(entries: ConfigEntries): number | null {
  const slides = entries.flag("use_sliding_window", false);
  return slides && entries.get("sliding_window") !== null ? entries.size("sliding_window", 4096) : null;
}

export function readLlama(entries: ConfigEntries): Architecture {
  const config = common(entries, { name: "LlamaForCausalLM", contextLength: 2048 });
  return llama({ ...config, ...biases(entries), mlpBias: entries.flag("mlp_bias", false) });
}

export function readMistral(entries: ConfigEntries): Architecture {
  const config = common(entries, { name: "MistralForCausalLM", contextLength: 131_072 });
  const window = entries.get("sliding_window") === null ? null : entries.size("sliding_window", 4096);
  return llama({ ...config, windows: readWindows(entries, config.layers, { window, slides: () => true }) });
}

/** The first layers of Qwen see everything. */
function qwenSlides(entries: ConfigEntries): (layer: number) => boolean {
  const first = entries.get("max_window_layers") === 0 ? 0 : entries.size("max_window_layers", 28);
  return (layer) => layer >= first;
}

export function readQwen2(entries: ConfigEntries): Architecture {
  const config = common(entries, { name: "Qwen2ForCausalLM", contextLength: 32_768 });
  const window = optionalWindow(entries);
  const windows = readWindows(entries, config.layers, { window, slides: qwenSlides(entries) });
  return llama({ ...config, queryKeyValueBias: true, windows });
}

export function readQwen3(entries: ConfigEntries): Architecture {
  const config = common(entries, { name: "Qwen3ForCausalLM", contextLength: 32_768, headSize: 128 });
  const window = optionalWindow(entries);
  const windows = readWindows(entries, config.layers, { window, slides: qwenSlides(entries) });
  return llama({ ...config, ...biases(entries), queryKeyNorm: true, windows });
}

const isBit = (value: unknown): value is 0 | 1 => value === 0 || value === 1;

export function readSmolLm3(entries: ConfigEntries): Architecture {
  const family = { name: "SmolLM3ForCausalLM", contextLength: 32_768, ropeTheta: 2_000_000, tied: true };
  const config = common(entries, family);
  const interval = entries.size("no_rope_layer_interval", 4);
  const listed = entries.list("no_rope_layers", config.layers, "zeros and ones", isBit);
  const rotates = Array.from({ length: config.layers }, (_, layer) =>
    listed === undefined ? (layer + 1) % interval !== 0 : listed[layer] === 1,
  );
  const window = optionalWindow(entries);
  const windows = readWindows(entries, config.layers, { window, slides: (layer) => rotates[layer] === false });
  return llama({ ...config, ...biases(entries), mlpBias: entries.flag("mlp_bias", false), rotates, windows });
}
