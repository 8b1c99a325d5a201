/**
 * Phi-3 (Abdin et al. 2024): Llama's layer with one product for queries, keys and values and one for gate and up, an
 * optional sliding window and partly rotated heads.
 */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Activation, activations } from "./activations.ts";
import { type Architecture, type LinearModule, linear, lookUp, project } from "./architecture.ts";
import { groupedAttention, mergeHeads } from "./attention.ts";
import { splitStacked } from "./fused-projection.ts";
import { parameterList } from "./parameter-list.ts";
import { type RotaryConfig, rotation } from "./rotary-tables.ts";
import { layerBiases } from "./sliding-window.ts";

export interface Phi3Config {
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  contextLength: number;
  rmsNormEpsilon: number;
  rope: RotaryConfig;
  activation: Activation;
  /** Tokens that each layer's queries see, themselves included; null for all. */
  windows: readonly (number | null)[];
  tiedEmbeddings: boolean;
}

const embedding = "model.embed_tokens";

function layerModules(config: Phi3Config, layer: number) {
  const { hiddenSize: hidden, intermediateSize: inner, heads, keyValueHeads, headSize } = config;
  const at = (name: string, inputSize: number, outputSize: number): LinearModule => ({
    name: `model.layers.${layer}.${name}`,
    inputSize,
    outputSize,
  });
  return {
    queryKeyValue: at("self_attn.qkv_proj", hidden, (heads + 2 * keyValueHeads) * headSize),
    output: at("self_attn.o_proj", heads * headSize, hidden),
    gateUp: at("mlp.gate_up_proj", hidden, 2 * inner),
    down: at("mlp.down_proj", inner, hidden),
  };
}

export function phi3(config: Phi3Config): Architecture {
  const { hiddenSize, vocabularySize, intermediateSize, keyValueHeads, headSize, contextLength } = config;
  const layers = Array.from({ length: config.layers }, (_, layer) => layerModules(config, layer));
  const linearModules = layers.flatMap(({ queryKeyValue, output, gateUp, down }) => [
    queryKeyValue,
    output,
    gateUp,
    down,
  ]);
  const headModule = {
    name: config.tiedEmbeddings ? embedding : "lm_head",
    inputSize: hiddenSize,
    outputSize: vocabularySize,
  };
  const layerNorms = layers.flatMap((_, layer) =>
    ["input_layernorm", "post_attention_layernorm"].map((name) => `model.layers.${layer}.${name}`),
  );
  const parameters = parameterList({
    embeddings: { [`${embedding}.weight`]: [vocabularySize, hiddenSize] },
    linear: [...linearModules, headModule],
    norms: [...layerNorms, "model.norm"].map((name) => [name, hiddenSize]),
    normBias: false,
  });

  return {
    name: "Phi3ForCausalLM",
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
      const rotate = rotation(inputs.positions, contextLength, config.rope);
      const biases = layerBiases(inputs, config.windows, contextLength);
      const norm = (x: Tensor, name: string) =>
        ops.rmsNorm(x, context.weight(`${name}.weight`, [hiddenSize]), config.rmsNormEpsilon);

      let hidden = lookUp(context, `${embedding}.weight`, [vocabularySize, hiddenSize], inputs.tokens);
      const present = layers.map(({ queryKeyValue, output, gateUp, down }, layer) => {
        const at = `model.layers.${layer}`;
        const fused = linear(context, queryKeyValue, norm(hidden, `${at}.input_layernorm`));
        const { queries, keys: unturned, values } = splitStacked(fused, config);
        const keys = rotate(unturned);
        const mixed = groupedAttention(rotate(queries), keys, values, biases[layer] as Tensor, inputs.past?.[layer]);
        hidden = ops.add(hidden, linear(context, output, mergeHeads(mixed)));

        const both = linear(context, gateUp, norm(hidden, `${at}.post_attention_layernorm`));
        const gate = activate(ops.slice(both, 2, 0, intermediateSize));
        const up = ops.slice(both, 2, intermediateSize, intermediateSize);
        hidden = ops.add(hidden, linear(context, down, ops.mul(gate, up)));
        return { keys, values };
      });
      return { hidden: norm(hidden, "model.norm"), present };
    },

    head: (context, hidden) => project(context, headModule, hidden),
  };
}
