/** GPT-2 (Radford et al. 2019), as DialoGPT has it: LayerNorm, learned positions, weights stored [input, output]. */
import * as ops from "../graph/ops.ts";
import { type Activation, activations } from "./activations.ts";
import { type Architecture, type LinearModule, linear, lookUp, project } from "./architecture.ts";
import { groupedAttention, mergeHeads } from "./attention.ts";
import { splitStacked } from "./fused-projection.ts";
import { layerNorm } from "./layer-norm.ts";
import { parameterList } from "./parameter-list.ts";

export interface Gpt2Config {
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  contextLength: number;
  layerNormEpsilon: number;
  activation: Activation;
  /** Whether scores are divided by the square root of the head size. */
  scaleAttention: boolean;
  /** Whether layer i divides scores by i + 1 too. */
  scaleByLayer: boolean;
  tiedEmbeddings: boolean;
}

const tokenEmbedding = "transformer.wte";
const positionEmbedding = "transformer.wpe";

function layerModules({ hiddenSize: hidden, intermediateSize: inner }: Gpt2Config, layer: number) {
  const at = (name: string, inputSize: number, outputSize: number): LinearModule => ({
    name: `transformer.h.${layer}.${name}`,
    inputSize,
    outputSize,
    bias: true,
    transposed: true,
  });
  return {
    attention: at("attn.c_attn", hidden, 3 * hidden),
    projection: at("attn.c_proj", hidden, hidden),
    up: at("mlp.c_fc", hidden, inner),
    down: at("mlp.c_proj", inner, hidden),
  };
}

export function gpt2(config: Gpt2Config): Architecture {
  const { hiddenSize, vocabularySize, heads, contextLength, layerNormEpsilon: epsilon } = config;
  const headSize = hiddenSize / heads;
  const layout = { heads, keyValueHeads: heads, headSize };
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap(({ attention, projection, up, down }) => [attention, projection, up, down]);
  const headModule = {
    name: config.tiedEmbeddings ? tokenEmbedding : "lm_head",
    inputSize: hiddenSize,
    outputSize: vocabularySize,
  };
  const layerNorms = layers.flatMap((_, layer) => ["ln_1", "ln_2"].map((name) => `transformer.h.${layer}.${name}`));
  const parameters = parameterList({
    embeddings: {
      [`${tokenEmbedding}.weight`]: [vocabularySize, hiddenSize],
      [`${positionEmbedding}.weight`]: [contextLength, hiddenSize],
    },
    linear: [...linearModules, headModule],
    norms: [...layerNorms, "transformer.ln_f"].map((name) => [name, hiddenSize]),
    normBias: true,
  });

  return {
    name: "GPT2LMHeadModel",
    vocabularySize,
    hiddenSize,
    layers: config.layers,
    keyValueHeads: heads,
    headSize,
    contextLength,
    parameters,
    linearModules,
    // Older files keep the causal mask.
    ignored: /\.attn\.(bias|masked_bias)$/,
    // The first GPT-2 was saved without its head, and so without the prefix.
    aliases: (name) => [name.replace(/^transformer\./, "")],

    trunk(context, { tokens, positions, attentionBias, past }) {
      const activate = activations[config.activation];
      const words = lookUp(context, `${tokenEmbedding}.weight`, [vocabularySize, hiddenSize], tokens);
      const places = lookUp(context, `${positionEmbedding}.weight`, [contextLength, hiddenSize], positions);

      let hidden = ops.add(words, places);
      const present = layers.map(({ attention, projection, up, down }, layer) => {
        const at = `transformer.h.${layer}`;
        const normed = layerNorm(context, `${at}.ln_1`, hidden, epsilon);
        const { queries, keys, values } = splitStacked(linear(context, attention, normed), layout);
        const scale = (config.scaleAttention ? headSize ** -0.5 : 1) / (config.scaleByLayer ? layer + 1 : 1);
        const mixed = groupedAttention(queries, keys, values, attentionBias, past?.[layer], { scale });
        hidden = ops.add(hidden, linear(context, projection, mergeHeads(mixed)));

        const inner = activate(linear(context, up, layerNorm(context, `${at}.ln_2`, hidden, epsilon)));
        hidden = ops.add(hidden, linear(context, down, inner));
        return { keys, values };
      });
      return { hidden: layerNorm(context, "transformer.ln_f", hidden, epsilon), present };
    },

    head: (context, hidden) => project(context, headModule, hidden),
  };
}
