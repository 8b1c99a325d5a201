/**
 * BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019) and DistilBERT (Sanh et al. 2019): post-norm encoders with
 * learned positions, in which every token sees every other. They differ in names, in where positions are counted from
 * and in their heads.
 */
import * as ops from "../../graph/ops.ts";
import type { Shape } from "../../graph/shape.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { ParameterContext, ParameterLayout } from "../architecture.ts";
import { groupedAttention, mergeHeads, splitHeads } from "../attention.ts";
import { type EncoderFamily, encoderAliases, families, type LayerNames, unusedHeads } from "./families.ts";

export interface EncoderConfig {
  /** As config.json's `architectures` entry calls it. */
  name: string;
  family: EncoderFamily;
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  /** Rows of the position table. */
  positions: number;
  /** Row of the first token: RoBERTa counts from the row after the padding token's. */
  firstPosition: number;
  tokenTypes: number;
  epsilon: number;
  activation: "gelu" | "gelu-tanh" | "relu";
  /** Number of classes; null for a trunk without a head, whose hidden states are pooled. */
  classes: number | null;
}

export interface EncoderInputs {
  /** [batch, time], int64. */
  tokens: Tensor;
  /** [batch, time], int64. */
  positions: Tensor;
  /** 0 for tokens, very negative for padding [batch, 1, 1, time]. */
  attentionBias: Tensor;
}

export interface EncoderArchitecture extends ParameterLayout {
  readonly config: EncoderConfig;
  /** Hidden states after the last layer [batch, time, hidden]. */
  trunk(context: ParameterContext, inputs: EncoderInputs): Tensor;
  /** hidden [batch, time, hidden] -> logits [batch, classes]. */
  classify(context: ParameterContext, hidden: Tensor): Tensor;
}

type Sizes = readonly [name: string, inputSize: number, outputSize: number];

function layerSizes({ hiddenSize: hidden, intermediateSize: inner }: EncoderConfig, names: LayerNames): Sizes[] {
  const { query, key, value, mixed, widen, narrow } = names;
  const square = [query, key, value, mixed].map((name): Sizes => [name, hidden, hidden]);
  return [...square, [widen, hidden, inner], [narrow, inner, hidden]];
}

/** The linear layers between the first token's hidden state and the logits; tanh or relu stands between them. */
function headSizes({ family, hiddenSize, classes }: EncoderConfig): Sizes[] {
  if (classes === null) return [];
  const first = { bert: "bert.pooler.dense", roberta: "classifier.dense", distilbert: "pre_classifier" }[family];
  const last = family === "roberta" ? "classifier.out_proj" : "classifier";
  return [
    [first, hiddenSize, hiddenSize],
    [last, hiddenSize, classes],
  ];
}

function parameterShapes(config: EncoderConfig, layers: readonly LayerNames[]): Map<string, readonly number[]> {
  const { hiddenSize, family } = config;
  const { prefix, tokenTypes } = families[family];
  const shapes = new Map<string, readonly number[]>([
    [`${prefix}embeddings.word_embeddings.weight`, [config.vocabularySize, hiddenSize]],
    [`${prefix}embeddings.position_embeddings.weight`, [config.positions, hiddenSize]],
  ]);
  if (tokenTypes !== null) shapes.set(tokenTypes, [config.tokenTypes, hiddenSize]);
  const linears = [...layers.flatMap((names) => layerSizes(config, names)), ...headSizes(config)];
  for (const [name, inputSize, outputSize] of linears) {
    shapes.set(`${name}.weight`, [outputSize, inputSize]);
    shapes.set(`${name}.bias`, [outputSize]);
  }
  const norms = layers.flatMap(({ attentionNorm, outputNorm }) => [attentionNorm, outputNorm]);
  for (const norm of [`${prefix}embeddings.LayerNorm`, ...norms]) {
    shapes.set(`${norm}.weight`, [hiddenSize]);
    shapes.set(`${norm}.bias`, [hiddenSize]);
  }
  return shapes;
}

export function encoderArchitecture(config: EncoderConfig): EncoderArchitecture {
  const { family, hiddenSize, heads } = config;
  const { prefix, tokenTypes } = families[family];
  const layers = Array.from({ length: config.layers }, (_, index) => families[family].layer(index));
  const parameters = parameterShapes(config, layers);

  const activations: Record<EncoderConfig["activation"], (x: Tensor) => Tensor> = {
    gelu: (x) => ops.gelu(x, "none"),
    "gelu-tanh": (x) => ops.gelu(x, "tanh"),
    relu: (x) => ops.maximum(x, ops.scalar(0)),
  };
  const weight = (context: ParameterContext, name: string) => context.weight(name, parameters.get(name) as Shape);
  const norm = (context: ParameterContext, x: Tensor, name: string) =>
    ops.layerNorm(x, weight(context, `${name}.weight`), weight(context, `${name}.bias`), config.epsilon);
  const apply = (context: ParameterContext, x: Tensor, name: string) =>
    ops.add(ops.matmul(x, ops.transposeLast(weight(context, `${name}.weight`))), weight(context, `${name}.bias`));

  return {
    name: config.name,
    config,
    parameters,
    ignored: unusedHeads,
    aliases: (parameter) => encoderAliases(family, parameter),

    trunk(context, { tokens, positions, attentionBias }) {
      const word = ops.gatherRows(weight(context, `${prefix}embeddings.word_embeddings.weight`), tokens);
      const place = ops.gatherRows(weight(context, `${prefix}embeddings.position_embeddings.weight`), positions);
      const placed = ops.add(word, place);
      // All text is of the first segment: pairs of texts are not asked about.
      const segment = tokenTypes === null ? null : ops.slice(weight(context, tokenTypes), 0, 0, 1);
      const embedded = segment === null ? placed : ops.add(placed, segment);
      let hidden = norm(context, embedded, `${prefix}embeddings.LayerNorm`);
      for (const names of layers) {
        const project = (name: string) => splitHeads(apply(context, hidden, name), heads, hiddenSize / heads);
        const mixed = groupedAttention(project(names.query), project(names.key), project(names.value), attentionBias);
        const attended = apply(context, mergeHeads(mixed), names.mixed);
        hidden = norm(context, ops.add(hidden, attended), names.attentionNorm);
        const wide = activations[config.activation](apply(context, hidden, names.widen));
        const narrow = apply(context, wide, names.narrow);
        hidden = norm(context, ops.add(hidden, narrow), names.outputNorm);
      }
      return hidden;
    },

    classify(context, hidden) {
      const [first, last] = headSizes(config);
      if (first === undefined || last === undefined) throw new Error(`${config.name} has no classification head`);
      const start = ops.reshape(ops.slice(hidden, 1, 0, 1), ["batch", hiddenSize]);
      const inner = apply(context, start, first[0]);
      const bent = family === "distilbert" ? activations.relu(inner) : ops.tanh(inner);
      return apply(context, bent, last[0]);
    },
  };
}
