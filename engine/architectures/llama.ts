/**
 * Llama (Touvron et al. 2023) and its kin Mistral, Qwen 2 and 3, SmolLM: pre-norm decoders with RMSNorm, rotary
 * positions, grouped attention and a gated feed-forward, which differ in biases, windows and where they rotate.
 */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Activation, activations } from "./activations.ts";
import { type Architecture, type LinearModule, linear, linearParameters, lookUp, project } from "./architecture.ts";
import { groupedAttention, mergeHeads, splitHeads } from "./attention.ts";
import type { RopeScaling } from "./rotary-frequencies.ts";
import { rotation } from "./rotary-tables.ts";
import { layerBiases } from "./sliding-window.ts";

export interface LlamaConfig {
  /** As config.json's `architectures` entry calls it. Default LlamaForCausalLM. */
  name?: string;
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  contextLength: number;
  rmsNormEpsilon: number;
  ropeTheta: number;
  ropeScaling?: RopeScaling;
  tiedEmbeddings: boolean;
  /** Default silu. */
  activation?: Activation;
  /** Biases of the query, key and value projections. Default false. */
  queryKeyValueBias?: boolean;
  /** Bias of attention's output projection. Default false. */
  outputBias?: boolean;
  /** Biases of the feed-forward. Default false. */
  mlpBias?: boolean;
  /** RMSNorm over each head's queries and keys before they are rotated (Qwen 3). Default false. */
  queryKeyNorm?: boolean;
  /** Tokens that each layer's queries see, themselves included; null for all. Default all. */
  windows?: readonly (number | null)[];
  /** Whether each layer rotates; one that does not has no positions (SmolLM 3). Default all. */
  rotates?: readonly boolean[];
}

const embedding = "model.embed_tokens";
const modules = ["q", "k", "v", "o", "gate", "up", "down"] as const;

function layerModules(config: LlamaConfig, layer: number): Record<(typeof modules)[number], LinearModule> {
  const { hiddenSize: hidden, intermediateSize: inner, queryKeyValueBias, outputBias, mlpBias } = config;
  const queries = config.heads * config.headSize;
  const shared = config.keyValueHeads * config.headSize;
  const at = (name: string, inputSize: number, outputSize: number, bias = false): LinearModule => ({
    name: `model.layers.${layer}.${name}`,
    inputSize,
    outputSize,
    bias,
  });
  return {
    q: at("self_attn.q_proj", hidden, queries, queryKeyValueBias),
    k: at("self_attn.k_proj", hidden, shared, queryKeyValueBias),
    v: at("self_attn.v_proj", hidden, shared, queryKeyValueBias),
    o: at("self_attn.o_proj", queries, hidden, outputBias),
    gate: at("mlp.gate_proj", hidden, inner, mlpBias),
    up: at("mlp.up_proj", hidden, inner, mlpBias),
    down: at("mlp.down_proj", inner, hidden, mlpBias),
  };
}

export function llama(config: LlamaConfig): Architecture {
  const { hiddenSize, vocabularySize, heads, keyValueHeads, headSize, contextLength } = config;
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap((layer) => modules.map((module) => layer[module]));
  const headModule = {
    name: config.tiedEmbeddings ? embedding : "lm_head",
    inputSize: hiddenSize,
    outputSize: vocabularySize,
  };

  const parameters = new Map<string, readonly number[]>([[`${embedding}.weight`, [vocabularySize, hiddenSize]]]);
  for (const module of linearModules) for (const [name, shape] of linearParameters(module)) parameters.set(name, shape);
  for (let layer = 0; layer < config.layers; layer++) {
    parameters.set(`model.layers.${layer}.input_layernorm.weight`, [hiddenSize]);
    parameters.set(`model.layers.${layer}.post_attention_layernorm.weight`, [hiddenSize]);
    if (!config.queryKeyNorm) continue;
    parameters.set(`model.layers.${layer}.self_attn.q_norm.weight`, [headSize]);
    parameters.set(`model.layers.${layer}.self_attn.k_norm.weight`, [headSize]);
  }
  parameters.set("model.norm.weight", [hiddenSize]);
  for (const [name, shape] of linearParameters(headModule)) parameters.set(name, shape);

  return {
    name: config.name ?? "LlamaForCausalLM",
    vocabularySize,
    hiddenSize,
    layers: config.layers,
    keyValueHeads,
    headSize,
    contextLength,
    parameters,
    linearModules,

    trunk(context, inputs) {
      const activate = activations[config.activation ?? "silu"];
      const rope = { theta: config.ropeTheta, rotated: headSize, scaling: config.ropeScaling };
      const rotate = rotation(inputs.positions, contextLength, rope);
      const biases = layerBiases(inputs, config.windows ?? layers.map(() => null), contextLength);
      const norm = (x: Tensor, name: string, size = hiddenSize) =>
        ops.rmsNorm(x, context.weight(`${name}.weight`, [size]), config.rmsNormEpsilon);

      let hidden = lookUp(context, `${embedding}.weight`, [vocabularySize, hiddenSize], inputs.tokens);
      const present = layers.map(({ q, k, v, o, gate, up, down }, layer) => {
        const at = `model.layers.${layer}`;
        const attended = norm(hidden, `${at}.input_layernorm`);
        const place = (module: LinearModule, count: number, normName: string) => {
          const split = splitHeads(linear(context, module, attended), count, headSize);
          const normed = config.queryKeyNorm ? norm(split, `${at}.self_attn.${normName}`, headSize) : split;
          return config.rotates?.[layer] === false ? normed : rotate(normed);
        };
        const queries = place(q, heads, "q_norm");
        const keys = place(k, keyValueHeads, "k_norm");
        const values = splitHeads(linear(context, v, attended), keyValueHeads, headSize);
        const mixed = groupedAttention(queries, keys, values, biases[layer] as Tensor, inputs.past?.[layer]);
        hidden = ops.add(hidden, linear(context, o, mergeHeads(mixed)));

        const fed = norm(hidden, `${at}.post_attention_layernorm`);
        const gated = ops.mul(activate(linear(context, gate, fed)), linear(context, up, fed));
        hidden = ops.add(hidden, linear(context, down, gated));
        return { keys, values };
      });
      return { hidden: norm(hidden, "model.norm"), present };
    },

    head: (context, hidden) => project(context, headModule, hidden),
  };
}
