/**
 * GPT-NeoX (Black et al. 2022), as Pythia and RedPajama-INCITE have it: LayerNorm, partly rotated heads, one product for
 * queries, keys and values, and a feed-forward that may run beside attention instead of behind it.
 */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Activation, activations } from "./activations.ts";
import { type Architecture, type LinearModule, linear, lookUp, project } from "./architecture.ts";
import { groupedAttention, mergeHeads } from "./attention.ts";
import { splitInterleaved } from "./fused-projection.ts";
import { layerNorm } from "./layer-norm.ts";
import { parameterList } from "./parameter-list.ts";
import { type RotaryConfig, rotation } from "./rotary-tables.ts";

export interface GptNeoxConfig {
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  headSize: number;
  contextLength: number;
  layerNormEpsilon: number;
  rope: RotaryConfig;
  activation: Activation;
  attentionBias: boolean;
  /** Whether attention and feed-forward both read the layer's input, and are added together. */
  parallelResidual: boolean;
  tiedEmbeddings: boolean;
}

const embedding = "gpt_neox.embed_in";

function layerModules({ hiddenSize: hidden, intermediateSize: inner, attentionBias }: GptNeoxConfig, layer: number) {
  const at = (name: string, inputSize: number, outputSize: number, bias: boolean): LinearModule => ({
    name: `gpt_neox.layers.${layer}.${name}`,
    inputSize,
    outputSize,
    bias,
  });
  return {
    queryKeyValue: at("attention.query_key_value", hidden, 3 * hidden, attentionBias),
    dense: at("attention.dense", hidden, hidden, attentionBias),
    up: at("mlp.dense_h_to_4h", hidden, inner, true),
    down: at("mlp.dense_4h_to_h", inner, hidden, true),
  };
}

export function gptNeox(config: GptNeoxConfig): Architecture {
  const { hiddenSize, vocabularySize, heads, headSize, contextLength } = config;
  const layout = { heads, keyValueHeads: heads, headSize };
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap(({ queryKeyValue, dense, up, down }) => [queryKeyValue, dense, up, down]);
  const headModule = {
    name: config.tiedEmbeddings ? embedding : "embed_out",
    inputSize: hiddenSize,
    outputSize: vocabularySize,
  };
  const layerNorms = layers.flatMap((_, layer) =>
    ["input_layernorm", "post_attention_layernorm"].map((name) => `gpt_neox.layers.${layer}.${name}`),
  );
  const parameters = parameterList({
    embeddings: { [`${embedding}.weight`]: [vocabularySize, hiddenSize] },
    linear: [...linearModules, headModule],
    norms: [...layerNorms, "gpt_neox.final_layer_norm"].map((name) => [name, hiddenSize]),
    normBias: true,
  });

  return {
    name: "GPTNeoXForCausalLM",
    vocabularySize,
    hiddenSize,
    layers: config.layers,
    keyValueHeads: heads,
    headSize,
    contextLength,
    parameters,
    linearModules,
    // Older files keep the causal mask, and the head of tied embeddings.
    ignored: /\.attention\.(bias|masked_bias)$|^embed_out\.weight$/,

    trunk(context, { tokens, positions, attentionBias, past }) {
      const activate = activations[config.activation];
      const rotate = rotation(positions, contextLength, config.rope);
      const norm = (x: Tensor, name: string) => layerNorm(context, name, x, config.layerNormEpsilon);

      let hidden = lookUp(context, `${embedding}.weight`, [vocabularySize, hiddenSize], tokens);
      const present = layers.map(({ queryKeyValue, dense, up, down }, layer) => {
        const at = `gpt_neox.layers.${layer}`;
        const fused = linear(context, queryKeyValue, norm(hidden, `${at}.input_layernorm`));
        const { queries, keys: unturned, values } = splitInterleaved(fused, layout);
        const keys = rotate(unturned);
        const mixed = groupedAttention(rotate(queries), keys, values, attentionBias, past?.[layer]);
        const attended = ops.add(hidden, linear(context, dense, mergeHeads(mixed)));

        const read = config.parallelResidual ? hidden : attended;
        const inner = activate(linear(context, up, norm(read, `${at}.post_attention_layernorm`)));
        hidden = ops.add(attended, linear(context, down, inner));
        return { keys, values };
      });
      return { hidden: norm(hidden, "gpt_neox.final_layer_norm"), present };
    },

    head: (context, hidden) => project(context, headModule, hidden),
  };
}
