/** Llama (Touvron et al. 2023): pre-norm decoder with RMSNorm, rotary positions, grouped attention and SwiGLU. */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  type Architecture,
  type LinearModule,
  linear,
  lookUp,
  type ParameterContext,
  project,
} from "./architecture.ts";
import { groupedAttention, mergeHeads, splitHeads } from "./attention.ts";
import { rotaryTables } from "./rotary-tables.ts";

export interface LlamaConfig {
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
  tiedEmbeddings: boolean;
}

const embeddingModule = "model.embed_tokens";
const embedding = `${embeddingModule}.weight`;

function layerModules(config: LlamaConfig, layer: number): Record<string, LinearModule> {
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const queries = config.heads * config.headSize;
  const shared = config.keyValueHeads * config.headSize;
  const at = (name: string, inputSize: number, outputSize: number): LinearModule => ({
    name: `model.layers.${layer}.${name}`,
    inputSize,
    outputSize,
  });
  return {
    q: at("self_attn.q_proj", hidden, queries),
    k: at("self_attn.k_proj", hidden, shared),
    v: at("self_attn.v_proj", hidden, shared),
    o: at("self_attn.o_proj", queries, hidden),
    gate: at("mlp.gate_proj", hidden, inner),
    up: at("mlp.up_proj", hidden, inner),
    down: at("mlp.down_proj", inner, hidden),
  };
}

export function llama(config: LlamaConfig): Architecture {
  const { hiddenSize, vocabularySize, heads, keyValueHeads, headSize, rmsNormEpsilon } = config;
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap((modules) => Object.values(modules));

  const parameters = new Map<string, readonly number[]>([[embedding, [vocabularySize, hiddenSize]]]);
  for (const { name, inputSize, outputSize } of linearModules)
    parameters.set(`${name}.weight`, [outputSize, inputSize]);
  for (let layer = 0; layer < config.layers; layer++) {
    parameters.set(`model.layers.${layer}.input_layernorm.weight`, [hiddenSize]);
    parameters.set(`model.layers.${layer}.post_attention_layernorm.weight`, [hiddenSize]);
  }
  parameters.set("model.norm.weight", [hiddenSize]);
  if (!config.tiedEmbeddings) parameters.set("lm_head.weight", [vocabularySize, hiddenSize]);

  return {
    name: "LlamaForCausalLM",
    vocabularySize,
    hiddenSize,
    layers: config.layers,
    keyValueHeads,
    headSize,
    contextLength: config.contextLength,
    parameters,
    linearModules,

    trunk(context, { tokens, positions, attentionBias, past }) {
      const { cosines, sines } = rotaryTables(config.contextLength, headSize, config.ropeTheta);
      const rotate = (x: Tensor) => ops.rotary(x, positions, cosines, sines);
      const norm = (x: Tensor, name: string) => ops.rmsNorm(x, context.weight(name, [hiddenSize]), rmsNormEpsilon);
      const apply = (module: LinearModule | undefined, x: Tensor) => {
        if (module === undefined) throw new Error("a Llama layer lacks one of its linear modules");
        return linear(context, module, x);
      };

      let hidden = lookUp(context, embedding, [vocabularySize, hiddenSize], tokens);
      const present = layers.map((modules, layer) => {
        const attended = norm(hidden, `model.layers.${layer}.input_layernorm.weight`);
        const queries = rotate(splitHeads(apply(modules.q, attended), heads, headSize));
        const keys = rotate(splitHeads(apply(modules.k, attended), keyValueHeads, headSize));
        const values = splitHeads(apply(modules.v, attended), keyValueHeads, headSize);
        const mixed = groupedAttention(queries, keys, values, attentionBias, past?.[layer]);
        hidden = ops.add(hidden, apply(modules.o, mergeHeads(mixed)));

        const fed = norm(hidden, `model.layers.${layer}.post_attention_layernorm.weight`);
        const gate = apply(modules.gate, fed);
        const activated = ops.mul(ops.mul(gate, ops.sigmoid(gate)), apply(modules.up, fed));
        hidden = ops.add(hidden, apply(modules.down, activated));
        return { keys, values };
      });
      return { hidden: norm(hidden, "model.norm.weight"), present };
    },

    head(context: ParameterContext, hidden: Tensor) {
      const name = config.tiedEmbeddings ? embeddingModule : "lm_head";
      return project(context, { name, inputSize: hiddenSize, outputSize: vocabularySize }, hidden);
    },
  };
}
