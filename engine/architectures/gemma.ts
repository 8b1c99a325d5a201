/**
 * Gemma 2 (Riviere et al. 2024) and the text part of Gemma 3 (Kamath et al. 2025): norms before and behind each half of
 * a layer, gains stored as their distance from one, scaled embeddings, windows in most layers. Gemma 2 caps attention
 * scores and logits softly; Gemma 3 norms queries and keys, and rotates faster in layers with a window.
 */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Activation, activations } from "./activations.ts";
import { type Architecture, type LinearModule, linear, lookUp, project } from "./architecture.ts";
import { groupedAttention, mergeHeads, splitHeads } from "./attention.ts";
import { parameterList } from "./parameter-list.ts";
import { type RotaryConfig, rotation } from "./rotary-tables.ts";
import { layerBiases } from "./sliding-window.ts";

export interface GemmaConfig {
  name: string;
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  contextLength: number;
  rmsNormEpsilon: number;
  /** Of layers that see everything. */
  rope: RotaryConfig;
  /** Of layers with a window. */
  windowRope: RotaryConfig;
  activation: Activation;
  attentionBias: boolean;
  queryKeyNorm: boolean;
  /** Scores are divided by its square root. */
  queryScalar: number;
  /** c: scores become c tanh(score / c). */
  scoreCap?: number;
  /** c: logits become c tanh(logit / c). */
  logitCap?: number;
  /** Tokens that each layer's queries see, themselves included; null for all. */
  windows: readonly (number | null)[];
  tiedEmbeddings: boolean;
}

const embedding = "model.embed_tokens";
const layerNormNames = [
  "input_layernorm",
  "post_attention_layernorm",
  "pre_feedforward_layernorm",
  "post_feedforward_layernorm",
] as const;
const modules = ["q", "k", "v", "o", "gate", "up", "down"] as const;

function layerModules(config: GemmaConfig, layer: number): Record<(typeof modules)[number], LinearModule> {
  const { hiddenSize: hidden, intermediateSize: inner, heads, keyValueHeads, headSize, attentionBias } = config;
  const at = (name: string, inputSize: number, outputSize: number, bias: boolean): LinearModule => ({
    name: `model.layers.${layer}.${name}`,
    inputSize,
    outputSize,
    bias,
  });
  return {
    q: at("self_attn.q_proj", hidden, heads * headSize, attentionBias),
    k: at("self_attn.k_proj", hidden, keyValueHeads * headSize, attentionBias),
    v: at("self_attn.v_proj", hidden, keyValueHeads * headSize, attentionBias),
    o: at("self_attn.o_proj", heads * headSize, hidden, attentionBias),
    gate: at("mlp.gate_proj", hidden, inner, false),
    up: at("mlp.up_proj", hidden, inner, false),
    down: at("mlp.down_proj", inner, hidden, false),
  };
}

export function gemma(config: GemmaConfig): Architecture {
  const { hiddenSize, vocabularySize, heads, keyValueHeads, headSize, contextLength } = config;
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap((layer) => modules.map((module) => layer[module]));
  const headModule = {
    name: config.tiedEmbeddings ? embedding : "lm_head",
    inputSize: hiddenSize,
    outputSize: vocabularySize,
  };
  const headNorms = config.queryKeyNorm ? ["self_attn.q_norm", "self_attn.k_norm"] : [];
  const parameters = parameterList({
    embeddings: { [`${embedding}.weight`]: [vocabularySize, hiddenSize] },
    linear: [...linearModules, headModule],
    norms: [
      ...layers.flatMap((_, layer) => [
        ...layerNormNames.map((name) => [`model.layers.${layer}.${name}`, hiddenSize] as const),
        ...headNorms.map((name) => [`model.layers.${layer}.${name}`, headSize] as const),
      ]),
      ["model.norm", hiddenSize],
    ],
    normBias: false,
  });

  return {
    name: config.name,
    vocabularySize,
    hiddenSize,
    layers: config.layers,
    keyValueHeads,
    headSize,
    contextLength,
    parameters,
    linearModules,

    trunk(context, inputs) {
      const activate = activations[config.activation];
      const rotateFar = rotation(inputs.positions, contextLength, config.rope);
      const rotateNear = rotation(inputs.positions, contextLength, config.windowRope);
      const biases = layerBiases(inputs, config.windows, contextLength);
      const attention = { scale: config.queryScalar ** -0.5, softcap: config.scoreCap };
      const norm = (x: Tensor, name: string) => {
        const gain = ops.add(context.weight(`${name}.weight`, x.shape.slice(-1)), ops.scalar(1));
        return ops.rmsNorm(x, gain, config.rmsNormEpsilon);
      };

      const words = lookUp(context, `${embedding}.weight`, [vocabularySize, hiddenSize], inputs.tokens);
      let hidden = ops.scale(words, Math.sqrt(hiddenSize));
      const present = layers.map(({ q, k, v, o, gate, up, down }, layer) => {
        const at = `model.layers.${layer}`;
        const rotate = config.windows[layer] == null ? rotateFar : rotateNear;
        const attended = norm(hidden, `${at}.input_layernorm`);
        const place = (module: LinearModule, count: number, normName: string) => {
          const split = splitHeads(linear(context, module, attended), count, headSize);
          return rotate(config.queryKeyNorm ? norm(split, `${at}.self_attn.${normName}`) : split);
        };
        const queries = place(q, heads, "q_norm");
        const keys = place(k, keyValueHeads, "k_norm");
        const values = splitHeads(linear(context, v, attended), keyValueHeads, headSize);
        const bias = biases[layer] as Tensor;
        const mixed = groupedAttention(queries, keys, values, bias, inputs.past?.[layer], attention);
        const answer = linear(context, o, mergeHeads(mixed));
        hidden = ops.add(hidden, norm(answer, `${at}.post_attention_layernorm`));

        const fed = norm(hidden, `${at}.pre_feedforward_layernorm`);
        const gated = ops.mul(activate(linear(context, gate, fed)), linear(context, up, fed));
        hidden = ops.add(hidden, norm(linear(context, down, gated), `${at}.post_feedforward_layernorm`));
        return { keys, values };
      });
      return { hidden: norm(hidden, "model.norm"), present };
    },

    head(context, hidden) {
      const logits = project(context, headModule, hidden);
      const cap = config.logitCap;
      return cap === undefined ? logits : ops.scale(ops.tanh(ops.scale(logits, 1 / cap)), cap);
    },
  };
}
