/** What the checkpoints of BERT, RoBERTa and DistilBERT call the parameters of what is the same network. */

export type EncoderFamily = "bert" | "roberta" | "distilbert";

export interface FamilyNames {
  /** Before the trunk's parameters in checkpoints that have a head. */
  prefix: string;
  /** Null where a family has no segments. */
  tokenTypes: string | null;
  layer(index: number): LayerNames;
}

export interface LayerNames {
  query: string;
  key: string;
  value: string;
  mixed: string;
  attentionNorm: string;
  widen: string;
  narrow: string;
  outputNorm: string;
}

function bertLayer(prefix: string, index: number): LayerNames {
  const at = `${prefix}encoder.layer.${index}.`;
  return {
    query: `${at}attention.self.query`,
    key: `${at}attention.self.key`,
    value: `${at}attention.self.value`,
    mixed: `${at}attention.output.dense`,
    attentionNorm: `${at}attention.output.LayerNorm`,
    widen: `${at}intermediate.dense`,
    narrow: `${at}output.dense`,
    outputNorm: `${at}output.LayerNorm`,
  };
}

function distilbertLayer(index: number): LayerNames {
  const at = `distilbert.transformer.layer.${index}.`;
  return {
    query: `${at}attention.q_lin`,
    key: `${at}attention.k_lin`,
    value: `${at}attention.v_lin`,
    mixed: `${at}attention.out_lin`,
    attentionNorm: `${at}sa_layer_norm`,
    widen: `${at}ffn.lin1`,
    narrow: `${at}ffn.lin2`,
    outputNorm: `${at}output_layer_norm`,
  };
}

export const families: Readonly<Record<EncoderFamily, FamilyNames>> = {
  bert: {
    prefix: "bert.",
    tokenTypes: "bert.embeddings.token_type_embeddings.weight",
    layer: (index) => bertLayer("bert.", index),
  },
  roberta: {
    prefix: "roberta.",
    tokenTypes: "roberta.embeddings.token_type_embeddings.weight",
    layer: (index) => bertLayer("roberta.", index),
  },
  distilbert: { prefix: "distilbert.", tokenTypes: null, layer: distilbertLayer },
};

/** Heads of pre-training and of other tasks, which files hold beside the trunk. */
export const unusedHeads = /^(?:cls|lm_head|vocab_transform|vocab_layer_norm|vocab_projector|qa_outputs)\b|\bpooler\./;

/**
 * A trunk saved without its head lacks the prefix, and files from TensorFlow call a norm's weight and bias gamma and
 * beta.
 */
export function encoderAliases(family: EncoderFamily, parameter: string): string[] {
  const { prefix } = families[family];
  const bare = parameter.startsWith(prefix) ? [parameter.slice(prefix.length)] : [];
  const names = [parameter, ...bare];
  const older = names.map((name) =>
    name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta"),
  );
  return [...names, ...older].slice(1);
}
