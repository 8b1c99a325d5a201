/**
 * Falcon (Almazrouei et al. 2023): LayerNorm, rotary positions, one product for queries, keys and values, one or few
 * key/value heads, and attention beside the feed-forward. The 7B, the 40B and the 11B model norm in different places.
 */
import * as ops from "../graph/ops.ts";
import { type Activation, activations } from "./activations.ts";
import { type Architecture, type LinearModule, linear, lookUp, project } from "./architecture.ts";
import { groupedAttention, mergeHeads } from "./attention.ts";
import { splitInterleaved } from "./fused-projection.ts";
import { layerNorm } from "./layer-norm.ts";
import { parameterList } from "./parameter-list.ts";
import { type RotaryConfig, rotation } from "./rotary-tables.ts";

/**
 * Where a layer norms: once for attention and feed-forward side by side (7B, 11B), once for each (40B), or in front of
 * each as they follow one another.
 */
export type FalconNorms = "shared" | "separate" | "sequential";

export interface FalconConfig {
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  contextLength: number;
  layerNormEpsilon: number;
  rope: RotaryConfig;
  activation: Activation;
  bias: boolean;
  norms: FalconNorms;
  tiedEmbeddings: boolean;
}

const embedding = "transformer.word_embeddings";

/** Of the norms in front of attention and of the feed-forward, the same where it is one. */
const normNames: Record<FalconNorms, readonly [attention: string, feedForward: string]> = {
  shared: ["input_layernorm", "input_layernorm"],
  separate: ["ln_attn", "ln_mlp"],
  sequential: ["input_layernorm", "post_attention_layernorm"],
};

function layerModules(config: FalconConfig, layer: number) {
  const { hiddenSize: hidden, intermediateSize: inner, heads, keyValueHeads, headSize, bias } = config;
  const at = (name: string, inputSize: number, outputSize: number): LinearModule => ({
    name: `transformer.h.${layer}.${name}`,
    inputSize,
    outputSize,
    bias,
  });
  return {
    queryKeyValue: at("self_attention.query_key_value", hidden, (heads + 2 * keyValueHeads) * headSize),
    dense: at("self_attention.dense", hidden, hidden),
    up: at("mlp.dense_h_to_4h", hidden, inner),
    down: at("mlp.dense_4h_to_h", inner, hidden),
  };
}

export function falcon(config: FalconConfig): Architecture {
  const { hiddenSize, vocabularySize, keyValueHeads, headSize, contextLength, layerNormEpsilon: epsilon } = config;
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap(({ queryKeyValue, dense, up, down }) => [queryKeyValue, dense, up, down]);
  const headModule = {
    name: config.tiedEmbeddings ? embedding : "lm_head",
    inputSize: hiddenSize,
    outputSize: vocabularySize,
  };
  const [attentionNorm, feedForwardNorm] = normNames[config.norms];
  const layerNorms = layers.flatMap((_, layer) =>
    [...new Set([attentionNorm, feedForwardNorm])].map((name) => `transformer.h.${layer}.${name}`),
  );
  const parameters = parameterList({
    embeddings: { [`${embedding}.weight`]: [vocabularySize, hiddenSize] },
    linear: [...linearModules, headModule],
    norms: [...layerNorms, "transformer.ln_f"].map((name) => [name, hiddenSize]),
    normBias: true,
  });

  return {
    name: "FalconForCausalLM",
    vocabularySize,
    hiddenSize,
    layers: config.layers,
    keyValueHeads,
    headSize,
    contextLength,
    parameters,
    linearModules,

    trunk(context, { tokens, positions, attentionBias, past }) {
      const activate = activations[config.activation];
      const rotate = rotation(positions, contextLength, config.rope);

      let hidden = lookUp(context, `${embedding}.weight`, [vocabularySize, hiddenSize], tokens);
      const present = layers.map(({ queryKeyValue, dense, up, down }, layer) => {
        const at = `transformer.h.${layer}`;
        const normed = layerNorm(context, `${at}.${attentionNorm}`, hidden, epsilon);
        const { queries, keys: unturned, values } = splitInterleaved(linear(context, queryKeyValue, normed), config);
        const keys = rotate(unturned);
        const mixed = groupedAttention(rotate(queries), keys, values, attentionBias, past?.[layer]);
        const attended = ops.add(hidden, linear(context, dense, mergeHeads(mixed)));

        const read = config.norms === "sequential" ? attended : hidden;
        const fed = config.norms === "shared" ? normed : layerNorm(context, `${at}.${feedForwardNorm}`, read, epsilon);
        hidden = ops.add(attended, linear(context, down, activate(linear(context, up, fed))));
        return { keys, values };
      });
      return { hidden: layerNorm(context, "transformer.ln_f", hidden, epsilon), present };
    },

    head: (context, hidden) => project(context, headModule, hidden),
  };
}
